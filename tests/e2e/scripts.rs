//! The operator's scripts, as they are typed: against the real daemon, the simulator and the engine.

use std::path::Path;
use std::process::Stdio;

use ghrunner::http::dto;
use ghrunner::model::Mode;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::process::Command;

use crate::bench::Bench;

/// A script of this repository with the bench's command, socket and file, in a process group of its own.
fn script(bench: &Bench, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name));
    command
        .args(arguments)
        .env("GHRUNNER", env!("CARGO_BIN_EXE_ghrunner"))
        .env("GHRUNNER_SOCKET", bench.daemon.socket())
        .env("GHRUNNER_CONFIG", bench.daemon.path("pools.toml"))
        .env("GHRUNNER_BACKUP_DIR", bench.daemon.path("backups"))
        .env("GHRUNNER_UNIT", "ghrunner-that-no-test-has")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Runs it to its end: exit code, and all that it says.
async fn run(bench: &Bench, name: &str, arguments: &[&str]) -> (i32, String) {
    let done = script(bench, name, arguments).output().await.unwrap();
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.code().unwrap_or(-1), text.concat())
}

fn backups(bench: &Bench) -> usize {
    std::fs::read_dir(bench.daemon.path("backups")).map_or(0, Iterator::count)
}

/// Whether a runner of the repository is online at the simulator.
fn at(s: &githubsim::Snapshot, scope: &str) -> bool {
    s.runners.iter().any(|r| r.scope == scope && r.online)
}

const MOVABLE: &str = "[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmin = 1\nmax = 4\nrollback = [\"acme/app\", \"acme/web\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_rollback_script_may_be_killed_and_run_again_and_disturbs_no_job() {
    let mut bench = Bench::new("script-rollback").await;
    bench.start(MOVABLE).await;
    bench.idle("a", 1).await;
    let job = bench.busy("acme/app", "a", 25).await;
    let (code, said) = run(&bench, "rollback.sh", &["--dry-run"]).await;
    assert!(code == 0 && said.contains("repos/acme/web"), "{code} {said}");
    let (code, said) = run(&bench, "rollback.sh", &[]).await;
    assert!(code == 2 && said.contains("nothing was changed"), "without a terminal: {code} {said}");
    assert_eq!((bench.status().await.mode, backups(&bench)), (Mode::Organization, 0));

    // Killed with all that it has started, just after the change.
    let mut first = script(&bench, "rollback.sh", &["--yes"]).spawn().unwrap();
    bench.wait("the mode is changed", |s| s.mode == Mode::Repository).await;
    killpg(Pid::from_raw(i32::try_from(first.id().unwrap()).unwrap()), Signal::SIGKILL).unwrap();
    assert!(!first.wait().await.unwrap().success());
    let (code, said) = run(&bench, "rollback.sh", &["--yes", "--timeout", "60s"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("in repository mode already") && said.contains("every place has what it needs"),
        "{said}"
    );
    let served = bench.sim.snapshot();
    assert!(at(&served, "repo:acme/app") && at(&served, "repo:acme/web"), "{served:#?}");
    let (code, said) = run(&bench, "rollback.sh", &["--yes"]).await;
    assert!(code == 0 && said.contains("nothing is changed"), "{said}");
    assert_eq!(backups(&bench), 1, "one change, one copy");
    assert_eq!(bench.outcome(job).await, "success");

    let job = bench.busy("acme/web", "a", 15).await;
    let (code, said) = run(&bench, "rollback.sh", &["--undo", "--yes", "--timeout", "60s"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(bench.status().await.mode, Mode::Organization);
    assert!(at(&bench.sim.snapshot(), "org:acme"), "{said}");
    assert_eq!(bench.outcome(job).await, "success");
    assert_eq!(backups(&bench), 2);
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rollback_script_refuses_with_reasons_and_says_what_is_missing_in_time() {
    let mut bench = Bench::new("script-refusals").await;
    let (code, said) = run(&bench, "rollback.sh", &["--yes"]).await;
    assert!(code == 2 && said.contains("ghrunner is not running"), "{code} {said}");
    bench.start(&MOVABLE.replace("max = 4", "max = 1")).await;
    bench.idle("a", 1).await;
    let (code, said) = run(&bench, "rollback.sh", &["--yes"]).await;
    assert!(code == 1 && said.contains("raise max to 2"), "{code} {said}");
    let (code, said) = run(&bench, "rollback.sh", &["--yes", "--force", "--timeout", "5s"]).await;
    assert!(code == 3 && said.contains("max is shared"), "{code} {said}");
    let (code, said) = run(&bench, "rollback.sh", &["--undo", "--yes", "--timeout", "60s"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&bench, "org-status.sh", &[]).await;
    assert!(code == 0 && said.contains("All of this is as the file says"), "{code} {said}");
    bench.empty().await;
    bench.finish().await;
}

fn drained(s: &dto::Status) -> bool {
    s.runners.is_empty() && s.pools.iter().all(|pool| pool.drained)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emergency_stop_ends_all_runners_with_the_daemon_or_without() {
    let mut bench = Bench::new("script-stop").await;
    bench.start("[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmin = 2\n").await;
    bench.idle("a", 2).await;
    bench.busy("acme/app", "a", 120).await;
    bench
        .wait("a busy runner", |s| s.runners.iter().any(|r| r.github.as_ref().is_some_and(|g| g.busy)))
        .await;
    let (code, said) = run(&bench, "emergency-stop.sh", &[]).await;
    assert!(code == 2 && said.contains("1 job would fail") && said.contains("nothing was changed"), "{said}");
    assert_eq!(bench.sim.counters().jobs_cancelled, 0);
    let (code, said) = run(&bench, "emergency-stop.sh", &["--yes", "--timeout", "90s"]).await;
    assert_eq!(code, 0, "{said}");
    bench.wait("no runner, and all pools drained", drained).await;
    assert_eq!(bench.of_pool("a").await, Vec::<String>::new());
    assert_eq!(bench.cli(&["resume"]).await.0, 0);
    bench.idle("a", 2).await;

    bench.daemon.kill().await.unwrap();
    let instance = bench.fleet.instance().to_owned();
    let alone = ["--yes", "--instance", instance.as_str()];
    let (code, said) = run(&bench, "emergency-stop.sh", &alone).await;
    assert!(code == 0 && said.contains("The daemon does not answer"), "{code} {said}");
    let running = bench.fleet.containers().await.unwrap();
    let running = running.iter().filter(|c| c.state.as_ref().is_some_and(|s| s.to_string() == "running"));
    assert_eq!(running.count(), 0, "{said}");
    bench.daemon.start().await.unwrap();
    bench.idle("a", 2).await;
    bench.empty().await;
    bench.finish().await;
}
