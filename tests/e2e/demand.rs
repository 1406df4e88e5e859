//! Jobs that are heard of by polls, deliveries and scale sets, over everything that goes wrong with those: each job is
//! served, none is paid for twice, and nothing is left.

use std::net::TcpListener;
use std::time::Duration;

use githubsim::JobSpec;
use githubsim::Snapshot;
use lab::secs;

use crate::bench::Bench;
use crate::bench::TOKEN;
use crate::bench::completed;
use crate::bench::state;
use crate::bench::tail;

/// Jobs are served within seconds, but on a machine with much to do.
const PATIENCE: Duration = secs(150);

const SECRET: &str = "canary4Hk1xSecretOfTheHook";

/// A pool that follows a scale set; runners beyond demand go at once.
pub(crate) const SET: &str = r#"
[pools.set-{P}]
org = "acme"
labels = ["set-{P}"]
demand = "scale-set"
max = 3
idle_timeout = "0s"
"#;

/// A pool that follows deliveries.
pub(crate) const HOOKED: &str = r#"
[pools.hook-{P}]
org = "acme"
labels = ["hook-{P}"]
demand = "webhook"
max = 3
idle_timeout = "0s"
"#;

/// A bench whose organization has a hook that points to the daemon, which polls as often as it may.
pub(crate) async fn bench(test: &str) -> Bench {
    // Nobody else is given this port for a while.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/webhook");
    let mut state = state().classic_token(TOKEN, &["repo", "admin:org", "admin:org_hook"]);
    state = state.hook("acme", &url, SECRET, &["workflow_job", "workflow_run"]);
    let mut bench = Bench::with(test, state).await;
    bench.daemon.secret("hook-secret", SECRET).unwrap();
    let secret = bench.daemon.path("hook-secret");
    bench.github = "poll_interval = \"5s\"".to_owned();
    bench.sections = format!(
        "[http]\nlisten = \"127.0.0.1:{port}\"\n[webhook]\nsecret = {{ file = \"{}\" }}\nurl = \"{url}\"\n",
        secret.display()
    );
    bench
}

impl Bench {
    /// Queues that many jobs of a moment for the pool `name`, each in a run of its own.
    pub(crate) fn jobs(&self, name: &str, count: usize) {
        for _ in 0..count {
            let job = JobSpec { duration: Duration::from_millis(200), ..self.job("acme/app", name) };
            self.sim.queue_job(&job).unwrap();
        }
    }

    /// Waits until all jobs are done, and checks that all went well and that none was paid for twice.
    pub(crate) async fn all_served(&self) -> Snapshot {
        let all = self.sim.snapshot().jobs.len();
        let done = self.sim.wait_until(PATIENCE, |s| completed(s) == all).await;
        let done =
            done.unwrap_or_else(|last| panic!("{all} jobs: {last:#?}\n{}", tail(&self.daemon.log(), 60)));
        let succeeded = done.jobs.iter().filter(|job| job.conclusion == Some("success")).count();
        assert_eq!((succeeded, done.counters.jobs_assigned), (all, all as u64), "{done:#?}");
        done
    }

    /// Waits until the pool's scale set has a session, and gives the set's number.
    async fn listened(&self) -> u64 {
        let seen =
            |s: &Snapshot| s.scale_sets.first().filter(|set| set.session_id.is_some()).map(|set| set.id);
        let snapshot = self.sim_until("a session of the scale set", |s| seen(s).is_some()).await;
        seen(&snapshot).unwrap()
    }

    /// What an incident of the service does to a scale set.
    async fn befalls(&self, set: u64, what: &str) {
        let url = format!("{}/_sim/scalesets/{set}/{what}", self.sim.base_url());
        tokio::task::spawn_blocking(move || ureq::post(url).send_empty().unwrap()).await.unwrap();
    }

    /// Waits until the daemon's log has this.
    pub(crate) async fn says(&self, words: &str) {
        let heard = lab::until(words, PATIENCE, async || self.daemon.log().contains(words).then_some(()));
        assert!(heard.await.is_ok(), "no {words:?} in:\n{}", tail(&self.daemon.log(), 60));
    }

    /// Nothing is left of the fleet, nor of its scale sets, and no busy runner was stopped.
    pub(crate) async fn leaves_nothing(self) {
        self.empty().await;
        self.sim_until("no scale set is left", |s| s.scale_sets.is_empty()).await;
        self.no_secret_in("the log", &self.daemon.log().replace(SECRET, "canary4Hk1x"));
        assert!(!self.daemon.log().contains(SECRET), "the log tells the hook's secret");
        self.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_hearing_of_jobs_serves_them() {
    let mut bench = bench("each_way").await;
    let polled = HOOKED.replace("hook-{P}", "poll-{P}").replace("webhook", "poll");
    bench.start(&format!("{SET}{HOOKED}{polled}")).await;
    bench.listened().await;
    for pool in ["set", "hook", "poll"] {
        bench.jobs(pool, 2);
    }
    bench.all_served().await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_takes_a_job_nobody_told_of_brings_a_look_at_the_queue() {
    let mut bench = bench("no_deliveries").await;
    bench.sim.faults("HOOK ** drop").unwrap();
    bench.start(&HOOKED.replace("max = 3", "min = 1\nmax = 3")).await;
    bench.idle("hook", 1).await;
    // The look at the start is over: what it did not see is told by deliveries only, and those are lost.
    bench.wait("a look at the queue", |s| s.ready).await;
    let long = JobSpec { duration: secs(3), ..bench.job("acme/app", "hook") };
    bench.sim.queue_job(&long).unwrap();
    bench.jobs("hook", 4);
    bench.all_served().await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_another_has_is_asked_for_again() {
    let mut bench = bench("stolen").await;
    bench.sim.faults("POST **/sessions session-conflict count=1").unwrap();
    bench.start(SET).await;
    bench.says("Listening is interrupted").await;
    bench.jobs("set", 2);
    bench.all_served().await;
    bench.says("A scale set is listened to again").await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expires_or_is_forgotten_is_followed_by_another() {
    let mut bench = bench("expired").await;
    bench.start(SET).await;
    for incident in ["expire", "evict"] {
        let set = bench.listened().await;
        bench.jobs("set", 2);
        bench.befalls(set, incident).await;
        bench.jobs("set", 2);
        bench.all_served().await;
    }
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_set_that_github_deletes_is_made_anew() {
    let mut bench = bench("set_deleted").await;
    bench.start(SET).await;
    let first = bench.listened().await;
    bench.jobs("set", 1);
    bench.all_served().await;
    bench.befalls(first, "drop").await;
    bench.jobs("set", 4);
    bench.all_served().await;
    assert_ne!(bench.listened().await, first);
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_answers_and_errors_of_the_service_are_outlasted() {
    let mut bench = bench("service_errors").await;
    bench.start(SET).await;
    bench.listened().await;
    bench.sim.faults("* /_services/** empty p=0.5 for=4s; * /_services/** status=500 for=4s").unwrap();
    bench.jobs("set", 3);
    bench.all_served().await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_stuck_high_starts_no_more_than_max() {
    let mut bench = bench("stuck").await;
    bench.start(SET).await;
    bench.listened().await;
    bench.sim.faults("* /_services/** statistics=40").unwrap();
    bench.jobs("set", 4);
    bench.all_served().await;
    bench.idle("set", 3).await;
    let made = bench.engine.count("POST", "/containers/create");
    assert!((4..=7).contains(&made), "four that had jobs, three that wait for the rest of the count: {made}");
    bench.sim.clear_faults();
    // The next message has the right count.
    bench.jobs("set", 1);
    bench.all_served().await;
    bench.idle("set", 0).await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_twice_pays_for_no_job_twice() {
    let mut bench = bench("duplicate").await;
    bench.start(SET).await;
    bench.listened().await;
    bench.jobs("set", 1);
    bench.all_served().await;
    bench.sim.faults("GET /_services/broker/** duplicate count=3").unwrap();
    let long = JobSpec { duration: secs(3600), count: 2, ..bench.job("acme/app", "set") };
    let jobs = bench.sim.queue_job(&long).unwrap();
    let at_work = |s: &Snapshot| s.jobs.iter().filter(|job| job.started_ms.is_some()).count() == 3;
    bench.sim_until("both jobs run", at_work).await;
    assert_eq!(bench.of_pool("set").await.len(), 2, "one for each job");
    for job in jobs {
        bench.sim.with_world(|world, now| world.cancel_job(job, now)).unwrap();
    }
    bench.idle("set", 0).await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_before_it_acknowledged_a_message_serves_all_jobs_once() {
    let mut bench = bench("killed").await;
    bench.start(SET).await;
    bench.listened().await;
    // What was handled is not acknowledged for longer than this test takes.
    bench.sim.faults("DELETE /_services/broker/** latency=5m").unwrap();
    bench.jobs("set", 4);
    bench.sim_until("a runner at its job", |s| s.jobs.iter().any(|job| job.started_ms.is_some())).await;
    bench.daemon.kill().await.unwrap();
    let old = bench.sim.snapshot().scale_sets[0].session_id.clone();
    assert!(old.is_some(), "nobody closed it");
    bench.sim.clear_faults();
    bench.daemon.start().await.unwrap();
    bench
        .sim_until("another session", |s| {
            s.scale_sets.iter().any(|set| set.session_id.is_some() && set.session_id != old)
        })
        .await;
    assert!(!bench.daemon.log().contains("Listening is interrupted"), "the old one was closed first");
    bench.all_served().await;
    bench.idle("set", 0).await;
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_while_the_daemon_was_down_is_asked_for_again() {
    let mut bench = bench("down").await;
    bench.start(HOOKED).await;
    bench.wait("a first look", |s| s.ready).await;
    bench.jobs("hook", 1);
    bench.all_served().await;
    bench.idle("hook", 0).await;
    assert!(bench.daemon.stop().await.unwrap().success());
    let kept = std::fs::read_to_string(bench.daemon.path("state/hooks.toml")).unwrap();
    assert!(kept.starts_with("heard = "), "{kept}");

    bench.jobs("hook", 3);
    let failed = || {
        let hooks = bench.sim.with_world(|world, _| world.hook_views());
        hooks[0].deliveries.iter().filter(|delivery| !delivery.redelivery && delivery.code >= 400).count()
    };
    lab::until("failed deliveries", PATIENCE, async || (failed() >= 3).then_some(())).await.unwrap();
    // The look at the queue shall not find them first.
    bench.sim.faults("GET /repos/acme/app/actions/runs status=502").unwrap();
    bench.daemon.start().await.unwrap();
    bench.says("deliveries that failed").await;
    bench.all_served().await;
    bench.sim.clear_faults();
    bench.leaves_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_note_of_what_was_heard_is_told_and_ignored() {
    let mut bench = bench("damaged").await;
    std::fs::write(bench.daemon.path("state/hooks.toml"), "heard = \"yesterday\"").unwrap();
    bench.start(HOOKED).await;
    bench.says("hooks.toml is damaged; going on without it").await;
    bench.jobs("hook", 1);
    bench.all_served().await;
    bench.leaves_nothing().await;
}

mod slow {
    use super::*;

    /// Slow looks at the queue are five minutes apart.
    const A_SLOW_LOOK: Duration = secs(420);

    #[tokio::test(flavor = "multi_thread")]
    async fn without_any_delivery_the_slow_look_finds_the_jobs() {
        let mut bench = bench("slow_look").await;
        bench.sim.faults("HOOK ** drop").unwrap();
        bench.start(HOOKED).await;
        bench.wait("a first look", |s| s.ready).await;
        let looked = || bench.api.count("GET", "/repos/acme/app/actions/runs");
        lab::until("a look at the queue", PATIENCE, async || (looked() >= 2).then_some(())).await.unwrap();
        bench.jobs("hook", 2);
        let done = bench.sim.wait_until(A_SLOW_LOOK, |s| completed(s) == 2).await;
        assert!(done.is_ok(), "{done:#?}\n{}", tail(&bench.daemon.log(), 60));
        bench.leaves_nothing().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_count_that_stays_high_is_shown_as_a_disagreement() {
        let mut bench = bench("disagreement").await;
        bench.start(SET).await;
        bench.listened().await;
        bench.sim.faults("* /_services/** statistics=40").unwrap();
        bench.jobs("set", 1);
        bench.all_served().await;
        let shown = async || {
            let (_, text, _) = bench.cli(&["status"]).await;
            text.split_whitespace().collect::<Vec<_>>().join(" ").contains("GitHub has counted").then_some(())
        };
        let shown = lab::until("the disagreement is shown", A_SLOW_LOOK, shown).await;
        assert!(shown.is_ok(), "{}\n{}", bench.cli(&["status"]).await.1, tail(&bench.daemon.log(), 60));
        assert!(bench.of_pool("set").await.len() <= 3);
        let log = bench.daemon.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("GitHub has counted")).collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        // A set that has jobs, as far as GitHub says, is not deleted.
        bench.sim.clear_faults();
        bench.jobs("set", 1);
        bench.all_served().await;
        bench.idle("set", 0).await;
        bench.leaves_nothing().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sixty_jobs_at_once_are_served_though_a_message_tells_of_fifty() {
        let mut bench = bench("sixty").await;
        bench.start(&SET.replace("max = 3", "max = 10")).await;
        bench.listened().await;
        bench.jobs("set", 60);
        let done = bench.sim.wait_until(A_SLOW_LOOK, |s| completed(s) == 60).await;
        assert!(done.is_ok(), "{}", tail(&bench.daemon.log(), 60));
        bench.all_served().await;
        bench.leaves_nothing().await;
    }
}
