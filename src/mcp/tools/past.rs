//! What is told of the past: the API's shapes without what an agent has no use for, and of a length that it can bear.

use schemars::JsonSchema;
use serde::Serialize;

use crate::http::dto;
use crate::http::dto::Figures;
use crate::http::dto::PoolUse;
use crate::http::dto::Timestamp;
use crate::mcp::cut::few;
use crate::mcp::cut::short;

/// The last lines of a runner's output that are shown.
const LINES: usize = 8;

/// A job that ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Job {
    /// Its repository; empty where only an organization's runner told of it.
    repository: String,
    /// The workflow run that it belonged to.
    run: Option<u64>,
    /// Its workflow's name; empty where it was not told.
    workflow: String,
    /// Its own name.
    name: String,
    /// What its `runs-on` resolved to.
    labels: Vec<String>,
    /// The pool that served it.
    pool: String,
    /// The runner that had it.
    runner: Option<String>,
    /// Since when it waited.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    queued: Option<Timestamp>,
    /// When it ended, or was last known.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ended: Timestamp,
    /// How long it waited, in milliseconds.
    wait_ms: Option<u64>,
    /// How long it ran, in milliseconds.
    run_ms: Option<u64>,
    /// `succeeded`, `failed`, `cancelled`, `lost` (its runner ended before it did), `never_ran` or `unknown`.
    result: String,
    /// The most memory that its runner had, in bytes, where it is known.
    peak_memory_bytes: Option<u64>,
}

impl From<dto::PastJob> for Job {
    fn from(job: dto::PastJob) -> Self {
        Self {
            workflow: short(&job.workflow),
            name: short(&job.name),
            labels: few(&job.labels),
            result: job.result.word().to_owned(),
            repository: job.repo,
            run: job.run,
            pool: job.pool,
            runner: job.runner,
            queued: job.queued,
            ended: job.ended,
            wait_ms: job.wait_ms,
            run_ms: job.run_ms,
            peak_memory_bytes: job.peak_memory_bytes,
        }
    }
}

/// A runner that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runner {
    /// Its name at GitHub.
    runner: String,
    /// Its pool.
    pool: String,
    /// The repository whose job it had; empty where that is not known.
    repository: String,
    /// When its container was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created: Timestamp,
    /// When it was taken away.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ended: Timestamp,
    /// The exit code of its container.
    exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    oom_killed: bool,
    /// Whether it ran a job.
    ran_job: bool,
    /// The job's name.
    job: Option<String>,
    /// One sentence: why it ended.
    verdict: String,
    /// The last lines of its output. They may hold whatever its job printed.
    last_lines: Vec<String>,
}

impl From<dto::PastRunner> for Runner {
    fn from(runner: dto::PastRunner) -> Self {
        let from = runner.last_lines.len().saturating_sub(LINES);
        Self {
            last_lines: few(&runner.last_lines[from..]),
            job: runner.job.as_deref().map(short),
            verdict: short(&runner.verdict),
            runner: runner.runner,
            pool: runner.pool,
            repository: runner.repo,
            created: runner.created,
            ended: runner.ended,
            exit_code: runner.exit_code,
            oom_killed: runner.oom_killed,
            ran_job: runner.ran_job,
        }
    }
}

/// A change of how many runners a pool should have.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Decision {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The pool.
    pool: String,
    /// How many it should have had before.
    before: Option<u32>,
    /// How many it should have.
    target: u32,
    /// How many it had.
    have: u32,
    /// Why so many.
    why: String,
    /// What was held back, and why.
    held_back: Vec<String>,
}

impl From<dto::Decision> for Decision {
    fn from(decision: dto::Decision) -> Self {
        let dto::Decision { at, pool, before, target, have, why, held } = decision;
        Self { at, pool, before, target, have, why: short(&why), held_back: few(&held) }
    }
}

/// An entry of the audit trail.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entry {
    /// Its number, without gaps.
    seq: u64,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// Who: `daemon`, or an operator.
    who: String,
    /// `action`, `call`, `config`, `mode`, `start` or `history`.
    kind: String,
    /// What it was.
    text: String,
    /// What came of it.
    outcome: String,
}

impl From<dto::AuditEntry> for Entry {
    fn from(entry: dto::AuditEntry) -> Self {
        let dto::AuditEntry { seq, at, who, kind, text, outcome, .. } = entry;
        Self { seq, at, who: short(&who), kind, text: short(&text), outcome: short(&outcome) }
    }
}

/// What the jobs come to.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stats {
    /// From when on.
    #[schemars(with = "String", extend("format" = "date-time"))]
    since: Timestamp,
    /// Until when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
    /// All together.
    total: Sums,
    /// Pool by pool.
    pools: Vec<Sums>,
    /// Repository by repository, those with most jobs first.
    repositories: Vec<Sums>,
    /// How runners were used, pool by pool.
    usage: Vec<Usage>,
}

/// What the jobs of a pool or repository come to.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sums {
    /// Whose; empty for all together, and where it is not known.
    name: String,
    /// Jobs that ended.
    jobs: u64,
    /// Of those, the ones that failed.
    failed: u64,
    /// That lost their runner.
    lost: u64,
    /// That went before they ran.
    never_ran: u64,
    /// How long half of them waited at most, in milliseconds.
    wait_p50_ms: u64,
    /// How long nineteen of twenty waited at most, in milliseconds.
    wait_p95_ms: u64,
    /// How long half of them ran at most, in milliseconds.
    run_p50_ms: u64,
    /// Runners that are gone.
    runners: u64,
    /// Of those, the ones that never had a job.
    barren: u64,
}

impl From<Figures> for Sums {
    fn from(figures: Figures) -> Self {
        Self {
            wait_p50_ms: figures.wait.p50_ms,
            wait_p95_ms: figures.wait.p95_ms,
            run_p50_ms: figures.run.p50_ms,
            name: figures.name,
            jobs: figures.jobs,
            failed: figures.failed,
            lost: figures.lost,
            never_ran: figures.never_ran,
            runners: figures.runners,
            barren: figures.barren,
        }
    }
}

/// How a pool's runners were used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Usage {
    /// The pool.
    pool: String,
    /// The part of its runners' time that was spent in jobs, from 0 to 1; null where there were no runners.
    utilisation: Option<f64>,
    /// The most runners at a time.
    max_runners: u32,
}

impl From<PoolUse> for Usage {
    fn from(usage: PoolUse) -> Self {
        Self { pool: usage.pool, utilisation: usage.utilisation, max_runners: usage.max_runners }
    }
}

impl Stats {
    /// The first so many pools and repositories.
    pub(super) fn of(stats: dto::Stats, size: usize) -> Self {
        fn first<T, U: From<T>>(items: Vec<T>, size: usize) -> Vec<U> {
            items.into_iter().take(size).map(U::from).collect()
        }
        Self {
            since: stats.since,
            until: stats.until,
            total: stats.total.into(),
            pools: first(stats.pools, size),
            repositories: first(stats.repos, size),
            usage: first(stats.usage, size),
        }
    }
}
