//! `plan --dry-run`: the real binary, no daemon, and nothing done.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod rig;

use rig::Rig;

fn planned(rig: &Rig) -> (Option<i32>, String) {
    let (file, state) = (rig.path("pools.toml"), rig.path("state"));
    let output = rig.ask(&[
        "plan",
        "--dry-run",
        "--config",
        file.to_str().unwrap(),
        "--state-dir",
        state.to_str().unwrap(),
    ]);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn it_says_what_a_daemon_would_do_and_does_none_of_it() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 2\nmax = 3"));
    let (code, text) = planned(&rig);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("create ").count(), 2, "{text}");
    assert!(text.contains("ghrunner-build-0") && text.contains("build: target 2"), "{text}");
    assert_eq!(rig.engine.changes(), [""; 0]);
    assert!(!rig.path("state").exists() && !rig.path("run").exists());
}

#[test]
fn it_knows_the_mode_and_the_drains_that_a_daemon_left() {
    let rig = Rig::new();
    rig.write(&rig.good("max = 3\nmin = 1"));
    std::fs::create_dir(rig.path("state")).unwrap();
    std::fs::write(rig.path("state/mode.toml"), "mode = \"repository\"\n").unwrap();
    let (code, text) = planned(&rig);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("repos/acme/app"), "{text}");
    std::fs::write(rig.path("state/marks.toml"), "drained_pools = [\"build\"]\n").unwrap();
    let (_, text) = planned(&rig);
    assert!(!text.contains("create ") && text.contains("drain"), "{text}");
}

#[test]
fn a_refused_credential_and_an_absent_engine_are_told() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1"));
    std::fs::write(rig.path("token"), "ghp_other").unwrap();
    let (code, text) = planned(&rig);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Bad credentials") && !text.contains("ghp_other"), "{text}");
    std::fs::remove_file(rig.path("engine.sock")).unwrap();
    let (code, text) = planned(&rig);
    assert_eq!(code, Some(69), "{text}");
    assert!(text.contains("engine.sock"), "{text}");
}
