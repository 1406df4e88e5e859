//! What is seen of runners from the plan of their start to their job, for the job that one of them will have.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::Place;
use crate::control::Deed;
use crate::control::Snapshot;
use crate::model::Action;
use crate::model::Phase;
use crate::model::Time;

/// How long a runner that is not seen is remembered: to be made takes minutes, and so does the end of its job to be told.
const UNSEEN: Duration = Duration::from_secs(900);
/// The most that are remembered.
const MOST: usize = 20_000;

/// Moments of a runner's life.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Life {
    /// The pass that planned it, and when that was.
    pub(super) planned: Option<(Time, Place)>,
    /// Why it was made.
    pub(super) reason: String,
    /// Its container ran.
    pub(super) created: Option<Time>,
    /// It was first seen online.
    pub(super) online: Option<Time>,
    /// It was first seen in a job.
    pub(super) taken: Option<Time>,
    /// Its container went.
    pub(super) gone: Option<Time>,
    /// Its container, as the engine numbers it.
    pub(super) container: String,
    /// Its container's name.
    pub(super) container_name: String,
    /// Its number at GitHub.
    pub(super) number: Option<u64>,
    seen: Time,
}

/// All that are remembered, by their names at GitHub.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<String, Life>);

impl Lives {
    /// Takes in what a pass planned and saw.
    pub(super) fn look(&mut self, pass: Place, snapshot: &Snapshot) {
        let now = snapshot.as_of;
        for action in &snapshot.plan.actions {
            let Action::Create(new) = action else { continue };
            let Some(life) = self.of(new.name.as_str()) else { continue };
            life.planned.get_or_insert((now, pass));
            life.reason.clone_from(&new.reason);
            life.container_name = new.pool.container_name(new.slot);
            life.seen = now;
        }
        for state in &snapshot.runners {
            let (runner, busy) = (&state.runner, state.phase == Phase::Busy);
            let Some(life) = self.of(runner.name.as_str()) else { continue };
            life.seen = now;
            if let Some(container) = &runner.container {
                life.container = container.id.to_string();
                life.container_name.clone_from(&container.name);
                // One that an earlier daemon made.
                if life.planned.is_none() {
                    life.created.get_or_insert(container.created);
                }
            }
            let listed = runner.registration.as_ref();
            life.number = listed.map(|listed| listed.id.0).or(life.number);
            if busy || listed.is_some_and(|listed| listed.online) {
                life.online.get_or_insert(now);
            }
            if busy {
                life.taken.get_or_insert(state.since.unwrap_or(now));
            }
        }
        self.0.retain(|_, life| now.since(life.seen) < UNSEEN);
    }

    /// Takes in an action that ended.
    pub(super) fn hear(&mut self, deed: &Deed) {
        let Some(life) = self.0.get_mut(&deed.runner) else { return };
        life.seen = deed.at;
        match (&deed.outcome, &deed.gone) {
            (Ok(()), Some(_)) => life.gone = Some(deed.at),
            (Ok(()), None) if deed.action == "create" => life.created = Some(deed.at),
            (Err(_), _) if deed.action == "create" => drop(self.0.remove(&deed.runner)),
            _ => {}
        }
    }

    /// What is known of a runner.
    pub(super) fn get(&self, runner: &str) -> Option<&Life> {
        self.0.get(runner)
    }

    /// Forgets one that is gone and told of.
    pub(super) fn forget(&mut self, runner: &str) {
        self.0.remove(runner);
    }

    fn of(&mut self, runner: &str) -> Option<&mut Life> {
        if !self.0.contains_key(runner) {
            if self.0.len() >= MOST {
                return None;
            }
            self.0.insert(runner.to_owned(), Life::default());
        }
        self.0.get_mut(runner)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
