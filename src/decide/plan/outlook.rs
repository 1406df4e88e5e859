//! What a pool has for one more job, and what stands in the way of one more runner, once a plan is done.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::super::Policy;
use super::super::Targets;
use super::fleet::Fleet;
use super::fleet::Member;
use super::start::Host;
use super::start::gate;
use super::start::taken_slots;
use crate::model::Action;
use crate::model::CreateRunner;
use crate::model::HeldReason;
use crate::model::Phase;
use crate::model::Plan;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Time;
use crate::model::World;

/// The fleet as a plan leaves it.
pub(in crate::decide) struct Outlook<'a> {
    fleet: Fleet<'a>,
    host: Host,
    planned: BTreeMap<&'a PoolName, Vec<&'a CreateRunner>>,
    ready: BTreeMap<&'a PoolName, BTreeMap<&'a Scope, Ready<'a>>>,
}

/// A runner, and since when it has been what it is.
pub(in crate::decide) type Since<'a> = (&'a RunnerName, Option<Time>);

/// Runners of one place that can take a job, or will.
#[derive(Default)]
struct Ready<'a> {
    idle: Vec<Since<'a>>,
    starting: Vec<Since<'a>>,
}

impl<'a> Outlook<'a> {
    pub(in crate::decide) fn new(
        policy: &'a Policy,
        targets: &'a Targets,
        world: &'a World,
        plan: &'a Plan,
        now: Time,
    ) -> Self {
        let fleet = Fleet::new(policy, targets, world, now);
        let mut host = Host::new(&fleet);
        let mut planned: BTreeMap<&PoolName, Vec<&CreateRunner>> = BTreeMap::new();
        for action in &plan.actions {
            let Action::Create(new) = action else { continue };
            if let Some((pool, _)) = policy.pool(&new.pool) {
                host.take(pool);
                planned.entry(&new.pool).or_default().push(new);
            }
        }
        let ready = ready(&fleet);
        Self { fleet, host, planned, ready }
    }

    /// Runners there that are idle, and those that are made or come online, the first first, and since when each.
    pub(in crate::decide) fn ready(&self, pool: &PoolName, scope: &Scope) -> (&[Since<'a>], &[Since<'a>]) {
        let found = self.ready.get(pool).and_then(|places| places.get(scope));
        found.map_or((&[], &[]), |ready| (ready.idle.as_slice(), ready.starting.as_slice()))
    }

    /// Runners there that the plan makes.
    pub(in crate::decide) fn planned(&self, pool: &PoolName, scope: &Scope) -> Vec<&'a RunnerName> {
        let planned = self.planned.get(pool).map(Vec::as_slice).unwrap_or_default();
        planned.iter().filter(|new| new.scope == *scope).map(|new| &new.name).collect()
    }

    /// How many runners of the pool are in a job.
    pub(in crate::decide) fn busy(&self, pool: &PoolName) -> usize {
        self.fleet.pools.get(pool).into_iter().flatten().filter(|m| m.phase == Phase::Busy).count()
    }

    /// What stands in the way of one more runner there, if anything.
    pub(in crate::decide) fn one_more(&self, pool: &Pool, scope: &Scope) -> Result<(), HeldReason> {
        let mut taken = taken_slots(&self.fleet, pool);
        taken.extend(self.planned.get(&pool.name).into_iter().flatten().map(|new| new.slot));
        gate::set(&self.fleet, pool, scope)?;
        gate::pool(&self.fleet, pool, scope, &taken)?;
        self.host.has_room(pool)?;
        gate::images(&self.fleet, pool, &mut BTreeSet::new())
    }
}

fn ready<'a>(fleet: &Fleet<'a>) -> BTreeMap<&'a PoolName, BTreeMap<&'a Scope, Ready<'a>>> {
    let mut all: BTreeMap<&PoolName, BTreeMap<&Scope, Ready<'_>>> = BTreeMap::new();
    for (pool, members) in &fleet.pools {
        for member in members.iter().filter(|m| m.serves()) {
            let ready = all.entry(*pool).or_default().entry(member.scope).or_default();
            match member.phase {
                Phase::Idle => ready.idle.push((member.name, idle_since(fleet, member))),
                Phase::Creating | Phase::Starting => {
                    ready.starting.push((member.name, member.container().map(|c| c.created)));
                }
                _ => {}
            }
        }
    }
    for ready in all.values_mut().flat_map(BTreeMap::values_mut) {
        for runners in [&mut ready.idle, &mut ready.starting] {
            runners.sort_by_key(|(name, since)| (since.is_none(), *since, *name));
        }
    }
    all
}

fn idle_since(fleet: &Fleet<'_>, member: &Member<'_>) -> Option<Time> {
    fleet.world.book.idle_since.get(member.name).copied()
}
