//! What GitHub's side looks like, and the move to repository mode and back, by the scripts that people type.

use githubsim::Snapshot;
use serde_json::Value;

use crate::site::Site;

/// So many idle runners in each of the two repositories, and nothing else.
fn in_repositories(each: usize) -> impl Fn(&Snapshot) -> bool {
    move |s| {
        let of = |scope: &str| s.runners.iter().filter(|r| r.scope == scope && r.online && !r.busy).count();
        s.runners.len() == 2 * each && of("repo:acme/app") == each && of("repo:acme/web") == each
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn the_fleet_moves_to_its_repositories_and_back_while_jobs_run() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let job = site.busy("acme/app", 60).await;
    let shown = machine.sh("ghrunner-rollback --dry-run");
    assert!(shown.contains("acme/web"), "{shown}");
    assert!(site.sim.snapshot().runners.iter().all(|r| r.scope == "org:acme"), "a dry run changes nothing");

    let report = machine.sh("ghrunner-rollback --yes --timeout 2m");
    assert!(site.runs(job), "{report}");
    // It has waited: each repository has its runner.
    let seen = site.sim.snapshot();
    for scope in ["repo:acme/app", "repo:acme/web"] {
        assert!(seen.runners.iter().any(|r| r.scope == scope && r.online), "{report}\n{seen:#?}");
    }
    let again = machine.sh("ghrunner-rollback --yes --timeout 2m");
    println!("{report}\n{again}");
    // Over a restart, too.
    machine.sh("systemctl restart ghrunner");
    site.succeeds(job).await;
    site.until("two in each repository", in_repositories(2)).await;

    let other = site.busy("acme/web", 45).await;
    let undone = machine.sh("ghrunner-rollback --undo --yes --timeout 2m");
    assert!(site.runs(other), "{undone}");
    site.succeeds(other).await;
    site.until("two of the organization", |s| {
        s.runners.len() == 2 && s.runners.iter().all(|r| r.scope == "org:acme" && r.online)
    })
    .await;
    assert_eq!(site.sim.counters().busy_deleted, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn the_organizations_groups_and_runners_are_shown() {
    let site = Site::converged().await;
    let shown = site.machine.sh("ghrunner-org-status");
    for part in ["acme", "ci", "acme/app", "acme/web", "build", "ghrunner-build-"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let json = site.machine.sh("ghrunner-org-status --json");
    let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}\n{json}"));
    assert!(json.to_string().contains("\"ci\""), "{json:#}");
    println!("{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn stopping_by_the_script_lets_jobs_end_and_an_emergency_does_not() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let job = site.busy("acme/app", 10).await;
    machine.sh("ghrunner-stop");
    site.succeeds(job).await;
    assert_eq!(machine.attempt("systemctl is-active ghrunner").said.trim(), "inactive");
    assert_eq!(machine.sh("docker ps -q | wc -l").trim(), "0");

    machine.sh("ghrunner-start --resume");
    site.idle(2).await;
    site.busy("acme/app", 300).await;
    let said = machine.sh("ghrunner-emergency-stop --yes");
    assert!(said.contains("acme/app") || said.contains("busy"), "what is running is named: {said}");
    machine.until("no runner is left", "test $(docker ps -q | wc -l) = 0").await;
    println!("{said}");
}
