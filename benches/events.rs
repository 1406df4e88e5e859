//! What two hundred dashboards cost: as many listeners to `/api/v1/events`, and 200 runners that all change each second.
//!
//! `cargo bench --bench events` prints one line of JSON: the share of a core that the serving process took, how much memory it
//! took more than before anybody listened, and the least that a listener heard. The listeners are a process of their own,
//! so that their work is not counted. `--seconds N` measures for longer or shorter.

#![allow(clippy::unwrap_used, reason = "a bench's helpers may panic like the bench itself")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "../tests/cli_fleet/mod.rs"]
mod cli_fleet;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::control::Facade;
use ghrunner::control::Snapshot;
use ghrunner::http::ControlSocket;
use ghrunner::model::Phase;
use ghrunner::model::Time;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const LISTENERS: usize = 200;
const RUNNERS: u32 = 200;
const SECONDS: u64 = 30;
/// Turns before the first listener comes, and before those that are measured.
const BEFORE: u64 = 5;
/// Where the listeners' process finds the socket.
const SOCKET: &str = "GHRUNNER_BENCH_SOCKET";

fn main() {
    if let Some(socket) = std::env::var_os(SOCKET) {
        return listen(&PathBuf::from(socket));
    }
    let given = std::env::args().skip_while(|word| word != "--seconds").nth(1);
    let seconds = given.map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(seconds));
}

async fn measure(seconds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("run/s");
    let mut fleet = cli_fleet::snapshot();
    fleet.runners = (0..RUNNERS).map(|slot| cli_fleet::runner(slot, Phase::Idle)).collect();
    let (publish, snapshots) = watch::channel(Arc::new(fleet));
    let stop = CancellationToken::new();
    let bound = ControlSocket::bind(&socket).unwrap();
    let facade = Facade::new(mpsc::channel(1).0, snapshots);
    let serving = tokio::spawn(ghrunner::http::serve(bound, facade, stop.clone()));
    turns(&publish, 0..BEFORE).await;
    let memory = memory_kib();
    let mut others = std::process::Command::new(std::env::current_exe().unwrap());
    let others = others.env(SOCKET, &socket).stdout(std::process::Stdio::piped()).spawn().unwrap();
    turns(&publish, BEFORE..2 * BEFORE).await;
    let (begun, work) = (tokio::time::Instant::now(), processor_ms());
    turns(&publish, 2 * BEFORE..2 * BEFORE + seconds).await;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let share = (processor_ms() - work) as f64 / took * 100.0;
    let more = (memory_kib() - memory) as f64 / 1024.0;
    stop.cancel();
    let heard = others.wait_with_output().unwrap();
    drop(serving.await);
    println!(
        "{{\"listeners\": {LISTENERS}, \"runners\": {RUNNERS}, \"seconds\": {seconds}, \"cpu_percent\": {share:.2}, \
         \"more_mib\": {more:.1}, \"heard\": {}}}",
        String::from_utf8(heard.stdout).unwrap().trim()
    );
}

/// Each second every runner changes.
async fn turns(publish: &watch::Sender<Arc<Snapshot>>, turns: std::ops::Range<u64>) {
    for turn in turns {
        publish.send_modify(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            snapshot.passes += 1;
            for runner in &mut snapshot.runners {
                runner.phase = if turn % 2 == 0 { Phase::Busy } else { Phase::Idle };
                runner.since = Some(Time::from_secs(turn));
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The other process: listens until the end, and prints the fewest events that one of them heard.
fn listen(socket: &Path) {
    let hear = |_| {
        let socket = socket.to_owned();
        std::thread::Builder::new().stack_size(256 * 1024).spawn(move || heard(&socket)).unwrap()
    };
    let listeners: Vec<_> = (0..LISTENERS).map(hear).collect();
    let fewest = listeners.into_iter().map(|listener| listener.join().unwrap()).min();
    println!("{}", fewest.unwrap());
}

/// How many events came.
fn heard(socket: &Path) -> usize {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
    lines.filter(|line| line.starts_with(b"event: ")).count()
}

/// What this process has worked so far, in milliseconds.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10
}

fn memory_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
