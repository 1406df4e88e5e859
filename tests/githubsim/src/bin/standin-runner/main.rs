//! A small program that behaves as the self-hosted runner does from outside: it takes the same
//! configuration, says the same words, runs a `Runner.Worker` process while in a job, and ends with
//! the same codes as `run.sh` does in a container. It talks to the simulator only.
//!
//! `STANDIN_BEHAVIOUR` makes it misbehave from the start (`exit:N`, `deprecated`, `never-connect`,
//! `hang`, `leak`) or in its first job (`job:crash`, `job:exit:N`, `job:hang`, `job:leak`,
//! `job:leak-worker`; `crash` means `job:crash`). A job may ask for the same, without `job:`.

mod behaviour;
mod client;
mod config;
mod engine;
mod events;
mod listener;
mod worker;

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

/// Writes one line to standard output; nobody listening is no reason to end.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Waits without anything to wait for.
fn pause(time: Duration) {
    let (_open, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(time);
}

fn main() -> ExitCode {
    if worker::is_wanted() {
        return worker::run();
    }
    ExitCode::from(listener::run())
}
