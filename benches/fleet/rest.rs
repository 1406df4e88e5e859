//! What the daemon takes while nothing changes.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::stage::Stage;
use crate::stage::in_phase;

/// After the last runner came up, until caches, connections and listings have settled.
const SETTLE: Duration = Duration::from_secs(20);

/// What `/proc` counts in, on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory and processor of the daemon over so many seconds, with so many runners idle in so many pools.
pub(crate) async fn measure(pools: u32, runners: u32, seconds: u32) -> Value {
    let stage = Stage::new(&[], false).await;
    let all: String = (0..pools).map(|n| stage.pool(&format!("p{n}"), runners / pools, "")).collect();
    stage.configure(&all);
    let wanted = u64::from(runners / pools * pools);
    stage.until("all runners idle", 300, |status| in_phase(status, "idle") == wanted).await;
    tokio::time::sleep(SETTLE).await;
    let pid = stage.daemon.pid().unwrap();
    let passes = |status: &Value| status["passes"].as_u64().unwrap();
    let (before, passes_before) = (processor_seconds(pid), passes(&stage.daemon.status().await.unwrap()));
    tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
    let (after, passes_after) = (processor_seconds(pid), passes(&stage.daemon.status().await.unwrap()));
    let (rss, peak) = (kib(pid, "VmRSS"), kib(pid, "VmHWM"));
    stage.end().await;
    let cpu = (after - before) / f64::from(seconds) * 100.0;
    json!({
        "pools": pools, "runners": wanted, "seconds": seconds, "rss_mib": rss / 1024.0, "peak_mib": peak / 1024.0,
        "cpu_percent": cpu, "passes": passes_after - passes_before,
    })
}

/// Processor time of a process so far: fields 14 and 15 of `proc_pid_stat(5)`.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The second field, the name in brackets, may hold blanks.
    let rest: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = rest[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS_PER_SECOND
}

fn kib(pid: u32, key: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
