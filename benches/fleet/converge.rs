//! From nothing to a fleet: the daemon beside a bare client at its best.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::bare::Recipe;
use crate::bare::Starts;
use crate::bare::unmake;
use crate::median;
use crate::rest::processor_seconds;
use crate::stage::Stage;

/// How many calls at a time the bare client is tried with.
const CONCURRENCIES: [usize; 4] = [4, 8, 10, 16];

/// Runners that do nothing: both sides are to be measured against the engine, not against what runs in it.
pub(crate) const IDLERS: &[&str] = &["STANDIN_BEHAVIOUR=never-connect"];

/// By a file that asks for so many runners.
pub(crate) async fn measure(runners: u32, rounds: u32) -> Value {
    let stage = Stage::new(IDLERS, false).await;
    let result = compare(&stage, runners, rounds, async |stage| daemon(stage, runners).await).await;
    stage.end().await;
    result
}

/// Runs that take turns, since the machine's speed changes with its mood: first each concurrency, then the best of
/// them `rounds` times more. `daemon` has the daemon start so many runners, and gives the seconds that it took.
pub(crate) async fn compare(
    stage: &Stage,
    runners: u32,
    rounds: u32,
    daemon: impl AsyncFn(&Stage) -> f64,
) -> Value {
    // The first is for warming up, and to learn what is to be made.
    daemon(stage).await;
    let recipe = Recipe::of(&stage.fleet).await;
    stage.empty().await;
    stage.replenish().await;

    let mut bares: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut daemons = Vec::new();
    let pid = stage.daemon.pid().unwrap();
    let processor_before = processor_seconds(pid);
    for concurrency in CONCURRENCIES {
        bares.entry(concurrency).or_default().push(bare(stage, &recipe, concurrency, runners).await);
        daemons.push(daemon(stage).await);
        stage.empty().await;
        stage.replenish().await;
    }
    let best = *bares.iter().min_by(|a, b| a.1[0].total_cmp(&b.1[0])).unwrap().0;
    for _ in 0..rounds {
        bares.entry(best).or_default().push(bare(stage, &recipe, best, runners).await);
        daemons.push(daemon(stage).await);
        stage.empty().await;
        stage.replenish().await;
    }
    let (by_daemon, by_bare) = (median(&daemons), median(&bares[&best]));
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let processor = (processor_seconds(pid) - processor_before) / daemons.len() as f64;
    json!({
        "runners": runners, "daemon_s": by_daemon, "bare_s": by_bare, "bare_concurrency": best,
        "ratio": by_daemon / by_bare, "daemon_processor_s": processor, "daemon_runs_s": daemons,
        "bare_runs_s": bares.iter().map(|(c, runs)| (c.to_string(), json!(runs))).collect::<serde_json::Map<_, _>>(),
    })
}

/// Seconds from the save of the file to the last container's start.
async fn daemon(stage: &Stage, runners: u32) -> f64 {
    let mut starts = Starts::of(&stage.fleet).await;
    let pools = stage.pool("fleet", runners, "");
    let begun = Instant::now();
    stage.configure(&pools);
    starts.count(runners).await;
    begun.elapsed().as_secs_f64()
}

/// Seconds from the first call to the last container's start; removes them again.
async fn bare(stage: &Stage, recipe: &Recipe, concurrency: usize, runners: u32) -> f64 {
    // In the daemon's way neither with listings nor with its dislike of strange containers.
    stage.daemon.signal(Signal::SIGSTOP);
    let mut starts = Starts::of(&stage.fleet).await;
    let begun = Instant::now();
    recipe.make(&stage.fleet, concurrency).await;
    starts.count(runners).await;
    let took = begun.elapsed().as_secs_f64();
    unmake(&stage.fleet).await;
    stage.fleet.remove_networks().await.unwrap();
    stage.daemon.signal(Signal::SIGCONT);
    // It hears of all that now, and is to be done with it before its own turn.
    tokio::time::sleep(Duration::from_secs(2)).await;
    took
}
