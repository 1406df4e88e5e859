//! The reasons for which a job waits, and that it does not.

use std::fmt;

use super::Unserved;
use crate::model::HeldReason;
use crate::model::Job;
use crate::model::PoolName;
use crate::model::Repo;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Time;

/// What is true of one job, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The job; none where only its labels were asked about, or nobody has heard of it.
    pub job: Option<Job>,
    /// The pool that serves it.
    pub pool: Option<PoolName>,
    /// Where its runner registers.
    pub scope: Option<Scope>,
    /// The one reason.
    pub why: Why,
}

/// Why a job waits, or that it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A runner has it.
    Runs {
        /// The runner, where it is told.
        runner: Option<RunnerName>,
    },
    /// GitHub itself holds it.
    GitHubHolds,
    /// No pool serves it.
    Unserved(Unserved),
    /// Its runner is held back.
    Held(HeldReason),
    /// The pool has as many runners as it may, all of them for others.
    AtMax {
        /// How many.
        max: u32,
        /// Jobs that have one.
        running: u32,
        /// How many jobs wait that come before it.
        before: usize,
        /// The first of those.
        first: Vec<String>,
    },
    /// A runner for it is on its way.
    Starting {
        /// The runner.
        runner: RunnerName,
        /// Since when its container is there.
        since: Option<Time>,
    },
    /// So many starts are under way that its own has to wait for them.
    InLine,
    /// A runner is there for it.
    Idle {
        /// The runner.
        runner: RunnerName,
        /// Since when it has been idle.
        since: Option<Time>,
        /// Since when the job has waited.
        queued: Option<Time>,
    },
    /// A runner took a job that the source of demand has not told of yet; likely this one.
    Taken {
        /// When the queue was read.
        heard: Option<Time>,
    },
    /// GitHub assigns it to the pool's scale set by itself.
    BySet,
    /// The pool's number of runners does not follow what waits.
    Fixed {
        /// Runners that are in a job.
        busy: u32,
        /// Runners that the pool wants.
        target: u32,
    },
    /// Nothing stands in the way of a runner for such a job.
    WouldStart,
    /// No pool listens to the repository.
    NoPoolListens {
        /// The repository.
        repo: Repo,
        /// Pools that are for it, and stand whatever waits.
        fixed: Vec<PoolName>,
    },
    /// GitHub's list did not have it.
    NotListed {
        /// The repository.
        repo: Repo,
        /// When the list was asked for.
        heard: Time,
    },
}

impl Why {
    /// A word for it that stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Runs { .. } => "runs",
            Self::GitHubHolds => "github_holds",
            Self::Unserved(unserved) => match unserved {
                Unserved::NoPools => "no_pools",
                Unserved::Hosted { .. } => "hosted",
                Unserved::NoLabel { .. } => "no_label",
                Unserved::Scattered { .. } => "no_pool_has_all_labels",
                Unserved::NotAdmitted { .. } => "not_admitted",
                Unserved::Drained { .. } => "drained",
                Unserved::SwitchedOff { .. } => "switched_off",
            },
            Self::Held(_) => "held",
            Self::AtMax { .. } => "at_max",
            Self::Starting { .. } => "starting",
            Self::InLine => "in_line",
            Self::Idle { .. } => "idle_runner",
            Self::Taken { .. } => "taken",
            Self::BySet => "by_scale_set",
            Self::Fixed { .. } => "fixed",
            Self::WouldStart => "would_start",
            Self::NoPoolListens { .. } => "no_pool_listens",
            Self::NotListed { .. } => "not_listed",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { runner: Some(runner) } => write!(f, "it runs on {runner}"),
            Self::Runs { runner: None } => f.write_str("it runs"),
            Self::GitHubHolds => f.write_str(
                "GitHub itself holds it: an approval, a concurrency group, or a job that it needs",
            ),
            Self::Unserved(unserved) => unserved.fmt(f),
            Self::Held(reason) => reason.fmt(f),
            Self::AtMax { max, running, before, first } => at_max(f, *max, *running, *before, first),
            Self::Starting { runner, since: Some(since) } => {
                write!(f, "runner {runner} is starting since {since}")
            }
            Self::Starting { runner, since: None } => write!(f, "runner {runner} is being made"),
            Self::InLine => {
                f.write_str("other starts are under way, and its own follows (engine.concurrency)")
            }
            Self::Idle { runner, since, queued } => idle(f, runner, *since, *queued),
            Self::Taken { heard } => {
                f.write_str("a runner took a job that GitHub's queue still had")?;
                if let Some(heard) = heard {
                    write!(f, " at {heard}")?;
                }
                f.write_str(", likely this one")
            }
            Self::BySet => f.write_str("GitHub assigns it to the pool's scale set, and has not yet"),
            Self::Fixed { busy, target } => write!(
                f,
                "the pool's runners do not follow what waits (demand = \"fixed\"); in a job: {busy} of {target}"
            ),
            Self::WouldStart => f.write_str("nothing stands in the way: a runner would start for it"),
            Self::NoPoolListens { repo, fixed } if fixed.is_empty() => write!(f, "no pool is for {repo}"),
            Self::NoPoolListens { repo, fixed } => {
                let names: Vec<String> = fixed.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the pools for {repo} do not look at its jobs (demand = \"fixed\"): {}",
                    names.join(", ")
                )
            }
            Self::NotListed { repo, heard } => write!(
                f,
                "GitHub had no such job in the queue of {repo} at {heard}: it has ended, has not come there yet, or GitHub \
                 holds it (an approval, a concurrency group)"
            ),
        }
    }
}

fn at_max(
    f: &mut fmt::Formatter<'_>,
    max: u32,
    running: u32,
    before: usize,
    first: &[String],
) -> fmt::Result {
    write!(f, "the pool is at max ({max}): {running} in a job, and ")?;
    match before {
        0 => f.write_str("it is the next")?,
        _ => write!(f, "{before} before it")?,
    }
    if !first.is_empty() {
        write!(f, ": {}", first.join(", "))?;
    }
    match before.saturating_sub(first.len()) {
        0 => Ok(()),
        more => write!(f, ", and {more} more"),
    }
}

/// A job that was queued a moment ago is only a moment away from its runner.
fn idle(
    f: &mut fmt::Formatter<'_>,
    runner: &RunnerName,
    since: Option<Time>,
    queued: Option<Time>,
) -> fmt::Result {
    write!(f, "runner {runner} is idle")?;
    if let Some(since) = since {
        write!(f, " since {since}")?;
    }
    match (since, queued) {
        (_, None) => f.write_str(" and would take it"),
        (None, Some(_)) => f.write_str(" and should take it"),
        (Some(since), Some(queued)) => write!(
            f,
            " and should take it; if it has not a minute after {}, see whether the runner group admits the repository, \
             and https://www.githubstatus.com",
            since.max(queued)
        ),
    }
}
