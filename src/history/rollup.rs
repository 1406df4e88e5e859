//! What a batch of records adds to the hours and days it falls into.

use std::collections::BTreeMap;

use super::buckets::Buckets;
use crate::model::Time;
use crate::model::history::JobRecord;
use crate::model::history::JobResult;
use crate::model::history::RunnerRecord;

/// An hour, in milliseconds.
pub(super) const HOUR: u64 = 3_600_000;
/// A day, in milliseconds.
pub(super) const DAY: u64 = 24 * HOUR;

/// Shorter than this a job's use of processors is not told, in milliseconds.
const MOMENT: u64 = 10_000;

/// How long a row of the table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    Hour,
    Day,
}

impl Span {
    pub(super) fn ms(self) -> u64 {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }
}

/// Of whom a row of the table tells. Where many pools serve many repositories, most pairs have a job or two in an hour, and
/// there are as many rows of pairs as jobs: a question that needs no pairs must not have to add them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// Of a pool's jobs of one repository.
    Pair,
    /// Of all of a pool.
    Pool,
    /// Of all of a repository.
    Repo,
}

/// How a row's span, and of whom it tells, is written in the table. Pools and repositories that a row does not tell of are
/// empty texts there.
pub(super) fn word(span: Span, of: Of) -> &'static str {
    match (span, of) {
        (Span::Hour, Of::Pair) => "hour",
        (Span::Day, Of::Pair) => "day",
        (Span::Hour, Of::Pool) => "hour of pool",
        (Span::Day, Of::Pool) => "day of pool",
        (Span::Hour, Of::Repo) => "hour of repo",
        (Span::Day, Of::Repo) => "day of repo",
    }
}

/// Which row: its span, of whom, its beginning, the pool, the repository.
pub(super) type Key = (Span, Of, u64, String, String);

/// What a row holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) jobs: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) lost: u64,
    pub(super) never_ran: u64,
    pub(super) wait_ms: u64,
    pub(super) run_ms: u64,
    pub(super) runners: u64,
    pub(super) barren: u64,
    pub(super) idle_ms: u64,
    pub(super) waits: Buckets,
    pub(super) runs: Buckets,
    /// The most memory that each took, in bytes.
    pub(super) memory: Buckets,
    /// Processors that each used on average, in thousandths.
    pub(super) processors: Buckets,
}

impl Sums {
    fn job(&mut self, job: &JobRecord) {
        self.jobs += 1;
        match job.result {
            JobResult::Succeeded => self.succeeded += 1,
            JobResult::Failed => self.failed += 1,
            JobResult::Cancelled => self.cancelled += 1,
            JobResult::Lost => self.lost += 1,
            JobResult::NeverRan => self.never_ran += 1,
            JobResult::Unknown => {}
        }
        if let Some(wait) = job.wait_ms() {
            self.wait_ms += wait;
            self.waits.count(wait);
        }
        if let Some(run) = job.run_ms() {
            self.run_ms += run;
            self.runs.count(run);
            // A job of a moment tells of its beginning only.
            if let Some(cpu) = job.cpu_ms.filter(|_| run >= MOMENT) {
                self.processors.count(cpu.saturating_mul(1000) / run);
            }
        }
        if let Some(memory) = job.peak_memory {
            self.memory.count(memory);
        }
    }

    fn runner(&mut self, runner: &RunnerRecord) {
        self.runners += 1;
        self.barren += u64::from(!runner.ran_job);
        self.idle_ms += runner.idle_ms();
    }

    /// What is counted by class, in the order of the table's columns.
    pub(super) fn classes(&self) -> [&Buckets; 4] {
        [&self.waits, &self.runs, &self.memory, &self.processors]
    }

    /// Adds what another holds.
    pub(super) fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.lost += other.lost;
        self.never_ran += other.never_ran;
        self.wait_ms += other.wait_ms;
        self.run_ms += other.run_ms;
        self.runners += other.runners;
        self.barren += other.barren;
        self.idle_ms += other.idle_ms;
        self.waits.add(&other.waits);
        self.runs.add(&other.runs);
        self.memory.add(&other.memory);
        self.processors.add(&other.processors);
    }
}

/// Rows to which something is added.
#[derive(Debug, Default)]
pub(super) struct Rollup(pub(super) BTreeMap<Key, Sums>);

impl Rollup {
    pub(super) fn job(&mut self, job: &JobRecord) {
        self.at(job.ended, &job.pool, &job.repo, |sums| sums.job(job));
    }

    pub(super) fn runner(&mut self, runner: &RunnerRecord) {
        self.at(runner.ended, &runner.pool, &runner.repo, |sums| sums.runner(runner));
    }

    fn at(&mut self, at: Time, pool: &str, repo: &str, add: impl Fn(&mut Sums)) {
        for span in [Span::Hour, Span::Day] {
            let start = at.0 - at.0 % span.ms();
            for (of, pool, repo) in [(Of::Pair, pool, repo), (Of::Pool, pool, ""), (Of::Repo, "", repo)] {
                add(self.0.entry((span, of, start, pool.to_owned(), repo.to_owned())).or_default());
            }
        }
    }
}
