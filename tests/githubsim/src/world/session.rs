//! The runner's side: sessions, polling, taking and finishing jobs.
//!
//! The protocol is the simulator's own; what it leads to at GitHub (online, busy, single use, a
//! lost runner) is modelled on the real thing.

use std::time::Duration;

use serde::Serialize;

use super::Refusal;
use super::Runner;
use super::Session;
use super::World;
use crate::clock::Moment;

/// A job as its runner gets it.
#[derive(Debug, Clone, Serialize)]
pub struct Assignment {
    /// Job id.
    pub job_id: u64,
    /// Job name.
    pub name: String,
    /// `owner/name`.
    pub repository: String,
    /// How long the steps take.
    pub duration_ms: u64,
    /// What they come to: `success` or `failure`.
    pub conclusion: &'static str,
    /// How the runner is to misbehave.
    pub behaviour: Option<String>,
    /// Whether the steps need a container engine.
    pub docker: bool,
}

/// What GitHub says to runners that are too old.
pub(crate) const DEPRECATED: &str = "Runner version v2.334.0 is deprecated and cannot receive messages.";

impl World {
    /// Opens the session of a registration. A single-use one opens once.
    ///
    /// # Errors
    /// 404 when the registration is gone, 409 on second use, 403 when the runner is too old.
    pub fn open_session(&mut self, secret: &str, version: &str, now: Moment) -> Result<String, Refusal> {
        if self.settings.deprecated {
            return Err(Refusal::Forbidden(DEPRECATED.into()));
        }
        let Some(runner) = self.runners.values().find(|r| r.secret == secret) else {
            if self.spent.contains_key(secret) {
                self.counters.jit_reuse += 1;
                let gone = self.spent[secret];
                self.note(now, gone, "reused", None);
            }
            return Err(Refusal::NotFound);
        };
        let (id, single, used) = (runner.id, runner.ephemeral, runner.used);
        let active = runner.session.is_some() && self.is_online(runner, now);
        if single && used || active {
            if single {
                self.counters.jit_reuse += 1;
            }
            self.note(now, id, "reused", None);
            return Err(Refusal::Conflict("A session for this runner already exists.".into()));
        }
        let session = self.random_text(32);
        if let Some(runner) = self.runners.get_mut(&id) {
            runner.used = true;
            runner.session = Some(session.clone());
            runner.os = Some("Linux".into());
            runner.version = Some(version.to_string());
            runner.last_seen = now;
        }
        self.sessions
            .insert(session.clone(), Session { runner: id, last_contact: now.up, polling: 0, job: None });
        self.counters.sessions += 1;
        self.note(now, id, "connected", None);
        Ok(session)
    }

    /// One look for a job. `None`: none yet.
    ///
    /// # Errors
    /// 404 when the session or the registration is gone; 403 when the runner is too old.
    pub fn poll(&mut self, session: &str, now: Moment) -> Result<Option<Assignment>, Refusal> {
        if self.settings.deprecated {
            return Err(Refusal::Forbidden(DEPRECATED.into()));
        }
        let found = self.sessions.get_mut(session).ok_or(Refusal::NotFound)?;
        found.last_contact = now.up;
        let id = found.runner;
        let runner = self.runners.get_mut(&id).ok_or(Refusal::NotFound)?;
        runner.last_seen = now;
        if runner.job.is_some() {
            return Ok(None);
        }
        let Some(job) = self.runners.get(&id).and_then(|r| self.oldest_match(r)) else {
            return Ok(None);
        };
        self.assign(job, id, now);
        if let Some(found) = self.sessions.get_mut(session) {
            found.job = Some(job);
        }
        Ok(self.assignment(job))
    }

    fn assignment(&self, id: u64) -> Option<Assignment> {
        let job = self.jobs.get(&id)?;
        Some(Assignment {
            job_id: id,
            name: job.spec.name.clone(),
            repository: self.repository_by_id(job.repository)?.full_name(),
            duration_ms: u64::try_from(job.spec.duration.as_millis()).unwrap_or(u64::MAX),
            conclusion: job.spec.outcome.conclusion(),
            behaviour: job.spec.behaviour.clone(),
            docker: job.spec.docker,
        })
    }

    /// Tells that a poll is being held (`true`) or has ended, however it ended.
    pub(crate) fn set_polling(&mut self, session: &str, held: bool, now: Moment) {
        if let Some(found) = self.sessions.get_mut(session) {
            found.polling = if held { found.polling + 1 } else { found.polling.saturating_sub(1) };
            found.last_contact = now.up;
            let runner = found.runner;
            if let Some(runner) = self.runners.get_mut(&runner) {
                runner.last_seen = now;
            }
        }
    }

    /// The runner has started its job.
    ///
    /// # Errors
    /// 404 when the session does not have that job any more.
    pub fn start_job(&mut self, session: &str, job: u64, now: Moment) -> Result<(), Refusal> {
        let runner = self.contact(session, job, now)?;
        if let Some(job) = self.jobs.get_mut(&job).filter(|j| j.started.is_none()) {
            job.started = Some(now);
            let id = job.id;
            self.counters.jobs_started += 1;
            self.tell_started(id);
            self.announce_job(id, "in_progress");
        }
        self.note(now, runner, "started", Some(job));
        Ok(())
    }

    /// The runner is still at its job.
    ///
    /// # Errors
    /// 404 when the session does not have that job any more (it was cancelled, or given up).
    pub fn renew_job(&mut self, session: &str, job: u64, now: Moment) -> Result<(), Refusal> {
        self.contact(session, job, now).map(|_| ())
    }

    /// The runner has finished its job: `success`, `failure` or `cancelled`.
    ///
    /// # Errors
    /// 404 when the session does not have that job any more, 422 of another conclusion.
    pub fn finish_job(
        &mut self,
        session: &str,
        job: u64,
        conclusion: &str,
        now: Moment,
    ) -> Result<(), Refusal> {
        self.contact(session, job, now)?;
        let conclusion = match conclusion {
            "success" => "success",
            "failure" => "failure",
            "cancelled" => "cancelled",
            other => return Err(Refusal::Invalid(format!("{other} is no conclusion"))),
        };
        self.conclude(job, conclusion, now);
        self.release_holder(job, "finished", now);
        Ok(())
    }

    fn contact(&mut self, session: &str, job: u64, now: Moment) -> Result<u64, Refusal> {
        let found = self.sessions.get_mut(session).filter(|s| s.job == Some(job)).ok_or(Refusal::NotFound)?;
        found.last_contact = now.up;
        let id = found.runner;
        if let Some(runner) = self.runners.get_mut(&id) {
            runner.last_seen = now;
        }
        Ok(id)
    }

    /// The runner says good-bye. Closing twice is no error.
    pub fn close_session(&mut self, session: &str, now: Moment) {
        let Some(closed) = self.sessions.remove(session) else {
            return;
        };
        if let Some(runner) = self.runners.get_mut(&closed.runner) {
            runner.session = None;
            self.note(now, closed.runner, "disconnected", None);
        }
        if let Some(job) = closed.job {
            self.conclude(job, "cancelled", now);
            self.release_holder(job, "cancelled", now);
        }
    }

    /// Whether GitHub would show the runner as online.
    pub(crate) fn is_online(&self, runner: &Runner, now: Moment) -> bool {
        let Some(session) = runner.session.as_ref().and_then(|s| self.sessions.get(s)) else {
            return false;
        };
        let silent: Duration = now.up.saturating_sub(session.last_contact);
        session.polling > 0 || silent <= self.settings.offline_after
    }
}
