//! What a runner is doing, from everything that is known of it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::time::Duration;

use super::Policy;
use crate::model::Book;
use crate::model::Container;
use crate::model::ContainerState;
use crate::model::DemandView;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::Runner;
use crate::model::RunnerName;
use crate::model::Time;
use crate::model::Worked;
use crate::model::World;

/// How long a runner that was seen in a job counts as busy after the last sighting. GitHub's flag was measured
/// false for a minute after a job began and again in its middle; a runner that ends its job ends its container.
const SIGHTING_HOLDS: Duration = Duration::from_secs(300);

/// A listing says nothing of a runner that registered while it was read; clocks and caches need some slack, too.
const LISTING_SLACK: Duration = Duration::from_secs(10);

/// How long a runner that was online may be offline: networks come back, a listener that hangs does not.
const OFFLINE_HOLDS: Duration = Duration::from_secs(300);

/// How long a runner that ended in a job is remembered: by then a source of demand that can be asked has been asked anew.
const WORKED_HOLDS: Duration = Duration::from_secs(600);

/// More than GitHub takes to miss a runner that was lost in a job, which is minutes.
const MISSED_BY_NOW: Duration = Duration::from_secs(20 * 60);

/// For pools that the file no longer has: their runners still get time to come online before they count as failed.
const START_TIMEOUT_UNKNOWN: Duration = Duration::from_secs(120);

/// What the runner is doing.
pub fn phase(policy: &Policy, world: &World, runner: &Runner, now: Time) -> Phase {
    match &runner.container {
        None if world.book.makes(&runner.name) => Phase::Creating,
        None => Phase::Lost,
        Some(container) => match container.state {
            ContainerState::Created if world.book.makes(&runner.name) => Phase::Creating,
            ContainerState::Created | ContainerState::Exited(_) | ContainerState::Removing => Phase::Exited,
            ContainerState::Running => running(policy, world, runner, container, now),
        },
    }
}

fn running(policy: &Policy, world: &World, runner: &Runner, container: &Container, now: Time) -> Phase {
    if is_busy(&world.book, runner, now) {
        return Phase::Busy;
    }
    if is_drained(&world.book, runner) {
        return Phase::Draining;
    }
    match &runner.registration {
        Some(registration) if registration.online => Phase::Idle,
        // Offline after it was online: its job may go on while its connection does not, so that is no failure to start.
        Some(_) if world.book.idle_since.contains_key(&runner.name) && !is_deaf(&world.book, runner, now) => {
            Phase::Idle
        }
        // An old listing tells of the time before: a runner may have come online since.
        Some(_) if listed_since(world, runner, container.created + start_timeout(policy, runner)) => {
            Phase::Failed
        }
        Some(_) => Phase::Starting,
        None if registers_itself(policy, runner, container, now) => Phase::Starting,
        None if listed_since(world, runner, container.created + LISTING_SLACK) => Phase::Stray,
        None => Phase::Starting,
    }
}

/// How long the runner may take to come online.
fn start_timeout(policy: &Policy, runner: &Runner) -> Duration {
    policy.pool(&runner.pool).map_or(START_TIMEOUT_UNKNOWN, |(pool, _)| pool.start_timeout)
}

/// Whether the runner, which GitHub does not list, may be about to register itself: it has no number, and its time to
/// come online is not over.
pub(super) fn registers_itself(policy: &Policy, runner: &Runner, container: &Container, now: Time) -> bool {
    runner.registration.is_none()
        && container.runner_id.is_none()
        && now.since(container.created) <= start_timeout(policy, runner)
}

/// Whether the runner has been offline for so long that it will not come back by itself.
fn is_deaf(book: &Book, runner: &Runner, now: Time) -> bool {
    book.offline_since.get(&runner.name).is_some_and(|since| now.since(*since) > OFFLINE_HOLDS)
}

/// Whether any witness says that the runner is in a job.
pub(super) fn is_busy(book: &Book, runner: &Runner, now: Time) -> bool {
    runner.registration.as_ref().is_some_and(|r| r.busy)
        || book.claimed.contains(&runner.name)
        || book.seen_busy.get(&runner.name).is_some_and(|seen| now.since(*seen) < SIGHTING_HOLDS)
}

/// Whether the operator drains the runner or its pool.
pub(super) fn is_drained(book: &Book, runner: &Runner) -> bool {
    book.drained_runners.contains(&runner.name) || book.drained_pools.contains(&runner.pool)
}

/// Whether a complete listing of the runner's scope was asked for after `moment`.
fn listed_since(world: &World, runner: &Runner, moment: Time) -> bool {
    world.registrations.get(&runner.scope).and_then(|view| view.as_of).is_some_and(|as_of| as_of > moment)
}

/// Runners of ours that GitHub says are in a job and that are not there, or only as an ended container, and since when.
fn gone(world: &World, now: Time) -> BTreeMap<RunnerName, Time> {
    let named = world.demand.jobs.iter().filter_map(|job| match &job.state {
        JobState::Running { runner: Some(runner) } => Some(runner),
        _ => None,
    });
    let ours: Vec<&RunnerName> = named.filter(|name| name.made_by(&world.instance).is_some()).collect();
    if ours.is_empty() {
        return BTreeMap::new();
    }
    let there: HashSet<&RunnerName> = world.runners.iter().filter(|r| r.runs()).map(|r| &r.name).collect();
    ours.into_iter()
        .filter(|name| !there.contains(name) && !world.book.makes(name))
        .map(|name| (name.clone(), world.book.gone_since.get(name).copied().unwrap_or(now)))
        .collect()
}

/// Whether a scale set's job must have ended although no message told so: GitHub, too, has missed its runner by now. What
/// a queue lists is believed, for the next listing corrects it.
fn is_over(job: &Job, gone: &BTreeMap<RunnerName, Time>, now: Time) -> bool {
    let JobState::Running { runner: Some(runner) } = &job.state else { return false };
    let told_by_set = matches!(job.id, JobId::Request(_));
    told_by_set && gone.get(runner).is_some_and(|since| now.since(*since) > MISSED_BY_NOW)
}

/// Whether a job that is believed to wait may be the one that the runner had.
fn may_be_of(worked: &Worked, demand: &DemandView) -> bool {
    let waited = |job: &&Job| job.state == JobState::Queued && job.queued <= worked.began;
    !worked.told && demand.jobs.iter().filter(waited).any(|job| demand.heard(job) < worked.began)
}

/// Remembers runners that had a job and ended, for a while, and which of those that stand GitHub has told of.
fn remember_worked(world: &mut World, now: Time) {
    let World { book, runners, demand, .. } = world;
    let standing: HashSet<&RunnerName> = runners.iter().map(|runner| &runner.name).collect();
    book.told_of.retain(|name| standing.contains(name));
    book.told_of.extend(book.claimed.iter().cloned());
    book.worked.retain(|_, worked| now.since(worked.ended) < WORKED_HOLDS || may_be_of(worked, demand));
    for runner in runners.iter() {
        let ended = runner.container.as_ref().is_some_and(|c| matches!(c.state, ContainerState::Exited(_)));
        let Some(began) = book.busy_since.get(&runner.name).copied().filter(|_| ended) else { continue };
        let (pool, scope) = (runner.pool.clone(), runner.scope.clone());
        let told = book.told_of.contains(&runner.name);
        book.worked.insert(runner.name.clone(), Worked { pool, scope, began, ended: now, told });
    }
}

/// Carries on since when each runner has been idle, busy and offline without a break, remembers those that ended after a
/// job, and drops jobs that must be over.
pub fn track(policy: &Policy, world: &mut World, now: Time) {
    remember_worked(world, now);
    let (mut idle, mut busy, mut offline) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let book = &world.book;
    let note =
        |entries: &mut BTreeMap<RunnerName, Time>, before: &BTreeMap<RunnerName, Time>, runner: &Runner| {
            entries.insert(runner.name.clone(), before.get(&runner.name).copied().unwrap_or(now));
        };
    for runner in &world.runners {
        match phase(policy, world, runner, now) {
            Phase::Idle | Phase::Draining => note(&mut idle, &book.idle_since, runner),
            Phase::Busy => note(&mut busy, &book.busy_since, runner),
            _ => {}
        }
        if runner.registration.as_ref().is_some_and(|registration| !registration.online) {
            note(&mut offline, &book.offline_since, runner);
        }
    }
    let gone = gone(world, now);
    world.demand.jobs.retain(|job| !is_over(job, &gone, now));
    world.book.gone_since = gone;
    world.book.idle_since = idle;
    world.book.busy_since = busy;
    world.book.offline_since = offline;
}
