//! Whether what tells a pool's demand has been heard.

use super::wanted::listened;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::Pool;
use crate::model::RepoPattern;
use crate::model::Scope;
use crate::model::SetState;
use crate::model::SetView;
use crate::model::World;

/// Why the pool's demand is not known as it should be; nothing where it is.
pub(super) fn doubts(pool: &Pool, world: &World, places: &[Scope]) -> Vec<HeldReason> {
    match pool.demand {
        Demand::Fixed => Vec::new(),
        Demand::Poll => queues(pool, world),
        Demand::Webhook => {
            let hooks = &world.demand.hooks;
            let failing = hooks.error.iter().map(|error| HeldReason::DemandFailing {
                source: "deliveries of webhooks".to_owned(),
                heard: hooks.heard,
                error: error.clone(),
            });
            failing.chain(queues(pool, world)).collect()
        }
        Demand::ScaleSet => places.iter().filter_map(|scope| set_doubt(world, pool, scope)).collect(),
    }
}

/// The pool's scale set in that scope.
pub(super) fn set_of<'a>(world: &'a World, pool: &Pool, scope: &Scope) -> Option<&'a SetView> {
    world.demand.sets.iter().find(|set| set.pool == pool.name && set.scope == *scope)
}

fn set_doubt(world: &World, pool: &Pool, scope: &Scope) -> Option<HeldReason> {
    let source = || format!("the scale set of {scope}");
    let Some(set) = set_of(world, pool, scope) else {
        return Some(HeldReason::DemandUnheard { source: source() });
    };
    let heard = set.statistics.map(|(_, at)| at);
    match (&set.state, heard) {
        (SetState::Waiting { error, .. }, _) => {
            Some(HeldReason::DemandFailing { source: source(), heard, error: error.clone() })
        }
        (_, None) => Some(HeldReason::DemandUnheard { source: source() }),
        (SetState::Opening | SetState::Listening, Some(_)) => None,
    }
}

/// Queues and accounts that were never read, and those whose last reading failed: one reason for each kind.
fn queues(pool: &Pool, world: &World) -> Vec<HeldReason> {
    let (repos, accounts) = listened(pool, world);
    let views = &world.demand;
    let nowhere = repos.is_empty() && accounts.is_empty();
    let mut unheard: Vec<RepoPattern> = Vec::new();
    let mut failing = Vec::new();
    let of_accounts = accounts.into_iter().map(|account| {
        let view = views.accounts.get(&account);
        (RepoPattern::AllOf(account), view.and_then(|v| v.as_of), view.and_then(|v| v.error.as_ref()))
    });
    let of_repos = repos.into_iter().map(|repo| {
        let view = views.repos.get(&repo);
        (RepoPattern::One(repo), view.and_then(|v| v.as_of), view.and_then(|v| v.error.as_ref()))
    });
    for (name, heard, error) in of_accounts.chain(of_repos) {
        match (heard, error) {
            (_, Some(error)) => failing.push((name, heard, error)),
            (None, None) => unheard.push(name),
            (Some(_), None) => {}
        }
    }
    let mut doubts = Vec::new();
    if let Some((name, heard, error)) = failing.first() {
        let (source, heard, error) = (queue(name, failing.len()), *heard, (*error).clone());
        doubts.push(HeldReason::DemandFailing { source, heard, error });
    }
    if let Some(name) = unheard.first() {
        doubts.push(HeldReason::DemandUnheard { source: queue(name, unheard.len()) });
    }
    if nowhere {
        doubts.push(HeldReason::DemandUnheard { source: "what its runner group admits".to_owned() });
    }
    doubts
}

fn queue(first: &RepoPattern, count: usize) -> String {
    match count {
        1 => format!("the queue of {first}"),
        _ => format!("the queue of {first} (and {} more)", count - 1),
    }
}
