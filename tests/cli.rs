//! The real binary, against a daemon whose control loop is made up.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use cli_fleet::FakeDaemon;
use cli_fleet::command;
use cli_fleet::ghrunner;
use cli_fleet::stderr;
use cli_fleet::stdout;

const NOWHERE: &str = "/nonexistent/ghrunner.sock";

fn code(output: &std::process::Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn without_a_daemon_it_says_what_to_do() {
    for arguments in
        [&["status"][..], &["pools", "list"], &["runners", "logs", "x"], &["plan"], &["rollback"]]
    {
        let output = ghrunner(Path::new(NOWHERE), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("ghrunner is not running"), "{text}");
        assert!(text.contains("systemctl status ghrunner"), "{text}");
        assert!(text.contains(NOWHERE), "{text}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_stale_socket_is_a_daemon_that_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let output = ghrunner(&socket, &["status"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("ghrunner is not running"));
}

#[test]
fn jobs_are_shown_with_the_reason_why_they_wait() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["jobs"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.contains("acme/app") && text.contains("no pool has label \"gpu\""), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&daemon.ghrunner(&["jobs", "--json"]))).unwrap();
    assert_eq!((json[0]["why"].as_str(), json[0]["job"]["id"].as_u64()), (Some("no_label"), Some(456)));
}

#[test]
fn a_job_is_asked_about_by_its_address_or_its_labels() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["explain", "https://github.com/acme/app/actions/runs/123/job/456"]);
    let text = stdout(&output);
    assert!(text.contains("CI / test of acme/app (run 123)") && text.contains("no pool has label"), "{text}");
    assert_eq!(code(&daemon.ghrunner(&["explain", "Self-Hosted", "a b,c&d", "--repo", "acme/web"])), 0);
    let asked = [
        "explain acme/app Some(123) Some(456) []",
        "explain acme/web None None [\"self-hosted\", \"a b\", \"c&d\"]",
    ];
    assert_eq!(daemon.asked(), asked);
    assert_eq!(code(&daemon.ghrunner(&["explain", "https://github.com/acme/app"])), 64);
    assert_eq!(code(&daemon.ghrunner(&["explain", "gpu", "--repo", "acme"])), 64);
}

#[test]
fn a_pool_is_boosted_for_a_time() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["pools", "boost", "build", "3", "--for", "2h"]);
    assert!(
        stdout(&output).contains("has 3 more than the file says, within max, until 2023-11-15T00:13:20Z")
    );
    assert_eq!(code(&daemon.ghrunner(&["pools", "boost", "build", "3", "--for", "8d"])), 64);
    assert_eq!(code(&daemon.ghrunner(&["pools", "boost", "build", "0"])), 0);
    assert_eq!(daemon.asked(), ["boost build 3 7200", "lower build None"]);
}

#[test]
fn bad_usage_is_64_and_help_is_good() {
    assert_eq!(code(&ghrunner(Path::new(NOWHERE), &["statuss"])), 64);
    assert_eq!(code(&ghrunner(Path::new(NOWHERE), &["pools"])), 64);
    let help = ghrunner(Path::new(NOWHERE), &["--help"]);
    assert_eq!(code(&help), 0);
    for verb in [
        "run",
        "check",
        "plan",
        "status",
        "runners",
        "pools",
        "drain",
        "resume",
        "rollback",
        "org-status",
        "doctor",
        "verify",
        "man",
    ] {
        assert!(stdout(&help).contains(&format!("  {verb}")), "{verb}");
    }
    assert!(stdout(&help).contains("Examples:"));
    assert!(stdout(&help).contains("Exit codes:"));
}

#[test]
fn status_shows_daemon_pools_and_runners() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["status"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "ghrunner 0.1.0  instance k7x2p, organization mode",
        "pass    412 ended",
        "the file was refused",
        "/etc/ghrunner/pools.toml:3:1: unknown key `maxx`",
        "engine.endpoint changed in the file and needs a restart",
        "Docker 20.10.24 (API 1.41), 2 CPUs, 24GiB memory, 100GiB disk free",
        "default at https://github.com: 4980 of 5000 requests left",
        "1 idle, 1 busy",
        "the pool is at max (2)",
        "ghrunner-build-0",
        "orgs/acme",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn colours_are_there_when_asked_for() {
    let daemon = FakeDaemon::start();
    assert!(stdout(&daemon.ghrunner(&["status", "--color", "always"])).contains("\x1b["));
}

#[test]
fn json_is_the_apis_own_shape() {
    let daemon = FakeDaemon::start();
    for (arguments, pointer, want) in [
        (&["status", "--json"][..], "/pools/0/phases/busy", "1"),
        (&["--json", "status"], "/as_of", "\"2023-11-14T22:13:20.000Z\""),
        (&["pools", "list", "--json"], "/0/held/0/why", "\"at_max\""),
        (&["pools", "show", "build", "--json"], "/target", "3"),
        (&["runners", "list", "--json"], "/0/container/state", "\"running\""),
        (&["runners", "list", "--ended", "--json"], "/0/oom_killed", "true"),
        (&["plan", "--json"], "/actions/0/action", "\"pull\""),
    ] {
        let output = daemon.ghrunner(arguments);
        let value: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(value.pointer(pointer).map(ToString::to_string).as_deref(), Some(want), "{arguments:?}");
    }
}

#[test]
fn plan_shows_what_is_held_back() {
    let daemon = FakeDaemon::start();
    let text = stdout(&daemon.ghrunner(&["plan"]));
    assert!(text.starts_with("pull ghcr.io/actions/actions-runner:latest\n"), "{text}");
    assert!(text.contains("build: target 3, has 1 idle, 1 busy"), "{text}");
    assert!(text.contains("held back 1 start: the pool is at max (2)"), "{text}");
}

#[test]
fn one_pool_and_one_runner_are_shown_whole() {
    let daemon = FakeDaemon::start();
    let pool = stdout(&daemon.ghrunner(&["pools", "show", "build"]));
    assert!(pool.contains("target        3 (1 busy, 1 waiting, min_idle 1)"), "{pool}");
    let runner = stdout(&daemon.ghrunner(&["runners", "show", "ghrunner-build-0"]));
    assert!(runner.contains("ghrunner-build-0-k7x2p-a1b2c3"), "{runner}");
    assert!(runner.contains("40 (online, busy by its word)"), "{runner}");
}

#[test]
fn a_name_that_is_not_there_is_named_with_its_nearest() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["pools", "show", "biuld"]);
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), "ghrunner: there is no pool biuld; did you mean build?\n");
    let output = daemon.ghrunner(&["pools", "drain", "../mode"]);
    assert_eq!(stderr(&output), "ghrunner: there is no pool ../mode\n");
    let output = daemon.ghrunner(&["runners", "stop", "nobody"]);
    assert!(stderr(&output).contains("there is no runner nobody"));
}

#[test]
fn steering_reaches_the_control_loop() {
    let daemon = FakeDaemon::start();
    assert_eq!(code(&daemon.ghrunner(&["pools", "drain", "build"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["pools", "resume", "build"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["runners", "drain", "ghrunner-build-1"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["runners", "stop", "ghrunner-build-0", "--force"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["runners", "stop", "--all", "--force"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["drain"])), 0);
    assert_eq!(code(&daemon.ghrunner(&["resume"])), 0);
    let asked = [
        "drain build true",
        "drain build false",
        "stop ghrunner-build-1 false",
        "stop ghrunner-build-0 true",
        "stop all true",
        "drain all true",
        "drain all false",
    ];
    assert_eq!(daemon.asked(), asked);
}

#[test]
fn a_refused_reload_shows_the_report() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["reload"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("unknown key `maxx`; did you mean `max`?"));
}

#[test]
fn rollback_changes_nothing_unless_confirmed() {
    let daemon = FakeDaemon::start();
    assert_eq!(code(&daemon.ghrunner(&["rollback", "--dry-run"])), 0);
    let output = command(&daemon.socket).arg("rollback").stdin(Stdio::null()).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("nothing was changed"), "{}", stderr(&output));
    let changed = |asked: &String| asked.starts_with("mode") && !asked.ends_with("dry_run=true");
    assert!(!daemon.asked().iter().any(changed), "{:?}", daemon.asked());
    assert_eq!(code(&daemon.ghrunner(&["rollback", "--yes"])), 0);
    assert!(stdout(&daemon.ghrunner(&["status"])).contains("repository mode"));
    assert_eq!(code(&daemon.ghrunner(&["rollback", "--undo", "--yes"])), 0);
    assert!(stdout(&daemon.ghrunner(&["status"])).contains("organization mode"));
}

#[test]
fn logs_come_as_they_are() {
    let daemon = FakeDaemon::start();
    let output = daemon.ghrunner(&["runners", "logs", "ghrunner-build-0", "-n", "7", "--follow"]);
    assert_eq!(stdout(&output), "√ Connected to GitHub\nListening for Jobs\n");
    assert_eq!(daemon.asked(), ["logs ghrunner-build-0 7 true"]);
}

#[test]
fn a_followed_log_comes_line_by_line_and_does_not_hold_the_daemon() {
    let daemon = FakeDaemon::start();
    let mut child = command(&daemon.socket)
        .args(["runners", "logs", "endless", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it goes on following");
    drop(daemon);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("the daemon did not answer"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_had_enough_is_no_failure() {
    let daemon = FakeDaemon::start();
    for arguments in [&["status"][..], &["runners", "logs", "x"], &["completions", "bash"], &["status", "-w"]]
    {
        let mut child = command(&daemon.socket)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {complaints}");
        assert_eq!(complaints, "", "{arguments:?}");
    }
}

#[test]
fn every_verb_has_its_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let output = ghrunner(Path::new(NOWHERE), &["man", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for page in ["ghrunner", "ghrunner-run", "ghrunner-check", "ghrunner-runners", "ghrunner-runners-logs"] {
        let text = std::fs::read_to_string(dir.path().join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let file = std::fs::read_to_string(dir.path().join("pools.toml.5")).unwrap();
    assert!(file.contains("pools.d") && file.contains("min_idle"), "{file}");
    let own = stdout(&ghrunner(Path::new(NOWHERE), &["man"]));
    assert!(own.contains(".TH ghrunner 1"), "{own}");
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = ghrunner(Path::new(NOWHERE), &["completions", shell]);
        assert!(stdout(&output).contains("rollback"), "{shell}");
    }
}

/// A file that names an engine and a GitHub that nobody answers for.
fn lonely_file(dir: &Path) -> std::path::PathBuf {
    let file = dir.join("pools.toml");
    let text = "[github]\nurl = \"https://127.0.0.1:1\"\ntoken = { env = \"GHRUNNER_TEST_TOKEN\" }\n\
                [engine]\nendpoint = \"unix:///nonexistent/docker.sock\"\n\
                [pools.build]\norg = \"acme\"\nlabels = [\"x\"]\nmax = 2\n";
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn check_says_whether_a_file_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = lonely_file(dir.path());
    let path = file.to_str().unwrap();
    let good = ghrunner(Path::new(NOWHERE), &["check", path]);
    assert_eq!(code(&good), 0, "{}", stdout(&good));
    let text = std::fs::read_to_string(&file).unwrap().replace("max", "maxx");
    std::fs::write(&file, text).unwrap();
    let bad = ghrunner(Path::new(NOWHERE), &["check", path]);
    assert_eq!(code(&bad), 1);
    assert!(stdout(&bad).contains("maxx"), "{}", stdout(&bad));
    let json = stdout(&ghrunner(Path::new(NOWHERE), &["check", "--json", path]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("maxx"), "{json}");
    assert_eq!(code(&ghrunner(Path::new(NOWHERE), &["check", "/nonexistent.toml"])), 1);
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = lonely_file(dir.path());
    let doctor = |arguments: &[&str]| {
        let mut command = command(Path::new(NOWHERE));
        command.args(["doctor", "--config"]).arg(&file).args(arguments);
        command.env("GHRUNNER_TEST_TOKEN", "ghp_donotshowme").output().unwrap()
    };
    let output = doctor(&[]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "FAIL  engine",
        "systemctl status docker",
        "FAIL  pool build",
        "warn  daemon",
        "ok    secret default",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("donotshowme"));
    let json: serde_json::Value = serde_json::from_str(&stdout(&doctor(&["--json"]))).unwrap();
    assert!(
        json.as_array().unwrap().iter().any(|f| f["about"] == "engine" && f["level"] == "fail"),
        "{json}"
    );
}

#[test]
fn verify_without_an_engine_is_69() {
    let dir = tempfile::tempdir().unwrap();
    let file = lonely_file(dir.path());
    let verify = |pool| ghrunner(Path::new(NOWHERE), &["verify", pool, "--config", file.to_str().unwrap()]);
    assert_eq!(code(&verify("build")), 69, "{}", stderr(&verify("build")));
    assert_eq!(code(&verify("biuld")), 64);
    assert!(stderr(&verify("biuld")).contains("has no pool biuld, only build"));
}

#[test]
fn a_daemon_without_a_good_file_does_not_start_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let run = |file: &Path, format: &str| {
        let mut command = command(Path::new(NOWHERE));
        command.args(["run", "--log-format", format, "--config"]).arg(file);
        command.arg("--state-dir").arg(&state).arg("--logs-dir").arg(&state).output().unwrap()
    };
    let missing = run(Path::new("/nonexistent/pools.toml"), "text");
    assert_eq!(code(&missing), 78, "{}", stderr(&missing));
    assert!(stderr(&missing).contains("/nonexistent/pools.toml"), "{}", stderr(&missing));
    assert_eq!(stdout(&missing), "");
    let file = lonely_file(dir.path());
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("max", "maxx")).unwrap();
    let bad = run(&file, "json");
    assert_eq!(code(&bad), 78);
    for line in stderr(&bad).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(stderr(&bad).contains("maxx"), "{}", stderr(&bad));
    let output = command(Path::new(NOWHERE)).args(["run", "--log-level", "loud"]).output().unwrap();
    assert_eq!(code(&output), 64, "{}", stderr(&output));
}
