//! The plan: removals before starts, and a reason for everything that has to wait.

mod collect;
mod fleet;
mod leave;
mod lost;
mod outlook;
mod room;
mod start;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use fleet::Fleet;
use fleet::Member;

pub(super) use outlook::Outlook;
pub(super) use room::Room;

use super::Policy;
use super::Targets;
use super::advise::advise;
use crate::model::Held;
use crate::model::HeldReason;
use crate::model::Phase;
use crate::model::PlaceReport;
use crate::model::Plan;
use crate::model::PoolName;
use crate::model::PoolReport;
use crate::model::Report;
use crate::model::Scope;
use crate::model::Time;
use crate::model::World;

/// Plans one pass. `seed` feeds the nonces of new runners' names: the same arguments give the same plan.
pub fn plan(policy: &Policy, targets: &Targets, world: &World, now: Time, seed: u64) -> Plan {
    let fleet = Fleet::new(policy, targets, world, now);
    let mut draft = Draft::default();
    if let Some(error) = &world.engine.error {
        let reason = HeldReason::Engine { error: error.clone() };
        draft.plan.report.held.push(Held { what: "everything".to_owned(), reason });
    } else {
        leave::reap(&fleet, &mut draft);
        leave::remove_companions(&fleet, &mut draft);
        leave::deregister(&fleet, &mut draft);
        leave::retire(&fleet, &mut draft);
        collect::collect(&fleet, &mut draft);
        start::start(&fleet, &mut draft, seed);
        lost::cancel(&fleet, &mut draft);
    }
    report(&fleet, draft)
}

/// A plan in the making.
#[derive(Default)]
struct Draft<'a> {
    plan: Plan,
    held: BTreeMap<&'a PoolName, Vec<Held>>,
    /// Members that this plan takes away, by number.
    leaving: BTreeSet<usize>,
}

impl<'a> Draft<'a> {
    fn hold(&mut self, pool: &'a PoolName, what: impl Into<String>, reason: HeldReason) {
        self.held.entry(pool).or_default().push(Held { what: what.into(), reason });
    }

    /// Those of a pool's members that serve it and stay, by place.
    fn serving<'m>(&self, members: &'m [Member<'a>]) -> BTreeMap<&'a Scope, Vec<&'m Member<'a>>> {
        let mut serving: BTreeMap<&Scope, Vec<&Member<'_>>> = BTreeMap::new();
        for member in members.iter().filter(|m| m.serves() && !self.leaving.contains(&m.id)) {
            serving.entry(member.scope).or_default().push(member);
        }
        serving
    }
}

fn places(target: &super::Target) -> Vec<PlaceReport> {
    let report = |place: &super::Place| PlaceReport { scope: place.scope.clone(), target: place.count };
    target.places.iter().map(report).collect()
}

fn report<'a>(fleet: &Fleet<'a>, mut draft: Draft<'a>) -> Plan {
    let report: &mut Report = &mut draft.plan.report;
    report.pools = fleet
        .pools
        .iter()
        .map(|(name, members)| {
            let target = fleet.targets.get(*name);
            let mut phases: BTreeMap<Phase, u32> = BTreeMap::new();
            for member in members {
                *phases.entry(member.phase).or_default() += 1;
            }
            PoolReport {
                pool: (*name).clone(),
                target: target.map_or(0, super::Target::total),
                places: target.map_or_else(Vec::new, places),
                why: target.map_or_else(|| "the file no longer has it".to_owned(), |t| t.why.clone()),
                phases: phases.into_iter().collect(),
                held: draft.held.remove(name).unwrap_or_default(),
            }
        })
        .collect();
    for (scope, view) in &fleet.world.registrations {
        if let Some(error) = &view.error {
            let reason = HeldReason::ListingIncomplete { scope: scope.clone(), error: error.clone() };
            report.held.push(Held { what: "deleting registrations without a container".to_owned(), reason });
        }
    }
    draft.plan.report.advice = advise(fleet.policy, fleet.world, fleet.now);
    draft.plan
}
