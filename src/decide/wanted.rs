//! What has to be listened to, so that the jobs that this host could serve are known.

use std::collections::BTreeMap;

use super::Policy;
use super::phase::is_busy;
use super::places;
use super::plan::Room;
use crate::model::Demand;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::Time;
use crate::model::Wanted;
use crate::model::WantedPool;
use crate::model::World;

/// What has to be listened to for the pools whose demand is not fixed.
pub fn wanted(policy: &Policy, world: &World, now: Time) -> Wanted {
    let listens = |pool: &&Pool| pool.demand != Demand::Fixed && pool.max > 0;
    let listening: Vec<&Pool> = policy.config.pools.values().filter(listens).collect();
    if listening.is_empty() {
        return Wanted::default();
    }
    let room = Room::new(policy, world, now);
    let mut nudges: BTreeMap<&PoolName, u64> = BTreeMap::new();
    for runner in world.runners.iter().filter(|r| r.container.is_some() && is_busy(&world.book, r, now)) {
        // A sum does not depend on the order in which runners are listed.
        let nudge = nudges.entry(&runner.pool).or_default();
        *nudge = nudge.wrapping_add(digest(runner.name.as_str()));
    }
    let pools = listening.into_iter().map(|pool| {
        let nudge = nudges.get(&pool.name).copied().unwrap_or(0);
        (pool.name.clone(), wanted_of(pool, world, &room, nudge))
    });
    Wanted { pools: pools.collect() }
}

fn wanted_of(pool: &Pool, world: &World, room: &Room<'_>, nudge: u64) -> WantedPool {
    let (repos, accounts) = listened(pool, world);
    let admitted = world.admitted.get(&pool.name).map(Vec::as_slice);
    let capacity = places(pool, world.mode, admitted).into_iter().map(|scope| {
        let count = room.of(pool, &scope);
        (scope, count)
    });
    WantedPool {
        demand: pool.demand,
        credentials: pool.credentials.clone(),
        repos,
        accounts,
        active_within: pool.active_within,
        group: pool.scope.group().cloned(),
        labels: pool.labels.clone(),
        set: pool.scale_set.clone(),
        capacity: capacity.collect(),
        nudge,
    }
}

/// The repositories whose queues tell the pool's demand, and the accounts of whose repositories all do.
pub(super) fn listened(pool: &Pool, world: &World) -> (Vec<Repo>, Vec<String>) {
    match &pool.scope {
        PoolScope::Enterprise { .. } => (Vec::new(), Vec::new()),
        PoolScope::Repositories(patterns) => {
            let (mut repos, mut accounts) = (Vec::new(), Vec::new());
            for pattern in patterns {
                match pattern {
                    RepoPattern::One(repo) => repos.push(repo.clone()),
                    RepoPattern::AllOf(account) => accounts.push(account.clone()),
                }
            }
            (repos, accounts)
        }
        PoolScope::Organization { org, group } => {
            let admitted = world.admitted.get(&pool.name);
            if world.mode == Mode::Repository && !pool.rollback.is_empty() {
                return (pool.rollback.clone(), Vec::new());
            }
            match admitted {
                Some(repos) => (repos.clone(), Vec::new()),
                // The default group admits every repository unless somebody changed that; another is waited for.
                None if group.is_none() => (Vec::new(), vec![org.clone()]),
                None => (Vec::new(), Vec::new()),
            }
        }
    }
}

/// FNV-1a: the same for the same text, today and tomorrow.
fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
