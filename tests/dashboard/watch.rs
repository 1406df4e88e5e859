//! The real daemon: what happens is seen without the page being loaded again, and what is pressed is done.

use githubsim::JobSpec;

use crate::bench::Bench;
use crate::browser::Browser;
use crate::door::Door;
use crate::fake::MARKUP;

const POOL: &str = "[pools.a-{P}]\norg = \"acme\"\ngroup = \"ci\"\ndemand = \"poll\"\nlabels = [\"a-{P}\"]\nmax = 2\nidle_timeout = \"2s\"\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_job_is_watched_from_its_queue_to_its_end_and_its_pool_is_drained() {
    let mut bench = Bench::new("dashboard").await;
    bench.github = "poll_interval = \"5s\"\n".to_owned();
    bench.start(POOL).await;
    bench.wait("a first look", |s| s.ready).await;
    let door = Door::to(&bench.daemon.socket()).await;
    let pool = bench.fleet.pool("a");
    let (url, sim) = (door.url(), std::sync::Arc::clone(&bench.sim));
    let job = bench.job("acme/app", "a").lasting(lab::secs(6));
    let watched = tokio::task::spawn_blocking(move || {
        let queue = || {
            drop(
                sim.queue_job(&JobSpec {
                    workflow: MARKUP.into(),
                    name: format!("build {MARKUP}"),
                    branch: MARKUP.into(),
                    ..job
                })
                .unwrap(),
            )
        };
        watch(&url, &pool, queue);
    });
    watched.await.unwrap();
    let status = bench.status().await;
    assert!(status.pools[0].drained, "what was pressed was done");
    assert_eq!(bench.sim.counters().jobs_succeeded, 1);
    bench.empty().await;
    bench.finish().await;
}

fn watch(url: &str, pool: &str, queue: impl FnOnce()) {
    let browser = Browser::open();
    browser.go(url);
    browser.until("the line stands", "document.querySelector('#connection').dataset.state === 'live'");
    browser.eval("window.loadedOnce = true");
    browser.until("the pool is shown", &format!("document.querySelector('[data-pool={pool:?}]')"));
    queue();
    let name = serde_json::to_string(&format!("{MARKUP} / build {MARKUP}")).unwrap();
    let names = |within: &str| {
        format!("[...document.querySelectorAll('{within} b')].some((b) => b.textContent === {name})")
    };
    browser.until("the job waits", &names("#queue tr[data-state=queued]"));
    browser.until("its runner appears", "document.querySelector('.tile[data-phase]')");
    browser.until("the runner is busy", "document.querySelector('.tile[data-phase=busy]')");
    browser.eval("document.querySelector('#queue-state').value = 'running', document.querySelector('#queue-state').dispatchEvent(new Event('change'))");
    browser.until("the job runs", &names("#queue tr[data-state=running]"));
    browser.until("the job is over", &format!("!{}", names("#queue tr")));
    browser.until("its runner has ended", "document.querySelectorAll('#ended tbody tr').length === 1");
    let feed = browser.eval("document.querySelector('#feed').innerText").as_str().unwrap().to_owned();
    for told in ["waits for pool", " runs on ", "is over", "ended: "] {
        assert!(feed.contains(told), "no {told:?} in\n{feed}");
    }
    browser.click(&format!("[data-pool={pool:?}] button[aria-label^='Drain']"));
    browser.until("it asks again", "document.querySelector('dialog[open]')");
    browser.press("dialog[open]", "Drain");
    browser.until(
        "the pool is drained",
        &format!("document.querySelector('[data-pool={pool:?}][data-drained=true]')"),
    );
    assert_eq!(browser.eval("window.loadedOnce"), true, "nothing was loaded again");
    crate::in_order(&browser, url);
}
