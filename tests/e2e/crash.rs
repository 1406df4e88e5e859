//! `kill -9` at every step of making a runner and of taking one away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use lab::Things;
use lab::When;
use lab::When::After;
use lab::When::Before;

use crate::bench::Bench;
use crate::bench::SOON;

#[derive(Debug, Clone, Copy)]
enum Side {
    GitHub,
    Engine,
}
use Side::Engine;
use Side::GitHub;

/// A request at which the daemon dies: the `nth` of its kind after the pool was replaced by another.
type Step = (Side, When, &'static str, &'static str, u32);

const REGISTER: &str = "/orgs/acme/actions/runners/generate-jitconfig";
const REGISTRATION: &str = "/orgs/acme/actions/runners/*";

const MAKING: &[Step] = &[
    (Engine, Before, "POST", "/networks/create", 1),
    (Engine, After, "POST", "/networks/create", 1),
    (GitHub, Before, "POST", REGISTER, 1),
    (GitHub, After, "POST", REGISTER, 1),
    (GitHub, After, "POST", REGISTER, 2),
    (Engine, Before, "POST", "/containers/create", 1),
    (Engine, After, "POST", "/containers/create", 1),
    (Engine, Before, "POST", "/containers/*/start", 1),
    (Engine, After, "POST", "/containers/*/start", 2),
];

/// Until the runner is told to stop.
const LEAVING: &[Step] = &[
    (Engine, Before, "GET", "/containers/*/top", 1),
    (GitHub, Before, "DELETE", REGISTRATION, 1),
    (GitHub, After, "DELETE", REGISTRATION, 1),
    (Engine, After, "GET", "/containers/*/top", 3),
    (Engine, Before, "POST", "/containers/*/stop", 1),
];

/// From then on.
const REMOVING: &[Step] = &[
    (Engine, After, "POST", "/containers/*/stop", 1),
    (Engine, After, "GET", "/containers/*/logs", 2),
    (Engine, Before, "DELETE", "/containers/*", 1),
    (Engine, After, "DELETE", "/containers/*", 1),
    (Engine, Before, "DELETE", "/networks/*", 1),
];

/// The steps that clear away a runner after its job.
const REAPING: &[Step] = &[
    (Engine, Before, "GET", "/containers/*/json", 1),
    (Engine, After, "GET", "/containers/*/logs", 1),
    (Engine, Before, "DELETE", "/containers/*", 1),
    (Engine, After, "DELETE", "/containers/*", 1),
    (GitHub, After, "POST", REGISTER, 1),
    (Engine, After, "POST", "/containers/create", 1),
];

mod slow {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_killed_at_any_step_of_making_runners_converges_when_it_is_back() {
        die_and_come_back("killed_making", MAKING, Change::Pool).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_killed_at_any_step_of_deregistering_runners_converges_when_it_is_back() {
        die_and_come_back("killed_leaving", LEAVING, Change::Pool).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_killed_at_any_step_of_removing_runners_converges_when_it_is_back() {
        die_and_come_back("killed_removing", REMOVING, Change::Pool).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_killed_at_any_step_after_a_job_converges_when_it_is_back() {
        die_and_come_back("killed_reaping", REAPING, Change::Job).await;
    }
}

/// What makes the daemon take the steps.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// The file names another pool in place of the one there was.
    Pool,
    /// A job ends.
    Job,
}

async fn die_and_come_back(test: &str, steps: &[Step], change: Change) {
    let mut bench = Bench::new(test).await;
    bench.start(&pools("p0")).await;
    bench.idle("p0", 2).await;
    bench.idle("keep", 1).await;
    let kept = bench.busy("acme/web", "keep", 30).await;
    let crowd = Crowd::watch(bench.fleet.things());
    let (mut here, mut there) = ("p0".to_owned(), None);
    for (n, step @ (side, when, method, path, nth)) in steps.iter().enumerate() {
        println!("{step:?}");
        let proxy = match side {
            Side::GitHub => &bench.api,
            Side::Engine => &bench.engine,
        };
        bench.kill_at(proxy, *when, method, path, *nth);
        match change {
            Change::Pool => {
                // A new name each time: the network of the last may take a while to go, or not go at all before the
                // engine's next start.
                there = Some(std::mem::replace(&mut here, format!("p{}", n + 1)));
                bench.configure(&pools(&here));
            }
            Change::Job => {
                bench
                    .sim
                    .queue_job(&bench.job("acme/app", &here).lasting(Duration::from_millis(300)))
                    .unwrap();
            }
        }
        let died = tokio::time::timeout(SOON, bench.daemon.ended()).await;
        assert!(died.is_ok_and(|ended| !ended.unwrap().success()), "{step:?} never came");
        bench.daemon.start().await.unwrap();
        bench.idle(&here, 2).await;
        if let Some(there) = &there {
            lab::until("the other pool is gone", SOON, async || {
                bench.of_pool(there).await.is_empty().then_some(())
            })
            .await
            .unwrap();
        }
        bench.paired().await;
    }
    assert_eq!(bench.outcome(kept).await, "success", "the busy runner lived through it all");
    for (pool, most) in crowd.seen() {
        assert!(most <= 2, "{pool} had {most} runners at a time");
    }
    let counters = bench.sim.counters();
    assert_eq!((counters.jobs_lost, counters.jobs_cancelled, counters.jobs_failed), (0, 0, 0));
    bench.empty().await;
    bench.finish().await;
}

fn pools(changing: &str) -> String {
    format!(
        r#"
[pools.{changing}-{{P}}]
org = "acme"
labels = ["{changing}-{{P}}"]
min = 2
max = 2

[pools.keep-{{P}}]
org = "acme"
labels = ["keep-{{P}}"]
min = 1
max = 1
"#
    )
}

/// Looks at the engine all the time, and remembers the most containers that each pool had at once.
struct Crowd {
    most: Arc<Mutex<BTreeMap<String, usize>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Crowd {
    fn watch(fleet: Arc<Things>) -> Self {
        let most: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let seen = Arc::clone(&most);
        let task = tokio::spawn(async move {
            loop {
                let names = fleet.names().await.unwrap_or_default();
                let mut now: BTreeMap<String, usize> = BTreeMap::new();
                for pool in names.iter().filter_map(|name| name.rsplit_once('-')) {
                    *now.entry(pool.0.to_owned()).or_default() += 1;
                }
                for (pool, count) in now {
                    let mut seen = seen.lock().unwrap();
                    let before = seen.entry(pool).or_default();
                    *before = count.max(*before);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { most, task }
    }

    fn seen(&self) -> BTreeMap<String, usize> {
        self.most.lock().unwrap().clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.task.abort();
    }
}
