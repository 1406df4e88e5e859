//! [`Engine`] over the Docker Engine API, which Podman's service speaks too (`docs/engines.md` says how far).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;

use crate::model::Container;
use crate::model::ContainerId;
use crate::model::InstanceId;
use crate::model::Leftover;
use crate::model::Meter;
use crate::model::Secret;
use crate::model::Time;
use crate::model::Usage;

use super::End;
use super::Engine;
use super::EngineError;
use super::EngineEvent;
use super::EngineInfo;
use super::Image;
use super::NewRunner;
use super::Worker;
use super::collect;
use super::containers;
use super::create;
use super::events;
use super::images;
use super::images::Pulls;
use super::info;
use super::labels::Unreadable;
use super::link::Link;
use super::logs;
use super::usage;

/// Gives a docker `config.json`, or says in words why it cannot.
pub type RegistryAuth = Arc<dyn Fn() -> Result<Option<Secret>, String> + Send + Sync>;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Where systemd's journal takes messages; its presence is what makes the journald log driver of use.
pub const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// Which engine, and on whose behalf.
#[derive(Clone)]
pub struct EngineSpec {
    /// `unix:///run/docker.sock`, or `tcp://host:port` without TLS.
    pub endpoint: String,
    /// Whose containers these are.
    pub instance: InstanceId,
    /// Gives the registries' credentials anew for each pull.
    pub registry_auth: RegistryAuth,
    /// Tells the time for labels.
    pub clock: Clock,
    /// Usually [`JOURNAL_SOCKET`].
    pub journal_socket: PathBuf,
    /// Counts and times the calls.
    pub meter: Arc<Meter>,
}

impl fmt::Debug for EngineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSpec")
            .field("endpoint", &self.endpoint)
            .field("instance", &self.instance)
            .field("journal_socket", &self.journal_socket)
            .finish_non_exhaustive()
    }
}

/// A Docker-compatible engine. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct DockerEngine {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<Link>,
    instance: InstanceId,
    registry_auth: RegistryAuth,
    clock: Clock,
    unreadable: Unreadable,
    pulls: Pulls,
}

impl fmt::Debug for DockerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerEngine")
            .field("endpoint", &self.shared.link.endpoint())
            .field("instance", &self.shared.instance)
            .finish_non_exhaustive()
    }
}

impl DockerEngine {
    /// Connects when first asked something: an engine that is not there yet is an error of each call, not of this one.
    pub fn connect(spec: EngineSpec) -> Self {
        Self {
            shared: Arc::new(Shared {
                link: Arc::new(Link::new(spec.endpoint, spec.journal_socket, spec.meter)),
                instance: spec.instance,
                registry_auth: spec.registry_auth,
                clock: spec.clock,
                unreadable: Unreadable::default(),
                pulls: Pulls::default(),
            }),
        }
    }

    fn link(&self) -> &Link {
        &self.shared.link
    }

    fn now(&self) -> Time {
        (self.shared.clock)()
    }
}

impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        info::ask(self.link()).await
    }

    async fn list(&self) -> Result<Vec<Container>, EngineError> {
        containers::list(self.link(), &self.shared.instance, &self.shared.unreadable).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, EngineError> {
        collect::leftovers(self.link(), &self.shared.instance).await
    }

    async fn create(&self, new: &NewRunner) -> Result<ContainerId, EngineError> {
        create::create(self.link(), new, self.now()).await
    }

    async fn start(&self, new: &NewRunner, id: &ContainerId) -> Result<(), EngineError> {
        create::start(self.link(), new, id).await
    }

    async fn worker(&self, id: &ContainerId) -> Result<Worker, EngineError> {
        containers::worker(self.link(), id).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        containers::stop(self.link(), id, grace).await
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        collect::container(self.link(), &self.shared.instance, container).await
    }

    async fn collect(&self, leftover: &Leftover) -> Result<(), EngineError> {
        collect::leftover(self.link(), &self.shared.instance, leftover).await
    }

    async fn end(&self, id: &ContainerId) -> Result<Option<End>, EngineError> {
        containers::end(self.link(), id).await
    }

    async fn usage(&self, id: &ContainerId) -> Result<Option<Usage>, EngineError> {
        usage::usage(self.link(), id).await
    }

    async fn output(&self, id: &ContainerId, max_bytes: usize) -> Result<String, EngineError> {
        logs::output(self.link(), id.as_str(), max_bytes).await
    }

    fn follow(
        &self,
        id: &ContainerId,
        tail: usize,
        follow: bool,
    ) -> impl Stream<Item = Result<bytes::Bytes, EngineError>> + Send + use<> {
        logs::follow(self.shared.link.clone(), id.clone(), tail, follow)
    }

    fn events(&self) -> impl Stream<Item = EngineEvent> + Send + use<> {
        let shared = &self.shared;
        events::events(shared.link.clone(), shared.instance.clone(), shared.clock.clone())
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        images::image(self.link(), reference).await
    }

    async fn pull(
        &self,
        reference: &str,
        progress: impl Fn(String) + Send + Sync,
    ) -> Result<Image, EngineError> {
        images::pull(self.link(), &self.shared.pulls, &self.shared.registry_auth, reference, progress).await
    }
}
