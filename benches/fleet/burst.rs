//! Many jobs at once: the daemon beside a bare client at its best.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::bare::Starts;
use crate::converge::IDLERS;
use crate::converge::compare;
use crate::stage::Stage;

/// So many jobs are queued in one run; no runner is there before.
pub(crate) async fn measure(demand: &str, jobs: u32, rounds: u32) -> Value {
    let stage = Stage::hearing(IDLERS).await;
    let mut result = compare(&stage, jobs, rounds, async |stage| daemon(stage, demand, jobs).await).await;
    stage.end().await;
    result["demand"] = json!(demand);
    result
}

/// Seconds from the queueing to the last container's start.
async fn daemon(stage: &Stage, demand: &str, jobs: u32) -> f64 {
    let label = stage.listen(demand, jobs).await;
    let mut starts = Starts::of(&stage.fleet).await;
    let begun = Instant::now();
    let queued = stage.queue(&label, jobs, Duration::from_secs(1));
    starts.count(jobs).await;
    let took = begun.elapsed().as_secs_f64();
    stage.cancel(&queued);
    took
}
