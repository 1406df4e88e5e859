//! A fleet's whole life.

use githubsim::JobSpec;

use crate::bench::Bench;
use crate::bench::completed;

const THREE_POOLS: &str = r#"
[pools.grp-{P}]
org = "acme"
group = "ci"
labels = ["grp-{P}"]
min = 2
max = 3

[pools.org-{P}]
org = "acme"
labels = ["org-{P}"]
min = 1

[pools.one-{P}]
repo = "alice/tool"
labels = ["one-{P}"]
min = 2
"#;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_jobs_on_three_pools_each_get_a_fresh_runner_and_nothing_is_left_in_the_end() {
    let mut bench = Bench::new("twenty_jobs").await;
    bench.start(THREE_POOLS).await;
    for (pool, count) in [("grp", 2), ("org", 1), ("one", 2)] {
        bench.idle(pool, count).await;
    }
    for (repository, pool, count) in
        [("acme/app", "grp", 8), ("acme/web", "org", 4), ("alice/tool", "one", 8)]
    {
        let job = JobSpec { count, ..bench.job(repository, pool) };
        bench.sim.queue_job(&job).unwrap();
    }
    let done = bench.sim_until("twenty jobs done", |s| completed(s) == 20).await;
    assert_eq!((done.counters.jobs_succeeded, done.counters.jobs_assigned), (20, 20));
    let mut runners: Vec<_> = done.jobs.iter().map(|job| job.runner.clone().unwrap()).collect();
    runners.sort();
    runners.dedup();
    assert_eq!(runners.len(), 20, "each job had a runner of its own");
    for (pool, count) in [("grp", 2), ("org", 1), ("one", 2)] {
        bench.idle(pool, count).await;
    }
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_outlive_the_daemon_and_are_adopted() {
    let mut bench = Bench::new("adopted").await;
    bench.start(THREE_POOLS).await;
    for (pool, count) in [("grp", 2), ("org", 1), ("one", 2)] {
        bench.idle(pool, count).await;
    }
    let before = bench.fleet.ids().await.unwrap();
    let job = bench.busy("alice/tool", "one", 4).await;
    assert!(bench.daemon.stop().await.unwrap().success());
    assert_eq!(bench.fleet.ids().await.unwrap(), before, "the daemon's end is nothing to runners");
    let made = bench.engine.count("POST", "/containers/create");

    bench.daemon.start().await.unwrap();
    bench.wait("a first look", |s| s.ready).await;
    assert_eq!(bench.outcome(job).await, "success");
    for (pool, count) in [("grp", 2), ("org", 1), ("one", 2)] {
        bench.idle(pool, count).await;
    }
    assert_eq!(
        bench.engine.count("POST", "/containers/create") - made,
        1,
        "only the busy one has a successor"
    );
    let counters = bench.sim.counters();
    assert_eq!((counters.jobs_succeeded, counters.registrations), (1, 6));
    bench.empty().await;
    bench.finish().await;
}
