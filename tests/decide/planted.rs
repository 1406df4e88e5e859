//! The checker finds each rule's breach: a sound plan with one thing wrong.

use std::time::Duration;

use ghrunner::decide;
use ghrunner::decide::Policy;
use ghrunner::model::Action;
use ghrunner::model::Container;
use ghrunner::model::ContainerState;
use ghrunner::model::InFlight;
use ghrunner::model::InFlightKind;
use ghrunner::model::Leftover;
use ghrunner::model::Plan;
use ghrunner::model::RegistrationRef;
use ghrunner::model::RetireReason;
use ghrunner::model::RunnerName;
use ghrunner::model::Slot;
use ghrunner::model::World;

use crate::common::build;
use crate::common::build::NOW;

/// One pool with a running, online runner in slot 0.
struct Scene {
    policy: Policy,
    world: World,
}

impl Scene {
    fn new() -> Self {
        let config = build::config([build::pool("build")]);
        let policy = build::policy(&config);
        let mut scene = Self { world: build::world(&config), policy };
        let container = scene.container(0);
        let registration = build::registration(&container);
        build::put(&mut scene.world, Some(container), Some(registration));
        scene
    }

    fn container(&self, slot: u32) -> Container {
        build::container(&self.policy, &build::pool_name("build"), slot, &build::scope("orgs/acme"))
    }

    fn first(&self) -> Container {
        self.world.runners[0].container.clone().unwrap()
    }

    /// A sound start in that slot.
    fn create(&self, slot: u32) -> Action {
        let mut empty = build::world(&self.policy.config);
        empty.host.disk_free = None;
        let plan = crate::common::settle::pass(&self.policy, &empty, NOW);
        let mut create = plan.actions.into_iter().find_map(|action| match action {
            Action::Create(create) => Some(create),
            _ => None,
        });
        let mut create = create.take().unwrap();
        create.slot = Slot(slot);
        create.name = RunnerName::compose(&create.pool, create.slot, &build::instance(), "fresh");
        Action::Create(create)
    }

    fn retire(&self, reason: RetireReason, force: bool) -> Action {
        let container = self.first();
        Action::Retire { runner_id: container.runner_id, container: Box::new(container), reason, force }
    }

    fn deregister(&self, name: RunnerName) -> Action {
        let id = build::runner_id(&build::pool_name("build"), Slot(0));
        let credentials = ghrunner::model::CredentialName::default_name();
        let (pool, scope) = (build::pool_name("build"), build::scope("orgs/acme"));
        Action::Deregister(RegistrationRef { pool, slot: Slot(0), scope, credentials, id, name })
    }

    /// The runner's container is gone, its registration stays.
    fn lose_container(&mut self) -> RunnerName {
        self.world.runners[0].container = None;
        self.world.runners[0].name.clone()
    }

    #[track_caller]
    fn is_sound(&self, actions: Vec<Action>) {
        assert_eq!(self.rules(actions), Vec::<&str>::new());
    }

    #[track_caller]
    fn breaks(&self, rule: &str, actions: Vec<Action>) {
        let rules = self.rules(actions);
        assert!(rules.contains(&rule), "{rule:?} was not found, but {rules:?}");
    }

    fn rules(&self, actions: Vec<Action>) -> Vec<&'static str> {
        let plan = Plan { actions, ..Plan::default() };
        decide::check(&self.policy, &self.world, &plan, NOW).into_iter().map(|note| note.rule).collect()
    }
}

#[test]
fn sound_actions_are_let_through() {
    let mut scene = Scene::new();
    scene.is_sound(vec![scene.create(1), scene.retire(RetireReason::Drained, false)]);
    let name = scene.lose_container();
    scene.is_sound(vec![scene.deregister(name)]);
}

#[test]
fn a_plan_without_a_listing_of_containers_is_found() {
    let mut scene = Scene::new();
    scene.world.engine.error = Some("connection refused".into());
    scene.breaks("nothing is planned without a complete listing of containers", vec![scene.create(1)]);
}

#[test]
fn a_second_runner_in_a_slot_is_found() {
    let scene = Scene::new();
    scene.breaks("a slot holds one runner", vec![scene.create(0)]);
    scene.breaks("a slot holds one runner", vec![scene.create(1), scene.create(1)]);
}

#[test]
fn a_runner_in_a_slot_that_is_still_being_cleared_is_found() {
    let mut scene = Scene::new();
    let container = scene.first();
    scene.world.runners.clear();
    let kind = InFlightKind::Remove {
        pool: container.pool.clone(),
        slot: container.slot,
        runner: container.runner_name.clone(),
        container: Some(container.id),
    };
    scene.world.book.in_flight.push(InFlight { kind, since: NOW });
    scene.breaks("a slot holds one runner", vec![scene.create(0)]);
}

#[test]
fn a_slot_beyond_max_is_found() {
    let scene = Scene::new();
    scene.breaks("no slot lies beyond max", vec![scene.create(4)]);
}

#[test]
fn more_than_max_is_found_even_when_the_surplus_lies_beyond_max() {
    let mut scene = Scene::new();
    for slot in [10, 11, 12] {
        let container = scene.container(slot);
        build::put(&mut scene.world, Some(container), None);
    }
    scene.breaks("a pool holds no more than max", vec![scene.create(1)]);
}

#[test]
fn more_than_the_host_takes_is_found() {
    let mut scene = Scene::new();
    let mut config = (*scene.policy.config).clone();
    config.host.max_runners = 1;
    scene.policy = build::policy(&config);
    scene.breaks("the host holds no more than host.max_runners", vec![scene.create(1)]);
}

#[test]
fn a_runner_for_a_pool_that_the_file_does_not_have_is_found() {
    let mut scene = Scene::new();
    let create = scene.create(1);
    scene.policy = build::policy(&build::config([build::pool("other")]));
    scene.breaks("runners are made for pools of the file", vec![create]);
}

#[test]
fn a_name_used_twice_is_found() {
    let scene = Scene::new();
    let Action::Create(mut create) = scene.create(1) else { unreachable!() };
    create.name = scene.first().runner_name;
    scene.breaks("a registration's name is used once", vec![Action::Create(create)]);
}

#[test]
fn stopping_a_busy_runner_is_found_whichever_witness_saw_it() {
    let rule = "a busy runner is never stopped";
    let name = Scene::new().first().runner_name;

    let mut by_flag = Scene::new();
    by_flag.world.runners[0].registration.as_mut().unwrap().busy = true;
    by_flag.breaks(rule, vec![by_flag.retire(RetireReason::Surplus, false)]);

    let mut by_event = Scene::new();
    by_event.world.book.claimed.insert(name.clone());
    by_event.breaks(rule, vec![by_event.retire(RetireReason::Surplus, false)]);

    let mut by_sight = Scene::new();
    by_sight.world.book.seen_busy.insert(name, NOW - Duration::from_secs(30));
    by_sight.breaks(rule, vec![by_sight.retire(RetireReason::Surplus, false)]);
}

#[test]
fn force_without_the_operator_or_a_timeout_is_found() {
    let rule = "force is for what the operator stopped and for jobs past job_timeout";
    let mut scene = Scene::new();
    let name = scene.first().runner_name;
    scene.breaks(rule, vec![scene.retire(RetireReason::JobTimeout, true)]);
    scene.world.book.busy_since.insert(name.clone(), NOW - build::minutes(600));
    scene.breaks(rule, vec![scene.retire(RetireReason::JobTimeout, true)]);
    scene.world.book.condemned.insert(name);
    scene.is_sound(vec![scene.retire(RetireReason::Operator, true)]);
}

#[test]
fn calling_a_runner_unknown_by_an_old_listing_is_found() {
    let rule = "only a complete listing that is younger than the runner can say that GitHub does not know it";
    let mut scene = Scene::new();
    scene.is_sound(vec![scene.retire(RetireReason::Unregistered, false)]);
    let acme = build::scope("orgs/acme");
    scene.world.registrations.get_mut(&acme).unwrap().as_of = Some(NOW - build::minutes(30));
    scene.breaks(rule, vec![scene.retire(RetireReason::Unregistered, false)]);
    scene.world.registrations.get_mut(&acme).unwrap().as_of = None;
    scene.breaks(rule, vec![scene.retire(RetireReason::Unregistered, false)]);
}

#[test]
fn reaping_a_running_container_is_found() {
    let mut scene = Scene::new();
    let reap = |container: Container| Action::Reap {
        container: Box::new(container),
        runner_id: None,
        seen_busy: false,
    };
    scene.breaks("a running container is not reaped", vec![reap(scene.first())]);
    scene.world.runners[0].container.as_mut().unwrap().state = ContainerState::Exited(Some(0));
    scene.is_sound(vec![reap(scene.first())]);
}

#[test]
fn taking_the_inner_engine_from_under_a_runner_is_found() {
    let mut scene = Scene::new();
    let sidecar = build::sidecar(&scene.first());
    scene.world.engine.companions.push(sidecar.clone());
    let remove = || vec![Action::RemoveCompanion { container: Box::new(sidecar.clone()) }];
    scene.breaks("a sidecar stays as long as its runner", remove());
    scene.world.runners.clear();
    scene.is_sound(remove());
}

#[test]
fn deleting_a_registration_that_was_not_surely_listed_or_has_a_container_is_found() {
    let rule = "only registrations in a complete listing and without a container are deleted";
    let mut scene = Scene::new();
    let name = scene.first().runner_name;
    scene.breaks(rule, vec![scene.deregister(name)]);
    let name = scene.lose_container();
    let acme = build::scope("orgs/acme");
    scene.world.registrations.get_mut(&acme).unwrap().error = Some("status 502".into());
    scene.breaks(rule, vec![scene.deregister(name.clone())]);
    scene.world.registrations.clear();
    scene.breaks(rule, vec![scene.deregister(name)]);
}

#[test]
fn deleting_a_strangers_registration_is_found() {
    let scene = Scene::new();
    for name in ["mac-mini", "ghrunner-build-0-zzzzz-abcdef"] {
        scene.breaks("strangers' runners are never touched", vec![scene.deregister(RunnerName::new(name))]);
    }
}

#[test]
fn collecting_what_was_not_listed_is_found() {
    let scene = Scene::new();
    let volume = Leftover::Volume { name: "postgres-data".into(), runner_container: "postgres".into() };
    scene.breaks("only what was listed is collected", vec![Action::Collect(volume)]);
}

#[test]
fn two_things_done_to_one_runner_are_found() {
    let rule = "one thing is done to one runner at a time";
    let mut scene = Scene::new();
    let retire = || scene.retire(RetireReason::Drained, false);
    scene.breaks(rule, vec![retire(), retire()]);
    let container = scene.first();
    let kind = InFlightKind::Remove {
        pool: container.pool,
        slot: container.slot,
        runner: container.runner_name,
        container: Some(container.id),
    };
    let twice = vec![retire()];
    scene.world.book.in_flight.push(InFlight { kind, since: NOW });
    scene.breaks(rule, twice);
}

#[test]
fn cancelling_a_run_that_nobody_gave_up_is_found() {
    let mut scene = Scene::new();
    let name = scene.lose_container();
    let cancel = |runner: &RunnerName| {
        vec![Action::CancelRun {
            pool: build::pool_name("build"),
            credentials: ghrunner::model::CredentialName::default_name(),
            repo: "acme/app".parse().unwrap(),
            run: 1007,
            job: "job-7".to_owned(),
            runner: runner.clone(),
        }]
    };
    let on_it = ["7", "acme/app", "build", "on=build/0"];
    assert!(crate::common::waiting::enter("job", &on_it, &mut scene.world));
    scene.breaks("runs are cancelled where on_lost_job says so", cancel(&name));
    let mut config = (*scene.policy.config).clone();
    let pool = config.pools.get_mut(&build::pool_name("build")).unwrap();
    pool.scaling.on_lost_job = ghrunner::model::OnLostJob::Cancel;
    scene.policy = build::policy(&config);
    scene.is_sound(cancel(&name));
    let rule = "only a run is cancelled whose job has a runner of that pool";
    scene.breaks(rule, cancel(&RunnerName::new("ghrunner-build-1-k7x2p-n1")));
    scene.world.runners[0].container = Some(scene.container(0));
    scene.breaks("a run whose runner is there is not cancelled", cancel(&name));
}

#[test]
fn a_runner_without_its_scale_set_is_found() {
    let rule = "a runner belongs to its pool's scale set in its scope, and to none without one";
    let mut scene = Scene::new();
    let with = |set: Option<u64>| {
        let Action::Create(mut new) = scene.create(1) else { panic!("no start") };
        new.set = set.map(ghrunner::model::SetId);
        vec![Action::Create(new)]
    };
    let (none, five) = (with(None), with(Some(5)));
    scene.breaks(rule, five.clone());
    let mut config = (*scene.policy.config).clone();
    let pool = config.pools.get_mut(&build::pool_name("build")).unwrap();
    pool.demand = ghrunner::model::Demand::ScaleSet;
    scene.policy = build::policy(&config);
    scene.breaks(rule, none);
    scene.breaks(rule, five.clone());
    assert!(crate::common::waiting::enter("set", &["build", "orgs/acme", "id=5"], &mut scene.world));
    scene.is_sound(five);
}
