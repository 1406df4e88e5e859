//! The calls that ghrunner makes to a container engine, and what it may answer.

use std::future::Future;
use std::time::Duration;

use futures_util::Stream;
use serde::Serialize;

use crate::model::Container;
use crate::model::ContainerId;
use crate::model::CreateRunner;
use crate::model::ErrorClass;
use crate::model::ImageId;
use crate::model::InstanceId;
use crate::model::Leftover;
use crate::model::RunnerId;
use crate::model::Secret;
use crate::model::Size;
use crate::model::Time;
use crate::model::Usage;

/// A runner about to be made: what the plan decided, and the registration that was just got for it.
#[derive(Debug, Clone)]
pub struct NewRunner {
    /// What the plan decided.
    pub plan: CreateRunner,
    /// Which installation of ghrunner makes it.
    pub instance: InstanceId,
    /// Its number at GitHub, known with just-in-time registration.
    pub runner_id: Option<RunnerId>,
    /// How its process comes to its registration.
    pub admission: Admission,
}

/// How a runner's process comes to its registration.
#[derive(Debug, Clone)]
pub enum Admission {
    /// The just-in-time configuration, base64 as GitHub gave it.
    Jit(Secret),
    /// A registration token, and where to use it, for an image that registers itself.
    Token {
        /// The registration token.
        token: Secret,
        /// GitHub's host, such as `https://github.com`.
        url: String,
    },
    /// None: a trial of the image.
    Nothing,
}

/// What the engine is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EngineInfo {
    /// `Docker` or `Podman`.
    pub product: String,
    /// Its version.
    pub version: String,
    /// The API version that both sides agreed on.
    pub api_version: String,
    /// Processors of its host.
    pub cpus: Option<f64>,
    /// Memory of its host.
    pub memory: Option<Size>,
    /// Where it keeps containers.
    pub root_dir: Option<String>,
    /// Free space there, where this process can see it.
    pub disk_free: Option<Size>,
    /// Storage driver.
    pub storage_driver: String,
    /// `systemd` or `cgroupfs`.
    pub cgroup_driver: String,
    /// OCI runtimes by name.
    pub runtimes: Vec<String>,
}

/// Whether a job runs inside a container, by its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// A `Runner.Worker` process is there.
    Running,
    /// None is.
    Absent,
    /// The container itself does not run.
    NotRunning,
}

/// How a container ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct End {
    /// Its exit code.
    pub exit_code: Option<i64>,
    /// Whether the engine saw the kernel kill for memory. It may miss that: the news races with the container's end, and
    /// where it loses it never comes (Docker 20.10 under cgroup v1: three times of a hundred).
    pub oom_killed: bool,
    /// The memory limit that it had.
    pub memory: Option<Size>,
    /// The engine's own word of what went wrong, such as a command that does not exist.
    pub error: Option<String>,
    /// When it was started.
    pub started: Option<Time>,
    /// When it ended.
    pub finished: Option<Time>,
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The engine's id of it.
    pub id: ImageId,
    /// When it was built.
    pub created: Option<Time>,
    /// `name@sha256:…` under which registries know it.
    pub digests: Vec<String>,
}

/// Something happened to a container of ours; which is found out by looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// The stream of events stands (again): whatever came before may have been missed.
    Connected,
    /// A container of ours began, ended or was removed.
    Container {
        /// The engine's word: `start`, `die`, `oom`, `destroy`, ….
        action: String,
        /// Its id.
        id: ContainerId,
    },
}

/// What went wrong at the engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// It cannot be reached.
    #[error("cannot reach the engine at {endpoint}: {why}")]
    Unreachable {
        /// Its endpoint.
        endpoint: String,
        /// The system's words.
        why: String,
    },
    /// It did not answer in time.
    #[error("the engine did not answer {call} within {}", humantime::format_duration(*.within))]
    TimedOut {
        /// What was asked.
        call: &'static str,
        /// The time it had.
        within: Duration,
    },
    /// The name is taken: look again.
    #[error("a container named {name} exists already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The image is not there.
    #[error("the engine has no image {image}")]
    NoSuchImage {
        /// Its reference.
        image: String,
    },
    /// The registry refused, or has no such image.
    #[error("cannot pull {image}: {why}")]
    Pull {
        /// Its reference.
        image: String,
        /// The registry's words.
        why: String,
        /// Whether asking again may help.
        passing: bool,
    },
    /// The inner engine did not come up.
    #[error("the inner engine {name} is not ready: {why}")]
    SidecarNotReady {
        /// The sidecar's name.
        name: String,
        /// Its last words.
        why: String,
    },
    /// It refused.
    #[error("the engine refused to {call}: {message} (status {status})")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
}

impl EngineError {
    /// Whether a start failed for a reason of its own, rather than the engine being away or a name taken.
    pub fn is_start_failure(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::NameTaken { .. })
    }

    /// A word for its kind that stays.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed_out",
            Self::NameTaken { .. } => "name_taken",
            Self::NoSuchImage { .. } => "no_image",
            Self::Pull { .. } => "pull_failed",
            Self::SidecarNotReady { .. } => "inner_engine",
            Self::Refused { status: 404, .. } => "not_found",
            Self::Refused { .. } => "refused",
        }
    }

    /// What it means for whoever goes on.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::NameTaken { .. }
            | Self::SidecarNotReady { .. } => ErrorClass::Retry,
            Self::NoSuchImage { .. } => ErrorClass::Terminal,
            Self::Pull { passing, .. } => {
                if *passing {
                    ErrorClass::Retry
                } else {
                    ErrorClass::Terminal
                }
            }
            Self::Refused { status, .. } => {
                // 409: something else stands in the way (in use, running), which may pass.
                if *status >= 500 || *status == 409 { ErrorClass::Retry } else { ErrorClass::Terminal }
            }
        }
    }
}

/// A container engine. Everything it lists and removes is this instance's own, by label.
///
/// Each call is idempotent where the world allows it: removing what is gone succeeds.
pub trait Engine: Send + Sync + 'static {
    /// What it is and what its host has.
    fn info(&self) -> impl Future<Output = Result<EngineInfo, EngineError>> + Send;

    /// All containers of ours, in any state.
    fn list(&self) -> impl Future<Output = Result<Vec<Container>, EngineError>> + Send;

    /// Volumes and networks of ours.
    fn leftovers(&self) -> impl Future<Output = Result<Vec<Leftover>, EngineError>> + Send;

    /// Makes the runner's container with its pool's network and, with `docker = "dind"`, its volumes and sidecar.
    /// Nothing of it runs yet.
    fn create(&self, new: &NewRunner) -> impl Future<Output = Result<ContainerId, EngineError>> + Send;

    /// Starts what [`Engine::create`] made: the sidecar first, until it is healthy, then the runner.
    fn start(
        &self,
        new: &NewRunner,
        id: &ContainerId,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Whether a job runs in the container (`docker top`).
    fn worker(&self, id: &ContainerId) -> impl Future<Output = Result<Worker, EngineError>> + Send;

    /// Asks the container's first process to end, and kills it after `grace`.
    fn stop(&self, id: &ContainerId, grace: Duration)
    -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes a container that does not run, with its sidecar and the volumes made for its slot.
    fn remove(&self, container: &Container) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes a volume, network or image of ours.
    fn collect(&self, leftover: &Leftover) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// How a container ended; none if it is gone.
    fn end(&self, id: &ContainerId) -> impl Future<Output = Result<Option<End>, EngineError>> + Send;

    /// What the container takes of the machine; none if it does not run, or the engine does not tell.
    fn usage(&self, id: &ContainerId) -> impl Future<Output = Result<Option<Usage>, EngineError>> + Send;

    /// What the container printed, its last `max_bytes` at most.
    fn output(
        &self,
        id: &ContainerId,
        max_bytes: usize,
    ) -> impl Future<Output = Result<String, EngineError>> + Send;

    /// What the container prints, from its last `tail` lines on, until it ends (or once, without `follow`).
    fn follow(
        &self,
        id: &ContainerId,
        tail: usize,
        follow: bool,
    ) -> impl Stream<Item = Result<bytes::Bytes, EngineError>> + Send + use<Self>
    where
        Self: Sized;

    /// Events about containers of ours. The stream never ends: it reconnects, and says so with
    /// [`EngineEvent::Connected`].
    fn events(&self) -> impl Stream<Item = EngineEvent> + Send + use<Self>
    where
        Self: Sized;

    /// What the engine has under that reference.
    fn image(&self, reference: &str) -> impl Future<Output = Result<Option<Image>, EngineError>> + Send;

    /// Asks the registry for an image, telling `progress` in words how far it has come.
    fn pull(
        &self,
        reference: &str,
        progress: impl Fn(String) + Send + Sync,
    ) -> impl Future<Output = Result<Image, EngineError>> + Send;
}
