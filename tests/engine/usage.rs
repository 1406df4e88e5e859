//! What a container takes of the machine, as the engine tells.

use std::time::Duration;

use ghrunner::engine::Engine;
use ghrunner::model::ContainerId;
use ghrunner::model::Size;

use crate::lab::Lab;

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_processor_time_are_told_while_it_runs_and_nothing_after() {
    let lab = Lab::new("usage").await;
    // It takes 100 MiB and two seconds of a processor, and then sits there.
    let mut new = lab.runner(0, "burn");
    new.plan.spec.memory = Some(Size(256 * MIB));
    let id = lab.started(&new).await;
    let all = async {
        loop {
            let found = lab.engine.usage(&id).await.unwrap();
            if let Some(found) = found.filter(|found| found.cpu_ms >= 2000 && found.memory >= 100 * MIB) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), all).await.expect("it takes what it takes");
    assert!(found.memory < 160 * MIB && found.cpu_ms < 10_000, "{found:?}");

    let ended = lab.started(&lab.runner(1, "exit 0")).await;
    lab.ended(&ended).await;
    assert_eq!(lab.engine.usage(&ended).await.unwrap(), None);
    assert_eq!(lab.engine.usage(&ContainerId::new("nothing-of-this-name")).await.unwrap(), None);
}
