//! What the whole daemon costs, at a real engine and a simulated GitHub; `scripts/bench.sh` makes a table of it.
//!
//! Prints one line of JSON. Everything it made is gone when it ends, by itself or by a signal.
//!
//! - `converge RUNNERS ROUNDS`: from 0 runners to that many, by the daemon and by a client that does nothing but the same
//!   calls.
//! - `burst DEMAND JOBS ROUNDS`: the same for so many jobs that are queued at once, heard of by `webhook` or `scale-set`.
//! - `job DEMAND JOBS`: from the queueing of a job to the start of its runner's container, one job after the other, beside
//!   the engine's own time for that container.
//! - `reload TIMES`: from the save of the file to the first call at the engine.
//! - `rest POOLS RUNNERS SECONDS`: memory and processor of the daemon while nothing changes.

#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot measure has nothing better to do than to say where"
)]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod bare;
mod burst;
mod converge;
mod job;
mod reload;
mod rest;
mod stage;

use serde_json::Value;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut term = signal(SignalKind::terminate()).unwrap();
    let result = tokio::select! {
        result = run(&arguments) => result,
        _ = tokio::signal::ctrl_c() => panic!("interrupted"),
        _ = term.recv() => panic!("told to stop"),
    };
    println!("{result}");
}

async fn run(arguments: &[String]) -> Value {
    let number = |n: usize| arguments[n].parse::<u32>().unwrap();
    match arguments[0].as_str() {
        "converge" => converge::measure(number(1), number(2)).await,
        "burst" => burst::measure(&arguments[1], number(2), number(3)).await,
        "job" => job::measure(&arguments[1], number(2)).await,
        "reload" => reload::measure(number(1)).await,
        "rest" => rest::measure(number(1), number(2), number(3)).await,
        other => panic!("no such bench: {other}"),
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[low], values[high])
}
