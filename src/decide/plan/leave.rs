//! What goes: ended runners, sidecars without one, registrations without one, and runners that are not wanted.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::Draft;
use super::fleet::Fleet;
use super::fleet::Member;
use crate::decide::Place;
use crate::decide::Target;
use crate::decide::phase::registers_itself;
use crate::model::Action;
use crate::model::Container;
use crate::model::HeldReason;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::RegistrationRef;
use crate::model::RetireReason;
use crate::model::Role;
use crate::model::Runner;
use crate::model::RunnerId;
use crate::model::SpecHash;
use crate::model::Time;

/// How long GitHub may not list a running container's runner before it counts as unknown there. A runner whose job
/// ended is deregistered by GitHub while its container still cleans up.
const STRAY_AFTER: Duration = Duration::from_secs(60);

/// A trial of an image that nobody removed: whoever made it is gone.
const CANARY_AFTER: Duration = Duration::from_secs(900);

/// Clears away runners whose container ended or never started.
pub(super) fn reap<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    for (pool, members) in &fleet.pools {
        for member in members.iter().filter(|m| m.phase == Phase::Exited && !m.held) {
            let (Some(runner), Some(container)) = (member.runner, member.container()) else { continue };
            if let Some(until) = fleet.left_until(member.name.as_str()) {
                draft.hold(pool, format!("removing {}", container.name), HeldReason::RetryLater { until });
                continue;
            }
            draft.plan.actions.push(Action::Reap {
                container: Box::new(container.clone()),
                runner_id: number(runner),
                seen_busy: fleet.world.book.seen_busy.contains_key(member.name),
            });
        }
    }
}

/// Removes sidecars whose runner is gone, and forgotten trials.
pub(super) fn remove_companions<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    let left = |companion: &&Container| {
        let gone = match companion.role {
            Role::Dind => !fleet.stands_in(&companion.pool, companion.slot),
            Role::Canary => fleet.now.since(companion.created) > CANARY_AFTER,
            Role::Runner => false,
        };
        gone && !fleet.is_held(&companion.runner_name)
            && !fleet.collecting.contains(companion.name.as_str())
            && fleet.left_until(&companion.name).is_none()
    };
    let left = fleet.world.engine.companions.iter().filter(left);
    let in_order: BTreeMap<&str, &Container> =
        left.map(|companion| (companion.name.as_str(), companion)).collect();
    for companion in in_order.into_values() {
        draft.plan.actions.push(Action::RemoveCompanion { container: Box::new(companion.clone()) });
    }
}

/// Deletes registrations of ours that a complete listing has and the engine has no container for.
pub(super) fn deregister<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    for (pool, members) in &fleet.pools {
        for member in members.iter().filter(|m| m.phase == Phase::Lost && !m.held) {
            let Some((runner, registration)) =
                member.runner.and_then(|r| r.registration.as_ref().map(|registration| (r, registration)))
            else {
                continue;
            };
            let hold = fleet.left_until(member.name.as_str()).map(|until| HeldReason::RetryLater { until });
            if let Some(reason) = hold.or_else(|| silenced(fleet, runner)).or_else(|| unlisted(fleet, runner))
            {
                draft.hold(pool, format!("deregistering {}", member.name), reason);
                continue;
            }
            draft.plan.actions.push(Action::Deregister(RegistrationRef {
                pool: runner.pool.clone(),
                slot: runner.slot,
                scope: runner.scope.clone(),
                credentials: runner.credentials.clone(),
                id: registration.id,
                name: runner.name.clone(),
            }));
        }
    }
}

/// Why nothing may be sent to GitHub about the runner, if so.
fn silenced(fleet: &Fleet<'_>, runner: &Runner) -> Option<HeldReason> {
    let (until, reason) = fleet.world.book.github_until.get(&runner.scope)?;
    (*until > fleet.now).then(|| HeldReason::GitHub {
        scope: runner.scope.clone(),
        until: *until,
        reason: reason.clone(),
    })
}

/// Why nothing may be concluded from the listing of the runner's scope, if so.
fn unlisted(fleet: &Fleet<'_>, runner: &Runner) -> Option<HeldReason> {
    let error = fleet.world.registrations.get(&runner.scope)?.error.clone()?;
    Some(HeldReason::ListingIncomplete { scope: runner.scope.clone(), error })
}

/// Takes away runners that are not wanted as they are; those in a job are held until it ends.
pub(super) fn retire<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    for (pool, members) in &fleet.pools {
        let (target, declared) = (fleet.targets.get(*pool), fleet.policy.pool(pool));
        for member in members.iter().filter(|m| runs(m) && !m.held) {
            if let Some((reason, force)) = unwanted(fleet, target, declared, member) {
                take_away(fleet, draft, pool, member, reason, force);
            }
        }
        if let Some(((declared, _), target)) = declared.zip(target.filter(|t| t.known)) {
            for member in surplus(fleet, draft, declared, target, members) {
                take_away(fleet, draft, pool, member, RetireReason::Surplus, false);
            }
        }
    }
    trim_host(fleet, draft);
}

/// Takes away idle runners beyond what the host may have, where `host.max_runners` was lowered below what stands: of the
/// least important pool first, and among equals of the one that has most of what it wants.
fn trim_host<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    let stays = |m: &&Member<'_>| {
        m.stands() && !m.leaving && m.phase != Phase::Exited && !draft.leaving.contains(&m.id)
    };
    let staying = fleet.pools.iter().map(|(pool, members)| (*pool, members.iter().filter(stays).count()));
    let mut staying: BTreeMap<&PoolName, usize> = staying.collect();
    let (all, most) = (staying.values().sum(), fleet.policy.config.host.max_runners as usize);
    if all <= most {
        return;
    }
    let mut idle: Vec<(&'a PoolName, &Pool, &Member<'a>)> = Vec::new();
    for (pool, members) in &fleet.pools {
        let Some((declared, _)) = fleet.policy.pool(pool) else { continue };
        let able = members.iter().filter(stays).filter(|m| m.phase == Phase::Idle && !m.held);
        idle.extend(able.map(|member| (*pool, declared, member)));
    }
    for _ in most..all {
        let rank = |(pool, declared, member): &(&PoolName, &Pool, &Member<'_>)| {
            let wanted = fleet.targets.get(*pool).map_or(0, Target::total).max(1) as usize;
            let served = staying.get(pool).map_or(0, |count| count * 1000 / wanted);
            (declared.priority, Reverse(served), idle_since(fleet, member), Reverse(member.slot))
        };
        let Some(first) = (0..idle.len()).min_by_key(|i| rank(&idle[*i])) else { return };
        let (pool, _, member) = idle.swap_remove(first);
        if let Some(count) = staying.get_mut(pool) {
            *count -= 1;
        }
        take_away(fleet, draft, pool, member, RetireReason::BeyondHost, false);
    }
}

fn runs(member: &Member<'_>) -> bool {
    member.container().is_some_and(Container::runs)
}

/// Why this runner should go whatever the pool's numbers are, and whether even from a job.
fn unwanted(
    fleet: &Fleet<'_>,
    target: Option<&Target>,
    declared: Option<(&Pool, &SpecHash)>,
    member: &Member<'_>,
) -> Option<(RetireReason, bool)> {
    let book = &fleet.world.book;
    if book.condemned.contains(member.name) {
        return Some((RetireReason::Operator, true));
    }
    let Some((declared, hash)) = declared else {
        return Some((RetireReason::PoolRemoved, false));
    };
    let since = book.busy_since.get(member.name);
    let late = since.zip(declared.job_timeout).is_some_and(|(since, limit)| fleet.now.since(*since) > limit);
    if late && member.phase == Phase::Busy {
        return Some((RetireReason::JobTimeout, true));
    }
    let container = member.container()?;
    let misplaced = target.is_some_and(|t| t.known && !t.places.iter().any(|p| &p.scope == member.scope));
    let reason = match member.phase {
        _ if book.drained_pools.contains(&declared.name) || book.drained_runners.contains(member.name) => {
            RetireReason::Drained
        }
        _ if member.slot.0 >= declared.max => RetireReason::BeyondMax,
        _ if misplaced => RetireReason::Misplaced,
        _ if container.spec_hash != *hash || image_changed(fleet, &declared.spec.image, container) => {
            RetireReason::Drifted
        }
        Phase::Failed => RetireReason::NeverOnline,
        Phase::Stray if fleet.now.since(container.created) > STRAY_AFTER => RetireReason::Unregistered,
        _ => return None,
    };
    Some((reason, false))
}

/// Whether the image's name means another image by now.
fn image_changed(fleet: &Fleet<'_>, reference: &str, container: &crate::model::Container) -> bool {
    let now = fleet.world.engine.images.get(reference).and_then(|view| view.id.as_ref());
    now.is_some_and(|id| {
        !id.as_str().is_empty() && !container.image_id.as_str().is_empty() && *id != container.image_id
    })
}

fn take_away<'a>(
    fleet: &Fleet<'a>,
    draft: &mut Draft<'a>,
    pool: &'a PoolName,
    member: &Member<'a>,
    reason: RetireReason,
    force: bool,
) {
    let (Some(runner), Some(container)) = (member.runner, member.container()) else { return };
    let what = || format!("retiring {} because {reason}", container.name);
    let hold = match member.phase {
        _ if force => None,
        Phase::Busy => Some(HeldReason::Busy),
        // There is nothing to deregister yet, and it may be registered and in a job a moment after that was found.
        _ if registers_itself(fleet.policy, runner, container, fleet.now) => Some(HeldReason::Registering),
        _ => silenced(fleet, runner),
    };
    let hold =
        hold.or_else(|| fleet.left_until(member.name.as_str()).map(|until| HeldReason::RetryLater { until }));
    if let Some(hold) = hold {
        draft.hold(pool, what(), hold);
        return;
    }
    draft.leaving.insert(member.id);
    let runner_id = number(runner);
    draft.plan.actions.push(Action::Retire {
        container: Box::new(container.clone()),
        runner_id,
        reason,
        force,
    });
}

/// Runners beyond what their place should have: those past `idle_timeout`, the longest idle first. A pool that
/// lacks a runner elsewhere and may have no more does not wait for that.
fn surplus<'a, 'm>(
    fleet: &Fleet<'a>,
    draft: &Draft<'a>,
    pool: &Pool,
    target: &Target,
    members: &'m [Member<'a>],
) -> Vec<&'m Member<'a>> {
    let serving = draft.serving(members);
    let serving = |place: &Place| serving.get(&place.scope).map(Vec::as_slice).unwrap_or_default();
    let full = fleet.standing.get(&pool.name).is_some_and(|slots| slots.len() >= pool.max as usize);
    let needed = full && target.places.iter().any(|place| serving(place).len() < place.count as usize);
    let patience = if needed { Duration::ZERO } else { pool.idle_timeout };
    let mut surplus = Vec::new();
    for place in &target.places {
        let serving = serving(place);
        let over = serving.len().saturating_sub(place.count as usize);
        // Fewer stay for jobs to come; where the pool is needed elsewhere, none does.
        if over == 0 || (!needed && over < pool.scaling.down_threshold as usize) {
            continue;
        }
        let mut idle: Vec<&Member<'_>> = serving
            .iter()
            .copied()
            .filter(|m| runs(m) && !m.held && m.phase == Phase::Idle)
            .filter(|m| fleet.now.since(idle_since(fleet, m)) >= patience)
            .collect();
        idle.sort_by_key(|m| (idle_since(fleet, m), Reverse(m.slot)));
        surplus.extend(idle.into_iter().take(over));
    }
    surplus
}

fn idle_since(fleet: &Fleet<'_>, member: &Member<'_>) -> Time {
    fleet.world.book.idle_since.get(member.name).copied().unwrap_or(fleet.now)
}

/// The runner's number at GitHub: what its listing says, else its label.
fn number(runner: &Runner) -> Option<RunnerId> {
    runner.registration.as_ref().map(|r| r.id).or_else(|| runner.container.as_ref().and_then(|c| c.runner_id))
}
