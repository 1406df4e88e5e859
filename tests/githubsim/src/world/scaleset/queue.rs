//! A scale set's one session, and the messages it reads.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::ScaleSet;
use super::Trouble;
use crate::clock::Moment;
use crate::world::Job;
use crate::world::JobStatus;
use crate::world::Scope;
use crate::world::World;

/// A message holds no more jobs than this.
const MOST_JOBS: usize = 50;

/// A session of a scale set's client.
#[derive(Debug, Clone)]
pub(crate) struct QueueSession {
    pub(crate) id: String,
    pub(crate) owner: String,
    /// What the client last said it can run in all.
    pub(crate) capacity: Option<u64>,
    pub(crate) last_contact: Duration,
    pub(crate) polling: u32,
}

/// A message that can be read until it is deleted.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) jobs: Vec<Value>,
    delivered: bool,
}

/// Numbers about a scale set, as the service gives them with everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statistics {
    pub(crate) total_available_jobs: u64,
    pub(crate) total_acquired_jobs: u64,
    pub(crate) total_assigned_jobs: u64,
    pub(crate) total_running_jobs: u64,
    pub(crate) total_registered_runners: u64,
    pub(crate) total_busy_runners: u64,
    pub(crate) total_idle_runners: u64,
}

impl ScaleSet {
    fn end_session(&mut self) {
        self.former.extend(self.session.take().map(|s| s.id));
    }

    /// Whether the session is the one in force.
    fn check(&self, session: &str) -> Result<(), Trouble> {
        match &self.session {
            Some(found) if found.id == session => Ok(()),
            _ if self.former.iter().any(|f| f == session) => Err(Trouble::session_expired(session)),
            _ => Err(Trouble::session_evicted(session)),
        }
    }
}

impl World {
    /// The numbers of a set at this moment.
    pub(crate) fn statistics(&self, set: &ScaleSet, now: Moment) -> Statistics {
        let count =
            |wanted: &dyn Fn(&Job) -> bool| self.jobs_of_set(set.id).filter(|j| wanted(j)).count() as u64;
        let runners: Vec<_> = self.runners.values().filter(|r| r.scale_set == Some(set.id)).collect();
        let busy = runners.iter().filter(|r| r.job.is_some()).count() as u64;
        let idle = runners.iter().filter(|r| r.job.is_none() && self.is_online(r, now)).count() as u64;
        let waits =
            |j: &Job| j.status == JobStatus::Queued && j.placement.as_ref().is_some_and(|p| p.acquired);
        Statistics {
            total_available_jobs: self.acquirable(set.scope, set.id).map_or(0, |j| j.len() as u64),
            total_acquired_jobs: count(&waits),
            total_assigned_jobs: count(&|_| true),
            total_running_jobs: count(&|j| j.status == JobStatus::InProgress),
            total_registered_runners: runners.len() as u64,
            total_busy_runners: busy,
            total_idle_runners: idle,
        }
    }

    /// Opens a set's session; there is one at most. Gives its id and token.
    pub(crate) fn open_queue(
        &mut self,
        scope: Scope,
        set: u64,
        owner: &str,
        maker: &str,
        now: Moment,
    ) -> Result<(String, String), Trouble> {
        let found = self.set_in(scope, set)?;
        if let Some(open) = &found.session {
            return Err(Trouble::session_conflict(&found.name, &open.owner));
        }
        let id = self.random_uuid();
        if let Some(found) = self.scale_sets.get_mut(&set) {
            found.last_contact = now;
            found.session = Some(QueueSession {
                id: id.clone(),
                owner: owner.to_string(),
                capacity: None,
                last_contact: now.up,
                polling: 0,
            });
        }
        self.counters.queue_sessions += 1;
        let token = self.queue_token((scope, set, &id), maker, now);
        Ok((id, token))
    }

    /// Gives a session a new token.
    pub(crate) fn refresh_queue(
        &mut self,
        scope: Scope,
        set: u64,
        session: &str,
        maker: &str,
        now: Moment,
    ) -> Result<String, Trouble> {
        self.set_in(scope, set)?.check(session)?;
        self.touch_queue(set, now);
        Ok(self.queue_token((scope, set, session), maker, now))
    }

    /// Closes a session.
    pub(crate) fn close_queue(&mut self, scope: Scope, set: u64, session: &str) -> Result<(), Trouble> {
        self.set_in(scope, set)?.check(session)?;
        self.end_queue(set, false);
        Ok(())
    }

    /// Ends a set's session from the service's side: `evicted` is forgotten, else it has expired.
    /// True if there was one.
    pub fn end_queue(&mut self, set: u64, evicted: bool) -> bool {
        let Some(found) = self.scale_sets.get_mut(&set) else {
            return false;
        };
        let had = found.session.is_some();
        if evicted {
            found.session = None
        } else {
            found.end_session()
        }
        had
    }

    fn touch_queue(&mut self, set: u64, now: Moment) {
        if let Some(found) = self.scale_sets.get_mut(&set) {
            found.last_contact = now;
            if let Some(session) = &mut found.session {
                session.last_contact = now.up;
            }
        }
    }

    /// Ends the sessions whose clients have been silent for too long.
    pub(crate) fn end_silent_queues(&mut self, now: Moment) -> bool {
        let limit = self.settings.scale_set_session_timeout;
        let mut any = false;
        for set in self.scale_sets.values_mut() {
            let silent = |s: &QueueSession| s.polling == 0 && now.up.saturating_sub(s.last_contact) >= limit;
            if set.session.as_ref().is_some_and(silent) {
                set.end_session();
                any = true;
            }
        }
        any
    }

    /// Tells that a poll is being held (`true`) or has ended, however it ended.
    pub(crate) fn set_queue_polling(&mut self, set: u64, session: &str, held: bool, now: Moment) {
        self.touch_queue(set, now);
        let found = self.scale_sets.get_mut(&set).and_then(|s| s.session.as_mut());
        if let Some(found) = found.filter(|s| s.id == session) {
            found.polling = if held { found.polling + 1 } else { found.polling.saturating_sub(1) };
        }
    }

    /// A poll has come, with room for so many jobs in all: those that fit are given.
    pub(crate) fn hear_poll(
        &mut self,
        set: u64,
        session: &str,
        capacity: u64,
        now: Moment,
    ) -> Result<(), Trouble> {
        let found = self.scale_sets.get_mut(&set).ok_or_else(|| Trouble::no_set(set))?;
        found.check(session)?;
        if let Some(open) = &mut found.session {
            open.capacity = Some(capacity);
            open.last_contact = now.up;
        }
        self.assign_to_sets(now);
        Ok(())
    }

    /// The message after `last`, if there is one.
    pub(crate) fn next_message(&mut self, set: u64, last: u64) -> Option<Message> {
        // A client may come with the number of a set that is gone; counting goes on above it.
        let id = self.next_message_id.max(last + 1);
        let found = self.scale_sets.get_mut(&set)?;
        let unread = found.stored.iter().any(|m| m.id > last);
        if !unread && !found.pending.is_empty() {
            let most = found.pending.len().min(MOST_JOBS);
            let jobs = found.pending.drain(..most).collect();
            found.stored.push_back(Message { id, jobs, delivered: false });
            self.next_message_id = id + 1;
        }
        let message = found.stored.iter_mut().find(|m| m.id > last)?;
        self.counters.messages_sent += 1;
        self.counters.messages_redelivered += u64::from(message.delivered);
        message.delivered = true;
        found.last = Some(message.clone());
        found.last.clone()
    }

    /// The message handed out last, once more.
    pub(crate) fn last_message(&self, set: u64) -> Option<Message> {
        self.scale_sets.get(&set)?.last.clone()
    }

    /// Deletes a message. Deleting twice is no error.
    pub(crate) fn delete_message(&mut self, set: u64, session: &str, message: u64) -> Result<(), Trouble> {
        let found = self.scale_sets.get_mut(&set).ok_or_else(|| Trouble::no_set(set))?;
        found.check(session)?;
        let before = found.stored.len();
        found.stored.retain(|m| m.id != message);
        self.counters.messages_deleted += u64::from(found.stored.len() < before);
        Ok(())
    }
}
