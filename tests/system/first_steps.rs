//! From `apt install` to a fleet that follows its file.

use serde_json::Value;

use crate::machine::Machine;
use crate::site::BUILD;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_package_that_is_not_configured_starts_nothing_and_says_what_to_do() {
    let site = Site::new().await;
    let machine = &site.machine;
    site.trust();
    let said = machine.sh("apt-get install -y ghrunner");
    for next in ["/etc/ghrunner/pools.toml", "systemctl enable --now ghrunner"] {
        assert!(said.contains(next), "{said}");
    }
    assert_eq!(machine.attempt("systemctl is-enabled ghrunner").said.trim(), "disabled");
    assert_eq!(machine.attempt("systemctl is-active ghrunner").said.trim(), "inactive");
    // The units are good on the machine that has all they name.
    let units = "/usr/lib/systemd/system/ghrunner.service /usr/lib/systemd/system/ghrunner.socket";
    assert_eq!(machine.sh(&format!("systemd-analyze verify {units}")).trim(), "");

    let enabled = machine.attempt("systemctl enable --now ghrunner");
    assert_ne!(enabled.code, 0, "{}", enabled.said);
    assert_eq!(machine.property("ExecMainStatus"), "78");
    // Long enough for several restarts, if there were any.
    tokio::time::sleep(lab::secs(12)).await;
    assert_eq!(machine.property("NRestarts"), "0");
    assert_eq!(machine.property("ActiveState"), "failed");
    let journal = machine.sh("journalctl --no-pager -u ghrunner");
    assert!(journal.contains("/etc/ghrunner/pools.toml"), "{journal}");
    println!("{said}\n{}\n{journal}", enabled.said);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_missing_token_is_named_with_the_file_it_belongs_in() {
    let site = Site::new().await;
    site.install();
    site.give_image();
    site.configure(BUILD);
    let machine = &site.machine;
    machine.attempt("timeout 20 systemctl enable --now ghrunner");
    let journal = machine.sh("journalctl --no-pager -u ghrunner");
    assert!(journal.contains(crate::site::TOKEN_FILE), "{journal}");
    site.give_token();
    machine.sh("systemctl restart ghrunner");
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn it_is_ready_only_once_the_fleet_stands() {
    let site = Site::new().await;
    site.install();
    site.give_image();
    site.give_token();
    site.configure(BUILD);
    let machine = &site.machine;
    // GitHub takes its time: no answer, no first complete look.
    site.sim.faults("GET /orgs/acme/actions/runners latency=20s").unwrap();
    machine.sh("systemctl start --no-block ghrunner");
    // Runners come up meanwhile, and that is not enough.
    site.idle(2).await;
    assert_eq!(machine.property("ActiveState"), "activating");
    site.sim.clear_faults();
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    // Not a moment before: the line came with the word.
    let status = machine.property("StatusText");
    assert!(status.contains("2 runners: 2 idle"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn an_edit_is_followed_and_a_bad_one_refused() {
    let site = Site::converged().await;
    let machine = &site.machine;
    site.configure(&BUILD.replace("min = 2", "min = 3"));
    site.idle(3).await;

    site.configure(&BUILD.replace("min = 2", "min = \"two\""));
    machine.until("the status tells", "systemctl show -P StatusText ghrunner | grep -q 'is refused'").await;
    let reload = machine.attempt("systemctl reload ghrunner");
    assert_ne!(reload.code, 0, "{}", reload.said);
    assert_eq!(machine.property("ActiveState"), "active");
    let journal = machine.sh("journalctl --no-pager -u ghrunner");
    assert!(journal.contains("/etc/ghrunner/pools.toml:"), "the place of the mistake: {journal}");
    site.idle(3).await;

    site.configure(BUILD);
    machine.sh("systemctl reload ghrunner");
    site.idle(2).await;
    machine
        .until("the status is good again", "! systemctl show -P StatusText ghrunner | grep -q 'is refused'")
        .await;
    println!("{}", machine.sh("systemctl status --no-pager ghrunner"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn the_journal_tells_one_runners_life_by_its_fields() {
    let site = Site::converged().await;
    let job = site.busy("acme/app", 3).await;
    site.succeeds(job).await;
    let seen = site.sim.snapshot();
    let runner = seen.jobs.iter().find(|j| j.id == job).unwrap().runner.clone().unwrap();
    site.idle(2).await;
    let of_runner = format!("journalctl -o json --no-pager -u ghrunner POOL=build RUNNER={runner}");
    site.machine.until("its end is told", &format!("{of_runner} | grep -qi 'reap'")).await;
    let life = entries(&site.machine, &of_runner);
    let told: Vec<&str> = life.iter().filter_map(|e| e["MESSAGE"].as_str()).collect();
    assert!(told.iter().any(|line| line.contains("create")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("reap")), "{told:#?}");
    for entry in &life {
        for field in ["PRIORITY", "PASS", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT"] {
            assert!(entry[field].is_string(), "{field} is missing: {entry:#}");
        }
        assert_eq!(
            (entry["POOL"].as_str(), entry["RUNNER"].as_str()),
            (Some("build"), Some(runner.as_str()))
        );
    }
    // What the runner itself printed is kept there, too.
    let own = site.machine.sh(&format!("journalctl --no-pager -o cat IO_GHRUNNER_RUNNER={runner}"));
    assert!(own.contains("Running job"), "{own}");
    println!("{}", told.join("\n"));
}

/// Entries of the journal.
fn entries(machine: &Machine, asked: &str) -> Vec<Value> {
    machine.sh(asked).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
