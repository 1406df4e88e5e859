//! `GET /api/v1/status`.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Held;
use super::HistoryHealth;
use super::Pool;
use super::Runner;
use super::Timestamp;
use crate::control;
use crate::engine::EngineInfo;
use crate::github::CredentialState;
use crate::model::Mode;

/// The daemon and its fleet, as of the end of the last pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// ghrunner's version.
    pub version: String,
    /// Which installation this is: part of its runners' names.
    pub instance: String,
    /// When the daemon started.
    pub started: Timestamp,
    /// Whether a first complete look was had.
    pub ready: bool,
    /// `organization` or `repository`.
    #[schema(value_type = super::ModeWord)]
    pub mode: Mode,
    /// How many passes have ended.
    pub passes: u64,
    /// When the last one ended.
    pub as_of: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The line that `systemctl status` shows.
    pub status: String,
    /// The configuration file.
    pub config: ConfigFile,
    /// Where mode and marks are kept.
    #[serde(default)]
    pub state_dir: Option<String>,
    /// How the history stands; none where none is kept.
    #[serde(default)]
    pub history: Option<HistoryHealth>,
    /// The container engine; none until it answered.
    pub engine: Option<Engine>,
    /// Why the engine does not answer.
    pub engine_error: Option<String>,
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The pools.
    pub pools: Vec<Pool>,
    /// The runners.
    pub runners: Vec<Runner>,
    /// What is held back for no single pool.
    pub held: Vec<Held>,
    /// What will go wrong in days if nobody does anything.
    pub advice: Vec<String>,
}

/// How the configuration file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigFile {
    /// Its path.
    pub path: String,
    /// When the configuration in force was read.
    pub loaded: Timestamp,
    /// Why the file as it is now is refused: the last good one is in force.
    pub error: Option<String>,
    /// Since when.
    pub error_since: Option<Timestamp>,
    /// What is legal and unwise.
    pub warnings: Vec<String>,
    /// Changed settings that wait for a restart.
    pub needs_restart: Vec<String>,
}

/// The container engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// `Docker` or `Podman`.
    pub product: String,
    /// Its version.
    pub version: String,
    /// The API version agreed on.
    pub api_version: String,
    /// Processors of its host.
    pub cpus: Option<f64>,
    /// Memory of its host, in bytes.
    pub memory_bytes: Option<u64>,
    /// Where it keeps containers.
    pub root_dir: Option<String>,
    /// What is free there, in bytes.
    pub disk_free_bytes: Option<u64>,
    /// Storage driver.
    pub storage_driver: String,
    /// `systemd` or `cgroupfs`.
    pub cgroup_driver: String,
    /// OCI runtimes.
    pub runtimes: Vec<String>,
}

/// A credential; never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// GitHub's address.
    pub url: String,
    /// Its budget, once GitHub has answered.
    pub quota: Option<Quota>,
    /// Nothing is sent until then.
    pub limited: Option<Limited>,
    /// Why it is refused or cannot be read.
    pub refused: Option<String>,
    /// Requests sent since the start.
    pub requests: u64,
    /// Of those, answered "not modified".
    pub not_modified: u64,
}

/// A budget of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// Requests an hour.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When the hour is over.
    pub reset: Timestamp,
}

/// A limit in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limited {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl From<&control::Snapshot> for Status {
    fn from(s: &control::Snapshot) -> Self {
        Self {
            version: s.version.clone(),
            instance: s.instance.clone(),
            started: s.started.into(),
            ready: s.ready,
            mode: s.mode,
            passes: s.passes,
            as_of: s.as_of.into(),
            took_ms: s.took_ms,
            status: s.status.clone(),
            config: (&s.config).into(),
            state_dir: s.state_dir.clone(),
            history: s.history.as_ref().map(HistoryHealth::from),
            engine: s.engine.as_ref().map(Engine::from),
            engine_error: s.engine_error.clone(),
            credentials: s.credentials.iter().map(Credential::from).collect(),
            pools: s.pools.iter().map(Pool::from).collect(),
            runners: s.runners.iter().map(Runner::from).collect(),
            held: s.plan.report.held.iter().map(Held::from).collect(),
            advice: s.plan.report.advice.clone(),
        }
    }
}

impl From<&control::ConfigState> for ConfigFile {
    fn from(c: &control::ConfigState) -> Self {
        Self {
            path: c.path.clone(),
            loaded: c.loaded.into(),
            error: c.error.clone(),
            error_since: c.error_since.map(Timestamp),
            warnings: c.warnings.clone(),
            needs_restart: c.needs_restart.clone(),
        }
    }
}

impl From<&EngineInfo> for Engine {
    fn from(e: &EngineInfo) -> Self {
        Self {
            product: e.product.clone(),
            version: e.version.clone(),
            api_version: e.api_version.clone(),
            cpus: e.cpus,
            memory_bytes: e.memory.map(|size| size.0),
            root_dir: e.root_dir.clone(),
            disk_free_bytes: e.disk_free.map(|size| size.0),
            storage_driver: e.storage_driver.clone(),
            cgroup_driver: e.cgroup_driver.clone(),
            runtimes: e.runtimes.clone(),
        }
    }
}

impl From<&CredentialState> for Credential {
    fn from(c: &CredentialState) -> Self {
        Self {
            name: c.name.clone(),
            url: c.url.clone(),
            quota: c.quota.as_ref().map(|q| Quota {
                limit: q.limit,
                remaining: q.remaining,
                reset: q.reset.into(),
            }),
            limited: c
                .limited
                .as_ref()
                .map(|(until, reason)| Limited { until: (*until).into(), reason: reason.clone() }),
            refused: c.refused.clone(),
            requests: c.requests,
            not_modified: c.not_modified,
        }
    }
}
