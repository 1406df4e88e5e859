//! What holds on both databases.

use std::time::Duration;

use ghrunner::control::Archive;
use ghrunner::control::Clock;
use ghrunner::model::Time;
use ghrunner::model::history::Cursor;
use ghrunner::model::history::DecisionRecord;
use ghrunner::model::history::HistoryQuery;
use ghrunner::model::history::JobRecord;
use ghrunner::model::history::JobResult;
use ghrunner::model::history::Point;
use ghrunner::model::history::Record;
use ghrunner::model::history::SeriesQuery;
use ghrunner::model::history::StatsQuery;
use ghrunner::model::history::UsageRecord;

use crate::bench::Bench;
use crate::bench::DAY;
use crate::bench::eventually;
use crate::bench::job;
use crate::bench::note;
use crate::bench::runner;
use crate::bench::trail;

/// Each test once for each database that there is.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::bench::Bench::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs GHRUNNER_TEST_POSTGRES; .ci/history runs it"]
            async fn $name() {
                let bench = crate::bench::Bench::postgres().expect("GHRUNNER_TEST_POSTGRES");
                super::$name(bench).await;
            })*
        }
    };
}

on_both! {
    what_was_written_is_read_page_by_page_by_every_filter
    what_is_written_twice_counts_once
    stats_are_those_of_the_jobs_themselves
    a_series_has_every_step_and_the_figures_of_its_jobs
    runners_and_decisions_are_kept_with_all_they_say
    the_trail_survives_a_restart_and_every_tampering_is_noticed
    what_has_had_its_time_goes_and_the_rest_stays_verifiable
    texts_of_others_are_only_texts
}

const HOUR: Duration = Duration::from_secs(3600);

/// Jobs, one a minute, the last of them now.
fn jobs(count: u64) -> Vec<JobRecord> {
    let now = Clock::system().now();
    (0..count).map(|n| job(n, now - Duration::from_secs(60 * (count - n)))).collect()
}

fn records(jobs: &[JobRecord]) -> Vec<Record> {
    jobs.iter().map(|job| Record::Job(Box::new(job.clone()))).collect()
}

/// All pages of an answer.
async fn all(history: &impl Archive, mut query: HistoryQuery) -> Vec<JobRecord> {
    let mut found = Vec::new();
    loop {
        let page = history.jobs(query.clone()).await.unwrap();
        assert!(page.items.len() <= query.limit as usize);
        found.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

async fn open(bench: &Bench) -> std::sync::Arc<ghrunner::history::History> {
    let (history, snapshots) = bench.start();
    // Whoever drops the other end stops being looked at, and that is all.
    drop(snapshots);
    let query = HistoryQuery { limit: 1, ..HistoryQuery::default() };
    eventually("it opens", || async { history.jobs(query.clone()).await.is_ok() }).await;
    history
}

async fn what_was_written_is_read_page_by_page_by_every_filter(bench: Bench) {
    let mut jobs = jobs(200);
    // Several end in the same moment: a page may end between them.
    let moment = jobs[100].ended;
    jobs[95..105].iter_mut().for_each(|job| job.ended = moment);
    bench.fill(records(&jobs)).await;
    let history = open(&bench).await;
    let base = HistoryQuery { limit: 7, ..HistoryQuery::default() };
    type Keep = fn(&JobRecord, Time) -> bool;
    let cases: [(HistoryQuery, Keep); 6] = [
        (base.clone(), |_, _| true),
        (HistoryQuery { pool: Some("gpu".into()), ..base.clone() }, |job, _| job.pool == "gpu"),
        (HistoryQuery { repo: Some("acme/app-2".into()), ..base.clone() }, |job, _| job.repo == "acme/app-2"),
        (HistoryQuery { result: Some(JobResult::Failed), ..base.clone() }, |job, _| {
            job.result == JobResult::Failed
        }),
        (HistoryQuery { since: Some(moment), ..base.clone() }, |job, moment| job.ended >= moment),
        (HistoryQuery { until: Some(moment), pool: Some("build".into()), ..base.clone() }, |job, moment| {
            job.ended < moment && job.pool == "build"
        }),
    ];
    for (query, keep) in cases {
        let found = all(&*history, query.clone()).await;
        let mut want: Vec<&JobRecord> = jobs.iter().filter(|job| keep(job, moment)).collect();
        assert!(found.windows(2).all(|pair| pair[0].ended >= pair[1].ended), "{query:?}");
        assert_eq!(found.len(), want.len(), "{query:?}");
        want.sort_by(|a, b| a.key.cmp(&b.key));
        let mut found: Vec<&JobRecord> = found.iter().collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(found, want, "{query:?}");
    }
    let nowhere = HistoryQuery { after: Some(Cursor { at: Time(0), id: 0 }), ..base };
    assert!(history.jobs(nowhere).await.unwrap().items.is_empty());
    history.end().await;
}

async fn what_is_written_twice_counts_once(bench: Bench) {
    let jobs = jobs(20);
    bench.fill(records(&jobs)).await;
    bench.fill(records(&jobs[5..])).await;
    let history = open(&bench).await;
    let stats = history.stats(StatsQuery { since: Time(0), ..StatsQuery::default() }).await.unwrap();
    assert_eq!(stats.total.jobs, 20);
    assert_eq!(all(&*history, HistoryQuery { limit: 100, ..HistoryQuery::default() }).await.len(), 20);
    history.end().await;
}

/// The value that so many of a hundred do not exceed.
fn exact(jobs: &[&JobRecord], of: fn(&JobRecord) -> Option<u64>, part: f64) -> f64 {
    let mut times: Vec<u64> = jobs.iter().filter_map(|job| of(job)).collect();
    times.sort_unstable();
    times[((times.len() as f64 * part).ceil() as usize).max(1) - 1] as f64
}

/// In thousandths.
fn processors(job: &JobRecord) -> Option<u64> {
    Some(job.cpu_ms? * 1000 / job.run_ms()?)
}

async fn stats_are_those_of_the_jobs_themselves(bench: Bench) {
    let now = Clock::system().now();
    let jobs: Vec<JobRecord> =
        (0..3000).map(|n| job(n, now - Duration::from_secs(3600 * (n % 400)))).collect();
    bench.fill(records(&jobs)).await;
    let usage = |hours_ago: u32, busy: u32| {
        Record::Usage(Box::new(UsageRecord {
            pool: "build".into(),
            hour: now - Duration::from_secs(3600) * hours_ago,
            seen_ms: 1000,
            busy_ms: 300,
            idle_ms: 100,
            max_busy: busy,
            max_waiting: busy + 1,
            ..UsageRecord::default()
        }))
    };
    // The same hour in two parts is one hour.
    bench.fill(vec![usage(2, 1), usage(1, 3), usage(1, 2)]).await;
    let history = open(&bench).await;
    // By the hour, and by the day.
    for back in [2 * DAY, 14 * DAY] {
        let stats = history.stats(StatsQuery { since: now - back, ..StatsQuery::default() }).await.unwrap();
        let within: Vec<&JobRecord> = jobs.iter().filter(|job| job.ended >= stats.since).collect();
        assert_eq!(stats.total.jobs, within.len() as u64);
        assert_eq!(stats.periods.iter().map(|period| period.jobs).sum::<u64>(), within.len() as u64);
        assert_eq!(stats.waits.iter().map(|bar| bar.count).sum::<u64>(), within.len() as u64);
        let failed = within.iter().filter(|job| job.result == JobResult::Failed).count() as u64;
        assert_eq!((stats.total.failed, stats.total.succeeded), (failed, within.len() as u64 - failed));
        for figures in &stats.pools {
            let own: Vec<&JobRecord> =
                within.iter().copied().filter(|job| job.pool == figures.name).collect();
            assert_eq!(figures.jobs, own.len() as u64);
            for (told, want) in [
                (figures.wait.p50_ms, exact(&own, JobRecord::wait_ms, 0.5)),
                (figures.wait.p95_ms, exact(&own, JobRecord::wait_ms, 0.95)),
                (figures.wait.p99_ms, exact(&own, JobRecord::wait_ms, 0.99)),
                (figures.run.p50_ms, exact(&own, JobRecord::run_ms, 0.5)),
                (figures.run.p95_ms, exact(&own, JobRecord::run_ms, 0.95)),
                (figures.memory.p50, exact(&own, |job| job.peak_memory, 0.5)),
                (figures.memory.p99, exact(&own, |job| job.peak_memory, 0.99)),
                (figures.processors.p50, exact(&own, processors, 0.5)),
                (figures.processors.p95, exact(&own, processors, 0.95)),
            ] {
                assert!((told as f64 / want - 1.0).abs() <= stats.error + 0.001, "{told} for {want}");
            }
        }
        assert_eq!(stats.repos.iter().map(|figures| figures.jobs).sum::<u64>(), within.len() as u64);
        let [used] = stats.usage.as_slice() else { panic!("{:?}", stats.usage) };
        assert_eq!((used.hours, used.seen_ms, used.max_busy, used.max_waiting), (2, 3000, 3, 4));
        assert_eq!(used.utilisation, Some(0.75));
    }
    let one = StatsQuery { since: now - 2 * DAY, pool: Some("gpu".into()), repo: Some("acme/app-1".into()) };
    let stats = history.stats(one).await.unwrap();
    assert!(stats.pools.len() == 1 && stats.repos.len() == 1 && stats.usage.is_empty());
    // Repositories are summed up by other rows than pools, and come to the same.
    for (back, pool) in [(2 * DAY, Some("gpu")), (14 * DAY, Some("gpu")), (3 * DAY, None)] {
        let query = StatsQuery { since: now - back, pool: pool.map(Into::into), repo: None };
        let stats = history.stats(query).await.unwrap();
        for figures in &stats.repos {
            let own = jobs.iter().filter(|job| {
                job.repo == figures.name
                    && job.ended >= stats.since
                    && pool.is_none_or(|pool| job.pool == pool)
            });
            assert_eq!(figures.jobs, own.count() as u64, "{back:?} {pool:?} {}", figures.name);
        }
        assert_eq!(stats.repos.iter().map(|figures| figures.jobs).sum::<u64>(), stats.total.jobs);
    }
    history.end().await;
}

/// The series of the last so many hours, and the jobs of each of its steps.
async fn steps<'a>(
    history: &impl Archive,
    jobs: &'a [JobRecord],
    (back, step): (Duration, u32),
    (pool, repo): (Option<&str>, Option<&str>),
) -> Vec<(Point, Vec<&'a JobRecord>)> {
    let now = Clock::system().now();
    let mut query = SeriesQuery::new(now - back, now, Some(HOUR * step), now).unwrap();
    (query.pool, query.repo) = (pool.map(Into::into), repo.map(Into::into));
    let series = history.series(query.clone()).await.unwrap();
    assert_eq!(series.points.len() as u64, query.count());
    let fits = |job: &&JobRecord| {
        pool.is_none_or(|pool| job.pool == pool) && repo.is_none_or(|repo| job.repo == repo)
    };
    let within = |point: &Point| {
        let span = point.start..point.start + HOUR * step;
        jobs.iter().filter(fits).filter(|job| span.contains(&job.ended)).collect()
    };
    series
        .points
        .into_iter()
        .map(|point| {
            let jobs = within(&point);
            (point, jobs)
        })
        .collect()
}

async fn a_series_has_every_step_and_the_figures_of_its_jobs(bench: Bench) {
    let now = Clock::system().now();
    let jobs: Vec<JobRecord> = (0..3000).map(|n| job(n, now - HOUR * (n as u32 % 400 / 3 * 3))).collect();
    bench.fill(records(&jobs)).await;
    let usage = |pool: &str, busy_ms, max_busy| {
        Record::Usage(Box::new(UsageRecord {
            pool: pool.into(),
            hour: Time((now - HOUR * 2).0 / 3_600_000 * 3_600_000),
            seen_ms: 1000,
            busy_ms,
            idle_ms: 500,
            max_busy,
            ..UsageRecord::default()
        }))
    };
    bench.fill(vec![usage("build", 2500, 4), usage("gpu", 500, 1)]).await;
    let history = open(&bench).await;
    for whom in
        [(None, None), (Some("gpu"), None), (None, Some("acme/app-1")), (Some("gpu"), Some("acme/app-1"))]
    {
        // By the hour, by several, and by the day.
        for (back, step) in [(DAY, 1), (DAY * 7, 6), (DAY * 14, 24)] {
            let points = steps(&*history, &jobs, (back, step), whom).await;
            assert!(points.iter().any(|(point, _)| point.jobs > 0));
            for (point, own) in points {
                let failed = own.iter().filter(|job| job.result == JobResult::Failed).count() as u64;
                assert_eq!((point.jobs, point.failed), (own.len() as u64, failed), "{whom:?} {point:?}");
                if own.is_empty() {
                    assert_eq!((point.wait.count, point.wait.p99_ms), (0, 0));
                    continue;
                }
                for (told, part) in
                    [(point.wait.p50_ms, 0.5), (point.wait.p95_ms, 0.95), (point.wait.p99_ms, 0.99)]
                {
                    let want = exact(&own, JobRecord::wait_ms, part);
                    assert!((told as f64 / want - 1.0).abs() <= 0.046, "{told} for {want}");
                }
            }
        }
    }
    let used = |points: Vec<(Point, Vec<&JobRecord>)>| {
        points.into_iter().filter_map(|(p, _)| p.usage).collect::<Vec<_>>()
    };
    // Of both pools: what they worked is added up, what was looked at is the same time.
    let [both] = &used(steps(&*history, &jobs, (DAY, 1), (None, None)).await)[..] else { panic!() };
    assert_eq!((both.seen_ms, both.busy_ms, both.idle_ms, both.max_busy), (1000, 3000, 1000, 4));
    let [gpu] = &used(steps(&*history, &jobs, (DAY * 7, 6), (Some("gpu"), None)).await)[..] else { panic!() };
    assert_eq!((gpu.seen_ms, gpu.busy_ms, gpu.max_busy), (1000, 500, 1));
    assert!(used(steps(&*history, &jobs, (DAY, 1), (None, Some("acme/app-1"))).await).is_empty());
    history.end().await;
}

async fn runners_and_decisions_are_kept_with_all_they_say(bench: Bench) {
    let now = Clock::system().now();
    let runners: Vec<_> = (0..10).map(|n| runner(n, now - Duration::from_secs(n))).collect();
    let decision = DecisionRecord {
        at: now,
        pool: "build".into(),
        before: None,
        target: 3,
        have: 2,
        why: "2 busy, 1 waiting".into(),
        held: vec!["1 start: the pool is at max".into()],
    };
    let mut records: Vec<Record> = runners.iter().map(|r| Record::Runner(Box::new(r.clone()))).collect();
    records.push(Record::Decision(Box::new(decision.clone())));
    bench.fill(records).await;
    let history = open(&bench).await;
    let query = HistoryQuery { limit: 100, ..HistoryQuery::default() };
    assert_eq!(history.runners(query.clone()).await.unwrap().items, runners);
    assert_eq!(history.runner(runners[3].runner.clone()).await.unwrap().as_ref(), Some(&runners[3]));
    assert_eq!(history.runner("ghrunner-build".into()).await.unwrap(), None);
    assert_eq!(history.decisions(query).await.unwrap().items, [decision]);
    let stats = history.stats(StatsQuery { since: now - DAY, ..StatsQuery::default() }).await.unwrap();
    let idle: u64 = runners.iter().map(|runner| runner.idle_ms()).sum();
    assert_eq!((stats.total.runners, stats.total.barren, stats.total.idle_ms), (10, 0, idle));
    history.end().await;
}

async fn the_trail_survives_a_restart_and_every_tampering_is_noticed(bench: Bench) {
    let (history, _snapshots) = bench.start();
    (0..20).for_each(|n| history.note(note(&format!("call {n}"))));
    trail(&history, "call 19").await;
    history.end().await;
    drop(history);
    let (history, _snapshots) = bench.start();
    history.note(note("after a restart"));
    trail(&history, "after a restart").await;
    let verdict = history.verify().await.unwrap();
    assert_eq!((verdict.entries, verdict.first, verdict.broken.as_deref()), (21, 1, None));
    assert_eq!(history.entry(21).await.unwrap(), Some(verdict.head));
    let mut beside = bench.beside().await;
    let own = format!("WHERE instance = '{}' AND id", bench.instance);
    for (harm, undo, told) in [
        (
            format!("UPDATE audit SET who = 'nobody' {own} = 7"),
            Some(format!("UPDATE audit SET who = 'root (user 0)' {own} = 7")),
            "entry 7 ",
        ),
        (
            format!("UPDATE audit SET id = 1000 {own} = 9"),
            Some(format!("UPDATE audit SET id = 9 {own} = 1000")),
            "9 is missing",
        ),
        (format!("DELETE FROM audit {own} > 18"), None, "the end was cut off"),
    ] {
        bench.run(&mut beside, &harm).await;
        let broken = history.verify().await.unwrap().broken.unwrap();
        assert!(broken.contains(told), "{harm}: {broken}");
        if let Some(undo) = undo {
            bench.run(&mut beside, &undo).await;
            assert_eq!(history.verify().await.unwrap().broken, None, "{undo}");
        }
    }
    history.end().await;
    drop(history);
    // Whoever also mends what the database says of its end is told of by the note beside it, also by a later daemon.
    let end = format!("(SELECT id || ' ' || hash FROM audit {own} = 18)");
    let facts = format!(
        "UPDATE facts SET value = {end} WHERE name = 'audit_head' AND instance = '{}'",
        bench.instance
    );
    bench.run(&mut beside, &facts).await;
    let (history, _snapshots) = bench.start();
    history.note(note("after the cut"));
    let entries = trail(&history, "after the cut").await;
    let told = entries.iter().find(|record| record.entry.kind == "history").map(|record| &record.entry.text);
    assert!(told.is_some_and(|text| text.contains("noted as entry 21")), "{told:?}");
    history.end().await;
}

async fn what_has_had_its_time_goes_and_the_rest_stays_verifiable(mut bench: Bench) {
    let now = Clock::system().now();
    let mut records = records(&jobs(50));
    records.extend((0..5000).map(|n| Record::Job(Box::new(job(100_000 + n, now - 100 * DAY)))));
    for n in 0..3000u32 {
        let age = if n < 2500 { 500 * DAY } else { DAY };
        let entry = ghrunner::model::history::AuditEntry { at: now - age, ..note(&format!("call {n}")) };
        records.push(Record::Audit(Box::new(entry)));
    }
    bench.fill(records).await;
    bench.first_expiry = Duration::ZERO;
    let history = open(&bench).await;
    let gone = || async {
        let old = HistoryQuery { until: Some(now - 90 * DAY), limit: 1, ..HistoryQuery::default() };
        let jobs = history.jobs(old).await.unwrap().items.is_empty();
        let query = HistoryQuery { until: Some(now - 400 * DAY), limit: 1, ..HistoryQuery::default() };
        jobs && history.audit(query).await.unwrap().items.is_empty()
    };
    eventually("what is old goes", gone).await;
    assert_eq!(all(&*history, HistoryQuery { limit: 100, ..HistoryQuery::default() }).await.len(), 50);
    let verdict = history.verify().await.unwrap();
    assert_eq!((verdict.first, verdict.broken.as_deref()), (2501, None));
    // What the days came to is still known.
    let stats = history.stats(StatsQuery { since: now - 200 * DAY, ..StatsQuery::default() }).await.unwrap();
    assert_eq!(stats.total.jobs, 5050);
    history.end().await;
}

async fn texts_of_others_are_only_texts(bench: Bench) {
    let evil = "'; DROP TABLE jobs; -- <b>\u{1f600}\u{202e}";
    let now = Clock::system().now();
    let odd = JobRecord { name: evil.into(), repo: evil.into(), pool: evil.into(), ..job(1, now) };
    bench.fill(vec![Record::Job(Box::new(odd.clone()))]).await;
    let history = open(&bench).await;
    let query = HistoryQuery {
        pool: Some(evil.into()),
        repo: Some(evil.into()),
        limit: 10,
        ..HistoryQuery::default()
    };
    assert_eq!(history.jobs(query).await.unwrap().items, [odd]);
    // PostgreSQL takes no such character, and a caller must not be able to stop the trail.
    history.note(note("nul \0 byte"));
    let trail = trail(&history, "nul \u{fffd} byte").await;
    assert_eq!(trail.len(), 1);
    history.end().await;
}
