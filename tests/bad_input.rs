//! What an operator gets wrong, and what the real binary says: what happened, where, and what to do next. A fleet that
//! runs is left alone.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod rig;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;
use rig::Rig;
use rig::eventually;

/// All of these stand in the text, and no line of error stands there twice.
fn tells(text: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let messages: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(" ERROR ")).map(|l| l.1).collect();
    for (index, message) in messages.iter().enumerate() {
        assert!(!messages[..index].contains(message), "told twice: {message}\n{text}");
    }
}

#[test]
fn a_file_that_cannot_be_used_ends_the_start_with_78_and_its_place() {
    let rig = Rig::new();
    let (code, text) = rig.ends();
    assert_eq!(code, 78, "{text}");
    tells(&text, &["pools.toml: there is no such file", "/usr/share/doc/ghrunner/pools.toml.example"]);
    let good = rig.good("max = 2");
    for (file, wanted) in [
        ("[pools".to_owned(), "pools.toml:1:1: this is no TOML"),
        (format!("{good}maxx = 3\n"), "unknown key \"maxx\" in [pools.build] (did you mean \"max\"?)"),
        (format!("{good}cpus = \"two\"\n"), "cpus: expected a number of processors"),
        (good.replace("org = \"acme\"\n", ""), "pool build does not say whom it serves"),
    ] {
        rig.write(&file);
        fs::remove_file(rig.path("said")).unwrap();
        let (code, text) = rig.ends();
        assert_eq!(code, 78, "{text}");
        tells(&text, &[wanted, "Cannot run: "]);
        assert!(!text.contains("warning"), "{text}");
    }
    assert_eq!(rig.engine.changes(), [""; 0]);
}

#[test]
fn an_empty_file_starts_with_a_warning_and_never_empties_a_fleet() {
    let rig = Rig::new();
    rig.write("");
    let daemon = rig.daemon();
    tells(&daemon.says("WARN"), &["pools.toml: no pools: nothing to run"]);
    drop(daemon);
    rig.write(&rig.good("min = 1\nmax = 2"));
    let daemon = rig.daemon();
    daemon.says("Done: create");
    rig.write("");
    tells(
        &daemon.says("is refused"),
        &["the file is empty, and pools are in force", "the last good configuration"],
    );
    rig.shows(&["the file was refused", "the file is empty"]);
    assert_eq!(rig.engine.containers(), ["/ghrunner-build-0"]);
}

#[test]
fn a_bad_edit_leaves_the_fleet_and_shows_its_errors_only() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let daemon = rig.daemon();
    daemon.says("Done: create");
    rig.write(&rig.good("min = 1\nmax = 2\nmaxx = 3\nprivileged = true\ncpus = \"two\""));
    let text = rig.shows(&["the file was refused", "error: unknown key", "--> ", "expected a number"]);
    assert!(!text.contains("warning"), "{text}");
    tells(&text, &["`ghrunner check ", "maxx = 3"]);
    assert_eq!(daemon.count("is refused, the last good"), 1, "{}", daemon.said());
    rig.write(&rig.good("min = 1\nmax = 2").replace("rig1", "rig2"));
    rig.shows(&["host.name changed in the file and needs a restart"]);
    // A later change of something else does not make up for the restart.
    rig.write(&rig.good("min = 1\nmax = 3").replace("rig1", "rig2"));
    rig.shows(&["host.name changed in the file and needs a restart", "of 3"]);
    rig.write(&rig.good("min = 1\nmax = 4"));
    let text = rig.shows(&["of 4"]);
    assert!(!text.contains("needs a restart") && !text.contains("was refused"), "{text}");
    assert_eq!(rig.engine.containers(), ["/ghrunner-build-0"]);
}

#[test]
fn a_secret_that_cannot_be_had_is_said_once_with_its_place() {
    let rig = Rig::new();
    fs::write(rig.path("empty"), "\n").unwrap();
    let file = |name: &str| format!("file = \"{}\"", rig.path(name).display());
    for (token, wanted) in [
        (file("nope"), "there is no such file; write the secret there"),
        (file("run"), "it is a folder; name the file in it"),
        (file("empty"), "empty is empty; write the secret there"),
        ("credential = \"t\"".to_owned(), "the unit needs `LoadCredential=t:/etc/ghrunner/credentials/t`"),
        (
            "env = \"GHRUNNER_NO_SUCH\"".to_owned(),
            "the environment has no GHRUNNER_NO_SUCH; set it in the unit",
        ),
    ] {
        rig.write(&rig.file(&rig.url, &token, "min = 1"));
        let _ = fs::remove_file(rig.path("said"));
        let daemon = rig.daemon();
        daemon.says("Held back deleting registrations");
        daemon.says("Held back build");
        assert_eq!(daemon.count(wanted), 1, "{}", daemon.said());
        rig.shows(&["credential default: ", wanted]);
    }
    assert_eq!(rig.engine.containers(), [""; 0]);
}

#[test]
fn a_token_that_is_revoked_or_too_weak_holds_back_and_leaves_the_runners() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let daemon = rig.daemon();
    daemon.says("Done: create");
    rig.side_door("tokens/revoke", "{\"token\": \"ghp_test\"}");
    rig.shows(&["refused: ", "Bad credentials"]);
    daemon.says("Bad credentials");
    fs::write(rig.path("token"), "ghp_weak").unwrap();
    rig.shows(&["credential default may not list the runners", "`ghrunner doctor` tells what it needs"]);
    assert_eq!(rig.engine.containers(), ["/ghrunner-build-0"]);
    for secret in ["ghp_test", "ghp_weak"] {
        assert_eq!(daemon.count(secret), 0, "{}", daemon.said());
    }
}

#[test]
fn a_group_an_organization_or_an_image_that_is_not_there_is_named() {
    let rig = Rig::new();
    for (change, wanted) in [
        (("org = \"acme\"", "org = \"acme\"\ngroup = \"nope\""), "nope"),
        (("org = \"acme\"", "org = \"nobody\""), "GitHub knows no"),
        (("\"runner:1\"\npull = \"missing\"", "\"runner:9\"\npull = \"never\""), "runner:9"),
        (("\"runner:1\"", "\"runner:8\""), "cannot pull runner:8: pull access denied"),
    ] {
        rig.write(&rig.good("min = 1").replace(change.0, change.1));
        let _ = fs::remove_file(rig.path("said"));
        let daemon = rig.daemon();
        daemon.says("Held back build");
        // An image that lacks is held back as one to be pulled before the pull has failed.
        daemon.says(wanted);
        rig.shows(&["build", wanted]);
    }
    assert_eq!(rig.engine.containers(), [""; 0]);
}

#[test]
fn an_address_that_is_wrong_is_told_in_words() {
    let rig = Rig::new();
    let token = format!("file = \"{}\"", rig.path("token").display());
    let plain = rig.url.replace("http://", "https://");
    for (url, wanted) in [
        ("http://127.0.0.1:1", "connection refused; nobody listens there"),
        ("https://no-such-host.invalid", "the name cannot be resolved"),
        (&plain, "what answers there speaks no TLS"),
    ] {
        rig.write(&rig.file(url, &token, "min = 1"));
        let _ = fs::remove_file(rig.path("said"));
        let daemon = rig.daemon();
        let text = daemon.says(wanted);
        assert!(!text.contains("os error") && !text.contains("client error"), "{text}");
        rig.shows(&[wanted]);
    }
}

#[test]
fn an_engine_that_is_none_is_told_and_waited_for() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let socket = rig.path("engine.sock");
    fs::rename(&socket, rig.path("away")).unwrap();
    let mut daemon = rig.daemon();
    tells(
        &daemon.says("Held back everything"),
        &["WARN", "no such file; is the engine installed and running?"],
    );
    // Somebody else's socket: it answers, and not as an engine.
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
        }
    });
    rig.shows(&["engine ", "engine.sock"]);
    fs::remove_file(&socket).unwrap();
    fs::rename(rig.path("away"), &socket).unwrap();
    daemon.says("Done: create");
    assert!(daemon.alive());
}

#[test]
fn an_engine_that_hangs_does_not_hold_up_the_stop() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1"));
    fs::remove_file(rig.path("engine.sock")).unwrap();
    let silent = UnixListener::bind(rig.path("engine.sock")).unwrap();
    let mut daemon = rig.daemon();
    // The first look is under way.
    let _held = silent.accept().unwrap();
    daemon.signal(Signal::SIGTERM);
    let asked = tokio::time::Instant::now();
    assert!(daemon.ended().success(), "{}", daemon.said());
    // A look gives the engine ten seconds.
    assert!(asked.elapsed() < std::time::Duration::from_secs(8), "{}", daemon.said());
}

#[test]
fn a_second_daemon_ends_with_75_and_leaves_the_first() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let first = rig.daemon();
    first.says("Done: create");
    let (code, text) = rig.ends();
    assert_eq!(code, 75, "{text}");
    tells(&text, &["ghrunner already runs as process", "stop that one first"]);
    rig.shows(&["ghrunner-build-0"]);
    first.signal(Signal::SIGTERM);
    assert_eq!(rig.engine.containers(), ["/ghrunner-build-0"]);
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_start_with_73() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1"));
    fs::write(rig.path("file"), "").unwrap();
    for option in ["--state-dir", "--logs-dir"] {
        let mut command = rig.command(&["run", "--config"]);
        command.arg(rig.path("pools.toml"));
        for other in ["--state-dir", "--logs-dir"] {
            command.arg(other).arg(rig.path(if option == other { "file/x" } else { "fine" }));
        }
        let (code, text) = rig.ends_with(command);
        assert_eq!(code, 73, "{text}");
        tells(&text, &["cannot create", "file/x", option]);
    }
    let mut command = rig.run_command();
    command.arg("--runtime-dir").arg(rig.path("file/x"));
    let (code, text) = rig.ends_with(command);
    assert_eq!(code, 73, "{text}");
    tells(&text, &["cannot", "file/x"]);
}

/// Needs root, to become somebody else.
#[test]
fn a_user_who_may_not_is_told_what_he_may_not() {
    use std::os::unix::process::CommandExt as _;
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let rig = Rig::new();
    rig.write(&rig.good("min = 1"));
    let open =
        |name: &str, mode| fs::set_permissions(rig.path(name), PermissionsExt::from_mode(mode)).unwrap();
    open("", 0o755);
    let binary = rig.path("ghrunner");
    fs::copy(env!("CARGO_BIN_EXE_ghrunner"), &binary).unwrap();
    for dir in ["mine", "closed"] {
        fs::create_dir(rig.path(dir)).unwrap();
    }
    open("mine", 0o777);
    open("engine.sock", 0o600);
    open("pools.toml", 0o644);
    let run = |state: &str, run: &str| {
        let mut command = std::process::Command::new(&binary);
        command.env_clear().arg("run").arg("--config").arg(rig.path("pools.toml"));
        command.arg("--state-dir").arg(rig.path(state)).arg("--logs-dir").arg(rig.path("mine/logs"));
        command.arg("--runtime-dir").arg(rig.path(run)).uid(65_534).gid(65_534);
        command
    };
    let (code, text) = rig.ends_with(run("closed", "mine/run"));
    assert_eq!(code, 77, "{text}");
    tells(&text, &["user 65534 may not write to", "closed", "--state-dir"]);
    let (code, text) = rig.ends_with(run("mine/state", "closed/run"));
    assert_eq!(code, 77, "{text}");
    tells(&text, &["closed/run"]);
    open("pools.toml", 0o600);
    let (code, text) = rig.ends_with(run("mine/state", "mine/run"));
    assert_eq!(code, 78, "{text}");
    tells(&text, &["pools.toml: the file may not be read", "chmod 0644"]);
    open("pools.toml", 0o644);
    let daemon = rig.daemon_with(run("mine/state", "mine/run"));
    tells(&daemon.says("Held back everything"), &["permission denied; is this process in the group"]);
    open("engine.sock", 0o666);
    tells(&daemon.says("Failed: create"), &["user 65534 may not read it"]);
}

#[test]
fn a_github_that_goes_away_leaves_the_runners() {
    let mut rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let daemon = rig.daemon();
    daemon.says("Done: create");
    rig.stop_github();
    let heard = eventually(|| daemon.said().contains("connection refused; nobody listens there"));
    assert!(heard.is_ok(), "{}", daemon.said());
    assert_eq!(rig.engine.containers(), ["/ghrunner-build-0"]);
    assert!(
        rig.engine.changes().iter().all(|change| !change.starts_with("DELETE") && !change.ends_with("/stop"))
    );
}
