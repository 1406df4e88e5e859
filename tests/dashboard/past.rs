//! The past from a history in a real database: seen, narrowed down, paged and opened; and a page without one.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::control::Archive as _;
use ghrunner::control::Clock;
use ghrunner::control::Snapshot;
use ghrunner::history::HEAD_FILE;
use ghrunner::history::History;
use ghrunner::history::Options;
use ghrunner::history::Place;
use ghrunner::history::Retention;
use ghrunner::history::write_all;
use ghrunner::model::Time;
use ghrunner::model::history::HistoryQuery;
use ghrunner::model::history::JobRecord;
use ghrunner::model::history::JobResult;
use ghrunner::model::history::Record;
use ghrunner::model::history::RunnerRecord;
use ghrunner::model::history::UsageRecord;
use tokio::sync::watch;

use crate::browser::Browser;
use crate::door::Door;
use crate::fake;
use crate::fake::Fake;
use crate::fake::MARKUP;
use crate::look::pictures_named;

const RIGHT: &str = "\u{E014}";
const END: &str = "\u{E010}";
const HOUR: Duration = Duration::from_secs(3600);
const JOBS: u32 = 400;

/// A history in that file, which may be none that can be opened.
fn history(dir: &Path, path: PathBuf) -> (Arc<History>, watch::Sender<Arc<Snapshot>>) {
    let place = Place::File { path, max_bytes: 1 << 28 };
    let (_, ends) = History::ends(&place);
    let options = Options {
        place,
        instance: "demo".into(),
        head_file: dir.join(HEAD_FILE),
        retention: Retention { records: HOUR * 24_000, audit: HOUR * 24_000, sums: HOUR * 24_000 },
        clock: Clock::system(),
        first_expiry: HOUR,
    };
    let (keep, snapshots) = watch::channel(Arc::new(fake::snapshot(2, 0, Clock::system().now())));
    (Arc::new(History::start(options, ends, snapshots)), keep)
}

/// Jobs of thirty days, most of them of the last ones, and the runners that had them.
fn records(now: Time) -> Vec<Record> {
    let pools = ["linux", "linux-large", "gpu", "release"];
    let mut records = Vec::new();
    for n in 0..JOBS {
        let ended = now - Duration::from_secs(u64::from(n) * u64::from(n) * 16 + 60);
        let (wait, run) =
            (Duration::from_secs(u64::from(n % 40) + 1), Duration::from_secs(u64::from(n % 9) * 70 + 30));
        let runner = format!("ghrunner-{}-{n}-k7x2p-{:06x}", pools[n as usize % 4], n * 7919 + 1_193_046);
        let result = match n % 13 {
            3 => JobResult::Failed,
            7 => JobResult::Cancelled,
            11 => JobResult::Lost,
            _ => JobResult::Succeeded,
        };
        let known = n % 2 == 0;
        let job = JobRecord {
            key: format!("job {n}"),
            repo: ["acme/app", "acme/web", "acme/a-repository-with-a-rather-long-name"][n as usize % 3]
                .into(),
            run: Some(u64::from(n)),
            workflow: if n == 1 { MARKUP.into() } else { "CI".into() },
            name: if n == 2 { MARKUP.into() } else { format!("test ({n})") },
            labels: vec!["self-hosted".into()],
            pool: pools[n as usize % 4].into(),
            runner: Some(runner.clone()),
            image: Some("sha256:8a5edab28263".into()),
            queued: Some(ended - run - wait),
            started: Some(ended - run),
            ended,
            result,
            peak_memory: known.then_some(734_003_200),
            cpu_ms: known.then_some(93_000),
        };
        records.push(Record::Runner(Box::new(RunnerRecord {
            pool: job.pool.clone(),
            runner,
            repo: job.repo.clone(),
            image: job.image.clone(),
            created: ended - run - HOUR,
            started: job.started,
            ended,
            exit_code: Some(if result == JobResult::Lost { 137 } else { 0 }),
            oom_killed: result == JobResult::Lost,
            ran_job: true,
            job: Some(job.name.clone()),
            verdict: format!("its job ended {MARKUP}"),
            last_lines: vec!["Running job".into(), MARKUP.into()],
        })));
        records.push(Record::Job(Box::new(job)));
    }
    for hours in 0..700_u32 {
        let hour = Time((now - HOUR * hours).0 / 3_600_000 * 3_600_000);
        records.push(Record::Usage(Box::new(UsageRecord {
            pool: "linux".into(),
            hour,
            seen_ms: 3_600_000,
            busy_ms: 3_600_000 * u64::from(hours % 9),
            idle_ms: 5_400_000,
            other_ms: 60_000,
            max_runners: 12,
            max_busy: 9,
            max_waiting: 3,
        })));
    }
    records
}

/// A browser at the fleet's page, with the past in sight.
fn at_the_past(url: &str) -> Browser {
    let browser = Browser::open();
    browser.go(url);
    browser.until("the line stands", "document.querySelector('#connection').dataset.state === 'live'");
    browser.look(1440, "light");
    browser.click("nav.parts a[href='#past']");
    browser
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn the_past_is_seen_by_everybody_narrowed_down_paged_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.sqlite");
    let place = Place::File { path: file.clone(), max_bytes: 1 << 28 };
    write_all(place, "demo", records(Clock::system().now())).await.unwrap();
    let (history, _keep) = history(dir.path(), file);
    while history.jobs(HistoryQuery::default()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fake = Fake::with(5, Some(Arc::clone(&history) as _));
    let door = Door::to(&fake.socket).await;
    let url = door.url();
    let looked = tokio::task::spawn_blocking(move || {
        let browser = at_the_past(&url);
        plots(&browser);
        pages(&browser);
        pictures_named(&browser, "past");
        crate::in_order(&browser, &url);
    });
    looked.await.unwrap();
    drop(fake);
    history.end().await;
}

fn choose(browser: &Browser, id: &str, value: &str) {
    browser.eval(&format!("(document.querySelector('#{id}').value = '{value}', document.querySelector('#{id}').dispatchEvent(new Event('change')))"));
}

fn plots(browser: &Browser) {
    browser.until("lines of waits", "document.querySelectorAll('#past-grid path.w-p99_ms').length > 0");
    browser.until("bars of jobs", "document.querySelectorAll('#past-grid rect.c-succeeded').length > 3");
    browser.until("bars of runners", "document.querySelectorAll('#past-grid rect.c-busy').length > 3");
    assert_eq!(browser.eval("[...document.querySelectorAll('#past-pools tbody tr')].length"), 4);
    let reading = "document.querySelectorAll('#past-grid svg')[1].getAttribute('aria-valuetext')";
    assert!(browser.eval(reading).as_str().unwrap().contains("the last week: "));
    browser.eval("document.querySelectorAll('#past-grid svg')[1].focus()");
    browser.keys(&format!("{END}{RIGHT}"));
    browser.until("a step is read", &format!("{reading}.startsWith('from ')"));
    for (range, steps) in [("30d", 29..=32), ("1d", 23..=26)] {
        choose(browser, "past-range", range);
        browser.eval("document.querySelector('#past-table-of').open = true");
        let rows = "document.querySelectorAll('#past-table tbody tr').length";
        let (from, to) = steps.into_inner();
        browser.until("its steps as a table", &format!("{rows} >= {from} && {rows} <= {to}"));
    }
    choose(browser, "past-pool", "gpu");
    browser.until("one pool", "document.querySelectorAll('#past-pools tbody tr').length === 1");
    choose(browser, "past-repo", "acme/web");
    browser.until(
        "no use of a repository",
        "document.querySelector('#past-grid').textContent.includes('Not known for a single repository')",
    );
    for id in ["past-pool", "past-repo"] {
        choose(browser, id, "");
    }
    browser.until("all pools", "document.querySelectorAll('#past-pools tbody tr').length === 4");
    choose(browser, "past-range", "30d");
}

fn pages(browser: &Browser) {
    let first = "document.querySelector('#records tbody tr b')?.textContent";
    browser.until("the first page", &format!("{first} === 'CI / test (0)'"));
    let shown = browser.eval("document.querySelector('#records').textContent").as_str().unwrap().to_owned();
    assert!(shown.contains(MARKUP) && shown.contains("700 MiB") && shown.contains('–'), "{shown}");
    browser.click("#records-earlier");
    browser.until("the second page", &format!("{first} === 'CI / test (20)'"));
    browser.click("#records-later");
    browser.until("the first page again", &format!("{first} === 'CI / test (0)'"));
    choose(browser, "records-result", "lost");
    browser.until("those that lost their runner", &format!("{first} === 'CI / test (11)'"));
    browser.click("#records tbody button.link");
    browser.until(
        "the post-mortem",
        "document.querySelector('dialog .log')?.textContent.includes('Running job')",
    );
    let told = browser.eval("document.querySelector('dialog').innerText").as_str().unwrap().to_owned();
    for wanted in ["137", "Killed for memory", "yes", MARKUP, "Stood idle"] {
        assert!(told.contains(wanted), "no {wanted} in {told}");
    }
    browser.press("dialog[open]", "Close");
    choose(browser, "records-result", "");
    choose(browser, "records-kind", "runners");
    browser.until("runners", "document.querySelector('#records table:not([hidden])').getAttribute('aria-label') === 'Runners that are gone'");
    choose(browser, "records-kind", "jobs");
    browser.until("jobs", &format!("{first} === 'CI / test (0)'"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn without_a_history_or_with_a_broken_one_the_page_says_so_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    // A folder where the file should be.
    let (broken, _keep) = history(dir.path(), dir.path().to_owned());
    for (archive, words, meant) in [
        (None, "No history is kept", ""),
        (Some(Arc::clone(&broken) as _), "The history gives no answer", "503"),
    ] {
        let fake = Fake::with(5, archive);
        let door = Door::to(&fake.socket).await;
        let url = door.url();
        let (page, browser) = (url.clone(), tokio::task::spawn_blocking(move || at_the_past(&url)));
        let browser = browser.await.unwrap();
        browser
            .until(words, &format!("document.querySelector('#past-none').textContent.includes('{words}')"));
        assert_eq!(browser.eval("document.querySelector('#past-grid').hidden"), true);
        fake.change(|s| *s = fake::snapshot(3, 1, Clock::system().now()));
        browser.until("the rest goes on", "document.querySelectorAll('.tile').length === 4");
        let meant: Vec<&str> = Some(meant).filter(|word| !word.is_empty()).into_iter().collect();
        crate::in_order_but_for(&browser, &page, &meant);
    }
    broken.end().await;
}
