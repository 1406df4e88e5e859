//! What ends the daemon or the engine, and what becomes of jobs then.

use crate::site::BUILD;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_daemon_that_hangs_is_killed_and_started_again_and_no_job_dies() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let drop_in = "[Service]\nWatchdogSec=6s\n";
    machine.sh("mkdir -p /etc/systemd/system/ghrunner.service.d");
    machine.write("/etc/systemd/system/ghrunner.service.d/watchdog.conf", "0644", drop_in);
    machine.sh("systemctl daemon-reload && systemctl restart ghrunner");
    let job = site.busy("acme/app", 30).await;
    machine.sh("kill -STOP $(systemctl show -P MainPID ghrunner)");
    machine.until("it was started again", "test $(systemctl show -P NRestarts ghrunner) = 1").await;
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    let journal = machine.sh("journalctl --no-pager -u ghrunner");
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    assert!(site.runs(job), "{}", machine.told());
    site.succeeds(job).await;
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_killed_daemon_comes_back_and_no_job_dies() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let job = site.busy("acme/app", 20).await;
    machine.sh("systemctl kill --kill-whom=main --signal=KILL ghrunner");
    machine.until("it was started again", "test $(systemctl show -P NRestarts ghrunner) = 1").await;
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    assert!(site.runs(job), "{}", machine.told());
    site.succeeds(job).await;
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn stopping_takes_no_time_and_no_runner() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let job = site.busy("acme/app", 15).await;
    let begun = tokio::time::Instant::now();
    machine.sh("systemctl stop ghrunner");
    // Not the clock of a busy machine, but far from the 15 s after which systemd would kill it, or a job's end.
    assert!(begun.elapsed() < lab::secs(10), "{:?}", begun.elapsed());
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.sh("docker ps -q | wc -l").trim(), "2");
    site.succeeds(job).await;
    machine.sh("systemctl start ghrunner");
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_restart_of_the_engine_is_lived_through() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let daemon = machine.property("MainPID");
    // Without live-restore: its containers end with it.
    machine.sh("systemctl restart docker");
    site.until("new runners", |s| s.counters.registrations >= 4).await;
    site.idle(2).await;
    assert_eq!(machine.property("MainPID"), daemon, "the daemon did not end");
    machine.until("only those two are left", "test $(docker ps -aq | wc -l) = 2").await;
    machine.until("the status is good", "systemctl show -P StatusText ghrunner | grep -q '2 idle'").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_machine_whose_engine_is_away_is_served_when_it_comes() {
    let site = Site::new().await;
    let machine = &site.machine;
    site.install();
    site.give_image();
    site.give_token();
    site.configure(BUILD);
    machine.sh("systemctl stop docker.socket docker && systemctl start --no-block ghrunner");
    machine.until("it says so", "systemctl show -P StatusText ghrunner | grep -q 'engine'").await;
    machine.sh("systemctl start docker.socket docker");
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn each_pool_has_a_slice_that_systemd_shows_and_limits() {
    let site = Site::new().await;
    let machine = &site.machine;
    machine.write("/etc/docker/daemon.json", "0644", "{ \"exec-opts\": [\"native.cgroupdriver=systemd\"] }");
    machine.sh("systemctl restart docker");
    site.install();
    site.serve().await;
    assert_eq!(machine.sh("systemctl is-active ghrunner-build.slice").trim(), "active");
    let shown = machine.sh("systemd-cgls --no-pager -u ghrunner-build.slice");
    assert_eq!(shown.matches("docker-").count(), 2, "{shown}");
    machine.sh("systemctl set-property --runtime ghrunner-build.slice TasksMax=200");
    assert_eq!(machine.sh("systemctl show -P TasksMax ghrunner-build.slice").trim(), "200");
}
