//! What passes and actions took, and how runners and jobs lived, written into the meter.
//!
//! What is kept here serves the meter alone; nothing that is decided depends on it. Each moment is that of the look which
//! first showed it, so that a runner's times are as exact as GitHub's listings are frequent.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Snapshot;
use super::settle::began;
use crate::engine::EngineError;
use crate::execute::Done;
use crate::execute::Failure;
use crate::execute::Outcome;
use crate::github::GitHubError;
use crate::model::Action;
use crate::model::Book;
use crate::model::ContainerState;
use crate::model::ErrorClass;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Meter;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::PostMortem;
use crate::model::Readings;
use crate::model::RetireReason;
use crate::model::RunnerName;
use crate::model::Step;
use crate::model::Time;
use crate::model::Usage;

/// How long a runner that was made may stay out of the engine's list and is remembered all the same.
const UNSEEN: Duration = Duration::from_secs(600);

/// Moments of one runner's life.
#[derive(Debug, Default)]
struct Life {
    /// Its container ran; none for one that was there before us.
    created: Option<Time>,
    /// It was first seen online.
    online: Option<Time>,
    /// It was first seen in a job.
    taken: Option<Time>,
}

/// How far a job has come.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    /// It waits, and no start was planned since it does.
    Waits,
    /// It waits for a start.
    Planned,
    /// It runs.
    Runs,
}

/// The writer of the control loop.
#[derive(Debug)]
pub(super) struct Measure {
    meter: Arc<Meter>,
    /// Since when jobs and runners are watched; none before the first look.
    since: Option<Time>,
    lives: BTreeMap<RunnerName, Life>,
    jobs: BTreeMap<JobId, Course>,
}

impl Measure {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, since: None, lives: BTreeMap::new(), jobs: BTreeMap::new() }
    }

    /// Takes in what a pass found and began.
    pub(super) fn looked(&mut self, snapshot: &Snapshot, took: Duration) {
        let (now, first) = (snapshot.as_of, self.since.is_none());
        let since = *self.since.get_or_insert(now);
        let Self { meter, lives, jobs, .. } = self;
        meter.note(|readings| {
            readings.passes.time(took);
            readings.plans.observe(f64::from(u32::try_from(snapshot.plan.actions.len()).unwrap_or(u32::MAX)));
            for action in &snapshot.plan.actions {
                *readings.planned.entry(word(action)).or_default() += 1;
            }
            readings.pools.retain(|name, _| snapshot.pools.iter().any(|pool| &pool.report.pool == name));
            for pool in &snapshot.pools {
                readings.pool(&pool.report.pool);
            }
            runners(readings, lives, snapshot, first);
            jobs_of(readings, jobs, snapshot, since);
        });
        let there: BTreeSet<&RunnerName> = snapshot.runners.iter().map(|r| &r.runner.name).collect();
        let young = |life: &Life| life.created.is_some_and(|at| now.since(at) < UNSEEN);
        self.lives.retain(|name, life| there.contains(name) || young(life));
    }

    /// Takes in what a job took of the machine, as far as it was sampled.
    pub(super) fn used(&self, action: &Action, used: Option<Usage>) {
        let (Action::Reap { container, .. } | Action::Retire { container, .. }, Some(used)) = (action, used)
        else {
            return;
        };
        self.meter.note(|readings| {
            let pool = readings.pool(&container.pool);
            pool.job_memory.observe(used.memory as f64);
            pool.job_cpu.time(Duration::from_millis(used.cpu_ms));
        });
    }

    /// Takes in what became of an action, before the book does.
    pub(super) fn settled(&mut self, book: &Book, action: &Action, outcome: &Outcome, now: Time) {
        let took = now.since(began(book, action, now));
        let lives = &mut self.lives;
        self.meter.note(|readings| {
            let result = match outcome {
                Ok(_) => "done",
                Err(Failure::Busy(_)) => "busy",
                Err(_) => "failed",
            };
            readings.actions.took(word(action), result, took);
            if let Some((pool, why)) = failed_start(action, outcome) {
                *readings.pool(pool).failures.entry(why).or_default() += 1;
            }
            match (action, outcome) {
                (Action::Create(new), Ok(_)) => {
                    step(readings, &new.pool, Step::Created, took);
                    lives.insert(new.name.clone(), Life { created: Some(now), ..Life::default() });
                }
                (_, Ok(Done::Gone(gone))) => ended(readings, lives.remove(&gone.runner), gone),
                _ => {}
            }
        });
    }
}

/// The kind of an action, in a word that stays.
pub(super) fn word(action: &Action) -> &'static str {
    match action {
        Action::Pull { .. } => "pull",
        Action::Create(_) => "create",
        Action::Retire { .. } => "retire",
        Action::Reap { .. } => "reap",
        Action::Deregister(_) => "deregister",
        Action::RemoveCompanion { .. } => "remove_companion",
        Action::Collect(_) => "collect",
        Action::CancelRun { .. } => "cancel_run",
    }
}

fn step(readings: &mut Readings, pool: &PoolName, step: Step, took: Duration) {
    if let Some(histogram) = readings.pool(pool).steps.get_mut(&step) {
        histogram.time(took);
    }
}

/// Follows runners. What is true of one at the first look of all was so before: that is no event.
fn runners(
    readings: &mut Readings,
    lives: &mut BTreeMap<RunnerName, Life>,
    snapshot: &Snapshot,
    first: bool,
) {
    let now = snapshot.as_of;
    for state in &snapshot.runners {
        let (runner, busy) = (&state.runner, state.phase == Phase::Busy);
        if !lives.contains_key(&runner.name) {
            lives.insert(runner.name.clone(), Life::default());
        }
        let Some(life) = lives.get_mut(&runner.name) else { continue };
        let listed = runner.registration.as_ref().is_some_and(|r| r.online);
        if life.online.is_none() && (busy || listed) {
            life.online = Some(now);
            if let Some(created) = life.created {
                step(readings, &runner.pool, Step::Online, now.since(created));
            }
        }
        if life.taken.is_none() && busy {
            life.taken = Some(state.since.filter(|_| first).unwrap_or(now));
            if !first {
                readings.pool(&runner.pool).started += 1;
                let online = life.online.unwrap_or(now);
                step(readings, &runner.pool, Step::Taken, now.since(online));
            }
        }
    }
}

/// Follows jobs: one that runs has waited until now, if its waiting was seen or began within our time. As many of a pool's
/// jobs count as planned for as it was planned to start runners, the oldest first.
fn jobs_of(readings: &mut Readings, courses: &mut BTreeMap<JobId, Course>, snapshot: &Snapshot, since: Time) {
    let now = snapshot.as_of;
    let mut waiting: BTreeMap<&PoolName, Vec<(Time, JobId)>> = BTreeMap::new();
    for explanation in &snapshot.jobs {
        let (Some(job), Some(pool)) = (&explanation.job, &explanation.pool) else { continue };
        match job.state {
            JobState::Held => {}
            JobState::Queued => {
                if *courses.entry(job.id).or_insert(Course::Waits) == Course::Waits {
                    waiting.entry(pool).or_default().push((job.queued, job.id));
                }
            }
            JobState::Running { .. } => {
                let before = courses.insert(job.id, Course::Runs);
                let new = before.is_none() && job.queued >= since;
                if new || before.is_some_and(|before| before != Course::Runs) {
                    readings.pool(pool).queue_wait.time(now.since(job.queued));
                }
            }
        }
    }
    for (pool, mut jobs) in waiting {
        jobs.sort_unstable();
        let creates = |action: &&Action| matches!(action, Action::Create(new) if &new.pool == pool);
        let starts = snapshot.plan.actions.iter().filter(creates).count();
        for (queued, id) in jobs.into_iter().take(starts) {
            courses.insert(id, Course::Planned);
            step(readings, pool, Step::Planned, now.since(queued));
        }
    }
    let known: BTreeSet<JobId> = snapshot.jobs.iter().filter_map(|e| Some(e.job.as_ref()?.id)).collect();
    courses.retain(|id, _| known.contains(id));
}

/// Takes in a runner's end. One that was never seen in its job took it all the same.
fn ended(readings: &mut Readings, life: Option<Life>, gone: &PostMortem) {
    let pool = readings.pool(&gone.pool);
    let taken = life.and_then(|life| life.taken);
    if !gone.ran_job {
        pool.without_job += 1;
        return;
    }
    pool.completed += 1;
    match taken {
        Some(taken) => pool.job_time.time(gone.ended.since(taken)),
        None => pool.started += 1,
    }
}

/// Whose start failed and why, in a word that stays; nothing where none did.
fn failed_start<'a>(action: &'a Action, outcome: &Outcome) -> Option<(&'a PoolName, &'static str)> {
    match (action, outcome) {
        (Action::Create(new), Err(failure)) => Some((&new.pool, reason(failure))),
        (Action::Retire { container, reason: RetireReason::NeverOnline, .. }, Ok(Done::Gone(_))) => {
            Some((&container.pool, "never_online"))
        }
        (Action::Retire { container, reason: RetireReason::Unregistered, .. }, Ok(Done::Gone(_))) => {
            Some((&container.pool, "unregistered"))
        }
        (Action::Reap { container, .. }, Ok(Done::Gone(gone)))
            if !gone.ran_job && matches!(container.state, ContainerState::Exited(_)) =>
        {
            let why = if gone.oom_killed { "out_of_memory" } else { "ended_without_job" };
            Some((&container.pool, why))
        }
        _ => None,
    }
}

fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Busy(_) => "busy",
        Failure::Engine(EngineError::Unreachable { .. } | EngineError::TimedOut { .. }) => "engine_away",
        Failure::Engine(EngineError::NoSuchImage { .. } | EngineError::Pull { .. }) => "image",
        Failure::Engine(EngineError::NameTaken { .. }) => "name_taken",
        Failure::Engine(EngineError::SidecarNotReady { .. }) => "inner_engine",
        Failure::Engine(EngineError::Refused { .. }) => "engine_refused",
        Failure::GitHub(error) => github(error),
    }
}

fn github(error: &GitHubError) -> &'static str {
    match error.class() {
        ErrorClass::Auth => "github_credential",
        ErrorClass::Limited(_) => "github_limit",
        ErrorClass::Retry => "github_away",
        ErrorClass::Terminal => "github_refused",
    }
}

#[cfg(test)]
mod tests;
