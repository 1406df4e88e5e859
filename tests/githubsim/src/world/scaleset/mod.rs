//! Scale sets: what exists, and making, changing and deleting it.
//!
//! `assign` decides which jobs a set gets, `queue` holds a set's session and messages, `tokens`
//! what the two planes of the Actions service are opened with. Modelled on what is known of the
//! service from its clients; it has no published description.

mod assign;
mod message;
mod queue;
mod tokens;
mod trouble;

use std::collections::VecDeque;

use serde_json::Value;

pub(crate) use assign::Placement;
pub(crate) use queue::Message;
pub(crate) use queue::QueueSession;
pub(crate) use tokens::ServiceToken;
pub(crate) use trouble::Trouble;

use super::DEFAULT_GROUP;
use super::Scope;
use super::World;
use crate::clock::Moment;

/// A label of a scale set, with its kind (`System`, `User`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetLabel {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// A scale set. Its messages outlive its sessions.
#[derive(Debug, Clone)]
pub(crate) struct ScaleSet {
    pub(crate) id: u64,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) group: u64,
    pub(crate) labels: Vec<SetLabel>,
    pub(crate) disable_update: bool,
    pub(crate) created: Moment,
    pub(crate) last_contact: Moment,
    pub(crate) session: Option<QueueSession>,
    /// Ids of sessions that were closed or expired, as opposed to those nobody knows any more.
    pub(crate) former: Vec<String>,
    /// Jobs offered to it and not acquired yet.
    pub(crate) offered: Vec<u64>,
    /// What has happened and is in no message yet.
    pub(crate) pending: VecDeque<Value>,
    /// Messages that were not deleted yet.
    pub(crate) stored: VecDeque<Message>,
    /// The message handed out last, deleted or not.
    pub(crate) last: Option<Message>,
}

/// What a client sends of a scale set; what is absent is left as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetRequest {
    pub(crate) name: Option<String>,
    pub(crate) group: Option<u64>,
    pub(crate) labels: Option<Vec<SetLabel>>,
    pub(crate) disable_update: Option<bool>,
}

impl World {
    /// The scale sets of one place, oldest first.
    pub(crate) fn sets_in(&self, scope: Scope) -> Vec<&ScaleSet> {
        self.scale_sets.values().filter(|s| s.scope == scope).collect()
    }

    pub(crate) fn set_in(&self, scope: Scope, id: u64) -> Result<&ScaleSet, Trouble> {
        self.scale_sets.get(&id).filter(|s| s.scope == scope).ok_or_else(|| Trouble::no_set(id))
    }

    /// Makes a scale set.
    pub(crate) fn create_set(
        &mut self,
        scope: Scope,
        wanted: SetRequest,
        now: Moment,
    ) -> Result<u64, Trouble> {
        let name = wanted.name.filter(|n| !n.is_empty()).ok_or_else(|| Trouble::argument("name"))?;
        let group = wanted.group.unwrap_or(DEFAULT_GROUP);
        self.check_set(scope, group, &name, None)?;
        let labels = self.kept_labels(&name, wanted.labels.unwrap_or_default());
        let id = self.fresh_id();
        let set = ScaleSet {
            id,
            scope,
            name,
            group,
            labels,
            disable_update: wanted.disable_update.unwrap_or(false),
            created: now,
            last_contact: now,
            session: None,
            former: Vec::new(),
            offered: Vec::new(),
            pending: VecDeque::new(),
            stored: VecDeque::new(),
            last: None,
        };
        self.scale_sets.insert(id, set);
        Ok(id)
    }

    /// Changes what is given of a scale set.
    pub(crate) fn change_set(&mut self, scope: Scope, id: u64, wanted: SetRequest) -> Result<(), Trouble> {
        let found = self.set_in(scope, id)?;
        let name = wanted.name.unwrap_or_else(|| found.name.clone());
        let group = wanted.group.unwrap_or(found.group);
        self.check_set(scope, group, &name, Some(id))?;
        let labels = wanted.labels.map(|l| self.kept_labels(&name, l));
        if let Some(set) = self.scale_sets.get_mut(&id) {
            set.name = name;
            set.group = group;
            set.labels = labels.unwrap_or_else(|| set.labels.clone());
            set.disable_update = wanted.disable_update.unwrap_or(set.disable_update);
        }
        Ok(())
    }

    fn check_set(&self, scope: Scope, group: u64, name: &str, own: Option<u64>) -> Result<(), Trouble> {
        if self.check_group(scope, group).is_err() {
            return Err(Trouble::no_group(group));
        }
        let taken = self.sets_in(scope).into_iter().any(|s| {
            s.group == group && s.name.eq_ignore_ascii_case(name) && own.is_none_or(|id| id != s.id)
        });
        if taken { Err(Trouble::set_exists(name)) } else { Ok(()) }
    }

    /// The labels a set gets: its name if none is asked for, or where others are not allowed.
    fn kept_labels(&self, name: &str, wanted: Vec<SetLabel>) -> Vec<SetLabel> {
        if wanted.is_empty() || !self.settings.scale_set_custom_labels {
            return vec![SetLabel { name: name.to_string(), kind: "System".into() }];
        }
        wanted
    }

    /// Deletes a scale set. Its waiting jobs go back, its runners go.
    pub(crate) fn delete_set(&mut self, scope: Scope, id: u64, now: Moment) -> Result<(), Trouble> {
        self.set_in(scope, id)?;
        if let Some(busy) = self.runners.values().find(|r| r.scale_set == Some(id) && r.job.is_some()) {
            return Err(Trouble::still_running(&busy.name));
        }
        self.drop_set(id, now);
        Ok(())
    }

    /// Takes a scale set away, whatever it does: as incidents of the service have done.
    pub fn drop_set(&mut self, id: u64, now: Moment) {
        if self.scale_sets.remove(&id).is_none() {
            return;
        }
        for job in self.jobs.values_mut().filter(|j| j.placement.as_ref().is_some_and(|p| p.set == id)) {
            job.placement = None;
        }
        let idle = |r: &&super::Runner| r.scale_set == Some(id) && r.job.is_none();
        let gone: Vec<u64> = self.runners.values().filter(idle).map(|r| r.id).collect();
        for runner in gone {
            self.forget_runner(runner, "deleted", now);
        }
    }

    /// Removes the scale sets that nobody has been connected to for very long.
    pub(super) fn remove_dormant_sets(&mut self, now: Moment) -> bool {
        let limit = self.settings.scale_set_removal;
        let silent = |s: &&ScaleSet| {
            let since = now.wall.duration_since(s.last_contact.wall);
            s.session.as_ref().is_none_or(|s| s.polling == 0) && since.is_ok_and(|d| d >= limit)
        };
        let gone: Vec<u64> = self.scale_sets.values().filter(silent).map(|s| s.id).collect();
        for id in &gone {
            self.drop_set(*id, now);
        }
        !gone.is_empty()
    }

    /// A scale set's id by its name, wherever it is.
    #[must_use]
    pub fn set_named(&self, name: &str) -> Option<u64> {
        self.scale_sets.values().find(|s| s.name.eq_ignore_ascii_case(name)).map(|s| s.id)
    }

    /// Registers a runner in a scale set.
    pub(crate) fn register_in_set(
        &mut self,
        scope: Scope,
        id: u64,
        name: &str,
        work_folder: &str,
        now: Moment,
    ) -> Result<u64, Trouble> {
        let set = self.set_in(scope, id)?;
        let labels: Vec<String> = set.labels.iter().map(|l| l.name.clone()).collect();
        let wanted = super::RunnerRequest {
            name: name.into(),
            group: set.group,
            labels,
            work_folder: if work_folder.is_empty() { "_work".into() } else { work_folder.into() },
            ephemeral: true,
            disable_update: set.disable_update,
            replace: false,
        };
        let made = self.register(scope, wanted, now).map_err(|no| Trouble::of_agent(name, &no))?;
        if let Some(runner) = self.runners.get_mut(&made.runner_id) {
            runner.scale_set = Some(id);
        }
        Ok(made.runner_id)
    }
}
