//! Single actions in the world, without a loop around them.

use std::sync::Arc;
use std::time::Duration;

use ghrunner::engine::Admission;
use ghrunner::execute::LogKeeper;
use ghrunner::execute::Ports;
use ghrunner::execute::execute;
use ghrunner::model::Action;
use ghrunner::model::ContainerState;
use ghrunner::model::RegistrationKind;
use ghrunner::model::RetireReason;
use ghrunner::model::Secret;

use super::World;
use super::clock;
use super::daemon;
use super::dice::Dice;
use super::jobs::Job;
use super::journal::Journal;
use super::runtime;
use super::state::Plant;
use super::state::State;
use crate::common::build;

/// Retires a runner that registers itself at about the same time, with a job waiting for it. The promise that was
/// broken, if one was.
pub(crate) fn retire_one_that_registers(seed: u64, plant: Option<Plant>) -> Option<String> {
    runtime().block_on(async {
        let mut dice = Dice::new(seed);
        let mut pool = build::pool("alpha");
        pool.registration = RegistrationKind::Token;
        let (scope, config) = (build::scope("orgs/acme"), build::config([pool.clone()]));
        let mut container = build::container(&build::policy(&config), &pool.name, 0, &scope);
        (container.state, container.runner_id) = (ContainerState::Created, None);
        let journal = Journal::new(clock::clock(), false);
        let mut state = State::new(dice.roll(), config, clock::clock(), journal);
        state.plant = plant;
        state.weather.delete_lies = 500;
        state.jobs.insert(1, Job::of("acme/app".parse().expect("a repository"), "alpha".into()));
        let admission = Admission::Token { token: Secret::new("one"), url: String::new() };
        container.id = state.place(container.clone());
        state.start(&container.id, &admission).expect("it was just placed");
        let world = World::new(state);
        tokio::spawn(world.clone().turn());
        tokio::time::sleep(dice.millis(0, 8000)).await;
        let ports = Ports {
            engine: Arc::new(world.clone()),
            github: Arc::new(world.clone()),
            instance: daemon::instance(),
            logs: LogKeeper::none(),
        };
        let (reason, runner_id) = (RetireReason::NeverOnline, None);
        let action = Action::Retire { container: Box::new(container), runner_id, reason, force: false };
        // Whether it goes or stays is for the moment to say.
        let _ = execute(&ports, &action, || world.clock().now(), drop).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.with(|state| state.broken.take())
    })
}
