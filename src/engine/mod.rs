//! The container engine behind one narrow trait.
//!
//! **Knows** the label schema, how a runner becomes a create body, and what the engine's answers mean.
//! **Does not know** GitHub, and decides nothing.
//!
//! What always holds:
//! - Nothing without this instance's labels is stopped or removed, whatever its name.
//! - A runner's container that runs is never removed; it is stopped first, which is somebody else's decision.
//! - No secret reaches a label, an error or a log line. A just-in-time configuration is in the container's environment, where
//!   whoever may use the engine's socket can read it; it is single-use, and such a reader is root on the host anyway.
//!
//! The API is the Docker Engine's: <https://docs.docker.com/reference/api/engine/version/v1.41/>.

mod api;
mod body;
mod collect;
mod containers;
mod create;
mod dind;
mod docker;
mod error;
mod events;
#[cfg(test)]
mod fixture;
mod images;
mod info;
mod labels;
mod link;
mod logs;
mod names;
mod network;
mod registry_auth;
mod stamp;
mod usage;

pub use api::Admission;
pub use api::End;
pub use api::Engine;
pub use api::EngineError;
pub use api::EngineEvent;
pub use api::EngineInfo;
pub use api::Image;
pub use api::NewRunner;
pub use api::Worker;
pub use docker::Clock;
pub use docker::DockerEngine;
pub use docker::EngineSpec;
pub use docker::JOURNAL_SOCKET;
pub use docker::RegistryAuth;
