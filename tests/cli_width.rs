//! Tables fit the terminal, by the real binary on a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;

use std::io::Read;
use std::process::Stdio;

use cli_fleet::FakeDaemon;
use cli_fleet::command;

/// What the command writes to a terminal of this many columns; `script` makes the terminal, and `stty` its width.
/// None where the machine has no `script`.
fn on_terminal(daemon: &FakeDaemon, columns: u16, arguments: &str) -> Option<String> {
    let line = format!(
        "stty cols {columns} rows 50; {} --socket {} {arguments}",
        env!("CARGO_BIN_EXE_ghrunner"),
        daemon.socket.display()
    );
    let mut child = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    assert!(child.wait().ok()?.success(), "{text}");
    Some(text)
}

/// The text without its colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn tables_fit_the_terminal_and_have_colours_there() {
    let daemon = FakeDaemon::start();
    for columns in [60, 80, 120] {
        for arguments in ["pools list", "runners list", "runners list --ended"] {
            let Some(text) = on_terminal(&daemon, columns, arguments) else { return };
            assert!(text.contains("\x1b["), "colours: {text}");
            let plain = plain(&text);
            for line in plain.lines() {
                let width = line.trim_end().chars().count();
                assert!(width <= usize::from(columns), "{width} > {columns}: {line}\n{plain}");
            }
            assert!(plain.contains("build"), "{plain}");
        }
    }
}

#[test]
fn a_pipe_gets_a_hundred_columns_and_no_colours() {
    let daemon = FakeDaemon::start();
    let output = command(&daemon.socket).args(["runners", "list"]).output().unwrap();
    let text = cli_fleet::stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}
