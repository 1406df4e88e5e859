//! What GitHub has beside runners: scale sets and deliveries, and what goes wrong with them.

use std::collections::BTreeMap;

use ghrunner::github::GitHubError;
use ghrunner::model::SetId;
use tokio::time::Instant;

use super::hooks::Hook;
use super::sets::ScaleSet;
use super::state::State;
use super::weather::Fate;

/// All of it.
#[derive(Default)]
pub(super) struct Services {
    /// Whether anybody is told of jobs in this world.
    pub(super) told: bool,
    /// When the daemon began that listens.
    pub(super) began: Option<Instant>,
    pub(super) sets: BTreeMap<SetId, ScaleSet>,
    pub(super) hook: Hook,
    pub(super) trouble: Trouble,
    /// Whether jobs are offered to sets, which take them, or given to them right away.
    pub(super) offers: bool,
}

/// What goes wrong with the sources of demand; nothing once faults have ended.
#[derive(Debug, Default, Clone)]
pub(super) struct Trouble {
    /// Until when no delivery arrives, and whether GitHub takes them for delivered.
    pub(super) hooks_dropped: Option<(Instant, bool)>,
    /// Deliveries in a thousand that come late, and that come twice.
    pub(super) hooks_late: u32,
    pub(super) hooks_doubled: u32,
    /// Until when nothing but 500 is answered.
    pub(super) failing: Option<Instant>,
    /// Until when waits for messages are answered at once with nothing.
    pub(super) hasty: Option<Instant>,
    /// Messages in a thousand that come once more after they were acknowledged.
    pub(super) repeats: u32,
    /// Whether the next acknowledgement never gets there; then, whether one did not.
    pub(super) ack_stuck: bool,
    pub(super) ack_lost: bool,
}

impl State {
    /// What becomes of a call for jobs.
    pub(super) fn service_fate(&mut self, call: &str) -> Fate<GitHubError> {
        let mut fate = self.github_fate(call);
        if self.services.trouble.failing.is_some_and(|until| until > Instant::now()) {
            fate.refused = Some(GitHubError::Failed { call: call.to_owned(), status: 500 });
        }
        fate
    }
}
