//! From what was seen to what is shown, and what disagrees with the file.

use super::Disagreement;
use super::GroupReport;
use super::GroupSeen;
use super::Kind;
use super::OrgReport;
use super::OrgSeen;
use super::RunnerReport;
use super::Seen;
use super::Trouble;
use super::collect::pools_of;
use crate::decide;
use crate::github::AccessList;
use crate::http::dto::Phase;
use crate::model::Demand;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::Registration;
use crate::model::Repo;
use crate::model::Scope;

/// All organizations as they are shown.
pub(in crate::cli) fn compare(seen: &Seen) -> Vec<OrgReport> {
    seen.orgs.iter().map(|org| organization(seen, org)).collect()
}

/// The group that a pool names, or the default one.
pub(super) fn group_of<'g>(pool: &Pool, groups: &'g [GroupSeen]) -> Option<&'g GroupSeen> {
    match pool.scope.group() {
        None => groups.iter().find(|g| g.group.default),
        Some(name) => groups.iter().find(|g| g.group.name.eq_ignore_ascii_case(name.as_str())),
    }
}

fn organization(seen: &Seen, org: &OrgSeen) -> OrgReport {
    let mut report = OrgReport {
        org: org.org.clone(),
        credentials: org.credentials.clone(),
        trouble: org.groups.as_ref().err().cloned(),
        groups: Vec::new(),
        disagreements: Vec::new(),
    };
    let scope = Scope::Organization(org.org.clone());
    let blind = org.blind.iter();
    report.disagreements.extend(blind.map(|(name, trouble)| unseen(format!("credential {name}"), trouble)));
    if let Ok(groups) = &org.groups {
        for pool in pools_of(&seen.config, &org.org) {
            of_pool(pool, groups, &mut report.disagreements);
        }
        for group in groups {
            let pools: Vec<&Pool> = pools_of(&seen.config, &org.org)
                .filter(|pool| group_of(pool, groups).is_some_and(|own| own.group.id == group.group.id))
                .collect();
            of_group(group, &pools, &mut report.disagreements);
            for runner in &group.group.runners {
                of_runner(seen, &scope, Some(&group.group.name), &pools, runner, &mut report.disagreements);
            }
            report.groups.push(group_report(seen, &scope, group, &pools));
        }
    }
    for (place, runners) in &org.repositories {
        of_repository(seen, &org.org, place, runners, &mut report);
    }
    report.disagreements.sort_by_key(|found| !found.grave);
    report
}

fn of_repository(
    seen: &Seen,
    org: &str,
    place: &Scope,
    runners: &Result<Vec<Registration>, Trouble>,
    report: &mut OrgReport,
) {
    let here = |pool: &&Pool| {
        // Where the list of repositories is GitHub's, every place that was looked at is one of them.
        pool.rollback.is_empty() || decide::places(pool, Mode::Repository, None).contains(place)
    };
    let pools: Vec<&Pool> = pools_of(&seen.config, org).filter(here).collect();
    match runners {
        Ok(runners) => {
            for runner in runners {
                of_runner(seen, place, None, &pools, runner, &mut report.disagreements);
            }
            report.groups.push(GroupReport {
                group: None,
                id: None,
                scope: place.to_string(),
                default: false,
                visibility: None,
                public: false,
                repositories: None,
                pools: pools.iter().map(|pool| pool.name.to_string()).collect(),
                runners: runners.iter().map(|runner| runner_report(seen, runner)).collect(),
            });
        }
        Err(trouble) => report.disagreements.push(unseen(place.to_string(), trouble)),
    }
}

fn unseen(about: String, trouble: &Trouble) -> Disagreement {
    let text = format!("{}; {}", trouble.found, trouble.advice);
    Disagreement { kind: Kind::Unseen, grave: true, about, text }
}

/// What of a pool GitHub does not have.
fn of_pool(pool: &Pool, groups: &[GroupSeen], found: &mut Vec<Disagreement>) {
    let about = format!("pool {}", pool.name);
    let Some(group) = group_of(pool, groups) else {
        let name = pool.scope.group().map_or("by default", |name| name.as_str());
        let there: Vec<&str> = groups.iter().map(|g| g.group.name.as_str()).collect();
        let text = format!(
            "there is no runner group {name}, only {}: make it under the organization's Settings > Actions > Runner \
             groups, or let `group` name one that is there",
            there.join(", ")
        );
        found.push(Disagreement { kind: Kind::GroupMissing, grave: true, about, text });
        return;
    };
    let Some(Ok(list)) = &group.admitted else { return };
    for repo in &pool.rollback {
        let Some(why) = shut_out(repo, list, &group.group.name) else { continue };
        found.push(Disagreement { kind: Kind::NotAdmitted, grave: true, about: about.clone(), text: why });
    }
}

/// Why a group does not admit a repository, if so.
fn shut_out(repo: &Repo, list: &AccessList, group: &str) -> Option<String> {
    if list.repos.iter().any(|admitted| admitted.is(repo)) {
        return None;
    }
    Some(if list.closed_to.iter().any(|public| public.is(repo)) {
        format!("{repo} of its `rollback` list is public, and group {group} is closed to public repositories")
    } else {
        format!(
            "group {group} does not admit {repo} of its `rollback` list: in organization mode its jobs get no runner; \
             add it to the group, or take it from the list"
        )
    })
}

/// What is legal in a group, and perhaps not wanted where pools use it.
fn of_group(group: &GroupSeen, pools: &[&Pool], found: &mut Vec<Disagreement>) {
    let about = format!("group {}", group.group.name);
    if let Some(Err(trouble)) = &group.admitted {
        found.push(unseen(about.clone(), trouble));
    }
    if pools.is_empty() {
        return;
    }
    if group.group.allows_public && group.group.visibility != "private" {
        let text = "public repositories may use it: whoever may open a pull request there may run code on this host, if \
                    the repository lets them"
            .to_owned();
        found.push(Disagreement { kind: Kind::Public, grave: false, about: about.clone(), text });
    }
    if group.group.restricted_to_workflows {
        let text = "only the workflows that it names may use it; jobs of others wait".to_owned();
        found.push(Disagreement { kind: Kind::Workflows, grave: false, about, text });
    }
}

/// What is wrong with a runner of ours; those of others are nobody's business here.
fn of_runner(
    seen: &Seen,
    scope: &Scope,
    group: Option<&str>,
    pools: &[&Pool],
    runner: &Registration,
    found: &mut Vec<Disagreement>,
) {
    let Some((name, _)) = runner.name.made_by(&seen.instance) else { return };
    let mut tell = |kind: Kind, text: String| {
        // One in a job may stay as it is until that ends.
        let grave = kind == Kind::Offline || !runner.busy;
        found.push(Disagreement { kind, grave, about: format!("runner {}", runner.name), text });
    };
    let phase = seen.phases.as_ref().and_then(|phases| phases.get(&runner.name)).copied();
    // A look at GitHub and one at the daemon are never of the same moment.
    let young = matches!(phase, Some(Phase::Creating | Phase::Starting | Phase::Exited));
    if !runner.online && !young {
        let known = match (phase, seen.phases.is_some()) {
            (Some(phase), _) => {
                format!("the daemon says it is {phase}, and takes it away if it does not come back")
            }
            (None, true) => "the daemon does not know it: look again in a minute".to_owned(),
            (None, false) => "the daemon does not run: its next start clears it away".to_owned(),
        };
        tell(Kind::Offline, format!("is offline; {known}"));
    }
    let Some(pool) = seen.config.pools.get(&name) else {
        tell(Kind::UnknownPool, format!("is of pool {name}, which the file does not have{}", goes(runner)));
        return;
    };
    let misplaced = match scope {
        Scope::Organization(org) => {
            seen.mode == Mode::Repository
                || !pool.scope.organization().is_some_and(|own| own.eq_ignore_ascii_case(org))
        }
        _ => seen.mode == Mode::Organization,
    };
    if misplaced {
        tell(Kind::Misplaced, format!("pool {name} does not register in {scope} now{}", goes(runner)));
    } else if let Some(group) = group.filter(|_| !pools.iter().any(|own| own.name == name)) {
        let wanted = pool.scope.group().map_or("the default group", |name| name.as_str());
        tell(Kind::WrongGroup, format!("is in group {group}, pool {name} names {wanted}{}", goes(runner)));
    }
    if pool.demand != Demand::ScaleSet && !same(&pool.labels, &runner.labels) {
        let (has, wants) = (runner.labels.join(", "), pool.labels.join(", "));
        tell(Kind::Labels, format!("has labels {has}, pool {name} has {wants}{}", goes(runner)));
    }
}

/// What becomes of a runner that is not as it should be.
fn goes(runner: &Registration) -> &'static str {
    if runner.busy {
        "; it finishes its job and goes"
    } else {
        "; the daemon takes it away when it looks next"
    }
}

/// The same labels, in whatever order and case.
fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |labels: &[String]| {
        let mut labels: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    };
    sorted(one) == sorted(other)
}

fn group_report(seen: &Seen, scope: &Scope, group: &GroupSeen, pools: &[&Pool]) -> GroupReport {
    let list = group.admitted.as_ref().and_then(|list| list.as_ref().ok());
    GroupReport {
        group: Some(group.group.name.clone()),
        id: Some(group.group.id),
        scope: scope.to_string(),
        default: group.group.default,
        visibility: Some(group.group.visibility.clone()),
        public: group.group.allows_public && group.group.visibility != "private",
        repositories: list.map(|list| list.repos.iter().map(ToString::to_string).collect()),
        pools: pools.iter().map(|pool| pool.name.to_string()).collect(),
        runners: group.group.runners.iter().map(|runner| runner_report(seen, runner)).collect(),
    }
}

fn runner_report(seen: &Seen, runner: &Registration) -> RunnerReport {
    RunnerReport {
        name: runner.name.to_string(),
        online: runner.online,
        busy: runner.busy,
        labels: runner.labels.clone(),
        pool: runner.name.made_by(&seen.instance).map(|(pool, _)| pool.to_string()),
        phase: seen.phases.as_ref().and_then(|phases| phases.get(&runner.name)).copied(),
    }
}
