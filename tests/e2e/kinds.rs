//! Kinds of runners: with an engine of their own, and those that register themselves.

use std::process::Command;

use crate::bench::Bench;

/// The inner engine's image, built once from Debian's packages; none, said loudly, where that cannot be.
fn inner_engine() -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/dind.sh");
    let built = Command::new("sh").arg(script).output().unwrap();
    if built.status.success() {
        return Some(String::from_utf8(built.stdout).unwrap().trim().to_owned());
    }
    println!("SKIPPED: no image for the inner engine: {}", String::from_utf8_lossy(&built.stderr));
    None
}

mod slow {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_asks_its_own_engine_of_which_nothing_stays() {
        let Some(image) = inner_engine() else { return };
        let fleet = lab::Fleet::new(&lab::unique("e")).await.unwrap();
        let address = lab::outer_address().unwrap();
        let mut bench = Bench::at("dind", crate::bench::state(), fleet, lab::ENGINE, &address).await;
        let pool = format!(
            "[pools.d-{{P}}]\norg = \"acme\"\nlabels = [\"d-{{P}}\"]\ndocker = \"dind\"\ndind_image = \"{image}\"\n\
             memory = \"none\"\nstart_timeout = \"3m\"\n"
        );
        bench.start(&pool).await;
        let name = bench.fleet.pool("d");
        bench
            .wait_long("an idle runner", lab::secs(90), |s| {
                crate::bench::phases(s, &name) == crate::bench::idle(1)
            })
            .await;
        assert_eq!(bench.of_pool("d").await.len(), 2, "the runner and its engine");
        assert!(!bench.fleet.volumes().await.unwrap().is_empty());
        let before = bench.fleet.ids().await.unwrap();
        let job = githubsim::JobSpec { docker: true, ..bench.job("acme/app", "d") };
        let job = bench.sim.queue_job(&job).unwrap()[0];
        assert_eq!(bench.outcome(job).await, "success", "the job's engine answered");
        bench
            .wait_long("its successor", lab::secs(90), |s| {
                crate::bench::phases(s, &name) == crate::bench::idle(1)
                    && s.runners.iter().all(|r| r.container.as_ref().is_none_or(|c| !before.contains(&c.id)))
            })
            .await;
        let after = bench.fleet.ids().await.unwrap();
        assert!(after.iter().all(|id| !before.contains(id)), "the engine went with its runner");
        bench.empty().await;
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_that_register_themselves_serve_and_are_cleared_away() {
    let mut bench = Bench::new("token").await;
    let server = bench.sim.base_url();
    let pools = format!(
        "[pools.o-{{P}}]\norg = \"acme\"\nlabels = [\"o-{{P}}\"]\nregistration = \"token\"\n\
         env = {{ STANDIN_SERVER = \"{server}\" }}\n\
         [pools.r-{{P}}]\nrepo = \"alice/tool\"\nlabels = [\"r-{{P}}\"]\nregistration = \"token\"\n"
    );
    bench.start(&pools).await;
    bench.idle("o", 1).await;
    bench.idle("r", 1).await;
    for (repository, pool) in [("acme/app", "o"), ("alice/tool", "r")] {
        let job = bench.busy(repository, pool, 1).await;
        assert_eq!(bench.outcome(job).await, "success");
    }
    bench.sim_until("successors", |s| s.runners.len() == 2 && s.counters.registrations == 4).await;
    bench.idle("o", 1).await;
    bench.idle("r", 1).await;
    bench.empty().await;
    bench.finish().await;
}
