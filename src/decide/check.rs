//! Holds a plan against what must always be true, apart from the code that made it.
//!
//! Run on every plan in debug builds, in tests, and by the seeded world. It shares no helper with the planner on
//! purpose: a mistake there must not be repeated here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use super::Policy;
use crate::model::Action;
use crate::model::Container;
use crate::model::ContainerState;
use crate::model::Demand;
use crate::model::InFlightKind;
use crate::model::JobState;
use crate::model::OnLostJob;
use crate::model::Plan;
use crate::model::PoolName;
use crate::model::RetireReason;
use crate::model::Role;
use crate::model::Time;
use crate::model::World;

/// A rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The rule, in words.
    pub rule: &'static str,
    /// Whom it concerns.
    pub subject: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.rule)
    }
}

/// Every rule that the plan breaks; none for a sound one.
pub fn check(policy: &Policy, world: &World, plan: &Plan, now: Time) -> Vec<Note> {
    let mut notes = Vec::new();
    if world.engine.error.is_some() && !plan.actions.is_empty() {
        notes.push(Note {
            rule: "nothing is planned without a complete listing of containers",
            subject: "plan".into(),
        });
    }
    counts(policy, world, plan, &mut notes);
    for action in &plan.actions {
        removals(world, action, now, &mut notes);
        excuses(policy, world, action, now, &mut notes);
        cancels(policy, world, action, &mut notes);
        sets(policy, world, action, &mut notes);
    }
    once(world, plan, &mut notes);
    notes
}

/// Containers of runners by name, and names of runners being made or taken away.
fn existing(world: &World) -> BTreeMap<String, PoolName> {
    let listed =
        world.runners.iter().filter_map(|r| r.container.as_ref()).map(|c| (c.name.clone(), c.pool.clone()));
    let making = world.book.in_flight.iter().filter_map(|f| match &f.kind {
        InFlightKind::Create { pool, slot, .. }
        | InFlightKind::Remove { pool, slot, container: Some(_), .. } => {
            Some((pool.container_name(*slot), pool.clone()))
        }
        _ => None,
    });
    listed.chain(making).collect()
}

fn counts(policy: &Policy, world: &World, plan: &Plan, notes: &mut Vec<Note>) {
    let mut all = existing(world);
    let before = all.len();
    for action in &plan.actions {
        let Action::Create(new) = action else { continue };
        let name = new.pool.container_name(new.slot);
        if all.insert(name.clone(), new.pool.clone()).is_some() {
            notes.push(Note { rule: "a slot holds one runner", subject: name.clone() });
        }
        match policy.pool(&new.pool) {
            Some((pool, _)) if new.slot.0 >= pool.max => {
                notes.push(Note { rule: "no slot lies beyond max", subject: name });
            }
            Some(_) => {}
            None => notes.push(Note { rule: "runners are made for pools of the file", subject: name }),
        }
        if world.runners.iter().any(|r| r.name == new.name) {
            notes.push(Note { rule: "a registration's name is used once", subject: new.name.to_string() });
        }
    }
    let made = all.len() > before;
    if made && all.len() > policy.config.host.max_runners as usize {
        notes.push(Note {
            rule: "the host holds no more than host.max_runners",
            subject: format!("{}", all.len()),
        });
    }
    let mut standing: BTreeMap<&PoolName, usize> = BTreeMap::new();
    for pool in all.values() {
        *standing.entry(pool).or_default() += 1;
    }
    let growing: BTreeSet<&PoolName> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Create(new) => Some(&new.pool),
            _ => None,
        })
        .collect();
    for name in growing {
        let (Some((pool, _)), count) = (policy.pool(name), standing[name]) else { continue };
        if count > pool.max as usize {
            notes.push(Note {
                rule: "a pool holds no more than max",
                subject: format!("{name} with {count}"),
            });
        }
    }
}

fn removals(world: &World, action: &Action, now: Time, notes: &mut Vec<Note>) {
    match action {
        Action::Retire { container, force: false, .. } if witnessed_busy(world, container, now) => {
            notes.push(Note { rule: "a busy runner is never stopped", subject: container.name.clone() });
        }
        Action::Reap { container, .. } if container.state == ContainerState::Running => {
            notes.push(Note { rule: "a running container is not reaped", subject: container.name.clone() });
        }
        Action::RemoveCompanion { container } => {
            let name = container.pool.container_name(container.slot);
            let alive = world.runners.iter().filter_map(|r| r.container.as_ref()).any(|c| c.name == name);
            if alive && container.name != name && container.role != Role::Canary {
                notes.push(Note {
                    rule: "a sidecar stays as long as its runner",
                    subject: container.name.clone(),
                });
            }
        }
        Action::Deregister(reg) => {
            let listed = world.registrations.get(&reg.scope).is_some_and(|v| {
                v.as_of.is_some() && v.error.is_none() && v.ours.iter().any(|r| r.id == reg.id)
            });
            let contained = world
                .runners
                .iter()
                .any(|r| r.name == reg.name && r.scope == reg.scope && r.container.is_some());
            if !listed || contained {
                notes.push(Note {
                    rule: "only registrations in a complete listing and without a container are deleted",
                    subject: reg.name.to_string(),
                });
            }
            if reg.name.made_by(&world.instance).is_none() {
                notes.push(Note {
                    rule: "strangers' runners are never touched",
                    subject: reg.name.to_string(),
                });
            }
        }
        Action::Collect(leftover) if !world.engine.leftovers.contains(leftover) => {
            notes.push(Note { rule: "only what was listed is collected", subject: leftover.key() });
        }
        _ => {}
    }
}

/// Force needs the operator's word or a job past its time; "GitHub does not know it" needs a listing that could.
fn excuses(policy: &Policy, world: &World, action: &Action, now: Time, notes: &mut Vec<Note>) {
    let Action::Retire { container, reason, force, .. } = action else { return };
    let condemned = world.book.condemned.contains(&container.runner_name);
    let limit = policy.pool(&container.pool).and_then(|(pool, _)| pool.job_timeout);
    let since = world.book.busy_since.get(&container.runner_name);
    let late = since.zip(limit).is_some_and(|(since, limit)| now.since(*since) > limit);
    if *force && !condemned && !late {
        notes.push(Note {
            rule: "force is for what the operator stopped and for jobs past job_timeout",
            subject: container.name.clone(),
        });
    }
    let listing = world.registrations.get(&container.scope).and_then(|view| view.as_of);
    if *reason == RetireReason::Unregistered && listing.is_none_or(|as_of| as_of <= container.created) {
        notes.push(Note {
            rule: "only a complete listing that is younger than the runner can say that GitHub does not know it",
            subject: container.name.clone(),
        });
    }
}

/// A run is people's work: it ends by us only where they said so, and its job cannot go on.
fn cancels(policy: &Policy, world: &World, action: &Action, notes: &mut Vec<Note>) {
    let Action::CancelRun { pool, repo, run, runner, .. } = action else { return };
    let mut note = |rule| notes.push(Note { rule, subject: Action::run_key(repo, *run) });
    if policy.pool(pool).is_none_or(|(pool, _)| pool.scaling.on_lost_job != OnLostJob::Cancel) {
        note("runs are cancelled where on_lost_job says so");
    }
    let named = world.demand.jobs.iter().any(|job| {
        let on_it = matches!(&job.state, JobState::Running { runner: Some(name) } if name == runner);
        on_it && job.run == *run && job.repo == *repo
    });
    if !named || runner.made_by(&world.instance).is_none_or(|(of, _)| of != *pool) {
        note("only a run is cancelled whose job has a runner of that pool");
    }
    let runs = world.runners.iter().filter(|r| r.name == *runner).filter_map(|r| r.container.as_ref());
    if runs.into_iter().any(|c| c.state == ContainerState::Running) || world.book.makes(runner) {
        note("a run whose runner is there is not cancelled");
    }
}

/// A scale set's runners belong to the set that is there, and no others do.
fn sets(policy: &Policy, world: &World, action: &Action, notes: &mut Vec<Note>) {
    let Action::Create(new) = action else { return };
    let by_set = policy.pool(&new.pool).is_some_and(|(pool, _)| pool.demand == Demand::ScaleSet);
    let known =
        |id| world.demand.sets.iter().any(|s| s.pool == new.pool && s.scope == new.scope && s.id == Some(id));
    let sound = match new.set {
        None => !by_set,
        Some(id) => by_set && known(id),
    };
    if !sound {
        notes.push(Note {
            rule: "a runner belongs to its pool's scale set in its scope, and to none without one",
            subject: new.name.to_string(),
        });
    }
}

fn witnessed_busy(world: &World, container: &Container, now: Time) -> bool {
    let name = &container.runner_name;
    let listed = world.runners.iter().any(|r| {
        r.name == *name && r.scope == container.scope && r.registration.as_ref().is_some_and(|r| r.busy)
    });
    let seen = world.book.seen_busy.get(name).is_some_and(|at| now.since(*at).as_secs() < 60);
    listed || seen || world.book.claimed.contains(name)
}

/// One thing is done to one runner at a time.
fn once(world: &World, plan: &Plan, notes: &mut Vec<Note>) {
    let mut seen = BTreeSet::new();
    for action in &plan.actions {
        let name = match action {
            Action::Create(new) => &new.name,
            Action::Retire { container, .. } | Action::Reap { container, .. } => &container.runner_name,
            Action::Deregister(reg) => &reg.name,
            Action::Pull { .. }
            | Action::RemoveCompanion { .. }
            | Action::Collect(_)
            | Action::CancelRun { .. } => continue,
        };
        if !seen.insert(name.clone()) || world.book.holds(name) {
            notes.push(Note { rule: "one thing is done to one runner at a time", subject: name.to_string() });
        }
    }
}
