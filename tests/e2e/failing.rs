//! Images and jobs that do not do well.

use ghrunner::http::dto;
use serde_json::Value;

use crate::bench::Bench;
use crate::bench::idle;
use crate::bench::phases;
use crate::bench::tail;

/// What is held back in the pool `name`: kinds and words.
fn held(bench: &Bench, status: &dto::Status, name: &str) -> String {
    let pool = status.pools.iter().find(|p| p.name == bench.fleet.pool(name));
    let held = pool.map(|p| p.held.iter().map(|h| format!("{}: {}\n", h.why, h.text)).collect());
    held.unwrap_or_default()
}

/// Waits until what is held back in a pool has `words`.
async fn wait_held(bench: &Bench, name: &str, words: &str) -> String {
    let status =
        bench.wait(&format!("{name} is held with {words:?}"), |s| held(bench, s, name).contains(words)).await;
    held(bench, &status, name)
}

mod slow {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn images_that_exit_at_once_are_tried_ever_more_rarely_and_recover_when_mended() {
        let mut bench = Bench::new("exit_at_once").await;
        let bad = bench.fleet.image("exit3", &["STANDIN_BEHAVIOUR=exit:3"]).await.unwrap();
        let pool = |name: &str, more: &str| {
            format!(
                "[pools.{name}-{{P}}]\norg = \"acme\"\nlabels = [\"{name}\"]\nmin = 2\nfailed_starts_per_hour = 3\n{more}\n"
            )
        };
        let mute = pool("mute", &format!("image = \"{bad}\""));
        let sulky = pool("sulky", "command = [\"/home/runner/run.sh\", \"--jitconfig\", \"nonsense\"]");
        bench.start(&[mute, sulky].concat()).await;
        wait_held(&bench, "mute", "exit code 3").await;
        let sulks = wait_held(&bench, "sulky", "exit code 0").await;
        assert!(sulks.contains("it last said"), "{sulks}");
        wait_held(&bench, "mute", "storm_breaker").await;
        wait_held(&bench, "sulky", "storm_breaker").await;
        let counters = bench.sim.counters();
        assert!(counters.registrations <= 8, "{counters:#?}");
        bench.sim_until("no registration piles up", |s| s.runners.is_empty()).await;

        bench.configure(&[pool("mute", ""), pool("sulky", "")].concat());
        let began = tokio::time::Instant::now();
        bench.idle("mute", 2).await;
        bench.idle("sulky", 2).await;
        assert!(began.elapsed() < lab::secs(15), "mended, but only after {:?}", began.elapsed());
        bench.empty().await;
        bench.finish().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_takes_all_memory_is_told_so_and_an_outdated_runner_is_named() {
        let mut bench = Bench::with("no_memory", {
            let mut state = crate::bench::state();
            state.settings.lost_after = lab::secs(2);
            state
        })
        .await;
        let old = bench.fleet.image("old", &["STANDIN_BEHAVIOUR=deprecated"]).await.unwrap();
        let pools = format!(
            "[pools.greedy-{{P}}]\norg = \"acme\"\nlabels = [\"greedy-{{P}}\"]\nmemory = \"64MiB\"\n\
             [pools.calm-{{P}}]\norg = \"acme\"\nlabels = [\"calm\"]\n\
             [pools.old-{{P}}]\norg = \"acme\"\nlabels = [\"old\"]\nimage = \"{old}\"\n"
        );
        bench.start(&pools).await;
        bench.idle("greedy", 1).await;
        bench.idle("calm", 1).await;
        let calm = bench.of_pool("calm").await;
        let leak = bench.job("acme/app", "greedy").lasting(lab::secs(60)).behaving("leak");
        bench.sim.queue_job(&leak).unwrap();
        lab::until("the post-mortem", crate::bench::SOON, async || {
            let verdicts = verdicts(&bench, "greedy").await;
            verdicts.iter().any(|v| v.contains("killed for lack of memory")).then_some(())
        })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", tail(&bench.daemon.log(), 40)));
        // GitHub may call it busy for a while, and is then asked again after a minute.
        let pool = bench.fleet.pool("greedy");
        bench.wait_long("its successor alone", lab::secs(90), |s| phases(s, &pool) == idle(1)).await;
        assert_eq!(bench.of_pool("calm").await, calm);

        wait_held(&bench, "old", "no longer accepts this runner version").await;
        assert!(verdicts(&bench, "old").await.iter().all(|v| v.contains("update the image")));
        bench.empty().await;
        bench.finish().await;
    }
}

/// The verdicts on runners of the pool `name` that are gone.
async fn verdicts(bench: &Bench, name: &str) -> Vec<String> {
    let ended = bench.daemon.get("/api/v1/ended").await.unwrap();
    let of_pool = |one: &&Value| one["pool"] == bench.fleet.pool(name).as_str();
    let text = |one: &Value| one["verdict"].as_str().unwrap_or_default().to_owned();
    ended.as_array().unwrap().iter().filter(of_pool).map(text).collect()
}
