//! `ghrunner org-status`, and what speaks against a change of mode, by the real binary at a simulated GitHub.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod rig;

use std::fs;

use githubsim::State;
use rig::Rig;
use serde_json::Value;

/// What the command says: its exit code, and standard output and error without line breaks.
fn org_status(rig: &Rig, arguments: &[&str]) -> (i32, String) {
    let config = rig.path("pools.toml").display().to_string();
    let state = rig.path("state").display().to_string();
    let mut all = vec!["org-status", "--config", &config, "--state-dir", &state];
    all.extend(arguments);
    let output = rig.ask(&all);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code().unwrap_or(-1), text)
}

/// Registers a runner that never comes, by the simulator's own REST.
fn register(rig: &Rig, group: u64, name: &str, labels: &[&str]) {
    let body = serde_json::json!({
        "name": name, "runner_group_id": group, "labels": labels, "work_folder": "_work",
    });
    ureq::post(format!("{}/api/v3/orgs/acme/actions/runners/generate-jitconfig", rig.url))
        .header("Authorization", "Bearer ghp_test")
        .send(body.to_string())
        .unwrap();
}

#[test]
fn an_organization_that_is_as_the_file_says_is_shown_with_its_groups_and_agrees() {
    let rig = Rig::new();
    rig.write(&rig.good("group = \"ci\"\nrollback = [\"acme/app\"]"));
    register(&rig, 5, "somebodys-runner", &["theirs"]);
    let (code, text) = org_status(&rig, &[]);
    assert_eq!(code, 0, "{text}");
    for part in ["acme: seen with credential default", "group ci: pool build", "acme/app", "group Default"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("somebodys-runner offline not ours theirs"), "{text}");
    assert!(text.contains("All of this is as the file says"), "{text}");
}

#[test]
fn runners_of_ours_that_are_not_as_the_file_says_are_named() {
    let rig = Rig::new();
    rig.write(&rig.good("group = \"ci\"\ndefault_labels = false"));
    register(&rig, 5, "ghrunner-build-0-rig1-a", &["other"]);
    register(&rig, 5, "ghrunner-gone-0-rig1-b", &["x"]);
    register(&rig, 1, "ghrunner-build-1-rig1-c", &["x"]);
    let (code, text) = org_status(&rig, &["--json"]);
    assert_eq!(code, 1, "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let found: Vec<(String, String)> = json[0]["disagreements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["kind"].as_str().unwrap().to_owned(), d["about"].as_str().unwrap().to_owned()))
        .collect();
    for (kind, about) in [
        ("labels", "runner ghrunner-build-0-rig1-a"),
        ("offline", "runner ghrunner-build-0-rig1-a"),
        ("unknown_pool", "runner ghrunner-gone-0-rig1-b"),
        ("wrong_group", "runner ghrunner-build-1-rig1-c"),
    ] {
        assert!(found.contains(&(kind.to_owned(), about.to_owned())), "{kind}: {found:?}");
    }
}

#[test]
fn a_group_that_is_not_there_or_admits_too_few_or_public_ones_is_told() {
    let mut state = Rig::state().public_repository("acme/open").repository("acme/shut");
    state = state.group("acme", 6, "wide", &["app", "open"]);
    state.groups.last_mut().unwrap().allows_public_repositories = true;
    let rig = Rig::with(state);
    rig.write(&rig.good("group = \"nowhere\""));
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 1 && text.contains("there is no runner group nowhere"), "{text}");
    rig.write(&rig.good("group = \"ci\"\nrollback = [\"acme/shut\"]"));
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 1 && text.contains("group ci does not admit acme/shut"), "{text}");
    rig.write(&rig.good("group = \"wide\""));
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 0 && text.contains("note group wide: public repositories may use it"), "{text}");
}

#[test]
fn a_token_that_is_rejected_or_may_not_is_a_line_with_what_to_do_and_no_secret() {
    let rig = Rig::new();
    rig.write(&rig.good("group = \"ci\""));
    fs::write(rig.path("token"), "ghp_nobodys\n").unwrap();
    let (code, text) = org_status(&rig, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("GitHub rejects credential default") && text.contains("put a good one"), "{text}");
    assert!(!text.contains("ghp_"), "{text}");
    fs::write(rig.path("token"), "ghp_weak\n").unwrap();
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 1 && text.contains("admin:org"), "{text}");
    fs::remove_file(rig.path("token")).unwrap();
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 1 && text.contains("there is no such file"), "{text}");
}

#[test]
fn a_second_credential_that_is_rejected_is_told_beside_what_the_first_one_sees() {
    let rig = Rig::new();
    fs::write(rig.path("other"), "ghp_nobodys\n").unwrap();
    let more = format!(
        "[credentials.partner]\nurl = \"{}\"\ntoken = {{ file = \"{}\" }}\n[pools.more]\norg = \"acme\"\n\
         credentials = \"partner\"\nlabels = [\"y\"]\n",
        rig.url,
        rig.path("other").display()
    );
    rig.write(&format!("{}{more}", rig.good("group = \"ci\"")));
    let (code, text) = org_status(&rig, &[]);
    assert!(code == 1 && text.contains("differs credential partner: GitHub rejects"), "{text}");
    assert!(text.contains("group ci: pool build"), "{text}");
}

#[test]
fn an_organization_that_no_pool_names_can_be_asked_for() {
    let rig = Rig::with(Rig::state().organization("globex"));
    rig.write(&rig.good(""));
    let (code, text) = org_status(&rig, &["globex"]);
    assert!(
        code == 0 && text.contains("globex: seen with") && text.contains("no pool of the file"),
        "{text}"
    );
    let (code, text) = org_status(&rig, &["nobody"]);
    assert!(code == 1 && text.contains("is nobody written rightly?"), "{text}");
}

#[test]
fn in_repository_mode_the_repositories_are_shown_with_their_runners() {
    let rig = Rig::new();
    rig.write(&rig.good("group = \"ci\"\nrollback = [\"acme/app\"]"));
    let _daemon = rig.daemon();
    rig.shows(&["organization mode", "1 starting"]);
    let (code, text) = org_status(&rig, &[]);
    assert!(
        code == 0 && text.contains("ghrunner-build-0-rig1-"),
        "a runner that starts is no difference: {text}"
    );
    assert_eq!(rig.ask(&["rollback", "--yes"]).status.code(), Some(0));
    rig::eventually(|| org_status(&rig, &[]).1.contains("repos/acme/app: pool build ")).unwrap();
}

/// The answer to `rollback --dry-run`.
fn dry_run(rig: &Rig) -> (i32, String) {
    let output = rig.ask(&["rollback", "--dry-run"]);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), text)
}

fn narrow(admin_of: &[&str]) -> State {
    let mut state = Rig::state().repository("acme/web");
    let token = state.tokens.iter_mut().find(|token| token.token == "ghp_test").unwrap();
    token.admin_of = Some(admin_of.iter().map(ToString::to_string).collect());
    state
}

#[test]
fn a_rollback_is_refused_where_the_token_may_not_administer_a_repository_or_max_is_too_small() {
    let rig = Rig::with(narrow(&["acme/app"]));
    rig.write(&rig.good("rollback = [\"acme/app\", \"acme/web\"]\nmax = 1"));
    let _daemon = rig.daemon();
    rig.shows(&["organization mode", "build"]);
    let (code, text) = dry_run(&rig);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("acme/web") && text.contains("Administration"), "{text}");
    assert!(!text.contains("repos/acme/app;"), "{text}");
    assert!(text.contains("max is 1 for 2 repositories"), "{text}");
    let refused = rig.ask(&["rollback", "--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    rig.shows(&["organization mode"]);
}

#[test]
fn a_token_that_may_only_read_is_refused_where_runners_would_register() {
    let rights =
        [("organization_self_hosted_runners", "write"), ("administration", "read"), ("metadata", "read")];
    let rig = Rig::with(Rig::state().fine_grained_token("github_pat_reader", "acme", &rights));
    fs::write(rig.path("token"), "github_pat_reader\n").unwrap();
    rig.write(&rig.good("rollback = [\"acme/app\"]"));
    let _daemon = rig.daemon();
    rig.shows(&["organization mode", "build"]);
    let (code, text) = dry_run(&rig);
    assert!(code == 1 && text.contains("may not") && text.contains("Administration"), "{text}");
}

#[test]
fn a_rollback_is_refused_while_the_file_is_refused_or_names_no_organization() {
    let rig = Rig::new();
    let good = rig.good("rollback = [\"acme/app\"]");
    rig.write(&good);
    let _daemon = rig.daemon();
    rig.shows(&["organization mode", "build"]);
    assert_eq!(dry_run(&rig).0, 0, "{}", dry_run(&rig).1);
    rig.write(&good.replace("labels", "lables"));
    rig.shows(&["the file was refused"]);
    let (code, text) = dry_run(&rig);
    assert!(code == 1 && text.contains("mend it first"), "{text}");
    rig.write(
        &good.replace("org = \"acme\"", "repo = \"acme/app\"").replace("rollback = [\"acme/app\"]", ""),
    );
    rig::eventually(|| dry_run(&rig).1.contains("there is nothing to move")).unwrap();
    assert_eq!(dry_run(&rig).0, 1);
}
