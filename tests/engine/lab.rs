//! A corner of the real engine for one test: an instance, a pool and an image of its own, all gone when it is dropped.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters as query;
use futures_util::TryStreamExt;
use ghrunner::engine::Admission;
use ghrunner::engine::DockerEngine;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineSpec;
use ghrunner::engine::JOURNAL_SOCKET;
use ghrunner::engine::NewRunner;
use ghrunner::engine::RegistryAuth;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::CreateRunner;
use ghrunner::model::CredentialName;
use ghrunner::model::DockerMode;
use ghrunner::model::InstanceId;
use ghrunner::model::LogDriver;
use ghrunner::model::NetworkMode;
use ghrunner::model::PoolName;
use ghrunner::model::RegistrationKind;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::RunnerSpec;
use ghrunner::model::Scope;
use ghrunner::model::Secret;
use ghrunner::model::Size;
use ghrunner::model::Slot;
use ghrunner::model::SpecHash;
use ghrunner::model::Time;

/// The single-use configuration of every runner here.
pub(crate) const JIT: &str = "c2luZ2xlLXVzZQ==";

/// Where the engine is.
pub(crate) fn endpoint() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///run/docker.sock".to_owned())
}

/// The client library itself, to look at what our code did and to play the stranger.
pub(crate) async fn bare(endpoint: &str) -> Docker {
    let docker = if endpoint.starts_with("tcp://") {
        Docker::connect_with_http(endpoint, 120, bollard::API_DEFAULT_VERSION).unwrap()
    } else {
        Docker::connect_with_unix(endpoint, 120, bollard::API_DEFAULT_VERSION).unwrap()
    };
    docker.negotiate_version().await.unwrap()
}

pub(crate) struct Lab {
    pub(crate) engine: DockerEngine,
    pub(crate) docker: Docker,
    pub(crate) instance: InstanceId,
    pub(crate) pool: PoolName,
    pub(crate) image: String,
    pub(crate) endpoint: String,
    extra_images: Mutex<Vec<String>>,
}

impl Lab {
    pub(crate) async fn new(what: &str) -> Self {
        Self::at(what, endpoint(), no_auth()).await
    }

    pub(crate) async fn at(what: &str, endpoint: String, auth: RegistryAuth) -> Self {
        let id = unique();
        let instance = InstanceId::new(id.clone());
        let docker = bare(&endpoint).await;
        let image = format!("localhost/ghrunner-test/{what}:{id}");
        import(&docker, stand_in(), &image).await;
        Self {
            engine: engine(&endpoint, &instance, auth),
            docker,
            pool: PoolName::parse(&format!("{what}-{id}")).unwrap(),
            instance,
            image,
            endpoint,
            extra_images: Mutex::default(),
        }
    }

    /// One more of our references that goes with the lab.
    pub(crate) fn owns_image(&self, reference: &str) {
        self.extra_images.lock().unwrap().push(reference.to_owned());
    }

    /// A just-in-time runner whose `run.sh` does what `stand_in` says.
    pub(crate) fn runner(&self, slot: u32, stand_in: &str) -> NewRunner {
        let name = RunnerName::compose(&self.pool, Slot(slot), &self.instance, &unique());
        NewRunner {
            plan: CreateRunner {
                pool: self.pool.clone(),
                slot: Slot(slot),
                name,
                scope: Scope::organization("acme").unwrap(),
                credentials: CredentialName::default_name(),
                group: None,
                set: None,
                labels: vec!["linux".to_owned()],
                registration: RegistrationKind::Jit,
                spec: spec(&self.image, stand_in),
                spec_hash: SpecHash::new("5bec"),
                reason: "a test".to_owned(),
            },
            instance: self.instance.clone(),
            runner_id: Some(RunnerId(u64::from(slot) + 100)),
            admission: Admission::Jit(Secret::new(JIT)),
        }
    }

    pub(crate) async fn is_podman(&self) -> bool {
        self.engine.info().await.unwrap().product == "Podman"
    }

    pub(crate) async fn started(&self, new: &NewRunner) -> ContainerId {
        let id = self.engine.create(new).await.unwrap();
        self.engine.start(new, &id).await.unwrap();
        id
    }

    pub(crate) async fn listed(&self, id: &ContainerId) -> Option<Container> {
        self.engine.list().await.unwrap().into_iter().find(|container| container.id == *id)
    }

    /// Waits until the container ended.
    pub(crate) async fn ended(&self, id: &ContainerId) {
        let wait = self.docker.wait_container(id.as_str(), None::<query::WaitContainerOptions>);
        // An exit code other than 0 is an error to the client library.
        let _ = tokio::time::timeout(Duration::from_secs(60), wait.try_collect::<Vec<_>>()).await.unwrap();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let (endpoint, instance) = (self.endpoint.clone(), self.instance.clone());
        let mut images = std::mem::take(&mut *self.extra_images.lock().unwrap());
        images.push(self.image.clone());
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(sweep(&endpoint, &instance, images));
        });
        let _ = swept.join();
    }
}

async fn sweep(endpoint: &str, instance: &InstanceId, images: Vec<String>) {
    let docker = bare(endpoint).await;
    let filters = HashMap::from([("label", vec![format!("io.ghrunner.instance={instance}")])]);
    let all = query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    for container in docker.list_containers(Some(all)).await.unwrap_or_default() {
        let force = query::RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let _ = docker.remove_container(&container.id.unwrap(), Some(force)).await;
    }
    let mine = query::ListVolumesOptionsBuilder::new().filters(&filters).build();
    for volume in docker.list_volumes(Some(mine)).await.unwrap().volumes.unwrap_or_default() {
        let _ = docker.remove_volume(&volume.name, None::<query::RemoveVolumeOptions>).await;
    }
    let mine = query::ListNetworksOptionsBuilder::new().filters(&filters).build();
    for network in docker.list_networks(Some(mine)).await.unwrap_or_default() {
        let _ = docker.remove_network(&network.id.unwrap()).await;
    }
    for image in images {
        let _ = docker.remove_image(&image, None::<query::RemoveImageOptions>, None).await;
    }
}

pub(crate) fn engine(endpoint: &str, instance: &InstanceId, auth: RegistryAuth) -> DockerEngine {
    DockerEngine::connect(EngineSpec {
        endpoint: endpoint.to_owned(),
        instance: instance.clone(),
        registry_auth: auth,
        clock: Arc::new(now),
        journal_socket: PathBuf::from(JOURNAL_SOCKET),
        meter: Arc::default(),
    })
}

pub(crate) fn no_auth() -> RegistryAuth {
    Arc::new(|| Ok(None))
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time(u64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn unique() -> String {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:x}x{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn spec(image: &str, stand_in: &str) -> RunnerSpec {
    RunnerSpec {
        image: image.to_owned(),
        command: None,
        user: None,
        env: BTreeMap::from([("STAND_IN".to_owned(), stand_in.to_owned())]),
        work_folder: "_work".to_owned(),
        cpus: 1.0,
        memory: Some(Size(64 << 20)),
        pids: Some(64),
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
        dind_image: "ghrunner-test/none".to_owned(),
        log_driver: LogDriver::Auto,
    }
}

/// A root file system with the stand-in programs, as a tar archive; compiled once.
fn stand_in() -> Vec<u8> {
    static TAR: OnceLock<Vec<u8>> = OnceLock::new();
    TAR.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("home/runner/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(root.path().join("tmp")).unwrap();
        let run = root.path().join("home/runner/run.sh");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/stand_in.c");
        let compiled =
            Command::new("cc").args(["-O1", "-static", "-s", "-o"]).arg(&run).arg(source).status().unwrap();
        assert!(compiled.success(), "cc -static is needed for the stand-in image");
        for name in ["Runner.Listener", "Runner.Worker"] {
            std::fs::hard_link(&run, bin.join(name)).unwrap();
        }
        let tar = Command::new("tar")
            .arg("-C")
            .arg(root.path())
            .args(["-c", "."])
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert!(tar.status.success());
        tar.stdout
    })
    .clone()
}

pub(crate) async fn import(docker: &Docker, tar: Vec<u8>, reference: &str) {
    let (repo, tag) = reference.rsplit_once(':').unwrap();
    let options = query::CreateImageOptionsBuilder::new().from_src("-").repo(repo).tag(tag).build();
    let body = bollard::body_full(tar.into());
    let told: Vec<_> = docker.create_image(Some(options), Some(body), None).try_collect().await.unwrap();
    // Podman leaves the name out.
    if docker.inspect_image(reference).await.is_err() {
        let id = told.into_iter().filter_map(|info| info.status).next_back().unwrap();
        let tag = query::TagImageOptionsBuilder::new().repo(repo).tag(tag).build();
        docker.tag_image(id.trim(), Some(tag)).await.unwrap();
    }
}
