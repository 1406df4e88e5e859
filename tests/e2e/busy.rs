//! Runners in a job are left alone, whatever GitHub says of them.

use std::sync::Arc;
use std::time::Duration;

use lab::Verdict;
use lab::When;

use crate::bench::Bench;

fn pool(name: &str, more: &str) -> String {
    format!("[pools.{name}-{{P}}]\norg = \"acme\"\nlabels = [\"{name}-{{P}}\"]\n{more}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_github_denies_is_finished_though_its_pool_goes_shrinks_or_changes() {
    let mut bench = Bench::new("lied_busy").await;
    bench.sim.faults("GET ** lie-busy; DELETE ** delete-busy").unwrap();
    bench.start(&[pool("gone", ""), pool("less", "min = 2"), pool("other", "")].concat()).await;
    for (name, count) in [("gone", 1), ("less", 2), ("other", 1)] {
        bench.idle(name, count).await;
    }
    let mut jobs = Vec::new();
    for name in ["gone", "less", "other", "less"] {
        jobs.push(bench.busy("acme/app", name, 12).await);
    }
    let busy = bench.fleet.ids().await.unwrap();
    bench.configure(&[pool("less", "min = 0\nmax = 1"), pool("other", "env = { NEW = \"1\" }")].concat());
    for job in jobs {
        assert_eq!(bench.outcome(job).await, "success");
    }
    let log = bench.daemon.log();
    assert!(log.contains("a job runs in its container"), "the container was asked, and said so");
    let counters = bench.sim.counters();
    assert_eq!((counters.jobs_lost, counters.jobs_cancelled, counters.busy_deleted), (0, 0, 0));
    bench.idle("other", 1).await;
    let now = bench.fleet.ids().await.unwrap();
    assert!(now.iter().all(|id| !busy.contains(id)), "each of the four served its one job and went");
    bench.empty().await;
    bench.finish().await;
}

/// A job is given to the runner between the daemon's look into its container and the delete of its registration.
async fn job_at_the_last_moment(test: &str, faults: &str) -> Bench {
    let mut bench = Bench::new(test).await;
    bench.sim.faults(faults).unwrap();
    bench.start(&pool("a", "")).await;
    bench.idle("a", 1).await;
    let (sim, job) = (Arc::clone(&bench.sim), bench.job("acme/app", "a").lasting(lab::secs(6)));
    bench.api.at(When::Before, "DELETE", "/orgs/acme/actions/runners/*", 1, move |_| {
        sim.queue_job(&job).unwrap();
        // Lets the simulator's own tasks go on meanwhile, also those that were next on this thread.
        tokio::task::block_in_place(|| {
            for _ in 0..5000 {
                if sim.counters().jobs_assigned > 0 {
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        Verdict::Pass
    });
    bench.configure("");
    let running = bench.sim_until("the job runs", |s| s.counters.jobs_started == 1).await;
    assert_eq!(bench.outcome(running.jobs[0].id).await, "success");
    bench.empty().await;
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_that_comes_between_look_and_delete_is_finished_as_github_refuses_the_delete() {
    let bench = job_at_the_last_moment("last_moment_refused", "").await;
    assert!(bench.daemon.log().contains("GitHub says that it is in a job"));
    assert_eq!(bench.sim.counters().busy_delete_refused, 1);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_that_comes_between_look_and_delete_is_finished_though_github_accepts_the_delete() {
    let bench =
        job_at_the_last_moment("last_moment_accepted", "GET ** lie-busy; DELETE ** delete-busy").await;
    assert!(bench.daemon.log().contains("a job runs in its container although GitHub accepted the delete"));
    let counters = bench.sim.counters();
    assert_eq!((counters.busy_deleted, counters.jobs_cancelled, counters.jobs_lost), (1, 0, 0));
    bench.finish_anyhow().await;
}
