//! What was seen, before anybody judges it.

use super::DemandFacts;
use crate::engine::EngineError;
use crate::engine::EngineInfo;
use crate::github::Access;
use crate::http::dto;
use crate::model::GroupName;
use crate::model::PoolName;
use crate::model::PullPolicy;
use crate::model::Scope;
use crate::model::Size;
use crate::model::Time;

/// Everything that the diagnosis looks at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When it was looked.
    pub now: Time,
    /// This binary's version.
    pub version: String,
    /// The file.
    pub config: ConfigFacts,
    /// The credentials' secrets.
    pub secrets: Vec<SecretFacts>,
    /// What GitHub says, pool by pool and scope by scope.
    pub scopes: Vec<ScopeFacts>,
    /// What pools hear of their jobs by.
    pub demand: Vec<DemandFacts>,
    /// What the engine says of itself; none where no file says which engine.
    pub engine: Option<Result<EngineInfo, EngineError>>,
    /// `host.reserve.disk`.
    pub reserve_disk: Size,
    /// The images that pools name.
    pub images: Vec<ImageFacts>,
    /// OCI runtimes that pools ask for.
    pub runtimes: Vec<(PoolName, String)>,
    /// The control socket's file.
    pub socket: SocketFacts,
    /// The daemon.
    pub daemon: DaemonFacts,
}

/// The configuration file.
#[derive(Debug, Clone, Default)]
pub struct ConfigFacts {
    /// Its path.
    pub path: String,
    /// How many pools it declares.
    pub pools: usize,
    /// Its errors, one line each.
    pub errors: Vec<String>,
    /// Its warnings, one line each.
    pub warnings: Vec<String>,
}

/// A credential's secret: whether it can be had, never what it is.
#[derive(Debug, Clone)]
pub struct SecretFacts {
    /// The credential.
    pub credential: String,
    /// A warning about how it is kept; or why it cannot be had.
    pub outcome: Result<Option<String>, String>,
}

/// One scope of one pool at GitHub.
#[derive(Debug, Clone)]
pub struct ScopeFacts {
    /// The pool.
    pub pool: PoolName,
    /// Whose credentials were used.
    pub credential: String,
    /// Where.
    pub scope: Scope,
    /// The runner group.
    pub group: Option<GroupName>,
    /// What the credential may do there.
    pub access: Access,
}

/// An image that pools name.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// Its reference.
    pub reference: String,
    /// The pools.
    pub pools: Vec<PoolName>,
    /// When it is pulled.
    pub pull: PullPolicy,
    /// Whether the engine has it.
    pub present: Result<bool, EngineError>,
}

/// The control socket's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFacts {
    /// Its path.
    pub path: String,
    /// Mode and group; none if it is not there.
    pub file: Option<(u32, String)>,
    /// The group that the file lets look, and whether there is one of that name.
    pub readers: Option<(String, bool)>,
}

/// The daemon.
#[derive(Debug, Clone)]
pub enum DaemonFacts {
    /// It answers.
    Running(Box<dto::Status>),
    /// Nobody listens.
    NotRunning,
    /// It could not be asked.
    NotAsked {
        /// Why.
        why: String,
    },
}
