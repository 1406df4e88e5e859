//! What is known of the jobs that wait and run, and what has to be listened to in order to know it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::CredentialName;
use super::Demand;
use super::GroupName;
use super::Job;
use super::JobId;
use super::PoolName;
use super::Repo;
use super::Scope;
use super::Time;

/// GitHub's number for a runner scale set. It is a cache: GitHub drops sets, and they are made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SetId(pub u64);

/// All sources together, as of the latest that each of them heard. A level, not a list of events: losing it and asking
/// anew gives the same.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct DemandView {
    /// Jobs that wait or run, each once, in the order of their ids.
    pub jobs: Vec<Job>,
    /// Repositories whose queue is read.
    pub repos: BTreeMap<Repo, RepoView>,
    /// Accounts of whose repositories all are served (`"alice/*"`).
    pub accounts: BTreeMap<String, AccountView>,
    /// Scale sets.
    pub sets: Vec<SetView>,
    /// Which set GitHub gave a job to, as far as messages told.
    pub given: Vec<(JobId, PoolName, Scope)>,
    /// Deliveries of webhooks.
    pub hooks: HookView,
}

impl DemandView {
    /// As of when what is known of a job holds: the last complete look at its repository's queue, or when it was queued.
    pub fn heard(&self, job: &Job) -> Time {
        self.repos.get(&job.repo).and_then(|view| view.as_of).unwrap_or(job.queued)
    }
}

/// What is known of a repository's queue.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct RepoView {
    /// When the last complete look was asked for: what happened before is in [`DemandView::jobs`].
    pub as_of: Option<Time>,
    /// Why the latest look failed.
    pub error: Option<String>,
}

/// What is known of an account's repositories.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Those that were active lately.
    pub repos: Vec<Repo>,
    /// When they were last listed.
    pub as_of: Option<Time>,
    /// Why the latest listing failed.
    pub error: Option<String>,
}

/// How a scale set stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetView {
    /// The pool that it is for.
    pub pool: PoolName,
    /// Where it is.
    pub scope: Scope,
    /// GitHub's number, once it is there.
    pub id: Option<SetId>,
    /// What is being done about it.
    pub state: SetState,
    /// GitHub's own count, and when it was heard last.
    pub statistics: Option<(SetStatistics, Time)>,
    /// What GitHub's count and what is seen here disagree about.
    pub disagreement: Option<String>,
    /// How many sessions were opened for it since the start: more than one, and one was lost.
    pub sessions: u64,
}

/// What is being done about a scale set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetState {
    /// It is looked for or made, and a session opened.
    Opening,
    /// Messages are waited for.
    Listening,
    /// Something failed, and is tried again.
    Waiting {
        /// Not before.
        until: Time,
        /// What failed.
        error: String,
    },
}

/// GitHub's count of a scale set's jobs and runners.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetStatistics {
    /// Jobs offered and not taken by any set.
    pub available: u32,
    /// Jobs taken that have no runner.
    pub acquired: u32,
    /// Jobs that wait for this set's runners or run on them.
    pub assigned: u32,
    /// Of those, the ones that run.
    pub running: u32,
    /// Runners.
    pub registered: u32,
    /// Of those, the ones in a job.
    pub busy: u32,
    /// Of those, the ones that wait for a job.
    pub idle: u32,
}

/// How deliveries arrive.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct HookView {
    /// When the last one with a good signature came.
    pub heard: Option<Time>,
    /// How many of those came since the start.
    pub accepted: u64,
    /// How many were refused since the start: signature, address, size, pace.
    pub refused: u64,
    /// What is wrong, if something is.
    pub error: Option<String>,
}

/// What has to be listened to: follows from the file, the mode, and what the host can take.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// Pools whose demand is not fixed.
    pub pools: BTreeMap<PoolName, WantedPool>,
}

/// What one pool needs to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedPool {
    /// Where its demand comes from.
    pub demand: Demand,
    /// Whose credentials ask.
    pub credentials: CredentialName,
    /// Repositories whose jobs it serves: those of the file, or those that its runner group admits.
    pub repos: Vec<Repo>,
    /// Accounts of whose repositories it serves all.
    pub accounts: Vec<String>,
    /// How long after its last push a repository of such an account counts as active.
    pub active_within: Duration,
    /// The runner group, by name; none for the default group.
    pub group: Option<GroupName>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its scale set's name, where that is not the pool's own.
    pub set: Option<String>,
    /// Where it registers, and how many runners it could have there now: what `max`, the host and its disk allow, and
    /// 0 while it is drained.
    pub capacity: BTreeMap<Scope, u32>,
    /// Changes when something happened here that its sources should look at soon, such as a runner that took a job.
    pub nudge: u64,
}
