//! `GET /api/v1/history`, `/api/v1/audit`, `/api/v1/stats`.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Bar;
use super::Figures;
use super::PoolUse;
use super::Timestamp;
use crate::model::history;

/// A part of an answer, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; none on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of another shape.
    pub fn of<U>(page: history::Page<U>, shape: impl Fn(U) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(shape).collect(),
            next: page.next.map(|next| next.to_string()),
        }
    }
}

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastJob {
    /// What tells it from every other one of this installation.
    pub key: String,
    /// Its repository; empty where only an organization's runner told of it.
    pub repo: String,
    /// Its run's number.
    pub run: Option<u64>,
    /// Its workflow; empty where it was not told.
    pub workflow: String,
    /// Its own name.
    pub name: String,
    /// What its `runs-on` resolved to.
    pub labels: Vec<String>,
    /// The pool that served it.
    pub pool: String,
    /// The runner that had it.
    pub runner: Option<String>,
    /// The image of that runner, as the engine numbers it.
    pub image: Option<String>,
    /// Since when it waited.
    pub queued: Option<Timestamp>,
    /// Since when it ran.
    pub started: Option<Timestamp>,
    /// When it ended, or was last known.
    pub ended: Timestamp,
    /// How long it waited, in milliseconds.
    pub wait_ms: Option<u64>,
    /// How long it ran, in milliseconds.
    pub run_ms: Option<u64>,
    /// `succeeded`, `failed`, `cancelled`, `lost`, `never_ran` or `unknown`.
    #[schema(value_type = String)]
    pub result: history::JobResult,
    /// The most memory that its runner had, in bytes, where it is known.
    pub peak_memory_bytes: Option<u64>,
    /// The processor time that its runner took, in milliseconds, where it is known.
    pub cpu_ms: Option<u64>,
}

impl From<history::JobRecord> for PastJob {
    fn from(job: history::JobRecord) -> Self {
        Self {
            wait_ms: job.wait_ms(),
            run_ms: job.run_ms(),
            key: job.key,
            repo: job.repo,
            run: job.run,
            workflow: job.workflow,
            name: job.name,
            labels: job.labels,
            pool: job.pool,
            runner: job.runner,
            image: job.image,
            queued: job.queued.map(Timestamp),
            started: job.started.map(Timestamp),
            ended: job.ended.into(),
            result: job.result,
            peak_memory_bytes: job.peak_memory,
            cpu_ms: job.cpu_ms,
        }
    }
}

/// A runner that is gone, with its post-mortem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastRunner {
    /// Its name at GitHub.
    pub runner: String,
    /// Its pool.
    pub pool: String,
    /// The repository whose job it had, or where it was registered; empty where neither is known.
    pub repo: String,
    /// Its image, as the engine numbers it.
    pub image: Option<String>,
    /// When its container was made.
    pub created: Timestamp,
    /// Since when it was in a job.
    pub started: Option<Timestamp>,
    /// When it was taken away.
    pub ended: Timestamp,
    /// How long it stood without a job, in milliseconds.
    pub idle_ms: u64,
    /// The exit code of its container.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// Whether it ran a job.
    pub ran_job: bool,
    /// The job's name.
    pub job: Option<String>,
    /// One sentence: why it ended.
    pub verdict: String,
    /// The last lines of its output.
    pub last_lines: Vec<String>,
}

impl From<history::RunnerRecord> for PastRunner {
    fn from(runner: history::RunnerRecord) -> Self {
        Self {
            idle_ms: runner.idle_ms(),
            runner: runner.runner,
            pool: runner.pool,
            repo: runner.repo,
            image: runner.image,
            created: runner.created.into(),
            started: runner.started.map(Timestamp),
            ended: runner.ended.into(),
            exit_code: runner.exit_code,
            oom_killed: runner.oom_killed,
            ran_job: runner.ran_job,
            job: runner.job,
            verdict: runner.verdict,
            last_lines: runner.last_lines,
        }
    }
}

/// A change of what a pool wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// The pool.
    pub pool: String,
    /// How many runners it should have had before; none for the first decision of a daemon's life.
    pub before: Option<u32>,
    /// How many it should have.
    pub target: u32,
    /// How many it had.
    pub have: u32,
    /// Why so many.
    pub why: String,
    /// What was held back, and why.
    pub held: Vec<String>,
}

impl From<history::DecisionRecord> for Decision {
    fn from(decision: history::DecisionRecord) -> Self {
        let history::DecisionRecord { at, pool, before, target, have, why, held } = decision;
        Self { at: at.into(), pool, before, target, have, why, held }
    }
}

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: `daemon`, or an operator.
    pub who: String,
    /// `action`, `call`, `config`, `mode`, `start` or `history`.
    pub kind: String,
    /// What it concerns.
    pub subject: String,
    /// What it was.
    pub text: String,
    /// What came of it.
    pub outcome: String,
    /// The digest of this entry and all before it.
    pub hash: String,
}

impl From<history::AuditRecord> for AuditEntry {
    fn from(record: history::AuditRecord) -> Self {
        let history::AuditEntry { at, who, kind, subject, text, outcome } = record.entry;
        Self { seq: record.seq, at: at.into(), who, kind, subject, text, outcome, hash: record.hash }
    }
}

/// A part of the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Period {
    /// When it began.
    pub start: Timestamp,
    /// Jobs that ended in it.
    pub jobs: u64,
    /// How long half of them waited at most, in milliseconds.
    pub wait_p50_ms: u64,
    /// How long nineteen of twenty waited at most, in milliseconds.
    pub wait_p95_ms: u64,
    /// Time of runners in a job, in milliseconds.
    pub busy_ms: u64,
}

/// What the history comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// From when on: what was asked, brought down to a whole hour or day.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How long a period is, in milliseconds.
    pub period_ms: u64,
    /// The part by which a percentile may be wrong.
    pub error: f64,
    /// All together.
    pub total: Figures,
    /// Pool by pool.
    pub pools: Vec<Figures>,
    /// Repository by repository, those with most jobs first.
    pub repos: Vec<Figures>,
    /// How runners were used, pool by pool.
    pub usage: Vec<PoolUse>,
    /// How the waits are spread.
    pub waits: Vec<Bar>,
    /// Period by period.
    pub periods: Vec<Period>,
}

impl From<history::Stats> for Stats {
    fn from(stats: history::Stats) -> Self {
        let period = |period: history::Period| Period {
            start: period.start.into(),
            jobs: period.jobs,
            wait_p50_ms: period.wait_p50_ms,
            wait_p95_ms: period.wait_p95_ms,
            busy_ms: period.busy_ms,
        };
        Self {
            since: stats.since.into(),
            until: stats.until.into(),
            period_ms: stats.period_ms,
            error: stats.error,
            total: stats.total.into(),
            pools: stats.pools.into_iter().map(Into::into).collect(),
            repos: stats.repos.into_iter().map(Into::into).collect(),
            usage: stats.usage.into_iter().map(Into::into).collect(),
            waits: stats.waits.into_iter().map(Into::into).collect(),
            periods: stats.periods.into_iter().map(period).collect(),
        }
    }
}

impl From<Stats> for history::Stats {
    fn from(stats: Stats) -> Self {
        let period = |period: Period| history::Period {
            start: period.start.0,
            jobs: period.jobs,
            wait_p50_ms: period.wait_p50_ms,
            wait_p95_ms: period.wait_p95_ms,
            busy_ms: period.busy_ms,
        };
        Self {
            since: stats.since.0,
            until: stats.until.0,
            period_ms: stats.period_ms,
            error: stats.error,
            total: stats.total.into(),
            pools: stats.pools.into_iter().map(Into::into).collect(),
            repos: stats.repos.into_iter().map(Into::into).collect(),
            usage: stats.usage.into_iter().map(Into::into).collect(),
            waits: stats.waits.into_iter().map(Into::into).collect(),
            periods: stats.periods.into_iter().map(period).collect(),
        }
    }
}

/// How the history itself stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryHealth {
    /// Where it is kept.
    pub place: String,
    /// Why nothing is written at the moment.
    pub trouble: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Records that were lost since the start.
    pub lost: u64,
}

impl From<&history::HistoryHealth> for HistoryHealth {
    fn from(health: &history::HistoryHealth) -> Self {
        Self {
            place: health.place.clone(),
            trouble: health.trouble.clone(),
            since: health.since.map(Timestamp),
            lost: health.lost,
        }
    }
}
