//! How long one decision takes over 1,000 pools and 10,000 runners, and over half of both.
//!
//! `cargo bench --bench pass` prints one line of JSON: milliseconds of a processor for the targets and the plan together, the median
//! of many, and their ratio to the half-sized fleet's. 2 is linear.

#![allow(clippy::unwrap_used, reason = "a bench's helpers may panic like the bench itself")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::decide;
use ghrunner::decide::Policy;
use ghrunner::model::ContainerState;
use ghrunner::model::DockerMode;
use ghrunner::model::InFlight;
use ghrunner::model::InFlightKind;
use ghrunner::model::Leftover;
use ghrunner::model::Pool;
use ghrunner::model::World;

use common::build;
use common::build::NOW;

const POOLS: u32 = 1000;
const RUNNERS_EACH: u32 = 10;
const ROUNDS: usize = 51;

fn main() {
    let (full, half) = (median(POOLS), median(POOLS / 2));
    println!(
        "{{\"pools\": {POOLS}, \"runners\": {}, \"ms\": {:.3}, \"ratio_to_half\": {:.2}}}",
        POOLS * RUNNERS_EACH,
        full.as_secs_f64() * 1000.0,
        full.as_secs_f64() / half.as_secs_f64(),
    );
}

/// The median time of scaling and planning over so many pools.
fn median(pools: u32) -> Duration {
    let config = config(pools);
    let policy = build::policy(&config);
    let world = world(&policy);
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once(&policy, &world)).collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn once(policy: &Policy, world: &World) -> Duration {
    let begun = processor_time();
    let targets = decide::scale(policy, black_box(world), NOW);
    let plan = decide::plan(policy, &targets, world, NOW, 7);
    let took = processor_time() - begun;
    assert!(!black_box(plan).actions.is_empty());
    took
}

/// What this thread has used: other work on the machine does not count.
fn processor_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn config(pools: u32) -> Config {
    let mut config = build::config((0..pools).map(pool));
    config.host.max_runners = pools * RUNNERS_EACH;
    config
}

/// Half the pools belong to organizations, a quarter have an inner engine.
fn pool(n: u32) -> Pool {
    let mut pool = build::pool(&format!("pool-{n}"));
    (pool.min, pool.min_idle, pool.max) = (RUNNERS_EACH - 2, 3, RUNNERS_EACH);
    if n.is_multiple_of(2) {
        let repo = format!("alice/repo-{}", n / 4);
        pool.scope = ghrunner::model::PoolScope::Repositories(vec![repo.parse().unwrap()]);
    }
    if n.is_multiple_of(4) {
        pool.spec.docker = DockerMode::Dind;
    }
    pool
}

/// A lively fleet: of ten runners seven are idle, one is busy, one has ended and one is drifted, lost or being made.
fn world(policy: &Policy) -> World {
    let mut world = build::world(&policy.config);
    for (n, pool) in policy.config.pools.values().enumerate() {
        let scope = decide::places(pool, world.mode, None).remove(0);
        for slot in 0..RUNNERS_EACH {
            let mut container = build::container(policy, &pool.name, slot, &scope);
            let mut registration = build::registration(&container);
            registration.busy = slot == 0;
            let name = container.runner_name.clone();
            if pool.spec.docker == DockerMode::Dind {
                let (name, runner_container) = (format!("{}-docker", container.name), container.name.clone());
                world.engine.companions.push(build::sidecar(&container));
                world.engine.leftovers.push(Leftover::Volume { name, runner_container });
            }
            world.book.idle_since.insert(name.clone(), NOW - build::minutes(u64::from(slot)));
            let in_flight = slot == 9 && n % 8 == 0;
            match slot {
                8 => container.state = ContainerState::Exited(Some(0)),
                9 if in_flight && n < 256 => {
                    let (pool, slot, scope) = (pool.name.clone(), container.slot, scope.clone());
                    let kind = InFlightKind::Create { pool, slot, runner: name, scope };
                    world.book.in_flight.push(InFlight { kind, since: NOW });
                    continue;
                }
                9 if n % 3 == 0 => container.spec_hash = ghrunner::model::SpecHash::new("other"),
                _ => {}
            }
            let container = (slot != 9 || n % 3 != 1).then_some(container);
            build::put_at(&mut world, &scope, container, registration);
        }
    }
    world
}
