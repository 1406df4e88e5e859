//! `GET /api/v1/jobs` and `GET /api/v1/explain`: jobs, and why each waits.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Timestamp;
use super::plan::kind;
use crate::control;
use crate::control::Why;
use crate::model;
use crate::model::HeldReason;
use crate::model::JobId;
use crate::model::JobState;

/// What is true of one job, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The job; none where only labels were asked about, or nobody has heard of it.
    pub job: Option<Job>,
    /// The pool that serves it.
    pub pool: Option<String>,
    /// Where its runner registers: `orgs/acme` or `repos/acme/app`.
    pub scope: Option<String>,
    /// The kind of reason: `runs`, `starting`, `no_label`, `at_max`, …, or as in what a plan holds back.
    pub why: String,
    /// The reason in words.
    pub text: String,
    /// Until when, where the reason knows.
    pub until: Option<Timestamp>,
}

/// A job that waits or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// GitHub's number for it, where it was told.
    pub id: Option<u64>,
    /// The number by which a scale set speaks of it, where that told.
    pub request: Option<i64>,
    /// The run that it belongs to.
    pub run: u64,
    /// The repository.
    pub repo: String,
    /// The workflow's name.
    pub workflow: String,
    /// Its own name.
    pub name: String,
    /// What its `runs-on` resolved to.
    pub labels: Vec<String>,
    /// What started the run.
    pub event: String,
    /// The branch that the run is for.
    pub branch: String,
    /// `held`, `queued` or `running`.
    pub state: String,
    /// The runner that has it, where it is told.
    pub runner: Option<String>,
    /// Since when it has waited, or had waited when it began.
    pub queued: Timestamp,
}

impl From<&control::Explanation> for Explanation {
    fn from(e: &control::Explanation) -> Self {
        let (why, until) = match &e.why {
            Why::Held(reason) => kind(reason),
            Why::AtMax { max, .. } => kind(&HeldReason::AtMax { max: *max }),
            other => (other.code(), None),
        };
        Self {
            job: e.job.as_ref().map(Job::from),
            pool: e.pool.as_ref().map(ToString::to_string),
            scope: e.scope.as_ref().map(ToString::to_string),
            why: why.to_owned(),
            text: e.why.to_string(),
            until: until.map(Timestamp),
        }
    }
}

impl From<&model::Job> for Job {
    fn from(job: &model::Job) -> Self {
        let (id, request) = match job.id {
            JobId::Job(id) => (Some(id), None),
            JobId::Request(id) => (None, Some(id)),
        };
        let (state, runner) = match &job.state {
            JobState::Held => ("held", None),
            JobState::Queued => ("queued", None),
            JobState::Running { runner } => ("running", runner.as_ref().map(ToString::to_string)),
        };
        Self {
            id,
            request,
            run: job.run,
            repo: job.repo.to_string(),
            workflow: job.workflow.clone(),
            name: job.name.clone(),
            labels: job.labels.clone(),
            event: job.event.clone(),
            branch: job.branch.clone(),
            state: state.to_owned(),
            runner,
            queued: job.queued.into(),
        }
    }
}
