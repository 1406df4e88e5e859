//! The promises, as the world sees them: what must never happen is seen when it happens, the rest in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use ghrunner::decide::places;
use ghrunner::model::ContainerId;
use ghrunner::model::Demand;
use ghrunner::model::Mode;
use ghrunner::model::PoolName;
use ghrunner::model::Repo;
use ghrunner::model::Role;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;

use tokio::time::Instant;

use super::jobs::Job;
use super::schedule::LONGEST_CALL;
use super::services::Services;
use super::sets::Open;
use super::state::Registered;
use super::state::State;
use super::weather::Weather;

/// A container of ours was made: neither pool nor host may have more than it may.
pub(super) fn after_create(state: &mut State, id: &ContainerId) {
    let Some(held) = state.containers.get(id) else { return };
    let pool = held.container.pool.clone();
    let of_pool = state.runners().filter(|held| held.container.pool == pool).count();
    let all = state.runners().count();
    let max = state.recent_configs().filter_map(|config| config.pools.get(&pool)).map(|pool| pool.max).max();
    let host = state.recent_configs().map(|config| config.host.max_runners).max().unwrap_or(0);
    if of_pool > max.unwrap_or(0) as usize {
        state.breaks(format!("1: pool {pool} has {of_pool} runners, its max is {max:?}"));
    }
    // Two daemons do not know of each other's starts, and neither does the next one of what a daemon that was killed had
    // asked the engine for; names bound each pool, and only that.
    let alone = state.daemons < 2 && state.killed.is_none_or(|at| at.elapsed() > LONGEST_CALL);
    if all > host as usize && alone {
        state.breaks(format!("1: the host has {all} runners, host.max_runners is {host}"));
    }
}

/// A survey of the host may be this old, and what follows from it takes a moment.
const DISK_SEEN_WITHIN: Duration = Duration::from_secs(32);

/// A runner was registered: on a full disk it could not live.
pub(super) fn after_enrol(state: &mut State, name: &RunnerName) {
    // In bad weather the look at the disk may itself take minutes.
    let full = state.disk_full.filter(|since| since.elapsed() > DISK_SEEN_WITHIN);
    if full.is_some() && state.weather == Weather::default() && !state.mended {
        state.breaks(format!("10: {name} was registered although the disk is full"));
    }
}

/// Failed starts with the waits between them, where nothing but these holds a pool back: from 5 seconds doubling to 10
/// minutes, each shortened by up to a quarter.
const BACKED_OFF_PER_HOUR: u32 = 20;

/// The pool that registered more within an hour than it may when none of its runners works.
pub(super) fn storm(state: &State) -> Option<String> {
    let hour = Duration::from_secs(3600);
    state.enrolled.iter().find_map(|(name, times)| {
        let pool = state.config.pools.get(name)?;
        let bound = match pool.failed_starts_per_hour {
            0 => BACKED_OFF_PER_HOUR,
            most => most,
        };
        // A failure counts when what is left of it is cleared away: a first batch is begun before any fails, and a
        // second one while the first is cleared away.
        let uncounted = 2 * pool.max.min(state.config.engine.concurrency * 2);
        let within =
            |first: &Instant| times.iter().filter(|at| **at >= *first && **at < *first + hour).count();
        let most = times.iter().map(within).max().unwrap_or(0);
        (most > (bound + uncounted) as usize)
            .then(|| format!("9: pool {name} registered {most} runners within an hour, {bound} may fail"))
    })
}

/// A container is told to end: nothing may run in it but what the operator or `job_timeout` condemned.
pub(super) fn before_stop(state: &mut State, id: &ContainerId) {
    let Some(held) = state.containers.get(id).filter(|held| held.runs() && !held.foreign) else { return };
    let Some((job, since)) = held.process.as_ref().and_then(|process| process.job) else { return };
    let container = &held.container;
    let limits = state.all_configs().filter_map(|config| config.pools.get(&container.pool)?.job_timeout);
    // What counts is when the job was first seen, which is never before it was given.
    let late = limits.min().is_some_and(|limit| since.elapsed() >= limit);
    if !late && !state.condemned.contains(&container.runner_name) {
        let name = container.runner_name.clone();
        state.breaks(format!("2: {name} was stopped in job {job}"));
    }
}

/// A registration is deleted: if a container uses it, somebody must have looked into that.
pub(super) fn before_delete(state: &mut State, number: RunnerId) {
    let Some(registered) = state.registered.get(&number) else { return };
    let Some(held) = registered.owner.as_ref().and_then(|id| state.containers.get(id)) else { return };
    let fresh = held.started.is_none_or(|at| state.now().since(at) < Duration::from_secs(90));
    let looked = held.looked.is_some_and(|at| at.elapsed() < Duration::from_secs(90));
    if held.runs() && !held.foreign && !looked && !fresh {
        let name = registered.name.clone();
        state.breaks(format!(
            "3: {name} was deregistered while its container runs, and nobody had looked into it"
        ));
    }
}

/// A registration comes to use.
pub(super) fn before_use(state: &mut State, number: RunnerId) {
    if state.registered.get(&number).is_some_and(|registered| registered.used) {
        state.breaks(format!("4: registration {number} is used twice"));
    }
}

/// Whether GitHub may give the job to the runner.
pub(super) fn may_take(job: &Job, runner: &Registered) -> bool {
    admits(&runner.scope, &job.repo)
        && match (job.set, runner.set) {
            (None, None) => runner.labels.contains(&job.label),
            (Some((set, _)), Some(of)) => set == of,
            _ => false,
        }
}

/// Whether jobs of the repository reach what is registered there.
pub(super) fn admits(scope: &Scope, repo: &Repo) -> bool {
    match scope {
        Scope::Enterprise(_) => true,
        Scope::Organization(org) => repo.owner() == org,
        Scope::Repository(one) => one == repo,
    }
}

/// Why the world has not come to rest: nothing left over, and every pool as the file wants it.
pub(super) fn unrest(state: &State, mode: Mode, drained: &[PoolName]) -> Option<String> {
    leftovers(state).or_else(|| numbers(state, mode, drained)).or_else(|| waiting(state, mode, drained))
}

fn leftovers(state: &State) -> Option<String> {
    for held in state.containers.values().filter(|held| !held.foreign) {
        let container = &held.container;
        if container.role != Role::Runner {
            let owner = container.name.trim_end_matches("-dind");
            if !state.runners().any(|runner| runner.container.name == owner) {
                return Some(format!("6: {} has no runner", container.name));
            }
            continue;
        }
        let registration = held.process.as_ref().and_then(|process| process.registration);
        let registered = registration.and_then(|number| state.registered.get(&number));
        if !held.runs() || registered.is_none_or(|r| r.gone.is_some() || !r.online) {
            let state = container.state;
            return Some(format!(
                "6: {} ({}) is {state:?} and of no use",
                container.name, container.runner_name
            ));
        }
        if registered.is_some_and(|r| r.job.is_some()) {
            return Some(format!("{} is in a job", container.runner_name));
        }
    }
    let lost = state.registered.values().find(|r| {
        r.gone.is_none()
            && !r.owner.as_ref().is_some_and(|id| state.containers.contains_key(id))
            && is_ours(r)
    });
    if let Some(lost) = lost {
        return Some(format!("6: {} is registered in {} and has no container", lost.name, lost.scope));
    }
    let volume =
        state.volumes.iter().find(|(_, runner)| !state.runners().any(|r| r.container.name == **runner));
    if let Some((volume, _)) = volume {
        return Some(format!("6: volume {volume} is left"));
    }
    let network = state.networks.values().find(|pool| !state.config.pools.contains_key(*pool));
    network.map(|pool| format!("6: the network of {pool} is left"))
}

/// The service was told to end, and nothing kept it from closing what it had opened.
pub(super) fn after_stop(state: &mut State) {
    let Services { trouble, began, sets, .. } = &state.services;
    let hindered = trouble.failing.is_some() || trouble.ack_stuck || trouble.ack_lost;
    let open = sets.values().find(|set| set.session.as_ref().is_some_and(|open| open.listened_since(*began)));
    let Some(name) = open.map(|set| set.name.clone()) else { return };
    if !hindered && state.weather == Weather::default() && state.daemons < 2 {
        state.breaks(format!("11: a session with scale set {name} is left open"));
    }
}

/// What is left at GitHub of a pool that went, and of a service that ended.
pub(super) fn left(state: &State, gone: Option<&PoolName>) -> Option<String> {
    gone.and_then(|gone| set_left(state, gone)).or_else(|| {
        let open = state.services.sets.values().find(|set| set.session.as_ref().is_some_and(Open::lasts));
        open.map(|set| format!("11: a session with scale set {} is left open", set.name))
    })
}

/// A scale set of a pool that went.
pub(super) fn set_left(state: &State, gone: &PoolName) -> Option<String> {
    let of_gone = state.services.sets.values().find(|set| set.name == gone.as_str());
    of_gone.map(|set| format!("11: scale set {} is left in {}", set.name, set.scope))
}

fn is_ours(registered: &Registered) -> bool {
    registered.name.made_by(&super::daemon::instance()).is_some()
}

/// How many runners each pool should have when nothing runs, in each place.
fn wanted(state: &State, mode: Mode, drained: &[PoolName]) -> BTreeMap<PoolName, BTreeMap<Scope, u32>> {
    let mut wanted = BTreeMap::new();
    for pool in state.config.pools.values().filter(|pool| !drained.contains(&pool.name)) {
        let admitted = (mode == Mode::Repository).then_some(state.admitted.as_slice());
        let places = places(pool, mode, admitted);
        let each = pool.min.max(pool.min_idle);
        let mut of_pool: BTreeMap<Scope, u32> = places.iter().map(|place| (place.clone(), 0)).collect();
        // One by one to whoever has least, as far as max goes.
        for _ in 0..pool.max {
            let poorest = places.iter().filter(|p| of_pool[*p] < each).min_by_key(|p| of_pool[*p]);
            if let Some(count) = poorest.and_then(|place| of_pool.get_mut(place)) {
                *count += 1;
            }
        }
        wanted.insert(pool.name.clone(), of_pool);
    }
    wanted
}

fn total(wanted: &BTreeMap<PoolName, BTreeMap<Scope, u32>>) -> u32 {
    wanted.values().flat_map(BTreeMap::values).sum()
}

fn numbers(state: &State, mode: Mode, drained: &[PoolName]) -> Option<String> {
    let wanted = wanted(state, mode, drained);
    let host = state.config.host.max_runners;
    let all = u32::try_from(state.runners().count()).unwrap_or(u32::MAX);
    if total(&wanted) > host {
        return (all != host).then(|| format!("6: the host takes {host} runners and has {all}"));
    }
    for (pool, places) in &wanted {
        for (scope, count) in places {
            let has =
                state.runners().filter(|h| h.container.pool == *pool && h.container.scope == *scope).count();
            if has != *count as usize {
                return Some(format!("6: {pool} should have {count} runners in {scope} and has {has}"));
            }
        }
    }
    (all != total(&wanted)).then(|| format!("6: there are {all} runners, the file wants {}", total(&wanted)))
}

/// A job waits that a pool can serve.
fn waiting(state: &State, mode: Mode, drained: &[PoolName]) -> Option<String> {
    let wanted = wanted(state, mode, drained);
    // Where those that stand fill the host, there is no room for a runner that a job asks for.
    let asked_for = u32::from(state.services.told);
    if total(&wanted) + asked_for > state.config.host.max_runners {
        return None;
    }
    let serves = |job: &Job| {
        wanted.iter().any(|(pool, places)| {
            let pool = &state.config.pools[pool];
            let stands = |count: &u32| *count > 0 || pool.demand != Demand::Fixed;
            places.iter().any(|(scope, count)| {
                stands(count) && admits(scope, &job.repo) && pool.labels.contains(&job.label)
            })
        })
    };
    let job = state.jobs.iter().find(|(_, job)| job.runs || job.waits() && serves(job));
    job.map(|(number, job)| format!("5: job {number} of {} for {} waits", job.repo, job.label))
}
