//! Arbitrary configurations and worlds, drawn as small numbers so that a failing one shrinks to something readable.

use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::decide::Policy;
use ghrunner::model::Backoff;
use ghrunner::model::Container;
use ghrunner::model::ContainerState;
use ghrunner::model::CredentialName;
use ghrunner::model::DockerMode;
use ghrunner::model::ImageId;
use ghrunner::model::ImageView;
use ghrunner::model::InFlight;
use ghrunner::model::InFlightKind;
use ghrunner::model::Leftover;
use ghrunner::model::Mode;
use ghrunner::model::Pool;
use ghrunner::model::PoolName;
use ghrunner::model::PoolScope;
use ghrunner::model::Priority;
use ghrunner::model::PullPolicy;
use ghrunner::model::Registration;
use ghrunner::model::RegistrationKind;
use ghrunner::model::Runner;
use ghrunner::model::Size;
use ghrunner::model::World;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::common::build;
use crate::common::build::NOW;

/// The last one is as long as a name may be; `gone` is in no file.
const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "a-name-of-twenty-8-letters-x", "gone"];
const SCOPES: [&str; 5] =
    ["orgs/acme", "repos/acme/app", "repos/acme/web", "repos/alice/lib", "orgs/elsewhere"];

/// A configuration and a world, by their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    pools: Vec<PoolSketch>,
    runners: Vec<RunnerSketch>,
    max_runners: u32,
    reserve: Option<(u32, u64)>,
    concurrency: u32,
    repository_mode: bool,
    admitted: bool,
    engine_error: bool,
    disk_free: u64,
    listings: Vec<Listing>,
    books: Vec<BookSketch>,
    image: u8,
}

#[derive(Debug, Clone)]
struct PoolSketch {
    min: u32,
    max: u32,
    min_idle: u32,
    priority: u8,
    place: u8,
    pull: u8,
    dind: bool,
    token: bool,
    cpus: u8,
    failed_starts_per_hour: u32,
    job_timeout: Option<u64>,
}

#[derive(Debug, Clone)]
struct RunnerSketch {
    pool: usize,
    slot: u32,
    shape: Shape,
    scope: usize,
    age: u64,
    same_spec: bool,
    same_image: bool,
    sidecar: bool,
    volume: bool,
    in_flight: Option<bool>,
    drained: bool,
    condemned: bool,
    left: Option<u64>,
    busy_for: Option<u64>,
    idle_for: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Starting,
    Idle,
    Busy,
    Seen,
    Claimed,
    Unlisted,
    Exited,
    Created,
    Removing,
    Lost,
    LostBusy,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
enum Listing {
    Complete,
    Old,
    Failed,
    Never,
}

#[derive(Debug, Clone)]
struct BookSketch {
    drained: bool,
    backoff: Option<(u32, bool)>,
    barren: u64,
    limited: Option<bool>,
}

prop_compose! {
    fn pool_sketch()(
        (min, max, min_idle) in (0_u32..4, 0_u32..6, 0_u32..3),
        (priority, place, pull) in (0_u8..4, 0_u8..5, 0_u8..3),
        (dind, token) in (proptest::bool::weighted(0.3), proptest::bool::weighted(0.2)),
        cpus in 0_u8..4,
        failed_starts_per_hour in 0_u32..5,
        job_timeout in weighted(0.3, 1_u64..100),
    ) -> PoolSketch {
        PoolSketch {
            min, max, min_idle, priority, place, pull, dind, token, cpus, failed_starts_per_hour, job_timeout,
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    proptest::sample::select(vec![
        Shape::Starting,
        Shape::Idle,
        Shape::Idle,
        Shape::Busy,
        Shape::Seen,
        Shape::Claimed,
        Shape::Unlisted,
        Shape::Exited,
        Shape::Created,
        Shape::Removing,
        Shape::Lost,
        Shape::LostBusy,
        Shape::Nothing,
    ])
}

prop_compose! {
    fn runner_sketch()(
        (pool, slot, shape, scope) in (0..NAMES.len(), 0_u32..8, shape(), 0..SCOPES.len()),
        age in 0_u64..2000,
        (same_spec, same_image) in (proptest::bool::weighted(0.8), proptest::bool::weighted(0.8)),
        (sidecar, volume) in (proptest::bool::weighted(0.2), proptest::bool::weighted(0.2)),
        in_flight in weighted(0.2, any::<bool>()),
        (drained, condemned) in (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1)),
        left in weighted(0.1, 0_u64..600),
        (busy_for, idle_for) in (weighted(0.3, 0_u64..9000), weighted(0.5, 0_u64..900)),
    ) -> RunnerSketch {
        RunnerSketch {
            pool, slot, shape, scope, age, same_spec, same_image, sidecar, volume, in_flight, drained, condemned,
            left, busy_for, idle_for,
        }
    }
}

prop_compose! {
    fn book_sketch()(
        drained in proptest::bool::weighted(0.1),
        backoff in weighted(0.2, (1_u32..5, any::<bool>())),
        barren in prop_oneof![4 => Just(0_u64), 1 => 1_u64..6],
        limited in weighted(0.1, any::<bool>()),
    ) -> BookSketch {
        BookSketch { drained, backoff, barren, limited }
    }
}

prop_compose! {
    /// Any configuration with any world.
    pub(crate) fn sketch()(
        pools in vec(pool_sketch(), 1..NAMES.len()),
        runners in vec(runner_sketch(), 0..14),
        max_runners in prop_oneof![3 => Just(100_u32), 1 => 0_u32..8],
        reserve in weighted(0.3, (0_u32..16, 0_u64..64)),
        concurrency in 1_u32..9,
        repository_mode in proptest::bool::weighted(0.3),
        admitted in any::<bool>(),
        engine_error in proptest::bool::weighted(0.05),
        disk_free in prop_oneof![9 => Just(100_u64), 1 => Just(3_u64)],
        listings in vec(
            proptest::sample::select(vec![
                Listing::Complete, Listing::Complete, Listing::Complete, Listing::Old, Listing::Failed, Listing::Never,
            ]),
            SCOPES.len(),
        ),
        books in vec(book_sketch(), NAMES.len()),
        image in 0_u8..6,
    ) -> Sketch {
        Sketch {
            pools, runners, max_runners, reserve, concurrency, repository_mode, admitted, engine_error, disk_free,
            listings, books, image,
        }
    }
}

impl Sketch {
    /// The configuration.
    pub(crate) fn config(&self) -> Config {
        let mut config = build::config(self.pools.iter().zip(NAMES).map(|(sketch, name)| sketch.pool(name)));
        config.host.max_runners = self.max_runners;
        config.host.reserve_cpus = self.reserve.map(|(cpus, _)| f64::from(cpus));
        config.host.reserve_memory = self.reserve.map(|(_, gib)| Size(gib << 30));
        config.engine.concurrency = self.concurrency;
        config
    }

    /// The world.
    pub(crate) fn world(&self, policy: &Policy) -> World {
        let mut world = build::world(&policy.config);
        world.mode = if self.repository_mode { Mode::Repository } else { Mode::Organization };
        world.engine.error = self.engine_error.then(|| "connection refused".to_owned());
        world.host.disk_free = Some(Size(self.disk_free << 30));
        if self.admitted {
            let repos = vec!["acme/app".parse().unwrap(), "acme/web".parse().unwrap()];
            let pools = policy.config.pools.keys().cloned();
            world.admitted = pools.map(|pool| (pool, repos.clone())).collect();
        }
        for (scope, listing) in SCOPES.iter().zip(&self.listings) {
            let mut view = build::listing();
            match listing {
                Listing::Complete => {}
                Listing::Old => view.as_of = Some(NOW - build::minutes(20)),
                Listing::Failed => view.error = Some("status 502".into()),
                Listing::Never => (view.as_of, view.error) = (None, Some("timed out".into())),
            }
            world.registrations.insert(build::scope(scope), view);
        }
        self.images(&mut world);
        for (name, book) in NAMES.iter().zip(&self.books) {
            book.fill(&mut world, name);
        }
        for runner in &self.runners {
            runner.put(policy, &mut world);
        }
        world
    }

    fn images(&self, world: &mut World) {
        let view = world.engine.images.get_mut(build::IMAGE).unwrap();
        match self.image {
            0 => *view = ImageView::default(),
            1 => {
                view.progress = Some("42 %".into());
                let kind = InFlightKind::Pull { image: build::IMAGE.into() };
                world.book.in_flight.push(InFlight { kind, since: NOW });
            }
            2 => view.failed = Some(("no such image".into(), NOW + build::minutes(1))),
            3 => *view = ImageView { failed: Some(("denied".into(), NOW)), ..ImageView::default() },
            4 => view.checked = Some(NOW - build::minutes(30)),
            _ => {}
        }
    }
}

impl PoolSketch {
    fn pool(&self, name: &str) -> Pool {
        let mut pool = build::pool(name);
        (pool.min, pool.max, pool.min_idle) = (self.min, self.max, self.min_idle);
        pool.priority = match self.priority {
            0 => Priority::Low,
            1 => Priority::Normal,
            2 => Priority::High,
            _ => Priority::Critical,
        };
        let repositories = |names: &[&str]| {
            PoolScope::Repositories(names.iter().map(|name| name.parse().unwrap()).collect())
        };
        match self.place {
            0 | 1 => {}
            2 => pool.rollback = vec!["acme/app".parse().unwrap(), "acme/web".parse().unwrap()],
            3 => pool.scope = repositories(&["alice/lib"]),
            _ => pool.scope = repositories(&["acme/app", "acme/web", "alice/*"]),
        }
        pool.pull = match self.pull {
            0 => PullPolicy::Always,
            1 => PullPolicy::Missing,
            _ => PullPolicy::Never,
        };
        pool.registration = if self.token { RegistrationKind::Token } else { RegistrationKind::Jit };
        pool.spec.docker = if self.dind { DockerMode::Dind } else { DockerMode::None };
        pool.spec.cpus = f64::from(self.cpus);
        pool.spec.memory = (self.cpus > 0).then_some(Size(u64::from(self.cpus) << 32));
        pool.failed_starts_per_hour = self.failed_starts_per_hour;
        pool.job_timeout = self.job_timeout.map(build::minutes);
        pool
    }
}

impl BookSketch {
    fn fill(&self, world: &mut World, name: &str) {
        let pool = build::pool_name(name);
        if self.drained {
            world.book.drained_pools.insert(pool.clone());
        }
        if let Some((failures, waits)) = self.backoff {
            let until = if waits { NOW + build::minutes(3) } else { NOW };
            world.book.backoff.insert(pool.clone(), Backoff { failures, until, reason: "exit 1".into() });
        }
        let barren = (0..self.barren).map(|n| NOW - build::minutes(10 * n)).collect();
        world.book.barren.insert(pool, barren);
        if let Some(acme) = self.limited {
            let until = (NOW + build::minutes(2), "rate limit".to_owned());
            let scope = if acme { SCOPES[0] } else { SCOPES[1] };
            world.book.github_until.insert(build::scope(scope), until);
        }
    }
}

impl RunnerSketch {
    fn put(&self, policy: &Policy, world: &mut World) {
        let pool = build::pool_name(NAMES[self.pool]);
        let taken = world.runners.iter().any(|r| r.pool == pool && r.slot.0 == self.slot)
            || world.engine.companions.iter().any(|c| c.pool == pool && c.slot.0 == self.slot);
        if taken {
            return;
        }
        let container = self.container(policy, &pool);
        let (scope, name) = (container.scope.clone(), container.runner_name.clone());
        let registration = self.registration(&container, world);
        self.remember(world, &container);
        self.beside(world, &container);
        let standing = !matches!(self.shape, Shape::Lost | Shape::LostBusy | Shape::Nothing);
        if standing || registration.is_some() {
            let (credentials, slot) = (CredentialName::default_name(), container.slot);
            let container = standing.then_some(container);
            build::put_in(
                world,
                &scope.clone(),
                Runner { pool, slot, name, scope, credentials, container, registration },
            );
        }
    }

    fn container(&self, policy: &Policy, pool: &PoolName) -> Container {
        let mut container = build::container(policy, pool, self.slot, &build::scope(SCOPES[self.scope]));
        container.created = NOW - Duration::from_secs(self.age);
        if !self.same_spec {
            container.spec_hash = ghrunner::model::SpecHash::new("other");
        }
        if !self.same_image {
            container.image_id = ImageId::new("sha256:2222");
        }
        container.state = match self.shape {
            Shape::Exited => ContainerState::Exited(Some(0)),
            Shape::Created => ContainerState::Created,
            Shape::Removing => ContainerState::Removing,
            _ => ContainerState::Running,
        };
        container
    }

    fn registration(&self, container: &Container, world: &World) -> Option<Registration> {
        let listed = world.registrations.get(&container.scope).is_some_and(|view| view.as_of.is_some());
        if !listed || matches!(self.shape, Shape::Unlisted | Shape::Nothing) {
            return None;
        }
        let mut registration = build::registration(container);
        registration.online = !matches!(self.shape, Shape::Starting | Shape::Created | Shape::Lost);
        registration.busy = matches!(self.shape, Shape::Busy | Shape::LostBusy);
        Some(registration)
    }

    fn remember(&self, world: &mut World, container: &Container) {
        let book = &mut world.book;
        let name = &container.runner_name;
        match self.shape {
            Shape::Seen => {
                book.seen_busy.insert(name.clone(), NOW - Duration::from_secs(self.age % 400));
            }
            Shape::Claimed => {
                book.claimed.insert(name.clone());
            }
            _ => {}
        }
        if let Some(ago) = self.busy_for {
            book.busy_since.insert(name.clone(), NOW - Duration::from_secs(ago));
        }
        if let Some(ago) = self.idle_for {
            book.idle_since.insert(name.clone(), NOW - Duration::from_secs(ago));
        }
        if let Some(ahead) = self.left {
            book.leave_until.insert(name.to_string(), NOW + Duration::from_secs(ahead));
        }
        if self.drained {
            book.drained_runners.insert(name.clone());
        }
        if self.condemned {
            book.condemned.insert(name.clone());
        }
        let (pool, slot, runner) = (container.pool.clone(), container.slot, name.clone());
        let kind = match self.in_flight {
            None => return,
            Some(true) => InFlightKind::Create { pool, slot, runner, scope: container.scope.clone() },
            Some(false) => {
                let container = (self.shape != Shape::Lost).then(|| container.id.clone());
                InFlightKind::Remove { pool, slot, runner, container }
            }
        };
        book.in_flight.push(InFlight { kind, since: NOW });
    }

    fn beside(&self, world: &mut World, container: &Container) {
        if self.sidecar {
            world.engine.companions.push(build::sidecar(container));
        }
        if self.volume {
            world.engine.leftovers.push(Leftover::Volume {
                name: format!("{}-docker", container.name),
                runner_container: container.name.clone(),
            });
        }
        let network =
            Leftover::Network { name: format!("ghrunner-{}", container.pool), pool: container.pool.clone() };
        if !world.engine.leftovers.contains(&network) {
            world.engine.leftovers.push(network);
        }
    }
}
