//! Scale sets in memory, with failures on request.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use tokio::sync::Notify;

use crate::github::GitHubError;
use crate::github::Message;
use crate::github::ScaleSets;
use crate::github::Session;
use crate::github::Set;
use crate::github::SetError;
use crate::github::SetNews;
use crate::github::SetSpec;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::Job;
use crate::model::JobId;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::SetId;
use crate::model::SetStatistics;

/// How long the service holds a call without news.
const HOLD: Duration = Duration::from_secs(50);

#[derive(Default)]
pub(super) struct Fake {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// Calls, in order.
    pub(super) log: Vec<String>,
    pub(super) sets: BTreeMap<(Scope, String), SetId>,
    made: u64,
    pub(super) sessions: BTreeMap<SetId, String>,
    opened: u32,
    pub(super) stored: Vec<Message>,
    pub(super) count: SetStatistics,
    pub(super) offered: Vec<Job>,
    /// The next so many calls of a kind fail so.
    faults: Vec<(&'static str, SetError, u32)>,
    /// Whether waits for messages are answered at once with nothing.
    pub(super) hasty: bool,
    /// Whether messages that are not acknowledged come whatever the cursor.
    pub(super) repeats: bool,
    /// Calls of this kind never return.
    pub(super) hangs: Option<&'static str>,
    /// The answer to the next set that is made is lost.
    pub(super) loses_made: bool,
    /// The labels that are never taken.
    pub(super) refuses: Vec<String>,
}

impl State {
    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
    }
}

impl Fake {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next `times` calls of a kind fail.
    pub(super) fn fail(&self, kind: &'static str, error: SetError, times: u32) {
        self.state().faults.push((kind, error, times));
        self.news.notify_waiters();
    }

    /// A message arrives.
    pub(super) fn send(&self, id: i64, assigned: u32, news: &[SetNews]) {
        let statistics = SetStatistics { assigned, ..SetStatistics::default() };
        let mut state = self.state();
        state.count = statistics;
        state.stored.push(Message { id, statistics: Some(statistics), news: news.to_vec() });
        drop(state);
        self.news.notify_waiters();
    }

    /// Calls of a kind so far.
    pub(super) fn calls(&self, kind: &str) -> usize {
        self.log(kind).len()
    }

    /// Calls of a kind, as they were made.
    pub(super) fn log(&self, kind: &str) -> Vec<String> {
        self.state().log.iter().filter(|call| call.split(' ').next() == Some(kind)).cloned().collect()
    }

    async fn call(&self, kind: &'static str, more: impl std::fmt::Display) -> Result<(), SetError> {
        let hangs = {
            let mut state = self.state();
            state.log.push(format!("{kind} {more}"));
            state.hangs == Some(kind)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        self.fault(kind)
    }

    fn fault(&self, kind: &'static str) -> Result<(), SetError> {
        let mut state = self.state();
        let Some(at) = state.faults.iter().position(|(k, _, times)| *k == kind && *times > 0) else {
            return Ok(());
        };
        state.faults[at].2 -= 1;
        let error = state.faults[at].1.clone();
        if matches!(error, SetError::SessionGone(_)) {
            state.sessions.clear();
        }
        if error == SetError::SetGone {
            state.sets.clear();
            state.sessions.clear();
        }
        Err(error)
    }

    /// The message that a wait gets now.
    fn waiting(&self, last: i64) -> Option<Message> {
        let state = self.state();
        state.stored.iter().find(|m| state.repeats || m.id > last).cloned()
    }
}

impl ScaleSets for Fake {
    async fn ensure_set(&self, _: &CredentialName, scope: &Scope, spec: &SetSpec) -> Result<Set, SetError> {
        self.call("ensure", format!("{} {}", spec.name, spec.labels.join(","))).await?;
        let mut state = self.state();
        let key = (scope.clone(), spec.name.clone());
        let id = match state.sets.get(&key) {
            Some(id) => *id,
            None => {
                state.made += 1;
                let id = SetId(state.made);
                state.sets.insert(key, id);
                id
            }
        };
        if std::mem::take(&mut state.loses_made) {
            return Err(GitHubError::Failed { call: "x".into(), status: 502 }.into());
        }
        let refused_labels = spec.labels.iter().filter(|l| state.refuses.contains(l)).cloned().collect();
        Ok(Set { id, refused_labels })
    }

    async fn find_set(
        &self,
        _: &CredentialName,
        scope: &Scope,
        name: &str,
        _: Option<&GroupName>,
    ) -> Result<Option<SetId>, SetError> {
        self.call("find", name).await?;
        Ok(self.state().sets.get(&(scope.clone(), name.to_owned())).copied())
    }

    async fn delete_set(&self, _: &CredentialName, _: &Scope, set: SetId) -> Result<(), SetError> {
        self.call("delete", set.0).await?;
        self.state().sets.retain(|_, id| *id != set);
        Ok(())
    }

    async fn open_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        set: SetId,
        owner: &str,
    ) -> Result<Session, SetError> {
        self.call("open", format!("{} {owner}", set.0)).await?;
        let mut state = self.state();
        if !state.sets.values().any(|id| *id == set) {
            return Err(SetError::SetGone);
        }
        if state.sessions.contains_key(&set) {
            return Err(SetError::SessionTaken("already has an active session".into()));
        }
        state.opened += 1;
        let id = format!("s{}", state.opened);
        state.sessions.insert(set, id.clone());
        let statistics = state.count;
        Ok(Session { id, set, queue_url: String::new(), token: Secret::new("t"), statistics })
    }

    async fn renew_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &Session,
    ) -> Result<Session, SetError> {
        self.call("renew", &session.id).await?;
        Ok(Session { statistics: self.state().count, ..session.clone() })
    }

    async fn close_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        set: SetId,
        session: &str,
    ) -> Result<(), SetError> {
        self.call("close", format!("{} {session}", set.0)).await?;
        let mut state = self.state();
        if state.sessions.get(&set).is_some_and(|open| open == session) {
            state.sessions.remove(&set);
        }
        Ok(())
    }

    async fn next_message(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &mut Session,
        last: i64,
        capacity: u32,
    ) -> Result<Option<Message>, SetError> {
        self.call("poll", format!("{last} {capacity}")).await?;
        if self.state().sessions.get(&session.set) != Some(&session.id) {
            return Err(SetError::SessionGone("not valid".into()));
        }
        let arrival = async {
            loop {
                let news = self.news.notified();
                self.fault("poll")?;
                if let Some(message) = self.waiting(last) {
                    return Ok(Some(message));
                }
                if self.state().hasty {
                    return Ok(None);
                }
                news.await;
            }
        };
        tokio::time::timeout(HOLD, arrival).await.unwrap_or(Ok(None))
    }

    async fn acknowledge(
        &self,
        _: &CredentialName,
        _: &Scope,
        _: &mut Session,
        message: i64,
    ) -> Result<(), SetError> {
        self.call("ack", message).await?;
        self.state().stored.retain(|m| m.id != message);
        Ok(())
    }

    async fn available_jobs(&self, _: &CredentialName, _: &Scope, _: SetId) -> Result<Vec<Job>, SetError> {
        self.call("offers", "").await?;
        Ok(self.state().offered.clone())
    }

    async fn acquire(
        &self,
        _: &CredentialName,
        _: &Scope,
        _: &mut Session,
        jobs: &[JobId],
    ) -> Result<Vec<JobId>, SetError> {
        let ids: Vec<String> = jobs.iter().map(ToString::to_string).collect();
        self.call("acquire", ids.join(",").replace("request ", "")).await?;
        self.state().offered.retain(|job| !jobs.contains(&job.id));
        Ok(jobs.to_vec())
    }
}
