//! An engine that does not answer for a while.

use std::time::Duration;

use crate::bench::Bench;

const TWO: &str = "[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmin = 2\nmax = 3\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_cut_off_for_five_seconds_costs_no_runner_and_no_job() {
    let mut bench = Bench::new("engine_cut_off").await;
    bench.start(TWO).await;
    bench.idle("a", 2).await;
    let before = bench.fleet.ids().await.unwrap();
    let job = bench.busy("acme/app", "a", 3).await;
    bench.engine.down();
    let told = bench.wait("the engine's silence shows", |s| s.engine_error.is_some()).await;
    assert!(told.status.contains("the engine does not answer"), "{}", told.status);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.outcome(job).await, "success");
    assert_eq!(
        bench.sim.counters().runners_deleted,
        0,
        "nobody is deregistered while the engine says nothing"
    );
    bench.engine.up().await.unwrap();

    bench.wait("the engine is back", |s| s.engine_error.is_none()).await;
    bench.idle("a", 2).await;
    bench.paired().await;
    let after = bench.fleet.ids().await.unwrap();
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 1, "the idle one stayed");
    let counters = bench.sim.counters();
    assert_eq!((counters.registrations, counters.runners_deleted), (3, 0));
    bench.empty().await;
    bench.finish().await;
}
