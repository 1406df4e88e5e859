//! One job on a quiet host: what the daemon adds to the engine's own time.

use std::time::Duration;

use lab::Fleet;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::bare::Recipe;
use crate::bare::Starts;
use crate::bare::unmake;
use crate::median;
use crate::stage::Stage;

/// After a runner is gone, until the daemon has stopped looking closely.
const QUIET: Duration = Duration::from_millis(2500);

/// So many jobs, each when nothing is left of the one before; in between the engine makes the same container alone.
pub(crate) async fn measure(demand: &str, jobs: u32) -> Value {
    let stage = Stage::hearing(&[]).await;
    let beside = Fleet::new(&lab::unique("q")).await.unwrap();
    let label = stage.listen(demand, 2).await;
    let (mut starts, mut bare_starts) = (Starts::of(&stage.fleet).await, Starts::of(&beside).await);
    // The first is for warming up, and to learn what is to be made.
    stage.queue(&label, 1, Duration::from_secs(2));
    starts.count(1).await;
    let recipe = Recipe::of(&stage.fleet).await.beside(&beside);
    let (mut daemon, mut engine) = (Vec::new(), Vec::new());
    for _ in 0..jobs {
        stage.until_gone().await;
        let begun = Instant::now();
        recipe.make(&beside, 1).await;
        bare_starts.count(1).await;
        engine.push(begun.elapsed().as_secs_f64() * 1e3);
        unmake(&beside).await;
        tokio::time::sleep(QUIET).await;
        let begun = Instant::now();
        stage.queue(&label, 1, Duration::from_millis(100));
        starts.count(1).await;
        daemon.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    stage.until_gone().await;
    stage.end().await;
    json!({
        "demand": demand, "jobs": jobs, "p50_ms": median(&daemon), "p99_ms": p99(&daemon),
        "engine_p50_ms": median(&engine), "engine_p99_ms": p99(&engine),
        "above_p50_ms": median(&daemon) - median(&engine), "above_p99_ms": p99(&daemon) - p99(&engine),
        "runs_ms": daemon, "engine_runs_ms": engine,
    })
}

/// The smallest that at most one in a hundred exceeds.
fn p99(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}
