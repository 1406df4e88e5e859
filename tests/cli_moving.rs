//! Orders that a command waits for: drains of all pools, changes of mode. The control loop behind the socket is made up.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;

use std::time::Duration;

use cli_fleet::FakeDaemon;
use cli_fleet::Manner;
use cli_fleet::snapshot;
use cli_fleet::stderr;
use cli_fleet::stdout;
use ghrunner::config::Config;
use ghrunner::control::Obstacle;
use ghrunner::control::Snapshot;

const SOON: Option<Duration> = Some(Duration::from_millis(300));
const LATER: Option<Duration> = Some(Duration::from_millis(1200));

/// The made-up fleet with the pool that the file would have.
fn fleet() -> Snapshot {
    let mut fleet = snapshot();
    let text = "[github]\ntoken = { credential = \"t\" }\n[pools.build]\norg = \"acme\"\nmin = 1\nmax = 4\n";
    let config = Config::from_text("pools.toml", text).into_result().unwrap();
    fleet.pools[0].pool = config.pools.into_values().next();
    fleet
}

#[test]
fn a_drain_that_waits_ends_when_no_runner_is_left_and_tells_meanwhile_what_is() {
    let manner = Manner { idle_goes: SOON, busy_goes: LATER, ..Manner::default() };
    let daemon = FakeDaemon::of(fleet(), manner);
    let output = daemon.ghrunner(&["drain", "--wait", "--timeout", "30s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "no runner is left\n");
    let told = stderr(&output);
    assert!(told.contains("2 runners left: 1 idle, 1 busy (ghrunner-build-0)"), "{told}");
    assert!(told.contains("1 runner left: 1 busy (ghrunner-build-0)"), "{told}");
}

#[test]
fn a_drain_that_is_not_over_in_time_ends_with_a_code_of_its_own_and_says_what_to_do() {
    let daemon = FakeDaemon::of(fleet(), Manner { idle_goes: SOON, ..Manner::default() });
    let output = daemon.ghrunner(&["drain", "--wait", "--timeout", "2s"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("1 busy (ghrunner-build-0)") && told.contains("ghrunner resume"), "{told}");
}

#[test]
fn a_stop_of_all_says_first_what_would_fail() {
    let daemon = FakeDaemon::with(fleet());
    let output = daemon.ghrunner(&["runners", "stop", "--all", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("ghrunner-build-0") && text.contains("1 job would fail."), "{text}");
    assert_eq!(daemon.asked(), Vec::<String>::new(), "nothing was ordered");
}

#[test]
fn what_speaks_gravely_against_a_change_of_mode_stops_it_unless_it_is_forced() {
    let grave = Obstacle { pool: None, grave: true, text: "REASON".to_owned() };
    let daemon = FakeDaemon::of(fleet(), Manner { obstacles: vec![grave], ..Manner::default() });
    let changed = || daemon.asked().iter().any(|asked| asked == "mode Repository dry_run=false");
    let dry = daemon.ghrunner(&["rollback", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(1));
    assert!(stdout(&dry).contains("refused  REASON"), "{}", stdout(&dry));
    let refused = daemon.ghrunner(&["rollback", "--yes"]);
    assert_eq!((refused.status.code(), changed()), (Some(1), false), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("REASON") && stderr(&refused).contains("--force"));
    let forced = daemon.ghrunner(&["rollback", "--yes", "--force"]);
    assert_eq!((forced.status.code(), changed()), (Some(0), true), "{}", stderr(&forced));
}

#[test]
fn what_is_only_worth_knowing_is_said_and_stops_nothing() {
    let note = Obstacle { pool: None, grave: false, text: "REASON".to_owned() };
    let daemon = FakeDaemon::of(fleet(), Manner { obstacles: vec![note], ..Manner::default() });
    let output = daemon.ghrunner(&["rollback", "--yes"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("note  REASON"), "{}", stderr(&output));
}

#[test]
fn a_change_of_mode_waits_until_each_place_has_its_runner_and_once_more_changes_nothing() {
    let places = vec![("repos/acme/app".to_owned(), SOON), ("repos/acme/web".to_owned(), LATER)];
    let daemon = FakeDaemon::of(fleet(), Manner { places, ..Manner::default() });
    let output = daemon.ghrunner(&["rollback", "--yes", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("0 of 2 repositories have their runner"), "{}", stderr(&output));
    assert!(stderr(&output).contains("1 of 2 repositories have their runner"), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("repos/acme/web") && text.contains("every place has what it needs"), "{text}");
    assert!(text.contains("1 runner finishes its job, and then goes: ghrunner-build-0"), "{text}");
    let again = daemon.ghrunner(&["rollback", "--yes", "--wait"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(stderr(&again).contains("in repository mode already"), "{}", stderr(&again));
    let changes = daemon.asked().iter().filter(|asked| asked.ends_with("dry_run=false")).count();
    assert_eq!(changes, 1, "{:?}", daemon.asked());
}

#[test]
fn a_place_without_a_runner_in_time_is_named_with_what_is_held_back() {
    let places = vec![("repos/acme/app".to_owned(), SOON), ("repos/acme/web".to_owned(), None)];
    let daemon = FakeDaemon::of(fleet(), Manner { places, ..Manner::default() });
    let output = daemon.ghrunner(&["rollback", "--yes", "--wait", "--timeout", "2s"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("no runner yet") && text.contains("the pool is at max (2)"), "{text}");
    assert!(stderr(&output).contains("go back with `ghrunner rollback --undo`"), "{}", stderr(&output));
}

#[test]
fn before_a_change_of_mode_a_copy_is_kept_and_without_one_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, state) = (dir.path().join("pools.toml"), dir.path().join("state"));
    std::fs::write(&file, "the file").unwrap();
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("marks.toml"), "the marks").unwrap();
    let mut fleet = fleet();
    fleet.config.path = file.display().to_string();
    fleet.state_dir = Some(state.display().to_string());
    let daemon = FakeDaemon::with(fleet);
    let place = file.display().to_string();
    let output = daemon.ghrunner(&["rollback", "--yes", "--backup", &place]);
    assert_eq!(output.status.code(), Some(2), "a file is no folder: {}", stderr(&output));
    assert!(stdout(&daemon.ghrunner(&["status"])).contains("organization mode"));
    let backups = dir.path().join("backups");
    let output = daemon.ghrunner(&["rollback", "--yes", "--backup", &backups.display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let folder = std::fs::read_dir(&backups).unwrap().next().unwrap().unwrap().path();
    assert!(stderr(&output).contains(&folder.display().to_string()), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(folder.join("pools.toml")).unwrap(), "the file");
    assert_eq!(std::fs::read_to_string(folder.join("marks.toml")).unwrap(), "the marks");
}
