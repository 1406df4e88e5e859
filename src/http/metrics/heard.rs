//! How jobs are heard of: queues that are read, deliveries, scale sets.

use std::collections::BTreeMap;

use super::Exposition;
use super::catalogue as of;
use crate::control::Snapshot;
use crate::model::SetState;
use crate::model::SetView;
use crate::model::Time;

pub(super) fn put(out: &mut Exposition, snapshot: &Snapshot) {
    let demand = &snapshot.demand;
    out.put(&of::POLLED, &[], demand.repos.len());
    out.put(&of::POLLS_FAILING, &[], demand.repos.values().filter(|repo| repo.error.is_some()).count());
    // One that was never read counts from the daemon's start: an alert must not miss it.
    let read = |as_of: Option<Time>| as_of.unwrap_or(snapshot.started);
    out.put_some(&of::OLDEST_POLL, &[], demand.repos.values().map(|repo| read(repo.as_of)).min());
    out.put(&of::DELIVERIES, &["accepted"], demand.hooks.accepted);
    out.put(&of::DELIVERIES, &["refused"], demand.hooks.refused);
    out.put_some(&of::LAST_DELIVERY, &[], demand.hooks.heard);
    out.put(&of::HOOKS_FAILING, &[], demand.hooks.error.is_some());
    let mut pools: BTreeMap<&str, Vec<&SetView>> = BTreeMap::new();
    for set in &demand.sets {
        pools.entry(set.pool.as_str()).or_default().push(set);
    }
    for (pool, sets) in pools {
        scale_sets(out, pool, &sets);
    }
}

fn scale_sets(out: &mut Exposition, pool: &str, sets: &[&SetView]) {
    for word in ["opening", "listening", "waiting"] {
        out.put(&of::SETS, &[pool, word], sets.iter().filter(|set| state_word(&set.state) == word).count());
    }
    let again: u64 = sets.iter().map(|set| set.sessions.saturating_sub(1)).sum();
    out.put(&of::SET_SESSIONS, &[pool], again);
    let heard = sets.iter().filter_map(|set| set.statistics).map(|(_, heard)| heard).min();
    out.put_some(&of::SET_HEARD, &[pool], heard);
    out.put(&of::SET_DISAGREES, &[pool], sets.iter().any(|set| set.disagreement.is_some()));
}

fn state_word(state: &SetState) -> &'static str {
    match state {
        SetState::Opening => "opening",
        SetState::Listening => "listening",
        SetState::Waiting { .. } => "waiting",
    }
}
