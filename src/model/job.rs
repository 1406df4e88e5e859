//! A job as GitHub tells of it, whichever way it was heard of.

use std::fmt;

use serde::Serialize;

use super::Repo;
use super::RunnerName;
use super::Time;

/// What tells one job from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobId {
    /// GitHub's number for it in REST answers, deliveries and addresses.
    Job(u64),
    /// The number by which a scale set's messages speak of it (`runnerRequestId`).
    Request(i64),
}

/// A job that waits or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// What tells it from others.
    pub id: JobId,
    /// The run that it belongs to.
    pub run: u64,
    /// The repository that it belongs to.
    pub repo: Repo,
    /// The workflow's name, or its file where the name is not told.
    pub workflow: String,
    /// Its own name.
    pub name: String,
    /// What its `runs-on` resolved to, lower-cased.
    pub labels: Vec<String>,
    /// What started the run, such as `push`; empty where it is not told.
    pub event: String,
    /// The branch that the run is for; empty where it is not told.
    pub branch: String,
    /// How far it has come.
    pub state: JobState,
    /// Since when it has waited, or had waited when it began.
    pub queued: Time,
}

/// How far a job has come. What has ended is no job any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// GitHub itself holds it: an approval, a concurrency group, another job that it needs.
    Held,
    /// It waits for a runner.
    Queued,
    /// A runner has it.
    Running {
        /// The runner's name, where it is told.
        runner: Option<RunnerName>,
    },
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => write!(f, "{id}"),
            Self::Request(id) => write!(f, "request {id}"),
        }
    }
}
