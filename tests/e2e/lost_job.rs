//! A job whose runner dies: GitHub takes minutes to notice.

use githubsim::Snapshot;

use crate::demand::HOOKED;

mod slow {
    use std::time::Duration;

    use super::*;

    /// A runner must be gone for two minutes, and the queue be read a minute after its end.
    const NOTICED: Duration = lab::secs(420);

    #[tokio::test(flavor = "multi_thread")]
    async fn the_run_of_a_job_whose_runner_was_killed_is_cancelled_once_and_told() {
        let mut bench = crate::demand::bench("lost_job").await;
        bench.sim.with_world(|world, _| world.settings_mut().lost_after = lab::secs(3600));
        let polled =
            HOOKED.replace("webhook", "poll").replace("max = 3", "max = 3\non_lost_job = \"cancel\"");
        bench.start(&polled).await;
        let job = bench.busy("acme/app", "hook", 3600).await;
        let victim = bench.of_pool("hook").await.remove(0);
        bench.fleet.remove(&victim).await.unwrap();
        let of = |s: &Snapshot| s.jobs.iter().find(|j| j.id == job).and_then(|j| j.conclusion);
        let ended = bench.sim.wait_until(NOTICED, |s| of(s).is_some()).await;
        let ended =
            ended.unwrap_or_else(|last| panic!("{last:#?}\n{}", crate::bench::tail(&bench.daemon.log(), 60)));
        assert_eq!(of(&ended), Some("cancelled"));
        bench.says("Done: cancel run ").await;
        assert_eq!(bench.api.count("POST", "/repos/acme/app/actions/runs/*/cancel"), 1);
        let told = "and GitHub has not noticed";
        assert_eq!(
            bench.daemon.log().matches(told).count(),
            1,
            "{}",
            crate::bench::tail(&bench.daemon.log(), 60)
        );
        bench.leaves_nothing().await;
    }
}
