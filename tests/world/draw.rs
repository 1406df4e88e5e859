//! Random configurations, all of which the file could say.

use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::model::Demand;
use ghrunner::model::DockerMode;
use ghrunner::model::Pool;
use ghrunner::model::PoolScope;
use ghrunner::model::Priority;
use ghrunner::model::PullPolicy;
use ghrunner::model::RegistrationKind;
use ghrunner::model::Repo;

use super::dice::Dice;
use crate::common::build;

/// Images that the registry has.
pub(super) const IMAGES: [&str; 3] = ["registry/one:1", "registry/two:1", "docker:dind"];
const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
pub(super) const REPOS: [&str; 3] = ["acme/app", "acme/web", "acme/docs"];
pub(super) const OWN_REPOS: [&str; 2] = ["alice/lib", "alice/tool"];

/// A configuration of one to three pools.
pub(super) fn config(dice: &mut Dice) -> Config {
    let count = dice.within(1, 3);
    let pools: Vec<Pool> = NAMES.iter().take(count as usize).map(|name| pool(dice, name)).collect();
    let mut config = build::config(pools);
    config.engine.concurrency = dice.within(1, 4);
    config.host.max_runners = if dice.permille(200) { dice.within(1, 5) } else { 40 };
    config
}

/// The configuration with something changed.
pub(super) fn edited(dice: &mut Dice, config: &Config) -> Config {
    let mut config = config.clone();
    let names: Vec<_> = config.pools.keys().cloned().collect();
    match dice.below(5) {
        0 => config.host.max_runners = if dice.coin() { dice.within(1, 5) } else { 40 },
        1 if names.len() > 1 => {
            if let Some(name) = dice.pick(&names) {
                config.pools.remove(&name);
            }
        }
        2 => {
            if let Some(name) = dice.pick(&NAMES) {
                let pool = pool(dice, name);
                config.pools.insert(pool.name.clone(), pool);
            }
        }
        _ => {
            if let Some(pool) = dice.pick(&names).and_then(|name| config.pools.get_mut(&name)) {
                counts(dice, pool);
            }
        }
    }
    config
}

fn counts(dice: &mut Dice, pool: &mut Pool) {
    pool.max = dice.within(1, 5);
    pool.min = dice.within(0, pool.max.min(3));
    pool.min_idle = dice.within(0, 2);
}

fn pool(dice: &mut Dice, name: &str) -> Pool {
    let mut pool = build::pool(name);
    counts(dice, &mut pool);
    pool.labels = vec!["self-hosted".into(), name.into()];
    pool.idle_timeout = dice.secs(5, 60);
    pool.start_timeout = dice.secs(20, 60);
    pool.job_timeout = dice.permille(200).then(|| dice.secs(60, 200));
    pool.failed_starts_per_hour = dice.within(0, 20);
    pool.priority = dice
        .pick(&[Priority::Low, Priority::Normal, Priority::High, Priority::Critical])
        .unwrap_or(Priority::Normal);
    pool.pull = if dice.permille(300) { PullPolicy::Always } else { PullPolicy::Missing };
    pool.registration = if dice.permille(150) { RegistrationKind::Token } else { RegistrationKind::Jit };
    pool.spec.image = IMAGES[dice.below(2) as usize].into();
    pool.spec.dind_image = IMAGES[2].into();
    pool.spec.docker = if dice.permille(250) { DockerMode::Dind } else { DockerMode::None };
    let repo = |name: &str| -> Repo { name.parse().expect("a repository") };
    match dice.below(6) {
        0 => {
            let two = ["alice/lib", "alice/tool"].map(|name| name.parse().expect("a repository"));
            pool.scope = PoolScope::Repositories(two.to_vec());
        }
        1 => pool.scope = PoolScope::Repositories(vec!["alice/lib".parse().expect("a repository")]),
        2 | 3 => pool.rollback = vec![repo(REPOS[0]), repo(REPOS[1])],
        _ => {}
    }
    pool
}

/// Where the pool's demand comes from.
pub(super) fn demand(dice: &mut Dice, pool: &mut Pool) {
    let all = [Demand::Fixed, Demand::Poll, Demand::Webhook, Demand::ScaleSet, Demand::ScaleSet];
    pool.demand = dice.pick(&all).unwrap_or(Demand::Poll);
    if pool.demand != Demand::Fixed {
        pool.max = dice.within(1, 8);
        pool.min = if dice.permille(200) { 1 } else { 0 };
        pool.min_idle = if dice.permille(200) { 1 } else { 0 };
    }
    if pool.demand == Demand::ScaleSet {
        pool.registration = RegistrationKind::Jit;
    }
}

/// Where a job for the pool may come from.
pub(super) fn repo_for(dice: &mut Dice, pool: &Pool) -> Repo {
    let name = match &pool.scope {
        PoolScope::Enterprise { .. } | PoolScope::Organization { .. } => {
            dice.pick(&REPOS).unwrap_or(REPOS[0])
        }
        PoolScope::Repositories(patterns) if patterns.len() > 1 && dice.coin() => "alice/tool",
        PoolScope::Repositories(_) => "alice/lib",
    };
    name.parse().expect("a repository")
}

/// Between two things that happen: often nothing at all, at times a minute.
pub(super) fn pause(dice: &mut Dice) -> Duration {
    match dice.below(4) {
        0 => Duration::ZERO,
        1 => dice.millis(1, 200),
        2 => dice.secs(0, 8),
        _ => dice.secs(5, 40),
    }
}
