//! How long a scrape takes with 500 runners in 50 pools, beside `status` of the same fleet, over the real socket.
//!
//! `cargo bench --bench metrics` prints one line of JSON: milliseconds from the request to the end of the answer, the median and the
//! slowest of many, and the ratio of the medians. Both are asked in turn, so that whatever else the machine does slows both.

#![allow(clippy::unwrap_used, reason = "a bench's helpers may panic like the bench itself")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "../tests/cli_fleet/mod.rs"]
mod cli_fleet;
#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cli_fleet::FakeDaemon;
use cli_fleet::Manner;
use common::build;
use ghrunner::control::Snapshot;
use ghrunner::model::Meter;
use ghrunner::model::Phase;

const POOLS: u32 = 50;
const RUNNERS: u32 = 500;
const ROUNDS: usize = 101;

fn main() {
    let daemon = FakeDaemon::of(fleet(), Manner { meter: Arc::new(counted()), ..Manner::default() });
    let (mut scrapes, mut statuses, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (took, size) = ask(&daemon.socket, "/metrics");
        scrapes.push(took);
        bytes = size;
        statuses.push(ask(&daemon.socket, status_path(&daemon.socket)).0);
    }
    scrapes.sort_unstable();
    statuses.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (scrape, status) = (ms(scrapes[ROUNDS / 2]), ms(statuses[ROUNDS / 2]));
    println!(
        "{{\"pools\": {POOLS}, \"runners\": {RUNNERS}, \"bytes\": {bytes}, \"p50_ms\": {scrape:.2}, \"max_ms\": {:.2}, \
         \"status_p50_ms\": {status:.2}, \"ratio_to_status\": {:.2}}}",
        ms(scrapes[ROUNDS - 1]),
        scrape / status,
    );
}

/// Where the status is.
fn status_path(socket: &Path) -> &'static str {
    let paths = ["/api/v1/status", "/v1/status"];
    paths.into_iter().find(|path| answer(socket, path).starts_with("HTTP/1.1 200")).unwrap()
}

/// How long an answer took, and how large it was.
fn ask(socket: &Path, path: &str) -> (Duration, usize) {
    let begun = now();
    let answer = answer(socket, path);
    let took = now() - begun;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    (took, answer.len())
}

fn answer(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn now() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap().into()
}

/// So many pools of the file, each with ten runners, of which one is busy.
fn fleet() -> Snapshot {
    let mut snapshot = cli_fleet::snapshot();
    let model = snapshot.pools.remove(0);
    for n in 0..POOLS {
        let mut state = model.clone();
        let pool = build::pool(&format!("pool-{n}"));
        state.report.pool = pool.name.clone();
        state.report.phases = vec![(Phase::Idle, RUNNERS / POOLS - 1), (Phase::Busy, 1)];
        state.pool = Some(pool);
        snapshot.pools.push(state);
    }
    snapshot.runners = (0..RUNNERS)
        .map(|slot| cli_fleet::runner(slot, if slot % 10 == 0 { Phase::Busy } else { Phase::Idle }))
        .collect();
    snapshot
}

/// What is counted of such a fleet after a while: each pool with all its histograms, and calls of every kind.
fn counted() -> Meter {
    let meter = Meter::default();
    meter.note(|readings| {
        for n in 0..POOLS {
            let pool = readings.pool(&build::pool_name(&format!("pool-{n}")));
            pool.queue_wait.time(Duration::from_secs(4));
            pool.failures.insert("never_online", 3);
        }
        for call in ["list containers", "create a container", "start a container", "look into a container"] {
            for result in ["ok", "timed_out", "refused"] {
                readings.engine.took(call, result, Duration::from_millis(7));
                readings.github.took(call, result, Duration::from_millis(70));
            }
        }
    });
    meter
}
