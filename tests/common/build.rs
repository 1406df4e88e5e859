//! Configurations and worlds by builder, every value with a default that no test depends on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::config::AuthSource;
use ghrunner::config::Config;
use ghrunner::config::Credentials;
use ghrunner::config::EngineSettings;
use ghrunner::config::HostSettings;
use ghrunner::config::SecretSource;
use ghrunner::decide::Policy;
use ghrunner::model::Book;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::DemandView;
use ghrunner::model::DockerMode;
use ghrunner::model::EngineView;
use ghrunner::model::HostView;
use ghrunner::model::ImageId;
use ghrunner::model::ImageView;
use ghrunner::model::InstanceId;
use ghrunner::model::LogDriver;
use ghrunner::model::Mode;
use ghrunner::model::NetworkMode;
use ghrunner::model::Pool;
use ghrunner::model::PoolName;
use ghrunner::model::PoolScope;
use ghrunner::model::Priority;
use ghrunner::model::PullPolicy;
use ghrunner::model::Registration;
use ghrunner::model::RegistrationKind;
use ghrunner::model::RegistrationView;
use ghrunner::model::Role;
use ghrunner::model::Runner;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::RunnerSpec;
use ghrunner::model::Scope;
use ghrunner::model::Size;
use ghrunner::model::Slot;
use ghrunner::model::Time;
use ghrunner::model::World;

/// The moment at which every built world is looked at: 2026-01-01T12:00:00Z.
pub(crate) const NOW: Time = Time(1_767_268_800_000);

/// The image of built pools, and its id at the engine.
pub(crate) const IMAGE: &str = "ghcr.io/actions/actions-runner:latest";
pub(crate) const IMAGE_ID: &str = "sha256:1111";

pub(crate) fn instance() -> InstanceId {
    InstanceId::new("k7x2p")
}

pub(crate) fn pool_name(name: &str) -> PoolName {
    PoolName::parse(name).unwrap()
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub(crate) fn spec() -> RunnerSpec {
    RunnerSpec {
        image: IMAGE.into(),
        command: None,
        user: None,
        env: BTreeMap::new(),
        work_folder: "_work".into(),
        cpus: 0.0,
        memory: None,
        pids: Some(4096),
        disk: None,
        shm_size: None,
        sudo: false,
        privileged: false,
        cap_add: Vec::new(),
        network: NetworkMode::Pool,
        volumes: Vec::new(),
        cgroup_parent: None,
        runtime: None,
        gpus: None,
        extra_hosts: Vec::new(),
        dns: Vec::new(),
        proxy: None,
        no_proxy: None,
        docker: DockerMode::None,
        dind_image: "docker:dind".into(),
        log_driver: LogDriver::Auto,
    }
}

/// A pool of the organization `acme` with `min = 1` and `max = 4`.
pub(crate) fn pool(name: &str) -> Pool {
    Pool {
        name: pool_name(name),
        credentials: CredentialName::default_name(),
        scope: PoolScope::Organization { org: "acme".into(), group: None },
        labels: vec!["self-hosted".into(), "linux".into(), name.into()],
        demand: Demand::Fixed,
        scale_set: None,
        registration: RegistrationKind::Jit,
        min: 1,
        max: 4,
        min_idle: 0,
        idle_timeout: minutes(5),
        start_timeout: minutes(2),
        job_timeout: None,
        failed_starts_per_hour: 10,
        priority: Priority::Normal,
        scaling: ghrunner::model::Scaling::default(),
        pull: PullPolicy::Missing,
        rollback: Vec::new(),
        active_within: minutes(30 * 24 * 60),
        spec: spec(),
    }
}

pub(crate) fn config(pools: impl IntoIterator<Item = Pool>) -> Config {
    let name = CredentialName::default_name();
    let credentials = Credentials {
        name: name.clone(),
        url: "https://github.com".into(),
        api_url: None,
        auth: AuthSource::Token(SecretSource::Credential("github-token".into())),
        ca_file: None,
        proxy: None,
        poll_interval: std::time::Duration::from_secs(15),
    };
    Config {
        history: ghrunner::config::HistorySettings::default(),
        telemetry: None,
        credentials: BTreeMap::from([(name, credentials)]),
        engine: EngineSettings {
            endpoint: "unix:///run/docker.sock".into(),
            registry_auth: None,
            concurrency: 8,
        },
        host: HostSettings {
            instance: None,
            max_runners: 100,
            reserve_cpus: None,
            reserve_memory: None,
            reserve_disk: Size(10 << 30),
            keep_logs: minutes(60 * 24),
            keep_images: minutes(60 * 24),
        },
        http: None,
        api: None,
        read_group: None,
        webhook: None,
        pools: pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect(),
    }
}

/// A world in which nothing runs, every scope of the pools is listed, and every image is there and new.
pub(crate) fn world(config: &Config) -> World {
    let mut images = BTreeMap::new();
    let mut registrations = BTreeMap::new();
    for pool in config.pools.values() {
        for image in [&pool.spec.image, &pool.spec.dind_image] {
            let checked = Some(NOW - minutes(1));
            let view = ImageView { id: Some(ImageId::new(IMAGE_ID)), checked, ..ImageView::default() };
            images.insert(image.clone(), view);
        }
        for mode in [Mode::Organization, Mode::Repository] {
            for scope in ghrunner::decide::places(pool, mode, None) {
                registrations.insert(scope, listing());
            }
        }
    }
    World {
        instance: instance(),
        as_of: NOW,
        runners: Vec::new(),
        engine: EngineView { images, ..EngineView::default() },
        registrations,
        mode: Mode::Organization,
        admitted: BTreeMap::new(),
        closed_to: BTreeMap::new(),
        demand: DemandView::default(),
        host: HostView { cpus: Some(16.0), memory: Some(Size(64 << 30)), disk_free: Some(Size(100 << 30)) },
        book: Book::default(),
    }
}

/// A complete listing of a moment ago with nothing in it.
pub(crate) fn listing() -> RegistrationView {
    RegistrationView { as_of: Some(NOW - Duration::from_secs(1)), ..RegistrationView::default() }
}

pub(crate) fn policy(config: &Config) -> Policy {
    Policy::new(Arc::new(config.clone()))
}

/// The spec hash that a pool's runners should have; an odd one for a pool that the file does not have.
pub(crate) fn hash(policy: &Policy, pool: &PoolName) -> ghrunner::model::SpecHash {
    policy.pool(pool).map_or_else(|| ghrunner::model::SpecHash::new("gone"), |(_, hash)| hash.clone())
}

/// A container of a pool's slot, running for ten minutes.
pub(crate) fn container(policy: &Policy, pool: &PoolName, slot: u32, scope: &Scope) -> Container {
    let slot = Slot(slot);
    let nonce = format!("n{slot}");
    Container {
        id: ContainerId::new(format!("id-{pool}-{slot}")),
        name: pool.container_name(slot),
        role: Role::Runner,
        pool: pool.clone(),
        slot,
        runner_name: RunnerName::compose(pool, slot, &instance(), &nonce),
        runner_id: Some(runner_id(pool, slot)),
        scope: scope.clone(),
        credentials: CredentialName::default_name(),
        spec_hash: hash(policy, pool),
        image_id: ImageId::new(IMAGE_ID),
        created: NOW - minutes(10),
        state: ContainerState::Running,
    }
}

/// The inner engine beside a runner.
pub(crate) fn sidecar(of: &Container) -> Container {
    Container {
        id: ContainerId::new(format!("{}-docker", of.id)),
        name: format!("{}-docker", of.name),
        role: Role::Dind,
        runner_id: None,
        ..of.clone()
    }
}

/// A number at GitHub that no other pool and slot has.
pub(crate) fn runner_id(pool: &PoolName, slot: Slot) -> RunnerId {
    let of_pool = pool.as_str().bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 100_000);
    RunnerId(of_pool * 10_000 + u64::from(slot.0))
}

/// The registration that belongs to a container: online, without a job.
pub(crate) fn registration(of: &Container) -> Registration {
    Registration {
        id: of.runner_id.unwrap_or_else(|| runner_id(&of.pool, of.slot)),
        name: of.runner_name.clone(),
        online: true,
        busy: false,
        labels: Vec::new(),
    }
}

/// Puts a runner into the world, its registration into its scope's listing.
pub(crate) fn put(world: &mut World, container: Option<Container>, registration: Option<Registration>) {
    let sample = container.clone();
    let name =
        sample.as_ref().map(|c| c.runner_name.clone()).or(registration.as_ref().map(|r| r.name.clone()));
    let name = name.unwrap();
    let (pool, slot) = name.made_by(&world.instance).unwrap();
    let scope = sample.as_ref().map_or_else(|| Scope::Organization("acme".into()), |c| c.scope.clone());
    put_in(
        world,
        &scope,
        Runner {
            pool,
            slot,
            name,
            scope: scope.clone(),
            credentials: CredentialName::default_name(),
            container,
            registration,
        },
    );
}

/// Puts a runner into the world, its registration into that scope's listing.
pub(crate) fn put_in(world: &mut World, scope: &Scope, runner: Runner) {
    if let Some(registration) = &runner.registration {
        let view = world.registrations.entry(scope.clone()).or_insert_with(listing);
        view.ours.push(registration.clone());
    }
    world.runners.push(runner);
}

/// Puts a registered runner into the world; without a container it is a lost one.
pub(crate) fn put_at(
    world: &mut World,
    scope: &Scope,
    container: Option<Container>,
    registration: Registration,
) {
    let name = registration.name.clone();
    let (pool, slot) = name.made_by(&world.instance).unwrap();
    let credentials = CredentialName::default_name();
    let registration = Some(registration);
    put_in(
        world,
        scope,
        Runner { pool, slot, name, scope: scope.clone(), credentials, container, registration },
    );
}
