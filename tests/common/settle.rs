//! A world in which every action succeeds at once: what a plan leads to, and whether plans come to an end.

use std::time::Duration;

use ghrunner::decide;
use ghrunner::decide::Policy;
use ghrunner::model::Action;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::CreateRunner;
use ghrunner::model::DockerMode;
use ghrunner::model::ImageId;
use ghrunner::model::ImageView;
use ghrunner::model::InFlightKind;
use ghrunner::model::Leftover;
use ghrunner::model::Plan;
use ghrunner::model::Registration;
use ghrunner::model::Role;
use ghrunner::model::Runner;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Time;
use ghrunner::model::World;

use super::build::IMAGE_ID;
use super::build::hash;
use super::build::listing;
use super::build::sidecar;

/// After a pass that planned something, and after one that did not: longer than every patience that planning has.
const SOON: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(61 * 60);

/// One pass: targets, plan, and the checker's word on it.
pub(crate) fn pass(policy: &Policy, world: &World, now: Time) -> Plan {
    let targets = decide::scale(policy, world, now);
    let plan = decide::plan(policy, &targets, world, now, 1);
    let notes = decide::check(policy, world, &plan, now);
    assert!(notes.is_empty(), "the plan breaks rules: {notes:?}\n{plan:#?}");
    plan
}

/// Passes and applies until two passes in a row plan nothing; gives the world and the time then.
pub(crate) fn settle(policy: &Policy, world: &World, now: Time) -> (World, Time) {
    let (mut world, mut now) = (world.clone(), now);
    let (mut passes, mut quiet) = (0, 0);
    while quiet < 2 {
        let plan = pass(policy, &world, now);
        let step = if plan.actions.is_empty() {
            quiet += 1;
            LATER
        } else {
            (quiet, passes) = (0, passes + 1);
            SOON
        };
        assert!(passes < 200, "plans never end: {:#?}", plan.actions);
        now = now + step;
        world = apply(policy, &world, &plan, now);
    }
    (world, now)
}

/// The world at `then`, with everything done that was under way or planned.
pub(crate) fn apply(policy: &Policy, world: &World, plan: &Plan, then: Time) -> World {
    let mut world = world.clone();
    for work in std::mem::take(&mut world.book.in_flight) {
        finish(policy, &mut world, work.kind, then);
    }
    for action in &plan.actions {
        perform(&mut world, action, then);
    }
    world.as_of = then;
    for view in world.registrations.values_mut().filter(|view| view.error.is_none() && view.as_of.is_some()) {
        view.as_of = Some(then);
    }
    for runner in &mut world.runners {
        let running = runner.container.as_ref().is_some_and(|c| c.state == ContainerState::Running);
        if let Some(registration) = runner.registration.as_mut().filter(|_| running) {
            registration.online = true;
        }
    }
    decide::track(policy, &mut world, then);
    world
}

fn finish(policy: &Policy, world: &mut World, work: InFlightKind, then: Time) {
    match work {
        InFlightKind::Create { pool, slot, runner, scope } => {
            let known = world.runners.iter().position(|r| r.name == runner);
            let known = known.map(|at| world.runners.remove(at));
            if known.is_none_or(|r| r.container.is_none()) {
                let container = Container {
                    id: ContainerId::new(format!("made-{runner}")),
                    name: pool.container_name(slot),
                    role: Role::Runner,
                    runner_id: None,
                    credentials: ghrunner::model::CredentialName::default_name(),
                    spec_hash: hash(policy, &pool),
                    image_id: ImageId::new(""),
                    created: then,
                    state: ContainerState::Running,
                    pool,
                    slot,
                    runner_name: runner,
                    scope,
                };
                stand(world, container);
            }
        }
        InFlightKind::Remove { runner, .. } => remove(world, &runner),
        InFlightKind::Pull { image } => pulled(world, &image, then),
        InFlightKind::Cancel { .. } => {}
        InFlightKind::Collect { key } => {
            world.engine.leftovers.retain(|leftover| leftover.key() != key);
            world.engine.companions.retain(|companion| companion.name != key);
        }
    }
}

fn perform(world: &mut World, action: &Action, then: Time) {
    match action {
        Action::Pull { image } => pulled(world, image, then),
        Action::Create(new) => create(world, new, then),
        Action::Retire { container, .. } | Action::Reap { container, .. } => {
            remove(world, &container.runner_name);
        }
        Action::Deregister(reg) => remove(world, &reg.name),
        Action::RemoveCompanion { container } => world.engine.companions.retain(|c| c.name != container.name),
        Action::Collect(leftover) => world.engine.leftovers.retain(|other| other != leftover),
        Action::CancelRun { repo, run, .. } => {
            world.demand.jobs.retain(|job| !(job.repo == *repo && job.run == *run));
        }
    }
}

fn pulled(world: &mut World, image: &str, then: Time) {
    let view = world.engine.images.entry(image.to_owned()).or_default();
    let id = view.id.take().unwrap_or_else(|| ImageId::new(IMAGE_ID));
    *view = ImageView { id: Some(id), checked: Some(then), ..ImageView::default() };
}

fn create(world: &mut World, new: &CreateRunner, then: Time) {
    let image = world.engine.images.get(&new.spec.image).and_then(|view| view.id.clone());
    let container = Container {
        id: ContainerId::new(format!("made-{}", new.name)),
        name: new.pool.container_name(new.slot),
        role: Role::Runner,
        pool: new.pool.clone(),
        slot: new.slot,
        runner_name: new.name.clone(),
        runner_id: None,
        scope: new.scope.clone(),
        credentials: new.credentials.clone(),
        spec_hash: new.spec_hash.clone(),
        image_id: image.unwrap_or_else(|| ImageId::new("")),
        created: then,
        state: ContainerState::Running,
    };
    let network = Leftover::Network { name: format!("ghrunner-{}", new.pool), pool: new.pool.clone() };
    if !world.engine.leftovers.contains(&network) {
        world.engine.leftovers.push(network);
    }
    if new.spec.docker == DockerMode::Dind {
        world.engine.companions.push(sidecar(&container));
        world.engine.leftovers.push(Leftover::Volume {
            name: format!("{}-docker", container.name),
            runner_container: container.name.clone(),
        });
    }
    stand(world, container);
}

fn stand(world: &mut World, mut container: Container) {
    let id = RunnerId(9_000_000 + world.registrations.values().map(|v| v.ours.len() as u64).sum::<u64>());
    container.runner_id = Some(id);
    let registration = Registration {
        id,
        name: container.runner_name.clone(),
        online: true,
        busy: false,
        labels: Vec::new(),
    };
    let view = world.registrations.entry(container.scope.clone()).or_insert_with(listing);
    view.ours.push(registration.clone());
    world.runners.push(Runner {
        pool: container.pool.clone(),
        slot: container.slot,
        name: container.runner_name.clone(),
        scope: container.scope.clone(),
        credentials: container.credentials.clone(),
        container: Some(container),
        registration: Some(registration),
    });
}

fn remove(world: &mut World, name: &RunnerName) {
    let Some(at) = world.runners.iter().position(|r| &r.name == name) else { return };
    let runner = world.runners.remove(at);
    if let Some(view) = world.registrations.get_mut(&runner.scope) {
        view.ours.retain(|r| &r.name != name);
    }
    if let Some(container) = runner.container {
        world.engine.companions.retain(|c| (&c.pool, c.slot) != (&container.pool, container.slot));
        let of_it = |leftover: &Leftover| match leftover {
            Leftover::Volume { runner_container, .. } => *runner_container == container.name,
            Leftover::Network { .. } | Leftover::Image { .. } => false,
        };
        world.engine.leftovers.retain(|leftover| !of_it(leftover));
    }
}
