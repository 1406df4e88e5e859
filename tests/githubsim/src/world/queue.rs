//! Jobs: queueing, matching them with runners, ending them.

use super::Holder;
use super::Job;
use super::JobSpec;
use super::JobStatus;
use super::Outcome;
use super::Refusal;
use super::Run;
use super::Runner;
use super::World;
use crate::clock::Moment;

impl World {
    /// Queues `spec.count` jobs in one run; gives their ids.
    ///
    /// # Errors
    /// When the repository or the run is not there.
    pub fn queue_job(&mut self, spec: &JobSpec, now: Moment) -> Result<Vec<u64>, Refusal> {
        let repository = self.repository_named(&spec.repository)?;
        if repository.archived {
            return Err(Refusal::Forbidden("Repository was archived so is read-only.".into()));
        }
        let repository = repository.id;
        let run = match spec.run {
            Some(id) if self.runs.get(&id).is_some_and(|r| r.repository == repository) => id,
            Some(_) => return Err(Refusal::NotFound),
            None => self.new_run(repository, spec, now),
        };
        let count = spec.count.max(1);
        let mut ids = Vec::new();
        for number in 1..=count {
            let id = self.fresh_id();
            let mut spec = spec.clone();
            if count > 1 {
                spec.name = format!("{} ({number})", spec.name);
            }
            let waiting = spec.waiting;
            let status = if waiting { JobStatus::Waiting } else { JobStatus::Queued };
            self.jobs.insert(
                id,
                Job {
                    id,
                    run,
                    repository,
                    spec,
                    status,
                    conclusion: None,
                    lost: false,
                    holder: None,
                    placement: None,
                    completion_told: false,
                    withdrawn: 0,
                    eligible: now.up,
                    queued: now,
                    assigned: None,
                    started: None,
                    completed: None,
                },
            );
            if !waiting {
                self.queue.push(id);
            }
            ids.push(id);
        }
        self.counters.jobs_queued += u64::from(count);
        self.touch_run(run, now);
        if let Some(run) = self.runs.get_mut(&run) {
            run.jobs.extend(&ids);
        }
        if spec.run.is_none() {
            self.announce_run(run, "requested");
        }
        for id in &ids {
            self.announce_job(*id, if spec.waiting { "waiting" } else { "queued" });
        }
        Ok(ids)
    }

    fn new_run(&mut self, repository: u64, spec: &JobSpec, now: Moment) -> u64 {
        let id = self.fresh_id();
        let number = self.runs.values().filter(|r| r.repository == repository).count() as u64 + 1;
        self.runs.insert(
            id,
            Run {
                id,
                repository,
                workflow: spec.workflow.clone(),
                event: spec.event.clone(),
                branch: spec.branch.clone(),
                number,
                created: now,
                updated: now,
                jobs: Vec::new(),
                progress_told: false,
            },
        );
        if spec.event == "push"
            && let Some(found) = self.repositories.iter_mut().find(|r| r.id == repository)
        {
            found.pushed = Some(now);
        }
        id
    }

    fn touch_run(&mut self, id: u64, now: Moment) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.updated = now;
        }
    }

    /// Lets a job that was held by a gate into the queue.
    ///
    /// # Errors
    /// When no such job waits.
    pub fn release_job(&mut self, id: u64, now: Moment) -> Result<(), Refusal> {
        let job =
            self.jobs.get_mut(&id).filter(|j| j.status == JobStatus::Waiting).ok_or(Refusal::NotFound)?;
        job.status = JobStatus::Queued;
        job.queued = now;
        let run = job.run;
        self.queue.push(id);
        self.touch_run(run, now);
        self.announce_job(id, "queued");
        Ok(())
    }

    /// Cancels a job. One that runs is told to its runner at the next renewal.
    ///
    /// # Errors
    /// When there is no such job or it is over.
    pub fn cancel_job(&mut self, id: u64, now: Moment) -> Result<(), Refusal> {
        let job = self.jobs.get(&id).filter(|j| j.status != JobStatus::Completed).ok_or(Refusal::NotFound)?;
        let running = job.holder.is_some();
        self.conclude(id, "cancelled", now);
        if running {
            self.release_holder(id, "cancelled", now);
        }
        Ok(())
    }

    /// Cancels whatever is left of a run.
    ///
    /// # Errors
    /// 404 of a run that is not there, 409 of one that is over.
    pub fn cancel_run(&mut self, id: u64, now: Moment) -> Result<(), Refusal> {
        let run = self.runs.get(&id).ok_or(Refusal::NotFound)?;
        if self.run_status(run) == JobStatus::Completed {
            return Err(Refusal::Conflict("Cannot cancel a workflow run that is completed.".into()));
        }
        for job in run.jobs.clone() {
            // Those that are over already stay as they are.
            let _ = self.cancel_job(job, now);
        }
        Ok(())
    }

    /// Whether any job waits for a runner.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The oldest job that this runner may take.
    pub(super) fn oldest_match(&self, runner: &Runner) -> Option<u64> {
        self.queue.iter().copied().find(|id| self.jobs.get(id).is_some_and(|job| self.matches(runner, job)))
    }

    fn matches(&self, runner: &Runner, job: &Job) -> bool {
        let placed = job.placement.as_ref().map(|p| p.set);
        if runner.scale_set.is_some() || placed.is_some() {
            return runner.scale_set == placed;
        }
        let labels =
            job.spec.labels.iter().all(|l| runner.labels.iter().any(|have| have.eq_ignore_ascii_case(l)));
        let group = match &job.spec.group {
            None => true,
            Some(name) => self.group_name(runner.scope, runner.group).eq_ignore_ascii_case(name),
        };
        labels && group && self.repository_by_id(job.repository).is_some_and(|r| self.serves(runner, r))
    }

    /// Gives a queued job to a runner.
    pub(super) fn assign(&mut self, job: u64, runner: u64, now: Moment) {
        let Some(found) = self.runners.get_mut(&runner) else {
            return;
        };
        found.job = Some(job);
        let (scope, group, name) = (found.scope, found.group, found.name.clone());
        let holder = Holder {
            runner_id: runner,
            runner_name: name,
            group_id: group,
            group_name: self.group_name(scope, group),
        };
        self.queue.retain(|id| *id != job);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.status = JobStatus::InProgress;
            job.holder = Some(holder);
            job.assigned = Some(now);
        }
        self.counters.jobs_assigned += 1;
        self.note(now, runner, "assigned", Some(job));
        let run = self.jobs.get(&job).map(|j| j.run).unwrap_or_default();
        self.touch_run(run, now);
    }

    /// Ends a job. Counting happens here and nowhere else.
    pub(super) fn conclude(&mut self, id: u64, conclusion: &'static str, now: Moment) {
        self.queue.retain(|queued| *queued != id);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.status == JobStatus::Completed {
            return;
        }
        job.status = JobStatus::Completed;
        job.conclusion = Some(conclusion);
        job.completed = Some(now);
        let run = job.run;
        let result = match conclusion {
            "success" => "succeeded",
            "cancelled" => "canceled",
            _ => "failed",
        };
        self.tell_completed(id, result, now);
        self.counters.jobs_completed += 1;
        match conclusion {
            "success" => self.counters.jobs_succeeded += 1,
            "cancelled" => self.counters.jobs_cancelled += 1,
            _ => self.counters.jobs_failed += 1,
        }
        self.touch_run(run, now);
        self.announce_job(id, "completed");
    }

    /// Lets go of the runner and session that had a job; an ephemeral runner's registration ends.
    pub(super) fn release_holder(&mut self, job: u64, what: &'static str, now: Moment) {
        let Some(holder) = self.jobs.get(&job).and_then(|j| j.holder.clone()) else {
            return;
        };
        for session in self.sessions.values_mut().filter(|s| s.job == Some(job)) {
            session.job = None;
        }
        self.note(now, holder.runner_id, what, Some(job));
        let Some(runner) = self.runners.get_mut(&holder.runner_id) else {
            return;
        };
        runner.job = None;
        runner.last_seen = now;
        if runner.ephemeral {
            self.forget_runner(holder.runner_id, "removed", now);
        }
    }

    /// Queues again, at its old place, each job whose runner never started it.
    pub(super) fn requeue_unstarted(&mut self, now: Moment) -> bool {
        let limit = self.settings.assign_timeout;
        let stuck: Vec<u64> = self
            .running()
            .filter(|j| {
                j.started.is_none() && j.assigned.is_some_and(|at| now.up.saturating_sub(at.up) >= limit)
            })
            .map(|j| j.id)
            .collect();
        for id in &stuck {
            if let Some(holder) = self.jobs.get(id).and_then(|j| j.holder.clone()) {
                self.note(now, holder.runner_id, "requeued", Some(*id));
                if let Some(runner) = self.runners.get_mut(&holder.runner_id) {
                    runner.job = None;
                    runner.session = None;
                }
                self.sessions.retain(|_, s| s.job != Some(*id));
            }
            if let Some(job) = self.jobs.get_mut(id) {
                job.status = JobStatus::Queued;
                job.holder = None;
                job.assigned = None;
                if let Some(placement) = &mut job.placement {
                    placement.since = now;
                }
            }
            let place = self.queue.partition_point(|queued| queued < id);
            self.queue.insert(place, *id);
            self.counters.jobs_requeued += 1;
        }
        !stuck.is_empty()
    }

    /// Fails each job whose runner has been silent for too long. Its registration stays, offline.
    pub(super) fn conclude_lost(&mut self, now: Moment) -> bool {
        let limit = self.settings.lost_after;
        let lost: Vec<u64> = self
            .running()
            .filter(|j| j.started.is_some())
            .filter(|j| {
                let session = self.sessions.values().find(|s| s.job == Some(j.id));
                session.is_none_or(|s| s.polling == 0 && now.up.saturating_sub(s.last_contact) >= limit)
            })
            .map(|j| j.id)
            .collect();
        for id in &lost {
            self.counters.jobs_lost += 1;
            self.conclude(*id, "failure", now);
            self.sessions.retain(|_, s| s.job != Some(*id));
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            job.lost = true;
            let Some(holder) = job.holder.clone() else {
                continue;
            };
            self.note(now, holder.runner_id, "lost", Some(*id));
            if let Some(runner) = self.runners.get_mut(&holder.runner_id) {
                runner.job = None;
                runner.session = None;
            }
        }
        !lost.is_empty()
    }

    fn running(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|j| j.status == JobStatus::InProgress)
    }

    /// A run's own status, from its jobs': `queued` while any waits (but not one that `needs:`
    /// released), then `in_progress`, then `completed`.
    pub(crate) fn run_status(&self, run: &Run) -> JobStatus {
        let jobs = || run.jobs.iter().filter_map(|id| self.jobs.get(id));
        let going = jobs().any(|j| j.status == JobStatus::InProgress || j.status == JobStatus::Completed);
        if jobs().any(|j| j.status == JobStatus::Queued && !(j.spec.needs && going)) {
            JobStatus::Queued
        } else if jobs().any(|j| matches!(j.status, JobStatus::InProgress | JobStatus::Queued)) {
            JobStatus::InProgress
        } else if jobs().any(|j| j.status == JobStatus::Waiting) {
            JobStatus::Waiting
        } else {
            JobStatus::Completed
        }
    }

    /// A finished run's conclusion.
    pub(crate) fn run_conclusion(&self, run: &Run) -> Option<&'static str> {
        if self.run_status(run) != JobStatus::Completed {
            return None;
        }
        let conclusions: Vec<_> = run.jobs.iter().filter_map(|id| self.jobs.get(id)?.conclusion).collect();
        let all = |word: &str| conclusions.iter().all(|c| *c == word);
        Some(match () {
            () if all("success") => "success",
            () if conclusions.contains(&"failure") => "failure",
            () => "cancelled",
        })
    }
}

impl Outcome {
    /// GitHub's word for it.
    #[must_use]
    pub fn conclusion(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}
