//! How fast a history answers: of 10,000 jobs and of 1,000,000, each in a SQLite file of its own, or as an installation of its
//! own in the PostgreSQL database whose address `GHRUNNER_BENCH_POSTGRES` holds.
//!
//! `cargo bench --bench history` prints one line of JSON: how long filling took, and for each question the median and the longest
//! answer in milliseconds at both sizes, and the ratio of the medians; and the slowest of all, beside its limit. `--jobs N` makes
//! the large one another size. The questions are those of the command line and of the dashboard. `ghrunner status` and the
//! dashboard's live part are not among them: they never ask the history.

#![allow(clippy::unwrap_used, reason = "a bench's helpers may panic like the bench itself")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::sync::Arc;
use std::time::Duration;

use ghrunner::control::Archive;
use ghrunner::control::Clock;
use ghrunner::control::ConfigState;
use ghrunner::control::Snapshot;
use ghrunner::history::FILE;
use ghrunner::history::HEAD_FILE;
use ghrunner::history::History;
use ghrunner::history::Options;
use ghrunner::history::Place;
use ghrunner::history::Retention;
use ghrunner::history::write_all;
use ghrunner::model::InstanceId;
use ghrunner::model::Mode;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use ghrunner::model::history::Cursor;
use ghrunner::model::history::HistoryQuery;
use ghrunner::model::history::JobRecord;
use ghrunner::model::history::JobResult;
use ghrunner::model::history::Record;
use ghrunner::model::history::RunnerRecord;
use ghrunner::model::history::SeriesQuery;
use ghrunner::model::history::StatsQuery;
use ghrunner::model::history::UsageRecord;
use tokio::sync::watch;
use tokio::time::Instant;

const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
const ROUNDS: usize = 15;
const DAYS: u64 = 90;
const HOUR: Duration = Duration::from_secs(3600);
/// No answer is to take longer, of a million jobs either.
const LIMIT_MS: u64 = 200;
const POOLS: u64 = 10;
const REPOS: u64 = 100;

fn main() {
    let jobs = std::env::args().skip_while(|word| word != "--jobs").nth(1);
    let large = jobs.map_or(LARGE, |jobs| jobs.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let small = runtime.block_on(measure(SMALL));
    let big = runtime.block_on(measure(large));
    let questions: Vec<String> = small
        .answers
        .iter()
        .zip(&big.answers)
        .map(|(a, b)| {
            format!(
                "\"{}\": {{\"small_ms\": {:.1}, \"large_ms\": {:.1}, \"large_longest_ms\": {:.1}, \"ratio\": {:.2}}}",
                a.question,
                ms(a.median),
                ms(b.median),
                ms(b.longest),
                ms(b.median) / ms(a.median)
            )
        })
        .collect();
    let slowest = big.answers.iter().max_by_key(|answer| answer.median).unwrap();
    println!(
        "{{\"database\": \"{}\", \"small\": {SMALL}, \"large\": {large}, \"fill_seconds\": {:.1}, \"megabytes\": {}, \
         \"slowest\": \"{}\", \"slowest_ms\": {:.1}, \"limit_ms\": {LIMIT_MS}, \"questions\": {{{}}}}}",
        if postgres().is_some() { "PostgreSQL" } else { "SQLite" },
        big.filled.as_secs_f64(),
        big.bytes >> 20,
        slowest.question,
        ms(slowest.median),
        questions.join(", ")
    );
}

/// The address of the server that is measured; none where it is a file.
fn postgres() -> Option<Secret> {
    std::env::var("GHRUNNER_BENCH_POSTGRES").ok().map(Secret::new)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

struct Answer {
    question: &'static str,
    median: Duration,
    longest: Duration,
}

struct Measured {
    filled: Duration,
    bytes: u64,
    answers: Vec<Answer>,
}

async fn measure(jobs: u64) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let place = match postgres() {
        Some(url) => Place::Server(url),
        None => Place::File { path: dir.path().join(FILE), max_bytes: 16 << 30 },
    };
    // A server is left with what was there before, and with this; whoever gave it throws it away.
    let instance = format!("bench-{}-{jobs}", std::process::id());
    let now = Clock::system().now();
    let begun = Instant::now();
    let runners = (0..jobs / 10).map(|n| Record::Runner(Box::new(runner(n * 10, jobs, now))));
    let records =
        (0..jobs).map(|n| Record::Job(Box::new(job(n, jobs, now)))).chain(runners).chain(usage(now));
    write_all(place.clone(), &instance, records).await.unwrap();
    let filled = begun.elapsed();
    let bytes = std::fs::metadata(dir.path().join(FILE)).map_or(0, |file| file.len());
    let (_, ends) = History::ends(&place);
    let options = Options {
        place,
        instance,
        head_file: dir.path().join(HEAD_FILE),
        retention: Retention { records: HOUR * 24_000, audit: HOUR * 24_000, sums: HOUR * 24_000 },
        clock: Clock::system(),
        first_expiry: HOUR,
    };
    let (_keep, snapshots) = watch::channel::<Arc<Snapshot>>(Arc::new(nothing(now)));
    let history = History::start(options, ends, snapshots);
    while history.jobs(HistoryQuery::default()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answers = ask(&history, now).await;
    history.end().await;
    Measured { filled, bytes, answers }
}

async fn ask(history: &History, now: Time) -> Vec<Answer> {
    let page = HistoryQuery { limit: 50, ..HistoryQuery::default() };
    let middle = Cursor { at: now - HOUR * 24 * 45, id: 0 };
    let named = [
        ("latest", page.clone()),
        ("middle", HistoryQuery { after: Some(middle), ..page.clone() }),
        ("by_pool", HistoryQuery { pool: Some("pool-3".into()), ..page.clone() }),
        ("by_repo", HistoryQuery { repo: Some("acme/app-17".into()), ..page.clone() }),
        ("rare_result", HistoryQuery { result: Some(JobResult::Lost), ..page.clone() }),
        (
            "rare_result_by_pool",
            HistoryQuery { pool: Some("pool-3".into()), result: Some(JobResult::Lost), ..page },
        ),
    ];
    let mut answers = Vec::new();
    for (question, query) in named {
        answers.push(time(question, || async { drop(history.jobs(query.clone()).await.unwrap()) }).await);
    }
    for (question, days) in [("stats_7_days", 7), ("stats_30_days", 30), ("stats_90_days", 90)] {
        let query = StatsQuery { since: now - HOUR * 24 * days, ..StatsQuery::default() };
        answers.push(time(question, || async { drop(history.stats(query.clone()).await.unwrap()) }).await);
    }
    for (question, pool, repo) in [
        ("stats_7_days_of_a_pool", Some("pool-3"), None),
        ("stats_7_days_of_a_repository", None, Some("acme/app-17")),
    ] {
        let (pool, repo) = (pool.map(Into::into), repo.map(Into::into));
        let query = StatsQuery { since: now - HOUR * 24 * 7, pool, repo };
        answers.push(time(question, || async { drop(history.stats(query.clone()).await.unwrap()) }).await);
    }
    answers.extend(plots(history, now).await);
    let name = runner(SMALL / 2, SMALL, now).runner;
    let gone = || async { assert!(history.runner(name.clone()).await.unwrap().is_some()) };
    answers.push(time("a_runner", gone).await);
    answers
}

/// What the dashboard draws.
async fn plots(history: &History, now: Time) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (question, days, hours, pool, repo) in [
        ("series_a_day", 1, 1, None, None),
        ("series_a_week", 7, 6, None, None),
        ("series_30_days", 30, 24, None, None),
        ("series_30_days_by_the_hour", 30, 1, None, None),
        ("series_a_week_of_a_pool", 7, 6, Some("pool-3"), None),
        ("series_a_week_of_a_repository", 7, 6, None, Some("acme/app-17")),
        ("series_a_week_of_both", 7, 6, Some("pool-3"), Some("acme/app-17")),
    ] {
        let mut query = SeriesQuery::new(now - HOUR * 24 * days, now, Some(HOUR * hours), now).unwrap();
        (query.pool, query.repo) = (pool.map(Into::into), repo.map(Into::into));
        answers.push(time(question, || async { drop(history.series(query.clone()).await.unwrap()) }).await);
    }
    answers
}

async fn time<F: Future<Output = ()>>(question: &'static str, once: impl Fn() -> F) -> Answer {
    once().await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        once().await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Answer { question, median: times[ROUNDS / 2], longest: times[ROUNDS - 1] }
}

/// Jobs of ninety days, of ten pools and a hundred repositories, each pool's jobs of all of them.
fn job(n: u64, of: u64, now: Time) -> JobRecord {
    let age = Duration::from_millis((DAYS * 24 * 3_600_000) / of * (of - n));
    let ended = now - age;
    // A spread that no class of times can foresee.
    let odd = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let (wait, run) =
        (Duration::from_millis(200 + odd % 90_000), Duration::from_millis(5_000 + odd % 1_200_000));
    JobRecord {
        key: format!("job {n}"),
        repo: format!("acme/app-{}", (n / 7) % REPOS),
        run: Some(n / 4),
        workflow: "ci".into(),
        name: format!("test ({})", n % 12),
        labels: vec!["self-hosted".into(), "linux".into()],
        pool: format!("pool-{}", n % POOLS),
        runner: Some(format!("ghrunner-pool-{}-{n}", n % POOLS)),
        image: Some("sha256:8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1".into()),
        queued: Some(ended - run - wait),
        started: Some(ended - run),
        ended,
        result: match n % 5000 {
            0 => JobResult::Lost,
            m if m % 9 == 0 => JobResult::Failed,
            _ => JobResult::Succeeded,
        },
        peak_memory: None,
        cpu_ms: None,
    }
}

fn runner(n: u64, of: u64, now: Time) -> RunnerRecord {
    let job = job(n, of, now);
    RunnerRecord {
        pool: job.pool,
        runner: job.runner.unwrap(),
        repo: job.repo,
        image: job.image,
        created: job.ended - HOUR,
        started: job.started,
        ended: job.ended,
        exit_code: Some(0),
        oom_killed: false,
        ran_job: true,
        job: Some(job.name),
        verdict: "its job ended".into(),
        last_lines: (0..10).map(|line| format!("a line of its output, number {line}")).collect(),
    }
}

fn usage(now: Time) -> impl Iterator<Item = Record> {
    (0..DAYS * 24).flat_map(move |hours| {
        (0..POOLS).map(move |pool| {
            let hour = now - HOUR * u32::try_from(hours).unwrap();
            Record::Usage(Box::new(UsageRecord {
                pool: format!("pool-{pool}"),
                hour: Time(hour.0 - hour.0 % 3_600_000),
                seen_ms: 3_600_000,
                busy_ms: 7_200_000,
                idle_ms: 3_600_000,
                other_ms: 60_000,
                max_runners: 4,
                max_busy: 3,
                max_waiting: 2,
            }))
        })
    })
}

fn nothing(now: Time) -> Snapshot {
    let config = ConfigState::new(String::new(), now);
    Snapshot::before_first_pass(&InstanceId::new("bench"), &config, Mode::Organization, now)
}
