//! What is kept of jobs, runners and decisions, what may be asked of it, and what it comes to.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

mod series;

pub use series::HOURS_KEPT;
pub use series::Point;
pub use series::Series;
pub use series::SeriesQuery;
pub use series::Use;

use super::Time;

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// Its runner said so.
    Succeeded,
    /// Its runner said so.
    Failed,
    /// Its runner said so.
    Cancelled,
    /// Its runner ended before it did.
    Lost,
    /// It went before any runner had it.
    NeverRan,
    /// Nothing told.
    Unknown,
}

impl JobResult {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Succeeded, Self::Failed, Self::Cancelled, Self::Lost, Self::NeverRan, Self::Unknown];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::NeverRan => "never_ran",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for JobResult {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::word).join(", ");
        let found = Self::ALL.into_iter().find(|result| result.word() == text);
        found.ok_or_else(|| format!("{text:?} is no result; there are {}", words()))
    }
}

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
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
    pub queued: Option<Time>,
    /// Since when it ran.
    pub started: Option<Time>,
    /// When it ended, or was last known.
    pub ended: Time,
    /// What became of it.
    pub result: JobResult,
    /// The most memory that its runner had, in bytes.
    pub peak_memory: Option<u64>,
    /// The processor time that its runner took, in milliseconds.
    pub cpu_ms: Option<u64>,
}

impl JobRecord {
    /// How long it waited, in milliseconds.
    pub fn wait_ms(&self) -> Option<u64> {
        Some(self.started?.0.saturating_sub(self.queued?.0))
    }

    /// How long it ran, in milliseconds.
    pub fn run_ms(&self) -> Option<u64> {
        Some(self.ended.0.saturating_sub(self.started?.0))
    }
}

/// A runner that is gone, with its post-mortem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRecord {
    /// Its pool.
    pub pool: String,
    /// Its name at GitHub.
    pub runner: String,
    /// The repository whose job it had, or where it was registered; empty where neither is known.
    pub repo: String,
    /// Its image, as the engine numbers it.
    pub image: Option<String>,
    /// When its container was made.
    pub created: Time,
    /// Since when it was in a job.
    pub started: Option<Time>,
    /// When it was taken away.
    pub ended: Time,
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

impl RunnerRecord {
    /// How long it stood without a job, in milliseconds.
    pub fn idle_ms(&self) -> u64 {
        self.started.unwrap_or(self.ended).0.saturating_sub(self.created.0)
    }
}

/// A pool whose target, or whose reasons for holding back, changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// When.
    pub at: Time,
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

/// Something that was done, or asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Time,
    /// Who: the daemon itself, or an operator.
    pub who: String,
    /// Of which kind: `action`, `call`, `config`, `mode`, `start`, `history`.
    pub kind: String,
    /// What it concerns: a pool, a runner, a path.
    pub subject: String,
    /// What it was.
    pub text: String,
    /// What came of it.
    pub outcome: String,
}

/// An entry of the audit trail, with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number, without gaps.
    pub seq: u64,
    /// What it says.
    pub entry: AuditEntry,
    /// The digest of it and of all before it, in hexadecimal.
    pub hash: String,
}

/// What a pool's runners did within an hour, or a part of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The pool.
    pub pool: String,
    /// When the hour began.
    pub hour: Time,
    /// How much of it was seen, in milliseconds.
    pub seen_ms: u64,
    /// Time of runners in a job.
    pub busy_ms: u64,
    /// Time of runners that waited for one.
    pub idle_ms: u64,
    /// Time of runners that came or went.
    pub other_ms: u64,
    /// The most runners at a time.
    pub max_runners: u32,
    /// The most runners in a job at a time.
    pub max_busy: u32,
    /// The most jobs that waited at a time.
    pub max_waiting: u32,
}

/// Something to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A job ended.
    Job(Box<JobRecord>),
    /// A runner is gone.
    Runner(Box<RunnerRecord>),
    /// A pool wants another number of runners.
    Decision(Box<DecisionRecord>),
    /// Something was done.
    Audit(Box<AuditEntry>),
    /// Time went by.
    Usage(Box<UsageRecord>),
}

/// Where a page of answers begins: after the entry of this moment and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The moment.
    pub at: Time,
    /// The number.
    pub id: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (at, id) = text.split_once('-')?;
            // A database counts with a sign.
            let number = |text: &str| text.parse::<u64>().ok().filter(|n| i64::try_from(*n).is_ok());
            Some(Self { at: Time(number(at)?), id: number(id)? })
        };
        parse().ok_or_else(|| format!("{text:?} is no place to go on from; use `next` of the page before"))
    }
}

/// What is asked of the history. All that is given must fit.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only this pool's.
    pub pool: Option<String>,
    /// Only this repository's.
    pub repo: Option<String>,
    /// Only jobs of this result.
    pub result: Option<JobResult>,
    /// Only what ended at this moment or later.
    pub since: Option<Time>,
    /// Only what ended before this moment.
    pub until: Option<Time>,
    /// Only what stands behind this place.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: u32,
}

/// A part of an answer, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// For which time and whom statistics are asked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StatsQuery {
    /// From when on.
    pub since: Time,
    /// Only this pool.
    pub pool: Option<String>,
    /// Only this repository.
    pub repo: Option<String>,
}

/// How times are spread, in milliseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean_ms: u64,
    /// Half are no longer than this.
    pub p50_ms: u64,
    /// Nineteen of twenty are no longer than this.
    pub p95_ms: u64,
    /// Ninety-nine of a hundred are no longer than this.
    pub p99_ms: u64,
}

/// How sizes are spread.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many there are.
    pub count: u64,
    /// Half are no larger than this.
    pub p50: u64,
    /// Nineteen of twenty are no larger than this.
    pub p95: u64,
    /// Ninety-nine of a hundred are no larger than this.
    pub p99: u64,
}

/// What the jobs of a pool or repository come to.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Whose; empty where it is not known.
    pub name: String,
    /// Jobs that ended.
    pub jobs: u64,
    /// Of those, the ones that succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Lost their runner.
    pub lost: u64,
    /// Went before they ran.
    pub never_ran: u64,
    /// How long they waited for a runner.
    pub wait: Spread,
    /// How long they ran.
    pub run: Spread,
    /// Time of runners in a job, in milliseconds.
    pub busy_ms: u64,
    /// Time that runners stood before their job, or without ever having one, in milliseconds.
    pub idle_ms: u64,
    /// Runners that are gone.
    pub runners: u64,
    /// Of those, the ones that never had a job.
    pub barren: u64,
    /// The most memory that a job took, in bytes, as far as that was seen.
    pub memory: Quantiles,
    /// Processors that a job used on average, in thousandths, as far as that was seen.
    pub processors: Quantiles,
}

/// How a pool's runners were used, as seen pass by pass.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolUse {
    /// The pool.
    pub pool: String,
    /// How much of the time was seen, in milliseconds.
    pub seen_ms: u64,
    /// Time of runners in a job.
    pub busy_ms: u64,
    /// Time of runners that waited for one.
    pub idle_ms: u64,
    /// Time of runners that came or went.
    pub other_ms: u64,
    /// The part of all that which was spent in jobs, from 0 to 1; none where there were no runners.
    pub utilisation: Option<f64>,
    /// The most runners at a time.
    pub max_runners: u32,
    /// The most runners in a job at a time.
    pub max_busy: u32,
    /// Of the hours in which anything ran, nineteen of twenty had no more runners in a job at a time than this.
    pub p95_busy: u32,
    /// Of all hours, half had no more.
    pub p50_busy: u32,
    /// The most jobs that waited at a time.
    pub max_waiting: u32,
    /// Hours that were seen.
    pub hours: u64,
    /// Of those, the ones in which a runner was in a job.
    pub busy_hours: u64,
}

/// A part of the time, for plots.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Period {
    /// When it began.
    pub start: Time,
    /// Jobs that ended in it.
    pub jobs: u64,
    /// How long half of them waited at most.
    pub wait_p50_ms: u64,
    /// How long nineteen of twenty waited at most.
    pub wait_p95_ms: u64,
    /// Time of runners in a job.
    pub busy_ms: u64,
}

/// How many times fall between two bounds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// More than this, in milliseconds.
    pub above_ms: u64,
    /// No more than this.
    pub upto_ms: u64,
    /// How many.
    pub count: u64,
}

/// What the history comes to.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Stats {
    /// From when on: what was asked, brought down to a whole hour or day.
    pub since: Time,
    /// Until when.
    pub until: Time,
    /// How long a period is, in milliseconds: an hour or a day.
    pub period_ms: u64,
    /// The part by which a percentile may be wrong: times are counted in classes.
    pub error: f64,
    /// All together.
    pub total: Figures,
    /// Pool by pool.
    pub pools: Vec<Figures>,
    /// Repository by repository.
    pub repos: Vec<Figures>,
    /// How runners were used, pool by pool.
    pub usage: Vec<PoolUse>,
    /// How the waits are spread.
    pub waits: Vec<Bar>,
    /// Period by period.
    pub periods: Vec<Period>,
}

/// Where the audit trail stands.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The number of its last entry; 0 for none.
    pub seq: u64,
    /// That entry's digest.
    pub hash: String,
}

/// What a look through the audit trail found.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerdict {
    /// Entries that were looked at.
    pub entries: u64,
    /// The first one's number; those before it went with their time.
    pub first: u64,
    /// Where the trail ends.
    pub head: AuditHead,
    /// What is wrong, if something is: where, and what.
    pub broken: Option<String>,
}

/// How the history itself stands.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HistoryHealth {
    /// Where it is kept, in words without a secret.
    pub place: String,
    /// Why nothing is written at the moment.
    pub trouble: Option<String>,
    /// Since when.
    pub since: Option<Time>,
    /// Records that were lost since the start.
    pub lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_go_on_from_survives_its_text_and_nothing_else_is_taken_for_one() {
        let cursor = Cursor { at: Time(1_700_000_000_123), id: 42 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "-", "1", "1-", "x-1", "1-18446744073709551615", "1-2-3"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
