//! Many who have no secret, and one who has.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ghrunner::http::IntakeLimits;
use ghrunner::http::IntakeSettings;
use tokio::time::Instant;

use crate::bench::*;

/// What the intake may come to hold by a flood.
const GROWTH: u64 = 5 << 20;

/// Memory that this process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends unsigned requests over one connection after the other, until there were enough or it is told to stop.
fn flood(to: SocketAddr, sent: &AtomicU64, go_on: impl Fn(u64) -> bool) {
    let body = format!("{}{}", queued(1), " ".repeat(8000));
    let requests = [
        Post::unsigned("workflow_job", &body).bytes(),
        Post::unsigned("workflow_job", &body).signed("wrong").bytes(),
        Post::unsigned("workflow_job", "").line("GET /webhook").bytes(),
    ];
    let mut stream: Option<TcpStream> = None;
    while go_on(sent.load(Ordering::Relaxed)) {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let open = stream.take().or_else(|| TcpStream::connect(to).ok());
        let Some(mut open) = open else { continue };
        let request = &requests[usize::try_from(number).unwrap() % requests.len()];
        let mut answer = [0; 512];
        let answered = open.write_all(request).and_then(|()| open.read(&mut answer));
        if answered.is_ok_and(|read| read > 0) {
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "an unsigned request was taken");
            stream = Some(open);
        }
    }
}

/// In a process of its own, so that nobody else's memory counts.
#[test]
fn a_flood_of_unsigned_requests_costs_no_memory_and_keeps_nobody_out() {
    let ended = command(&child("flood::a_child_that_is_flooded")).status().unwrap();
    assert!(ended.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_flooded() {
    if !is_child() {
        return;
    }
    let settings = IntakeSettings { rate: 10, ..settings() };
    let mut bench = Bench::without_book(settings, IntakeLimits::default());
    bench.open_book();
    let address = bench.address;
    let wave = |count: u64| {
        let sent = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let sent = Arc::clone(&sent);
                std::thread::spawn(move || flood(address, &sent, |sent| sent < count))
            })
            .collect();
        async move {
            while !threads.iter().all(std::thread::JoinHandle::is_finished) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    };
    wave(1000).await;
    let before = resident();
    let flooded = wave(20_000);
    // From another address, while it goes on.
    for id in 0..20 {
        assert_eq!(bench.send(Post::job(id).from("127.0.0.2")).await, 202);
    }
    flooded.await;
    let after = resident();
    assert!(after.saturating_sub(before) < GROWTH, "{before} became {after}");
    bench.until(|heard| heard.jobs.len() == 20).await;
}

/// How many a second, and for how long, where it is measured.
const A_SECOND: f64 = 5000.0;
const SECS: u64 = 10;
/// Tells the child whom to flood.
const TARGET: &str = "GHRUNNER_TEST_TARGET";

/// By the clock: `cargo test --test http_intake -- --ignored --nocapture measured`. Who floods is another process, so that
/// its memory does not count, and the intake begins cold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and a busy machine has other figures"]
async fn the_flood_is_measured() {
    let settings = IntakeSettings { rate: 10, ..settings() };
    let mut bench = Bench::without_book(settings, IntakeLimits::default());
    bench.open_book();
    let mut flooding = command(&child("flood::a_child_that_floods"));
    let mut flooding = flooding.env(TARGET, bench.address.to_string()).spawn().unwrap();
    let before = resident();
    let mut slowest = Duration::ZERO;
    for id in 0..SECS * 10 {
        let asked = Instant::now();
        assert_eq!(bench.send(Post::job(id).from("127.0.0.2")).await, 202);
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let grown = resident().saturating_sub(before);
    let heard = bench.until(|heard| heard.jobs.len() as u64 == SECS * 10).await;
    let refused = heard.hooks.refused;
    let ended = tokio::task::spawn_blocking(move || flooding.wait().unwrap()).await.unwrap();
    assert!(ended.success());
    println!("{} KiB more, slowest signed delivery {slowest:?}, at least {refused} refused", grown / 1024);
    assert!(slowest < Duration::from_secs(1) && grown < GROWTH);
}

#[test]
fn a_child_that_floods() {
    let Some(target) = std::env::var(TARGET).ok().filter(|_| is_child()) else { return };
    let (to, began, sent) = (target.parse().unwrap(), Instant::now(), AtomicU64::new(0));
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                flood(to, &sent, |sent| {
                    if sent as f64 > began.elapsed().as_secs_f64() * A_SECOND {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                    began.elapsed() < Duration::from_secs(SECS)
                });
            });
        }
    });
    let rate = sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} unsigned requests a second for {SECS} s");
}
