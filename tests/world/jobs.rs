//! Jobs as GitHub has them: they arrive, wait for an approval or a runner, run, end; and whoever listens is told.

use std::time::Duration;

use ghrunner::model;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Repo;
use ghrunner::model::RunnerName;
use ghrunner::model::SetId;
use ghrunner::model::Time;
use tokio::time::Instant;

use super::state::State;

/// A job that waits or runs.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) repo: Repo,
    pub(super) label: String,
    pub(super) workflow: String,
    pub(super) branch: String,
    /// Whether it waits for an approval.
    pub(super) held: bool,
    pub(super) runs: bool,
    /// Who has it.
    pub(super) runner: Option<RunnerName>,
    /// Since when it has waited.
    pub(super) queued: Time,
    /// How long it takes, where that is settled before it begins.
    pub(super) lasts: Option<Duration>,
    /// Listings show what became of it from here on.
    pub(super) visible: Option<Instant>,
    /// The scale set that it was given to, and the how manieth giving that was.
    pub(super) set: Option<(SetId, u32)>,
    pub(super) given: u32,
}

impl Job {
    pub(super) fn of(repo: Repo, label: String) -> Self {
        Self {
            repo,
            label,
            workflow: "CI".to_owned(),
            branch: "main".to_owned(),
            held: false,
            runs: false,
            runner: None,
            queued: super::clock::BEGINNING,
            lasts: None,
            visible: None,
            set: None,
            given: 0,
        }
    }

    /// Whether any runner may be given it.
    pub(super) fn waits(&self) -> bool {
        !self.runs && !self.held
    }

    pub(super) fn is_of(&self, set: SetId) -> bool {
        self.set.is_some_and(|(of, _)| of == set)
    }

    /// As GitHub tells of it, under one of the numbers that it has there.
    pub(super) fn told(&self, id: JobId, run: u64) -> model::Job {
        let state = match (self.held, self.runs) {
            (true, _) => JobState::Held,
            (_, false) => JobState::Queued,
            (_, true) => JobState::Running { runner: self.runner.clone() },
        };
        model::Job {
            id,
            run,
            repo: self.repo.clone(),
            workflow: self.workflow.clone(),
            name: "test".to_owned(),
            labels: vec![self.label.clone()],
            event: "push".to_owned(),
            branch: self.branch.clone(),
            state,
            queued: self.queued,
        }
    }
}

impl State {
    /// A job arrives.
    pub(super) fn arrive(&mut self, mut job: Job) {
        let number = self.fresh();
        job.queued = self.now();
        self.note(|| format!("job {number} of {} for {}", job.repo, job.label));
        let action = if job.held { "waiting" } else { "queued" };
        let label = job.label.clone();
        self.jobs.insert(number, job);
        self.job_changed(number, action);
        self.count_open(&label);
        self.assign();
    }

    /// Somebody approves what was held.
    pub(super) fn approve(&mut self, number: u64) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| job.held) else { return };
        job.held = false;
        let label = job.label.clone();
        self.note(|| format!("job {number} is approved"));
        self.job_changed(number, "queued");
        self.count_open(&label);
        self.assign();
    }

    /// Of the jobs that wait most are cancelled.
    pub(super) fn thin_out(&mut self) {
        let waiting: Vec<u64> =
            self.jobs.iter().filter(|(_, j)| !j.runs).map(|(number, _)| *number).collect();
        for number in waiting.into_iter().skip(10) {
            self.job_over(number, "cancelled");
        }
    }

    /// A job ends, however it ends.
    pub(super) fn job_over(&mut self, number: u64, result: &str) {
        self.job_changed(number, "completed");
        let Some(job) = self.jobs.remove(&number) else { return };
        self.note(|| format!("job {number} is over: {result}"));
        self.services.sets.values_mut().for_each(|set| set.withdraw(number));
        if let Some((set, _)) = job.set {
            self.tell_end(set, number, job.runner, result);
        }
        self.count_open(&job.label);
        self.assign_to_sets();
    }

    /// A job's runner is gone, which GitHub notices minutes later.
    pub(super) fn job_lost(&mut self, number: u64) {
        if !self.services.told {
            self.jobs.remove(&number);
            return;
        }
        let span = self.dice.secs(20, 150);
        self.after(span, move |state| state.job_over(number, "failed"));
    }

    /// What is told of a job changed: listings follow a little later, and deliveries go out.
    pub(super) fn job_changed(&mut self, number: u64, action: &'static str) {
        if !self.services.told {
            return;
        }
        let lag = self.lag();
        if let Some(job) = self.jobs.get_mut(&number) {
            job.visible = Some(Instant::now() + lag);
        }
        self.deliver_news(number, action);
    }
}
