//! How many runners a pool could have, so that GitHub gives its scale set no more jobs than that.

use std::collections::BTreeMap;

use super::super::Policy;
use super::super::Targets;
use super::fleet::Fleet;
use super::start::Host;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::Scope;
use crate::model::Time;
use crate::model::World;

/// What stands, and what the host can still take.
pub(in crate::decide) struct Room<'a> {
    world: &'a World,
    /// Where a pool's runners stand, and whether each is idle.
    standing: BTreeMap<PoolName, Vec<(Scope, bool)>>,
    host: Host,
}

impl<'a> Room<'a> {
    pub(in crate::decide) fn new(policy: &'a Policy, world: &'a World, now: Time) -> Self {
        let targets = Targets::new();
        let fleet = Fleet::new(policy, &targets, world, now);
        let host = Host::new(&fleet);
        let standing = fleet.pools.iter().map(|(pool, members)| {
            let stands = members.iter().filter(|m| m.stands());
            ((*pool).clone(), stands.map(|m| (m.scope.clone(), m.phase == Phase::Idle)).collect())
        });
        let standing = standing.collect();
        Self { world, standing, host }
    }

    /// How many runners the pool could have in that scope now, those that stand there included.
    pub(in crate::decide) fn of(&self, pool: &Pool, scope: &Scope) -> u32 {
        if self.host.disk_is_short() || self.world.book.drained_pools.contains(&pool.name) {
            return 0;
        }
        let standing = self.standing.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let here = number(standing.iter().filter(|(other, _)| other == scope).count());
        let free = pool.max.saturating_sub(number(standing.len()));
        let room = here.saturating_add(self.host.room_for(pool, free));
        // An idle runner of the pool makes way for a job in another of its places; without room that job would never come.
        let makes_way = || standing.iter().any(|(other, idle)| *idle && other != scope);
        room.max(u32::from(makes_way())).min(pool.max)
    }
}
