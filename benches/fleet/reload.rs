//! From a saved file to the first call at the engine.

use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;
use serde_json::json;

use crate::median;
use crate::stage::Stage;
use crate::stage::in_phase;

/// How long the daemon must have left the engine alone before a save, so that its next call is the reload's. It looks
/// every few seconds by itself.
const ALONE: Duration = Duration::from_millis(300);

/// Saves so many times a file in which one key of a pool has changed.
pub(crate) async fn measure(times: u32) -> Value {
    let stage = Stage::new(&[], true).await;
    let pools = |minutes: u32| stage.pool("fleet", 2, &format!("idle_timeout = \"{minutes}m\""));
    stage.configure(&pools(1));
    stage.until("two idle runners", 60, |status| in_phase(status, "idle") == 2).await;
    let mut took = Vec::new();
    for time in 0..times {
        until_alone(&stage).await;
        stage.configure(&pools(time + 2));
        let saved = now_ms();
        let first = lab::until("a call at the engine", Duration::from_secs(20), async || {
            last_ms(&stage).filter(|at| *at >= saved).and_then(|_| first_since(&stage, saved))
        });
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of seconds")]
        took.push((first.await.unwrap() - saved) as f64);
    }
    stage.end().await;
    json!({ "times": times, "p50_ms": median(&took), "max_ms": took.iter().copied().fold(0.0, f64::max) })
}

async fn until_alone(stage: &Stage) {
    let alone = u64::try_from(ALONE.as_millis()).unwrap();
    lab::until("the engine is left alone", Duration::from_secs(60), async || {
        let age = now_ms().saturating_sub(last_ms(stage)?);
        (alone..3 * alone).contains(&age).then_some(())
    })
    .await
    .unwrap();
}

fn last_ms(stage: &Stage) -> Option<u64> {
    stage.proxy.as_ref()?.records().last().map(|record| record.at_ms)
}

fn first_since(stage: &Stage, since: u64) -> Option<u64> {
    stage.proxy.as_ref()?.records().iter().map(|record| record.at_ms).find(|at| *at >= since)
}

#[expect(clippy::disallowed_methods, reason = "the proxy's records have the wall clock's time")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
