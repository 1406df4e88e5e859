//! What is collected: volumes, networks and images of ours that nothing uses any more.

use std::collections::BTreeMap;
use std::collections::HashSet;

use super::Draft;
use super::fleet::Fleet;
use crate::model::Action;
use crate::model::Leftover;
use crate::model::NetworkMode;
use crate::model::PoolName;
use crate::model::Slot;

/// Removes leftovers of ours. What is being made, removed or was refused lately is left alone.
pub(super) fn collect<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    let engine = &fleet.world.engine;
    let companions: HashSet<&str> = engine.companions.iter().map(|c| c.name.as_str()).collect();
    let unused = engine.leftovers.iter().filter(|leftover| unused(fleet, leftover, &companions));
    let in_order: BTreeMap<String, &Leftover> = unused.map(|leftover| (leftover.key(), leftover)).collect();
    for (key, leftover) in in_order {
        if !fleet.collecting.contains(key.as_str()) && fleet.left_until(&key).is_none() {
            draft.plan.actions.push(Action::Collect(leftover.clone()));
        }
    }
}

fn unused(fleet: &Fleet<'_>, leftover: &Leftover, companions: &HashSet<&str>) -> bool {
    match leftover {
        Leftover::Volume { runner_container, .. } => {
            PoolName::of_container(runner_container).is_none_or(|(pool, slot)| {
                !fleet.stands_in(&pool, slot) && !has_companion(fleet, &pool, slot)
            }) && !companions.contains(runner_container.as_str())
        }
        Leftover::Network { pool, .. } => {
            let wanted = fleet
                .policy
                .pool(pool)
                .is_some_and(|(p, _)| p.spec.network == NetworkMode::Pool && p.max > 0);
            let used = fleet.standing.get(pool).is_some_and(|slots| !slots.is_empty())
                || fleet.companions.contains_key(pool);
            !wanted && !used
        }
        Leftover::Image { reference, last_named } => {
            let named = fleet
                .policy
                .config
                .pools
                .values()
                .any(|p| &p.spec.image == reference || &p.spec.dind_image == reference);
            !named && fleet.now.since(*last_named) > fleet.policy.config.host.keep_images
        }
    }
}

fn has_companion(fleet: &Fleet<'_>, pool: &PoolName, slot: Slot) -> bool {
    fleet.companions.get(pool).is_some_and(|slots| slots.contains(&slot))
}
