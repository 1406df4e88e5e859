//! What disagrees with the file, from sights that are made up.

use std::collections::BTreeMap;

use super::Disagreement;
use super::GroupSeen;
use super::Kind;
use super::OrgSeen;
use super::Seen;
use super::Trouble;
use super::compare;
use super::render;
use crate::cli::Printer;
use crate::config::Config;
use crate::github::AccessList;
use crate::github::RunnerGroup;
use crate::http::dto::Phase;
use crate::model::InstanceId;
use crate::model::Mode;
use crate::model::Registration;
use crate::model::Repo;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;

const POOL: &str = "[pools.build]\norg = \"acme\"\ngroup = \"ci\"\nlabels = [\"gpu\"]\ndefault_labels = false\n\
                    rollback = [\"acme/app\"]\n";

const OURS: &str = "ghrunner-build-0-me-x1";

fn repos(names: &[&str]) -> Vec<Repo> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn group(name: &str, runners: Vec<Registration>) -> GroupSeen {
    let group = RunnerGroup {
        id: if name == "Default" { 1 } else { 5 },
        name: name.to_owned(),
        default: name == "Default",
        visibility: "selected".to_owned(),
        allows_public: false,
        restricted_to_workflows: false,
        runners,
    };
    let list = AccessList { repos: repos(&["acme/app"]), closed_to: Vec::new() };
    GroupSeen { group, admitted: Some(Ok(list)) }
}

fn runner(name: &str) -> Registration {
    let labels = vec!["GPU".to_owned()];
    Registration { id: RunnerId(7), name: RunnerName::new(name), online: true, busy: false, labels }
}

fn seen(pools: &str, groups: Vec<GroupSeen>) -> Seen {
    let head = "[github]\ntoken = { credential = \"t\" }\n";
    let loaded = Config::from_text("pools.toml", &format!("{head}{pools}"));
    let org = OrgSeen {
        org: "acme".to_owned(),
        credentials: "default".to_owned(),
        blind: Vec::new(),
        groups: Ok(groups),
        repositories: Vec::new(),
    };
    Seen {
        config: loaded.into_result().unwrap_or_else(|report| panic!("{report}")),
        instance: InstanceId::new("me"),
        mode: Mode::Organization,
        phases: Some(BTreeMap::new()),
        orgs: vec![org],
    }
}

fn found(seen: &Seen) -> Vec<Disagreement> {
    compare(seen).remove(0).disagreements
}

fn kinds(seen: &Seen) -> Vec<Kind> {
    found(seen).iter().map(|found| found.kind).collect()
}

#[test]
fn what_is_as_the_file_says_is_no_difference_whoever_else_is_there() {
    let mut stranger = runner("their-runner");
    (stranger.online, stranger.labels) = (false, vec!["other".to_owned()]);
    let groups = vec![group("Default", vec![]), group("ci", vec![runner(OURS), stranger])];
    let seen = seen(POOL, groups);
    assert_eq!(kinds(&seen), []);
    let report = compare(&seen).remove(0);
    let whose: Vec<_> = report.groups[1].runners.iter().map(|r| r.pool.as_deref()).collect();
    assert_eq!(whose, [Some("build"), None]);
    assert_eq!(report.groups[1].pools, ["build"]);
}

#[test]
fn a_group_that_is_not_there_is_named_with_those_that_are() {
    let found = found(&seen(POOL, vec![group("Default", vec![])]));
    assert_eq!(found[0].kind, Kind::GroupMissing);
    assert!(found[0].text.contains("ci") && found[0].text.contains("Default"), "{found:?}");
}

#[test]
fn a_group_that_does_not_admit_a_repository_of_the_list_is_told_and_why() {
    let mut shut = group("ci", vec![]);
    shut.admitted = Some(Ok(AccessList { repos: repos(&["acme/web"]), closed_to: Vec::new() }));
    let not_in_it = found(&seen(POOL, vec![shut]));
    assert_eq!(not_in_it[0].kind, Kind::NotAdmitted);
    let mut closed = group("ci", vec![]);
    closed.admitted = Some(Ok(AccessList { repos: Vec::new(), closed_to: repos(&["Acme/App"]) }));
    let public = found(&seen(POOL, vec![closed]));
    assert!(public[0].text.contains("public"), "{public:?}");
}

#[test]
fn other_labels_than_the_pools_are_a_difference_unless_a_scale_set_keeps_them() {
    let mut other = runner(OURS);
    other.labels = vec!["cpu".to_owned()];
    assert_eq!(kinds(&seen(POOL, vec![group("ci", vec![other.clone()])])), [Kind::Labels]);
    let set = format!("{POOL}demand = \"scale-set\"\n");
    assert_eq!(kinds(&seen(&set, vec![group("ci", vec![other])])), []);
}

#[test]
fn an_offline_runner_of_ours_is_a_difference_unless_it_is_just_starting() {
    let mut away = runner(OURS);
    away.online = false;
    let mut seen = seen(POOL, vec![group("ci", vec![away])]);
    let say = |seen: &mut Seen, phase: Option<Phase>| {
        seen.phases = phase.map(|phase| BTreeMap::from([(RunnerName::new(OURS), phase)]));
        found(seen).iter().map(|found| (found.kind, found.text.clone())).collect::<Vec<_>>()
    };
    assert_eq!(say(&mut seen, Some(Phase::Starting)), []);
    let failed = say(&mut seen, Some(Phase::Failed));
    assert!(failed[0].0 == Kind::Offline && failed[0].1.contains("failed"), "{failed:?}");
    assert!(say(&mut seen, None)[0].1.contains("does not run"));
}

#[test]
fn a_runner_of_ours_that_no_pool_knows_or_in_another_group_is_a_difference() {
    let gone = runner("ghrunner-old-0-me-x1");
    assert_eq!(kinds(&seen(POOL, vec![group("ci", vec![gone])])), [Kind::UnknownPool]);
    let groups = vec![group("Default", vec![runner(OURS)]), group("ci", vec![])];
    assert_eq!(kinds(&seen(POOL, groups)), [Kind::WrongGroup]);
}

#[test]
fn what_differs_in_a_runner_is_a_note_while_it_is_in_a_job() {
    let mut other = runner(OURS);
    (other.labels, other.busy) = (vec!["cpu".to_owned()], true);
    let found = found(&seen(POOL, vec![group("ci", vec![other])]));
    assert!(found.len() == 1 && !found[0].grave, "{found:?}");
    assert!(found[0].text.contains("finishes its job"), "{found:?}");
}

#[test]
fn public_repositories_and_chosen_workflows_are_notes_for_groups_of_pools_alone() {
    let open = |name: &str| {
        let mut open = group(name, vec![]);
        (open.group.allows_public, open.group.restricted_to_workflows) = (true, true);
        open
    };
    let found = found(&seen(POOL, vec![open("Default"), open("ci")]));
    assert_eq!(found.iter().map(|f| f.kind).collect::<Vec<_>>(), [Kind::Public, Kind::Workflows]);
    assert!(found.iter().all(|f| !f.grave && f.about == "group ci"), "{found:?}");
}

#[test]
fn in_repository_mode_runners_of_the_organization_are_misplaced_and_those_of_repositories_are_not() {
    let mut seen = seen(POOL, vec![group("ci", vec![runner(OURS)])]);
    seen.mode = Mode::Repository;
    let app: Scope = "repos/acme/app".parse().unwrap();
    seen.orgs[0].repositories = vec![(app, Ok(vec![runner("ghrunner-build-1-me-x2")]))];
    let found = found(&seen);
    assert_eq!(found.iter().map(|f| f.kind).collect::<Vec<_>>(), [Kind::Misplaced]);
    assert_eq!(compare(&seen)[0].groups[1].scope, "repos/acme/app");
}

#[test]
fn what_cannot_be_seen_is_told_with_what_to_do() {
    let mut seen = seen(POOL, vec![]);
    let trouble = Trouble { found: "rejected".to_owned(), advice: "a good one".to_owned() };
    seen.orgs[0].groups = Err(trouble.clone());
    assert_eq!(compare(&seen)[0].trouble, Some(trouble));
    let text = render(&compare(&seen), seen.mode, true, &printer(80));
    assert!(text.contains("rejected") && text.contains("-> a good one"), "{text}");
}

#[test]
fn a_credential_of_another_pool_that_sees_nothing_is_told_beside_what_is_seen() {
    let mut seen = seen(POOL, vec![group("ci", vec![])]);
    let trouble = Trouble { found: "rejected".to_owned(), advice: "a good one".to_owned() };
    seen.orgs[0].blind = vec![("partner".to_owned(), trouble)];
    let found = found(&seen);
    assert!(found[0].kind == Kind::Unseen && found[0].about == "credential partner", "{found:?}");
}

fn printer(width: u16) -> Printer {
    Printer::to(std::io::sink(), std::io::sink(), width)
}

#[test]
fn all_of_it_fits_eighty_columns() {
    let names: Vec<String> = (0..30).map(|n| format!("acme/a-repository-with-a-name-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut long = runner(&format!("ghrunner-build-9999-me-{}", "x".repeat(20)));
    long.labels = (0..9).map(|n| format!("a-long-label-{n}")).collect();
    let mut wide = group("ci", vec![long]);
    wide.admitted = Some(Ok(AccessList { repos: repos(&names), closed_to: Vec::new() }));
    let seen = seen(POOL, vec![wide]);
    let text = render(&compare(&seen), seen.mode, false, &printer(80));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("and 18 more"), "{text}");
}
