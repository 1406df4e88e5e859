//! What holds of every plan, whatever the file says and the world looks like.

use std::collections::BTreeMap;

use ghrunner::decide;
use ghrunner::decide::Policy;
use ghrunner::model::Action;
use ghrunner::model::Container;
use ghrunner::model::HeldReason;
use ghrunner::model::InFlightKind;
use ghrunner::model::Phase;
use ghrunner::model::Plan;
use ghrunner::model::PoolName;
use ghrunner::model::RetireReason;
use ghrunner::model::World;
use proptest::prelude::*;

use crate::common::build;
use crate::common::build::NOW;
use crate::common::settle;
use crate::sketch::sketch;

fn plan(policy: &Policy, world: &World) -> Plan {
    let targets = decide::scale(policy, world, NOW);
    decide::plan(policy, &targets, world, NOW, 7)
}

/// Runners per pool that exist, are being made, or are being taken away.
fn existing(world: &World) -> BTreeMap<PoolName, usize> {
    let listed = world.runners.iter().filter(|r| r.container.is_some()).map(|r| (r.pool.clone(), r.slot));
    let held = world.book.in_flight.iter().filter_map(|work| match &work.kind {
        InFlightKind::Create { pool, slot, .. } => Some((pool.clone(), *slot)),
        InFlightKind::Remove { pool, slot, container: Some(_), .. } => Some((pool.clone(), *slot)),
        _ => None,
    });
    let mut counts = BTreeMap::new();
    for (pool, _) in listed.chain(held).collect::<std::collections::BTreeSet<_>>() {
        *counts.entry(pool).or_default() += 1;
    }
    counts
}

fn any_witness_says_busy(world: &World, container: &Container) -> bool {
    let name = &container.runner_name;
    let flag =
        world.runners.iter().any(|r| &r.name == name && r.registration.as_ref().is_some_and(|r| r.busy));
    let seen = world.book.seen_busy.get(name).is_some_and(|at| NOW.since(*at) < build::minutes(5));
    flag || seen || world.book.claimed.contains(name)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_breaks_a_rule_that_the_checker_knows(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let notes = decide::check(&policy, &world, &plan(&policy, &world), NOW);
        prop_assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn starts_never_lead_beyond_max_of_pool_or_host(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let mut counts = existing(&world);
        for action in plan(&policy, &world).actions {
            let Action::Create(new) = action else { continue };
            let count = counts.entry(new.pool.clone()).or_default();
            *count += 1;
            prop_assert!(*count <= policy.config.pools[&new.pool].max as usize, "{new:?}");
            let all: usize = counts.values().sum();
            prop_assert!(all <= policy.config.host.max_runners as usize, "{new:?}");
        }
    }

    #[test]
    fn no_runner_goes_without_force_that_any_witness_calls_busy(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        for action in plan(&policy, &world).actions {
            let Action::Retire { container, force, reason, .. } = action else { continue };
            if any_witness_says_busy(&world, &container) {
                prop_assert!(force, "{} goes because {reason}", container.runner_name);
                prop_assert!(matches!(reason, RetireReason::Operator | RetireReason::JobTimeout));
            }
        }
    }

    #[test]
    fn what_could_not_be_listed_is_not_deleted(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let plan = plan(&policy, &world);
        if world.engine.error.is_some() {
            prop_assert!(plan.actions.is_empty());
        }
        for action in plan.actions {
            match action {
                Action::Deregister(reg) => {
                    let view = &world.registrations[&reg.scope];
                    prop_assert!(view.error.is_none() && view.as_of.is_some(), "{reg:?}");
                }
                Action::Retire { container, reason: RetireReason::Unregistered, .. } => {
                    let as_of = world.registrations[&container.scope].as_of;
                    prop_assert!(as_of.is_some_and(|as_of| as_of > container.created), "{container:?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn nothing_is_asked_of_github_while_it_wants_silence(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        for action in plan(&policy, &world).actions {
            let scope = match &action {
                Action::Create(new) => &new.scope,
                Action::Deregister(reg) => &reg.scope,
                Action::Retire { container, force: false, .. } => &container.scope,
                _ => continue,
            };
            let until = world.book.github_until.get(scope).map(|(until, _)| *until);
            prop_assert!(until.is_none_or(|until| until <= NOW), "{action}");
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_in_whatever_order_things_are_listed(
        sketch in sketch(),
        turn in 0_usize..20,
    ) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let first = plan(&policy, &world);
        prop_assert_eq!(&first, &plan(&policy, &world));
        let mut other = world.clone();
        let turned = |len: usize| if len == 0 { 0 } else { turn % len };
        other.runners.reverse();
        other.runners.rotate_left(turned(world.runners.len()));
        other.book.in_flight.rotate_left(turned(world.book.in_flight.len()));
        other.engine.companions.reverse();
        other.engine.leftovers.rotate_left(turned(world.engine.leftovers.len()));
        for view in other.registrations.values_mut() {
            view.ours.reverse();
        }
        prop_assert_eq!(first, plan(&policy, &other));
    }

    #[test]
    fn a_pool_that_lacks_a_runner_is_served_before_those_of_lower_priority(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let plan = plan(&policy, &world);
        let starts: Vec<_> = plan.actions.iter().filter_map(|action| match action {
            Action::Create(new) => Some(policy.config.pools[&new.pool].priority),
            _ => None,
        }).collect();
        prop_assert!(starts.is_sorted_by(|first, second| first >= second), "{starts:?}");
        for report in &plan.report.pools {
            if report.held.iter().any(|held| matches!(held.reason, HeldReason::HostFull { .. })) {
                let priority = policy.config.pools[&report.pool].priority;
                prop_assert!(starts.iter().all(|other| *other >= priority), "{} waits", report.pool);
            }
        }
    }

    #[test]
    fn a_runners_name_fits_github_and_tells_its_slot(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        for action in plan(&policy, &world).actions {
            let Action::Create(new) = action else { continue };
            prop_assert!(new.name.as_str().len() <= 64, "{}", new.name);
            prop_assert_eq!(new.name.made_by(&world.instance), Some((new.pool, new.slot)));
        }
    }

    #[test]
    fn another_pools_change_does_not_rename_a_start(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let world = sketch.world(&policy);
        let mut config = sketch.config();
        let mut newcomer = build::pool("zeta");
        newcomer.priority = ghrunner::model::Priority::Low;
        config.pools.insert(newcomer.name.clone(), newcomer);
        let changed = build::policy(&config);
        let names = |policy: &Policy| -> BTreeMap<String, String> {
            let starts = plan(policy, &world).actions.into_iter().filter_map(|action| match action {
                Action::Create(new) => Some((new.pool.container_name(new.slot), new.name.to_string())),
                _ => None,
            });
            starts.collect()
        };
        let (before, after) = (names(&policy), names(&changed));
        for (slot, name) in before {
            prop_assert!(after.get(&slot).is_none_or(|other| *other == name), "{name} became {:?}", after.get(&slot));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_that_succeed_come_to_an_end(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        settle::settle(&policy, &sketch.world(&policy), NOW);
    }

    #[test]
    fn where_runners_are_lacking_in_the_end_the_report_says_why(sketch in sketch()) {
        let policy = build::policy(&sketch.config());
        let (world, now) = settle::settle(&policy, &sketch.world(&policy), NOW);
        let report = settle::pass(&policy, &world, now).report;
        if report.held.iter().any(|held| matches!(held.reason, HeldReason::Engine { .. })) {
            return Ok(());
        }
        for pool in report.pools {
            let serves = [Phase::Creating, Phase::Starting, Phase::Idle, Phase::Busy];
            let serving: u32 = pool.phases.iter().filter(|(phase, _)| serves.contains(phase)).map(|(_, n)| n).sum();
            prop_assert!(serving >= pool.target || !pool.held.is_empty(), "{pool:?}");
        }
    }
}
