//! The real daemon with its history broken in every way: the fleet goes on, and says what is wrong.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod rig;

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rig::Rig;
use rig::eventually;
use serde_json::Value;
use sqlx::Connection as _;

fn database(rig: &Rig) -> PathBuf {
    rig.path("state/history.sqlite")
}

fn json(rig: &Rig, arguments: &[&str]) -> Value {
    let output = rig.command(arguments).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Asks the API on the control socket: status, and what it says.
fn get(rig: &Rig, path: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(rig.path("run/s")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// How often the loop has passed, and what it says of its history.
fn passes(rig: &Rig) -> u64 {
    json(rig, &["status"])["passes"].as_u64().unwrap_or(0)
}

/// The fleet still does what it is asked for: a pool with more runners gets them, pass after pass.
fn goes_on(rig: &Rig, max: u32) {
    let before = passes(rig);
    rig.write(&rig.good(&format!("min = {max}\nmax = {max}")));
    let all = || rig.engine.containers().len() >= max as usize;
    eventually(all).unwrap_or_else(|()| panic!("no {max} runners: {}", rig.status()));
    eventually(|| passes(rig) > before + 1).unwrap();
}

fn trail(rig: &Rig) -> Vec<Value> {
    let page = json(rig, &["audit", "list", "--limit", "1000"]);
    page["items"].as_array().cloned().unwrap_or_default()
}

fn tells(rig: &Rig, kind: &str, text: &str) -> Value {
    let mut found = None;
    eventually(|| {
        let has = |entry: &Value, key: &str, word: &str| entry[key].as_str().unwrap().contains(word);
        found = trail(rig).into_iter().find(|entry| has(entry, "kind", kind) && has(entry, "text", text));
        found.is_some()
    })
    .unwrap_or_else(|()| panic!("no {kind} {text:?} in {:#?}", trail(rig)));
    found.unwrap()
}

#[test]
fn every_action_and_every_call_is_in_the_trail_which_is_whole() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 2\nmax = 2"));
    let daemon = rig.daemon();
    eventually(|| rig.engine.containers().len() == 2).unwrap();
    tells(&rig, "action", "create ghrunner-build-0");
    assert!(rig.ask(&["pools", "drain", "build"]).status.success());
    let call = tells(&rig, "call", "/pools/build/drain");
    assert_eq!(call["outcome"], "done");
    assert!(call["who"].as_str().unwrap().contains("user "), "{call}");
    assert!(!rig.ask(&["pools", "drain", "none"]).status.success());
    let refused = tells(&rig, "call", "/pools/none/drain");
    assert!(refused["outcome"].as_str().unwrap().contains("404"), "{refused}");
    // Looking is no call.
    assert!(!trail(&rig).iter().any(|entry| entry["text"].as_str().unwrap().contains("GET")));
    let verified = rig.ask(&["audit", "verify"]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && said.contains("is whole"), "{said}");
    let end = said.split("Its end is ").nth(1).unwrap().trim().to_owned();
    assert!(rig.ask(&["audit", "verify", "--end", &end]).status.success());
    let other = end.replace(|c: char| c.is_ascii_lowercase(), "0");
    assert_eq!(rig.ask(&["audit", "verify", "--end", &other]).status.code(), Some(1));
    for command in [&["history"][..], &["history", "--decisions"], &["stats"], &["history", "--runners"]] {
        let output = rig.ask(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let asked = |path: &str| get(&rig, path);
    let (status, series) = asked("/api/v1/stats/series?since=2h&step=1h&pool=build");
    assert_eq!((status, series["points"].as_array().unwrap().len()), (200, 3), "{series}");
    assert_eq!(series["points"][2]["jobs"], 0);
    for (query, why) in [
        ("step=90m", "whole hours"),
        ("step=soon", "no span of time"),
        ("since=40d&step=6h", "by the day"),
        ("since=34d&until=30d&step=1h&steps=3", "steps"),
        ("since=3000d", "steps"),
        ("since=1h&until=2h", "before until"),
    ] {
        let (status, problem) = asked(&format!("/api/v1/stats/series?{query}"));
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(why), "{query}: {problem}");
    }
    let (status, problem) = asked("/api/v1/history/runners/nobody");
    assert_eq!((status, problem["code"].as_str()), (404, Some("no_such_runner")));
    let decisions = json(&rig, &["history", "--decisions"]);
    assert_eq!(decisions["items"][0]["pool"], "build");
    drop(daemon);
}

#[test]
fn a_locked_history_holds_nothing_up_and_is_written_once_it_is_free() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 1"));
    let daemon = rig.daemon();
    tells(&rig, "action", "create");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("sqlite://{}", database(&rig).display());
    let mut beside = runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let mut beside = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut beside).await.unwrap();
        beside
    });
    goes_on(&rig, 3);
    daemon.says("is not written, the fleet goes on: the database is locked by another process");
    rig.shows(&["history", "not written since", "locked by another process"]);
    runtime.block_on(async { sqlx::raw_sql("ROLLBACK").execute(&mut beside).await.unwrap() });
    daemon.says("is written again; 0 records were lost");
    tells(&rig, "action", "create ghrunner-build-2");
    assert!(rig.ask(&["audit", "verify"]).status.success());
    assert_eq!(daemon.count("is not written, the fleet goes on"), 1, "once for each change");
}

#[test]
fn a_history_that_is_damaged_full_or_no_file_at_all_holds_nothing_up() {
    let rig = Rig::new();
    std::fs::create_dir_all(rig.path("state")).unwrap();
    std::fs::write(database(&rig), "this is no database, and never was one").unwrap();
    rig.write(&rig.good("min = 1\nmax = 1"));
    let mut daemon = rig.daemon();
    daemon.says("it is set aside as");
    goes_on(&rig, 2);
    tells(&rig, "history", "the file is no database");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.ended();

    // A folder in its place can neither be opened nor set aside for good.
    for part in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{part}", database(&rig).display()));
    }
    std::fs::create_dir(database(&rig)).unwrap();
    let daemon = rig.daemon();
    goes_on(&rig, 3);
    daemon.says("is not written, the fleet goes on");
    let refused = rig.ask(&["history"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("cannot be read"), "{said}");
    std::fs::remove_dir(database(&rig)).unwrap();
    daemon.says("is written again");
    goes_on(&rig, 4);
    tells(&rig, "action", "create ghrunner-build-3");
}

#[test]
fn without_a_history_the_commands_say_so_and_nothing_is_kept() {
    let rig = Rig::new();
    rig.write(&format!("{}\n[history]\nenabled = false\n", rig.good("min = 1\nmax = 1")));
    let _daemon = rig.daemon();
    eventually(|| rig.engine.containers().len() == 1).unwrap();
    let refused = rig.ask(&["history"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("enabled = false"));
    assert!(!database(&rig).exists());
}

#[test]
fn a_copy_comes_back_with_the_mode_and_what_was_there_stays_beside() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 1"));
    let mut daemon = rig.daemon();
    tells(&rig, "action", "create ghrunner-build-0");
    assert!(rig.ask(&["pools", "drain", "build"]).status.success());
    tells(&rig, "call", "/pools/build/drain");
    let copy = rig.path("copy").display().to_string();
    let made = rig.ask(&["backup", &copy]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).contains("marks.toml"));
    assert_eq!(rig.ask(&["backup", &copy]).status.code(), Some(2), "nothing is written over");
    let state = rig.path("state").display().to_string();
    let restore = ["restore", &copy, "--yes", "--state-dir", &state];
    let said = String::from_utf8_lossy(&rig.ask(&restore).stderr).into_owned();
    assert!(said.contains("the daemon runs"), "{said}");
    assert!(rig.ask(&["pools", "resume", "build"]).status.success());
    tells(&rig, "call", "/pools/build/resume");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.ended();

    // One that is damaged changes nothing.
    let bad = rig.path("bad");
    std::fs::write(&bad, &std::fs::read(&copy).unwrap()[..9000]).unwrap();
    let refused = rig.ask(&["restore", bad.to_str().unwrap(), "--yes", "--state-dir", &state]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no copy of a history"));
    let marks = || std::fs::read_to_string(rig.path("state/marks.toml")).unwrap();
    assert!(!marks().contains("drained_pools = [\"build\"]"));

    let back = rig.ask(&restore);
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    assert!(marks().contains("drained_pools = [\"build\"]"), "{}", marks());
    let _daemon = rig.daemon();
    tells(&rig, "call", "/pools/build/drain");
    assert!(!trail(&rig).iter().any(|entry| entry["text"].as_str().unwrap().contains("resume")));
    let verified = rig.ask(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    // Without a daemon, too.
    drop(_daemon);
    let second = rig.path("second").display().to_string();
    assert!(rig.ask(&["backup", &second, "--state-dir", &state]).status.success());
}
