//! From what was seen to lines: the file, the secrets, and GitHub; `machine` has the rest.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use super::Facts;
use super::Finding;
use super::ScopeFacts;
use super::SecretFacts;
use super::machine;
use crate::cli::text::brief;
use crate::github::GitHubError;
use crate::model::GroupName;
use crate::model::Scope;
use crate::model::Time;

/// GitHub refuses a JSON Web Token whose times are more than a minute off; a clock that is out by half of that is on its
/// way there.
const SKEW_FAIL_MS: u64 = 60_000;

/// See [`SKEW_FAIL_MS`].
const SKEW_WARN_MS: u64 = 30_000;

/// Time enough to ask an organization's owner for a new token.
const EXPIRY_WARN: Duration = Duration::from_secs(14 * 86_400);

/// The diagnosis, in the order in which one would mend things.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    config(facts, &mut findings);
    findings.extend(facts.secrets.iter().map(secret));
    credentials(facts, &mut findings);
    findings.extend(facts.scopes.iter().flat_map(scope));
    findings.extend(facts.demand.iter().flat_map(super::demand::judge));
    machine::engine(facts, &mut findings);
    machine::socket(&facts.socket, &mut findings);
    machine::daemon(facts, &mut findings);
    findings
}

fn config(facts: &Facts, findings: &mut Vec<Finding>) {
    let config = &facts.config;
    let advice = "`ghrunner check` shows each with its place";
    if !config.errors.is_empty() {
        findings.push(Finding::fail("config", config.errors.join("\n"), advice));
    } else if !config.warnings.is_empty() {
        findings.push(Finding::warn("config", config.warnings.join("\n"), advice));
    } else if config.pools == 0 {
        let found = format!("{} declares no pool", config.path);
        findings.push(Finding::warn("config", found, "add a [pools.NAME] table"));
    } else {
        let pools = crate::cli::text::count(config.pools, "pool");
        findings.push(Finding::ok("config", format!("{} is good and declares {pools}", config.path)));
    }
}

fn secret(secret: &SecretFacts) -> Finding {
    let about = format!("secret {}", secret.credential);
    match &secret.outcome {
        Ok(None) => Finding::ok(about, "can be read"),
        Ok(Some(warning)) => Finding::warn(about, warning, "only its owner should be able to read it"),
        Err(why) => Finding::fail(about, why, "credentials of the unit can be read here only by root"),
    }
}

/// What holds for a credential wherever it is used: its end, and the clock that it is checked by.
fn credentials(facts: &Facts, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for scope in &facts.scopes {
        if let Some(expires) = &scope.access.expires
            && told.insert((scope.credential.clone(), expires.clone()))
        {
            findings.push(expiry(facts.now, &scope.credential, expires));
        }
    }
    let skews = facts.scopes.iter().filter_map(|s| s.access.clock_skew_ms);
    if let Some(skew) = skews.min_by_key(|ms| ms.unsigned_abs()) {
        findings.push(clock(skew));
    }
}

fn expiry(now: Time, credential: &str, expires: &str) -> Finding {
    let about = format!("token {credential}");
    let Some(end) = parse_expiry(expires) else { return Finding::ok(about, format!("expires {expires}")) };
    let advice = "make a new token with the same permissions, put it in the place of the old one, and \
                  `systemctl restart ghrunner`; runners go on meanwhile";
    if end <= now {
        return Finding::fail(about, format!("expired {expires}"), advice);
    }
    let left = end.since(now);
    let found = format!("expires in {} ({expires})", brief(left));
    if left < EXPIRY_WARN { Finding::warn(about, found, advice) } else { Finding::ok(about, found) }
}

/// GitHub writes `2026-01-31 12:00:00 UTC`, or an offset in the place of `UTC`, which is left aside: it is a matter of
/// hours where days are counted.
fn parse_expiry(text: &str) -> Option<Time> {
    let stamp = format!("{}Z", text.get(..19)?.replace(' ', "T"));
    let since = humantime::parse_rfc3339(&stamp).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Time::default() + since)
}

fn clock(skew_ms: i64) -> Finding {
    let off = skew_ms.unsigned_abs();
    let side = if skew_ms > 0 { "behind" } else { "ahead of" };
    let found = format!("this clock is {} {side} GitHub's", brief(Duration::from_millis(off)));
    let advice = "`timedatectl set-ntp true`; GitHub refuses an App's token when the clock is a minute off";
    if off >= SKEW_FAIL_MS {
        Finding::fail("clock", found, advice)
    } else if off >= SKEW_WARN_MS {
        Finding::warn("clock", found, advice)
    } else {
        Finding::ok("clock", "agrees with GitHub's")
    }
}

fn scope(facts: &ScopeFacts) -> Vec<Finding> {
    let about = format!("pool {}", facts.pool);
    let mut findings = Vec::new();
    match &facts.access.list {
        Ok(()) => {
            let found = format!("credential {} sees the runners of {}", facts.credential, facts.scope);
            findings.push(Finding::ok(&about, found));
            findings.extend(lacking_scope(facts, &about));
        }
        // What keeps it from listing keeps it from the group as well, and is told once.
        Err(error) => {
            findings.push(refused(&about, error, facts));
            return findings;
        }
    }
    match (&facts.access.group, &facts.group) {
        (Some(Ok(id)), Some(group)) => {
            findings.push(Finding::ok(&about, format!("runner group {group} is there (number {id})")));
        }
        (Some(Err(error)), Some(group)) => findings.push(no_group(&about, error, group, facts)),
        _ => {}
    }
    findings
}

fn no_group(about: &str, error: &GitHubError, group: &GroupName, facts: &ScopeFacts) -> Finding {
    let mut finding = refused(about, error, facts);
    finding.found = format!("runner group {group}: {}", finding.found);
    if matches!(error, GitHubError::NotFound { .. }) {
        finding.advice = Some(format!(
            "make a runner group named {group} under the organization's Settings > Actions > Runner groups, or let \
             `group` name one that is there"
        ));
    }
    finding
}

/// Classic tokens tell their scopes: one that may list may still not be allowed to register.
fn lacking_scope(facts: &ScopeFacts, about: &str) -> Option<Finding> {
    let (_, found) = lack(facts)?;
    Some(Finding::fail(about, found, permission(&facts.scope)))
}

/// The scope that a classic token lacks, and the sentence that tells.
fn lack(facts: &ScopeFacts) -> Option<(&'static str, String)> {
    let scopes = facts.access.classic_scopes.as_deref()?;
    // The second one of an enterprise includes the first.
    let (needed, wider) = match facts.scope {
        Scope::Enterprise(_) => ("manage_runners:enterprise", "admin:enterprise"),
        Scope::Organization(_) => ("admin:org", "admin:org"),
        Scope::Repository(_) => ("repo", "repo"),
    };
    let has = scopes.split(',').map(str::trim).any(|scope| scope == needed || scope == wider);
    (!has).then(|| (needed, format!("the token's scopes are {scopes:?}, without {needed}")))
}

fn permission(scope: &Scope) -> String {
    match scope {
        Scope::Enterprise(slug) => format!(
            "for {slug} the token needs: classic, manage_runners:enterprise, of an owner of the enterprise"
        ),
        Scope::Organization(org) => format!(
            "for {org} the token needs: fine-grained or App, organization permission \"Self-hosted runners\" read and \
             write; classic, admin:org"
        ),
        Scope::Repository(repo) => format!(
            "for {repo} the token needs: fine-grained or App, repository permission \"Administration\" read and \
             write; classic, repo"
        ),
    }
}

/// What an error of GitHub's means for whoever asked in this scope: what was found, and what to do.
pub(in crate::cli) fn explain(error: &GitHubError, scope: &Scope) -> (String, String) {
    let finding = judged("", error.to_string(), error, scope);
    let advice = match error {
        GitHubError::Unusable { .. } => {
            "credentials of the unit can be read only by root, and only while the service runs; `ghrunner doctor` looks at \
             each"
                .to_owned()
        }
        _ => finding.advice.unwrap_or_default(),
    };
    (finding.found, advice)
}

fn refused(about: &str, error: &GitHubError, facts: &ScopeFacts) -> Finding {
    let scope = &facts.scope;
    let mut found = error.to_string();
    // GitHub does not always name it.
    if let GitHubError::Forbidden { .. } | GitHubError::NotFound { .. } = error
        && let Some((needed, sentence)) = lack(facts)
        && !found.contains(needed)
    {
        found = format!("{found}; {sentence}");
    }
    judged(about, found, error, scope)
}

fn judged(about: &str, found: String, error: &GitHubError, scope: &Scope) -> Finding {
    match error {
        GitHubError::Limited { .. } => {
            Finding::warn(about, found, "it goes on by itself then; webhook or scale-set demand asks less")
        }
        GitHubError::Unusable { .. } => Finding::fail(about, found, "see the secret's line above"),
        GitHubError::Rejected { .. } => {
            Finding::fail(about, found, "the token is wrong, revoked or expired: put a good one in its place")
        }
        GitHubError::Forbidden { .. } => Finding::fail(about, found, permission(scope)),
        GitHubError::NotFound { .. } => {
            let advice = format!("is {} written rightly? {}", scope.path(), permission(scope));
            Finding::fail(about, found, advice)
        }
        GitHubError::Unreachable { .. } => {
            Finding::fail(about, found, "can this host reach it (DNS, firewall, proxy, ca_file)?")
        }
        GitHubError::Failed { .. } | GitHubError::Malformed { .. } => {
            Finding::warn(about, found, "see https://www.githubstatus.com")
        }
        GitHubError::Refused { .. } | GitHubError::NameTaken { .. } => {
            Finding::fail(about, found, "see GitHub's words")
        }
    }
}
