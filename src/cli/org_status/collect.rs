//! Looking. What cannot be seen of one organization leaves the others alone.

use std::collections::BTreeSet;
use std::path::Path;

use super::GroupSeen;
use super::OrgSeen;
use super::Seen;
use super::Trouble;
use crate::cli::doctor;
use crate::client::blocking::Client as Daemon;
use crate::client::call;
use crate::config::Config;
use crate::decide;
use crate::github::Client;
use crate::github::GitHub;
use crate::github::GitHubError;
use crate::github::RunnerGroup;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::InstanceId;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::RunnerName;
use crate::model::Scope;

/// Looks at these organizations, or at all that the file's pools belong to. `kept` is the mode that a daemon left, for where
/// none runs.
pub(in crate::cli) async fn collect(
    config: Config,
    instance: InstanceId,
    github: &Client,
    socket: &Path,
    kept: Mode,
    orgs: &[String],
) -> Seen {
    let status = Daemon::at_socket(socket).ask(call::status()).ok();
    let mode = status.as_ref().map_or(kept, |status| status.mode);
    let phases = status.map(|status| {
        let of = |runner: crate::http::dto::Runner| (RunnerName::new(runner.name), runner.phase);
        status.runners.into_iter().map(of).collect()
    });
    let mut seen = Vec::new();
    for org in wanted(&config, orgs) {
        seen.push(look(&config, github, mode, org).await);
    }
    Seen { config, instance, mode, phases, orgs: seen }
}

/// Each organization once, as GitHub takes names: without regard to case.
fn wanted(config: &Config, named: &[String]) -> Vec<String> {
    let mut told = BTreeSet::new();
    let declared = config.pools.values().filter_map(|pool| pool.scope.organization().map(str::to_owned));
    let all: Vec<String> = if named.is_empty() { declared.collect() } else { named.to_vec() };
    all.into_iter().filter(|org| told.insert(org.to_ascii_lowercase())).collect()
}

/// The file's pools of an organization.
pub(super) fn pools_of<'a>(config: &'a Config, org: &'a str) -> impl Iterator<Item = &'a Pool> {
    let belongs = |pool: &&Pool| pool.scope.organization().is_some_and(|of| of.eq_ignore_ascii_case(org));
    config.pools.values().filter(belongs)
}

async fn look(config: &Config, github: &Client, mode: Mode, org: String) -> OrgSeen {
    let mut own = distinct(pools_of(config, &org).map(|pool| &pool.credentials));
    if own.is_empty() {
        // Whoever may see an organization that no pool names.
        own = distinct(config.credentials.keys());
    }
    let scope = Scope::Organization(org.clone());
    let mut answer = None;
    for credentials in &own {
        let groups = github.runner_groups(credentials, &org).await;
        let good = groups.is_ok();
        answer = Some((credentials.clone(), groups));
        if good {
            break;
        }
    }
    let Some((credentials, groups)) = answer else {
        let trouble = Trouble {
            found: "the file has no credentials".to_owned(),
            advice: "add [github] with a token or an App".to_owned(),
        };
        return OrgSeen {
            org,
            credentials: "-".to_owned(),
            blind: Vec::new(),
            groups: Err(trouble),
            repositories: Vec::new(),
        };
    };
    let groups = match groups {
        Ok(groups) => Ok(admitting(github, &credentials, &org, groups).await),
        Err(error) => Err(trouble(&error, &scope)),
    };
    let repositories = repositories(config, github, mode, &org, &groups).await;
    let blind = match pools_of(config, &org).next() {
        Some(_) => blind(github, &own, &credentials, &scope).await,
        None => Vec::new(),
    };
    OrgSeen { org, credentials: credentials.to_string(), blind, groups, repositories }
}

/// Each once, in the order in which they come.
fn distinct<'a>(all: impl Iterator<Item = &'a CredentialName>) -> Vec<CredentialName> {
    let mut found: Vec<CredentialName> = Vec::new();
    for name in all {
        if !found.contains(name) {
            found.push(name.clone());
        }
    }
    found
}

/// Those of an organization's pools that may not even list its runners, beside the one that was used.
async fn blind(
    github: &Client,
    own: &[CredentialName],
    used: &CredentialName,
    scope: &Scope,
) -> Vec<(String, Trouble)> {
    let mut found = Vec::new();
    for credentials in own.iter().filter(|name| *name != used) {
        if let Err(error) = github.access(credentials, scope, None).await.list {
            found.push((credentials.to_string(), trouble(&error, scope)));
        }
    }
    found
}

/// The groups, each with the repositories that it admits: archived ones are not among them, nor public ones where the group
/// is closed to those.
async fn admitting(
    github: &Client,
    credentials: &CredentialName,
    org: &str,
    groups: Vec<RunnerGroup>,
) -> Vec<GroupSeen> {
    let mut seen = Vec::new();
    for group in groups {
        let name = GroupName::new(&group.name);
        let list = github.admitted(credentials, org, (!group.default).then_some(&name)).await;
        let list = list.map_err(|error| trouble(&error, &Scope::Organization(org.to_owned())));
        seen.push(GroupSeen { group, admitted: Some(list) });
    }
    seen
}

/// The runners of the repositories at which the organization's pools stand in repository mode.
async fn repositories(
    config: &Config,
    github: &Client,
    mode: Mode,
    org: &str,
    groups: &Result<Vec<GroupSeen>, Trouble>,
) -> Vec<(Scope, Result<Vec<crate::model::Registration>, Trouble>)> {
    let mut seen: Vec<(Scope, _)> = Vec::new();
    if mode == Mode::Organization {
        return seen;
    }
    for pool in pools_of(config, org) {
        let group = groups.as_ref().ok().and_then(|groups| super::compare::group_of(pool, groups));
        let admitted = group.and_then(|group| group.admitted.as_ref()?.as_ref().ok());
        for scope in decide::places(pool, mode, admitted.map(|list| list.repos.as_slice())) {
            if seen.iter().any(|(known, _)| *known == scope) {
                continue;
            }
            let list = github.list(&pool.credentials, &scope).await;
            let list = list.map_err(|error| trouble(&error, &scope));
            seen.push((scope, list));
        }
    }
    seen
}

fn trouble(error: &GitHubError, scope: &Scope) -> Trouble {
    let (found, advice) = doctor::explain(error, scope);
    Trouble { found, advice }
}
