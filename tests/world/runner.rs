//! The life of a runner's process: it comes online, is given a job, ends, or dies on the way.

use ghrunner::engine::Admission;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::RunnerId;
use tokio::time::Instant;

use super::ledger;
use super::rules;
use super::state::Held;
use super::state::Process;
use super::state::Registered;
use super::state::State;

impl State {
    /// The container's process begins.
    pub(super) fn launch(&mut self, id: &ContainerId, admission: &Admission) {
        let registration = match admission {
            Admission::Jit(config) => {
                config.reveal().rsplit('-').next().and_then(|n| n.parse().ok()).map(RunnerId)
            }
            Admission::Token { .. } | Admission::Nothing => None,
        };
        if let Some(number) = registration {
            rules::before_use(self, number);
            if let Some(registered) = self.registered.get_mut(&number) {
                registered.used = true;
                registered.owner = Some(id.clone());
            }
        }
        let Some(held) = self.containers.get_mut(id) else { return };
        held.process = Some(Process { registration, ..Process::default() });
        let id = id.clone();
        ledger::after_launch(self, &id);
        if self.dice.permille(self.weather.exits_at_once) {
            self.doom(&id);
            let span = self.dice.millis(0, 2000);
            self.after(span, move |state| state.exit(&id, 1, false));
        } else if !self.dice.permille(self.weather.never_online) {
            let span = self.dice.millis(500, 8000);
            self.after(span, move |state| state.come_online(&id));
        } else {
            self.doom(&id);
        }
    }

    fn doom(&mut self, id: &ContainerId) {
        if let Some(process) = self.containers.get_mut(id).and_then(|held| held.process.as_mut()) {
            process.doomed = true;
        }
    }

    /// The process's registration, unless either is gone.
    fn registration_of(&mut self, id: &ContainerId) -> Option<(RunnerId, &mut Registered)> {
        let number = self.containers.get(id)?.process.as_ref()?.registration?;
        let registered = self.registered.get_mut(&number)?;
        registered.gone.is_none().then_some((number, registered))
    }

    fn come_online(&mut self, id: &ContainerId) {
        let Some(held) = self.containers.get(id).filter(|held| held.process.is_some()) else { return };
        if held.container.runner_id.is_none()
            && held.process.as_ref().is_some_and(|p| p.registration.is_none())
        {
            self.register_itself(id);
        }
        let Some((_, registered)) = self.registration_of(id) else {
            // "Registration was not found": the listener gives up, and the script ends with 0.
            let (id, span) = (id.clone(), self.dice.millis(500, 5000));
            self.after(span, move |state| state.exit(&id, 0, false));
            return;
        };
        registered.online = true;
        let name = registered.name.clone();
        self.note(|| format!("{name} online"));
        let (hangs, disconnects) = (self.weather.hangs, self.weather.disconnects);
        if self.dice.permille(hangs) {
            let (id, span) = (id.clone(), self.dice.secs(1, 60));
            self.after(span, move |state| state.go_offline(&id));
        } else if self.dice.permille(disconnects) {
            let (gone, back) = (self.dice.secs(1, 60), self.dice.secs(1, 200));
            let (id, again) = (id.clone(), id.clone());
            self.after(gone, move |state| state.go_offline(&id));
            self.after(gone + back, move |state| state.come_back(&again));
        }
        self.assign();
    }

    fn go_offline(&mut self, id: &ContainerId) {
        if self.mended {
            return;
        }
        self.note(|| format!("{id} goes offline"));
        if let Some((_, registered)) = self.registration_of(id) {
            registered.online = false;
        }
    }

    fn come_back(&mut self, id: &ContainerId) {
        self.note(|| format!("{id} is back online"));
        if let Some((_, registered)) = self.registration_of(id) {
            registered.online = true;
            self.assign();
        }
    }

    /// An image with a token registers under the name that it was given.
    fn register_itself(&mut self, id: &ContainerId) {
        let Some(held) = self.containers.get(id) else { return };
        let (name, scope) = (held.container.runner_name.clone(), held.container.scope.clone());
        let labels = self.config.pools.get(&held.container.pool).map(|pool| pool.labels.clone());
        let taken = self.registered.values().any(|r| r.name == name && r.gone.is_none());
        if taken {
            return;
        }
        let number = self.enrol(name, scope, labels.unwrap_or_default());
        if let Some(registered) = self.registered.get_mut(&number) {
            registered.owner = Some(id.clone());
            registered.used = true;
        }
        if let Some(process) = self.containers.get_mut(id).and_then(|held| held.process.as_mut()) {
            process.registration = Some(number);
        }
    }

    /// Gives waiting jobs to runners that may take them.
    pub(super) fn assign(&mut self) {
        let waiting: Vec<u64> =
            self.jobs.iter().filter(|(_, job)| job.waits()).map(|(number, _)| *number).collect();
        for number in waiting {
            let job = &self.jobs[&number];
            let free = self.registered.iter().find(|(_, r)| {
                r.online
                    && r.job.is_none()
                    && r.gone.is_none()
                    && r.owner.is_some()
                    && rules::may_take(job, r)
            });
            if let Some((runner, _)) = free {
                self.give(number, *runner);
            }
        }
    }

    fn give(&mut self, job: u64, runner: RunnerId) {
        let lies =
            self.dice.permille(self.weather.flag_lies).then(|| Instant::now() + self.dice.secs(25, 60));
        let Some(registered) = self.registered.get_mut(&runner) else { return };
        registered.job = Some(job);
        registered.flag_lies = lies;
        let (name, owner) = (registered.name.clone(), registered.owner.clone());
        self.note(|| format!("{name} is given job {job}"));
        let settled = self.jobs.get(&job).and_then(|job| job.lasts);
        if let Some(waiting) = self.jobs.get_mut(&job) {
            waiting.runs = true;
            waiting.runner = Some(name);
        }
        self.tell_begin(job);
        self.job_changed(job, "in_progress");
        let Some(id) = owner else { return };
        if let Some(process) = self.containers.get_mut(&id).and_then(|held| held.process.as_mut()) {
            process.job = Some((job, Instant::now()));
        }
        let begins = self.dice.millis(100, 2500);
        let lasts = if self.dice.permille(50) { self.dice.secs(60, 300) } else { self.dice.secs(2, 60) };
        let lasts = settled.unwrap_or(lasts);
        let worker = id.clone();
        self.after(begins, move |state| state.begin_work(&worker, job));
        if self.dice.permille(self.weather.crashes) {
            let (span, oom) = (begins + lasts / 2, self.dice.coin());
            self.after(span, move |state| state.exit(&id, 137, oom));
        } else {
            self.after(begins + lasts, move |state| state.end_work(&id, job));
        }
    }

    fn begin_work(&mut self, id: &ContainerId, job: u64) {
        let Some(held) = self.containers.get_mut(id) else { return };
        let Some(process) = &mut held.process else { return };
        process.worker = true;
        held.output = format!("2026-01-01 12:00:00Z: Running job: job-{job}\n");
        // The flag lies again in the middle of a job.
        let (rate, span) = (self.weather.flag_lies / 4, self.dice.secs(25, 60));
        let (id, later) = (id.clone(), self.dice.secs(5, 60));
        if self.dice.permille(rate) {
            self.after(later, move |state| {
                if let Some((_, registered)) = state.registration_of(&id) {
                    registered.flag_lies = Some(Instant::now() + span);
                }
            });
        }
    }

    /// The job is over: GitHub takes the ephemeral runner off its list, and the process ends a little later.
    fn end_work(&mut self, id: &ContainerId, job: u64) {
        let Some(process) = self.containers.get_mut(id).and_then(|held| held.process.as_mut()) else {
            return;
        };
        process.worker = false;
        process.leaving = true;
        process.job = None;
        let registration = process.registration;
        self.job_over(job, "succeeded");
        if let Some(number) = registration {
            self.strike(number);
        }
        self.note(|| format!("{id} has done job {job}"));
        let (id, span) = (id.clone(), self.dice.millis(100, 4000));
        self.after(span, move |state| state.exit(&id, 0, false));
    }

    /// What runs in the container ends.
    pub(super) fn exit(&mut self, id: &ContainerId, code: i64, oom: bool) {
        let now = self.now();
        let Some(held) = self.containers.get_mut(id).filter(|held| held.runs()) else { return };
        held.container.state = ContainerState::Exited(Some(code));
        (held.finished, held.oom) = (Some(now), oom);
        let process = held.process.take();
        self.note(|| format!("{id} ends with {code}"));
        self.tell("die", id);
        let Some(process) = process else { return };
        if let Some((job, _)) = process.job {
            self.job_lost(job);
        }
        let Some(number) = process.registration else { return };
        let Some(registered) = self.registered.get_mut(&number) else { return };
        registered.online = false;
        if registered.job.is_some() {
            // GitHub takes minutes to notice that a busy runner is gone.
            let span = self.dice.secs(20, 150);
            self.after(span, move |state| {
                if let Some(registered) = state.registered.get_mut(&number) {
                    registered.job = None;
                }
            });
        }
    }
}

impl Held {
    /// Whether a job runs in it, or was given to it and is about to begin.
    pub(super) fn has_job(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.job.is_some())
    }
}
