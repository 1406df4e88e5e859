//! The world as the planner walks it: pool by pool, each runner with its phase.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use super::super::Policy;
use super::super::Targets;
use super::super::phase;
use crate::model::Container;
use crate::model::InFlightKind;
use crate::model::Leftover;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::Runner;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::Time;
use crate::model::World;

/// Everything a planning step may look at.
pub(super) struct Fleet<'a> {
    pub(super) policy: &'a Policy,
    pub(super) targets: &'a Targets,
    pub(super) world: &'a World,
    pub(super) now: Time,
    /// Pools of the file and pools that only containers or registrations remember.
    pub(super) pools: BTreeMap<&'a PoolName, Vec<Member<'a>>>,
    /// Slots in which a runner's container is, is being made, or is being taken away with what belongs to it.
    pub(super) standing: HashMap<&'a PoolName, BTreeSet<Slot>>,
    /// Slots with a sidecar or a trial.
    pub(super) companions: HashMap<&'a PoolName, BTreeSet<Slot>>,
    /// Slots that must stay empty for now: a sidecar, a trial or a volume of an earlier runner is there.
    pub(super) littered: HashMap<&'a PoolName, BTreeSet<Slot>>,
    /// Keys of leftovers and companions that are being removed.
    pub(super) collecting: HashSet<&'a str>,
    held: HashMap<&'a RunnerName, Work<'a>>,
}

/// What actions under way hold on to.
#[derive(Default)]
struct UnderWay<'a> {
    held: HashMap<&'a RunnerName, Work<'a>>,
    collecting: HashSet<&'a str>,
    /// Slots from which a container is being taken away, listed or not.
    standing: HashMap<&'a PoolName, BTreeSet<Slot>>,
}

/// What an action under way does to a runner.
enum Work<'a> {
    /// Makes it; `seen` once engine or GitHub list it.
    Making { pool: &'a PoolName, slot: Slot, scope: &'a Scope, seen: bool },
    /// Takes it away.
    Leaving,
}

/// A runner, or one being made that nobody lists yet.
pub(super) struct Member<'a> {
    /// A number that no other member has.
    pub(super) id: usize,
    pub(super) name: &'a RunnerName,
    pub(super) slot: Slot,
    pub(super) scope: &'a Scope,
    pub(super) phase: Phase,
    pub(super) runner: Option<&'a Runner>,
    /// Whether an action under way takes it away.
    pub(super) leaving: bool,
    /// Whether an action under way makes or removes it.
    pub(super) held: bool,
}

impl<'a> Member<'a> {
    pub(super) fn container(&self) -> Option<&'a Container> {
        self.runner.and_then(|r| r.container.as_ref())
    }

    /// Whether it serves, or is about to serve, its pool.
    pub(super) fn serves(&self) -> bool {
        !self.leaving && matches!(self.phase, Phase::Creating | Phase::Starting | Phase::Idle | Phase::Busy)
    }

    /// Whether it takes up a slot: something of that name exists at the engine or is being made.
    pub(super) fn stands(&self) -> bool {
        self.container().is_some() || self.phase == Phase::Creating
    }
}

impl<'a> Fleet<'a> {
    pub(super) fn new(policy: &'a Policy, targets: &'a Targets, world: &'a World, now: Time) -> Self {
        let mut under_way = UnderWay::of(world);
        let mut pools = members(policy, world, &mut under_way, now);
        let UnderWay { held, collecting, mut standing } = under_way;
        for (pool, members) in &mut pools {
            members.sort_by_key(|m| (m.slot, m.name));
            let slots = members.iter().filter(|m| m.stands()).map(|m| m.slot);
            standing.entry(pool).or_default().extend(slots);
        }
        let mut companions: HashMap<&PoolName, BTreeSet<Slot>> = HashMap::new();
        for companion in &world.engine.companions {
            companions.entry(&companion.pool).or_default().insert(companion.slot);
        }
        let littered = littered(policy, world, companions.clone(), now);
        Self { policy, targets, world, now, pools, standing, companions, littered, collecting, held }
    }

    /// Whether a removal under that key failed lately and is left alone.
    pub(super) fn left_until(&self, key: &str) -> Option<Time> {
        self.world.book.leave_until.get(key).copied().filter(|until| *until > self.now)
    }

    /// Whether an action under way makes or removes the runner.
    pub(super) fn is_held(&self, name: &RunnerName) -> bool {
        self.held.contains_key(name)
    }

    /// Whether a runner takes up that slot.
    pub(super) fn stands_in(&self, pool: &PoolName, slot: Slot) -> bool {
        self.standing.get(pool).is_some_and(|slots| slots.contains(&slot))
    }

    /// Runners of all pools together that take up a slot.
    pub(super) fn standing_runners(&self) -> u32 {
        let count: usize = self.standing.values().map(BTreeSet::len).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

impl<'a> UnderWay<'a> {
    fn of(world: &'a World) -> Self {
        let mut under_way = Self::default();
        for work in &world.book.in_flight {
            match &work.kind {
                InFlightKind::Create { pool, slot, runner, scope } => {
                    let making = Work::Making { pool, slot: *slot, scope, seen: false };
                    under_way.held.insert(runner, making);
                }
                InFlightKind::Remove { pool, slot, runner, container } => {
                    under_way.held.insert(runner, Work::Leaving);
                    if container.is_some() {
                        under_way.standing.entry(pool).or_default().insert(*slot);
                    }
                }
                InFlightKind::Collect { key } | InFlightKind::Cancel { key } => {
                    under_way.collecting.insert(key.as_str());
                }
                InFlightKind::Pull { .. } => {}
            }
        }
        under_way
    }
}

/// Runners that are listed or being made, by pool.
fn members<'a>(
    policy: &'a Policy,
    world: &'a World,
    under_way: &mut UnderWay<'a>,
    now: Time,
) -> BTreeMap<&'a PoolName, Vec<Member<'a>>> {
    // Grouped by hash, as there may be ten thousand; the order comes with the map that they end up in.
    let mut pools: HashMap<&PoolName, Vec<Member<'_>>> =
        policy.config.pools.keys().map(|name| (name, Vec::new())).collect();
    for (id, runner) in world.runners.iter().enumerate() {
        let work = under_way.held.get_mut(&runner.name);
        pools.entry(&runner.pool).or_default().push(Member {
            id,
            name: &runner.name,
            slot: runner.slot,
            scope: &runner.scope,
            phase: phase(policy, world, runner, now),
            runner: Some(runner),
            leaving: matches!(work, Some(Work::Leaving)),
            held: work.is_some(),
        });
        if let Some(Work::Making { seen, .. }) = work {
            *seen = true;
        }
    }
    for (id, (name, work)) in under_way.held.iter().enumerate() {
        let Work::Making { pool, slot, scope, seen: false } = work else { continue };
        let (id, phase) = (world.runners.len() + id, Phase::Creating);
        let member = Member { id, name, slot: *slot, scope, phase, runner: None, leaving: false, held: true };
        pools.entry(pool).or_default().push(member);
    }
    pools.into_iter().collect()
}

/// Where a sidecar, a trial or a volume is. A volume is told by its runner's container: nobody may take that name
/// while it is there, since the next runner must not find what the last one left, nor lose it to a removal under way.
/// And where somebody else's container was found to have the slot's name.
fn littered<'a>(
    policy: &'a Policy,
    world: &'a World,
    companions: HashMap<&'a PoolName, BTreeSet<Slot>>,
    now: Time,
) -> HashMap<&'a PoolName, BTreeSet<Slot>> {
    let mut littered = companions;
    for leftover in &world.engine.leftovers {
        let Leftover::Volume { runner_container, .. } = leftover else { continue };
        let Some((pool, slot)) = PoolName::of_container(runner_container) else { continue };
        if let Some((pool, _)) = policy.config.pools.get_key_value(&pool) {
            littered.entry(pool).or_default().insert(slot);
        }
    }
    for (pool, slot, _) in world.book.left_slots(now) {
        if let Some((pool, _)) = policy.config.pools.get_key_value(&pool) {
            littered.entry(pool).or_default().insert(slot);
        }
    }
    littered
}
