//! What goes wrong, or will in days, if nobody does anything.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Policy;
use crate::model::Time;
use crate::model::World;

/// GitHub gives no job to a runner that is older than the newest release by 30 days
/// (<https://docs.github.com/en/actions/reference/runners/self-hosted-runners>). What is this old is told while
/// there is time to do something.
const AGED: Duration = Duration::from_secs(25 * 24 * 3600);

/// One sentence for each image of runners that was built long ago, and for each scale set about which GitHub contradicts
/// itself.
pub(super) fn advise(policy: &Policy, world: &World, now: Time) -> Vec<String> {
    let sets = world.demand.sets.iter().filter(|set| policy.pool(&set.pool).is_some());
    let contradicted = sets.filter_map(|set| {
        let words = set.disagreement.as_ref()?;
        Some(format!("scale set of pool {} in {}: {words}", set.pool, set.scope))
    });
    aged(policy, world, now).into_iter().chain(contradicted).collect()
}

fn aged(policy: &Policy, world: &World, now: Time) -> Vec<String> {
    let named: BTreeSet<&str> = policy.config.pools.values().map(|pool| pool.spec.image.as_str()).collect();
    named
        .into_iter()
        .filter_map(|image| {
            let built = world.engine.images.get(image)?.built?;
            let days = now.since(built).as_secs() / (24 * 3600);
            (now.since(built) > AGED).then(|| {
                format!(
                    "image {image} was built {days} days ago; GitHub gives no jobs to a runner version that is 30 \
                     days behind: pull or name a newer one"
                )
            })
        })
        .collect()
}
