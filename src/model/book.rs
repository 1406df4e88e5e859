//! What only this process remembers. Each entry can be rebuilt by looking again; losing the book loses patience, never a runner.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::ContainerId;
use super::PoolName;
use super::RunnerName;
use super::Scope;
use super::Slot;
use super::Time;

/// What slots begin with in `leave_until`.
const SLOT_KEY: &str = "slot ";

/// What `decide` is told beyond what engine and GitHub say.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Book {
    /// Work that has begun and not ended.
    pub in_flight: Vec<InFlight>,
    /// Pools whose starts fail.
    pub backoff: BTreeMap<PoolName, Backoff>,
    /// Starts within the last hour that ended without a job.
    pub barren: BTreeMap<PoolName, Vec<Time>>,
    /// Pools that the operator drains.
    pub drained_pools: BTreeSet<PoolName>,
    /// Runners that the operator drains.
    pub drained_runners: BTreeSet<RunnerName>,
    /// Runners that the operator stops with force, busy or not.
    pub condemned: BTreeSet<RunnerName>,
    /// When a runner was last seen in a job: by its container's processes, GitHub's refusal, or GitHub's events.
    pub seen_busy: BTreeMap<RunnerName, Time>,
    /// Runners that GitHub's events say are in a job right now.
    pub claimed: BTreeSet<RunnerName>,
    /// Since when a runner has been seen idle without a break.
    pub idle_since: BTreeMap<RunnerName, Time>,
    /// Since when a runner that GitHub lists has been seen offline without a break.
    pub offline_since: BTreeMap<RunnerName, Time>,
    /// Since when a runner has been seen busy without a break.
    pub busy_since: BTreeMap<RunnerName, Time>,
    /// Runners whose container ended after they had a job, as long as what GitHub last told may be of a time when their
    /// jobs waited.
    pub worked: BTreeMap<RunnerName, Worked>,
    /// Runners that GitHub's events have named as having a job, as long as they stand.
    pub told_of: BTreeSet<RunnerName>,
    /// Since when a runner of ours that GitHub says is in a job has not been there. Its job is lost if that lasts.
    pub gone_since: BTreeMap<RunnerName, Time>,
    /// Runners that the operator wants beyond what the file says, and until when.
    pub boosts: BTreeMap<PoolName, (u32, Time)>,
    /// Things whose removal failed, and slots whose name something else has ([`Book::slot_key`]), and until when they are
    /// left alone.
    pub leave_until: BTreeMap<String, Time>,
    /// Until when nothing is registered in a scope, and why: limits and credentials.
    pub github_until: BTreeMap<Scope, (Time, String)>,
}

/// A runner that had a job and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worked {
    /// Its pool.
    pub pool: PoolName,
    /// Where it was registered.
    pub scope: Scope,
    /// When it was first seen in the job.
    pub began: Time,
    /// When it was first seen ended.
    pub ended: Time,
    /// Whether GitHub's events ever named it as having a job.
    pub told: bool,
}

/// One action under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// What is being done.
    pub kind: InFlightKind,
    /// Since when.
    pub since: Time,
}

/// What an action under way holds on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InFlightKind {
    /// A runner is being made in this slot; `replaces` nothing until it stands.
    Create {
        /// Its pool.
        pool: PoolName,
        /// Its slot.
        slot: Slot,
        /// Its name at GitHub.
        runner: RunnerName,
        /// Where it registers.
        scope: Scope,
    },
    /// A runner is being retired, reaped or deregistered.
    Remove {
        /// Its pool.
        pool: PoolName,
        /// Its slot.
        slot: Slot,
        /// Its name at GitHub.
        runner: RunnerName,
        /// Its container, where it has one.
        container: Option<ContainerId>,
    },
    /// An image is being pulled.
    Pull {
        /// Its reference.
        image: String,
    },
    /// A run is being cancelled.
    Cancel {
        /// The repository and the run, as [`super::Action::run_key`] gives them.
        key: String,
    },
    /// A leftover is being removed.
    Collect {
        /// The leftover's key, as [`super::Leftover::key`] gives it.
        key: String,
    },
}

/// Why and how long a pool's starts wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backoff {
    /// Failures in a row.
    pub failures: u32,
    /// No start before this moment.
    pub until: Time,
    /// The last failure, in words.
    pub reason: String,
}

impl Book {
    /// The key of a slot in `leave_until`.
    pub fn slot_key(pool: &PoolName, slot: Slot) -> String {
        format!("{SLOT_KEY}{}", pool.container_name(slot))
    }

    /// The slots that are left alone at `now`, and until when.
    pub fn left_slots(&self, now: Time) -> impl Iterator<Item = (PoolName, Slot, Time)> {
        let slot = |key: &str| PoolName::of_container(key.strip_prefix(SLOT_KEY)?);
        let left = self.leave_until.iter().filter(move |(_, until)| **until > now);
        left.filter_map(move |(key, until)| slot(key).map(|(pool, slot)| (pool, slot, *until)))
    }

    /// How many starts of the pool ended without a job within the last hour.
    pub fn barren_within_hour(&self, pool: &PoolName, now: Time) -> u32 {
        let since = now - Duration::from_secs(3600);
        let count = self.barren.get(pool).map_or(0, |times| times.iter().filter(|t| **t >= since).count());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether an action under way makes this runner.
    pub fn makes(&self, name: &RunnerName) -> bool {
        self.in_flight
            .iter()
            .any(|f| matches!(&f.kind, InFlightKind::Create { runner, .. } if runner == name))
    }

    /// Whether an action under way holds this runner.
    pub fn holds(&self, name: &RunnerName) -> bool {
        self.in_flight.iter().any(|f| match &f.kind {
            InFlightKind::Create { runner, .. } | InFlightKind::Remove { runner, .. } => runner == name,
            InFlightKind::Pull { .. } | InFlightKind::Collect { .. } | InFlightKind::Cancel { .. } => false,
        })
    }
}
