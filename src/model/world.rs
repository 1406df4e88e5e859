//! Everything that was seen, with what could not be seen said beside it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Book;
use super::Container;
use super::ContainerId;
use super::DemandView;
use super::ImageId;
use super::InstanceId;
use super::Mode;
use super::PoolName;
use super::Registration;
use super::Repo;
use super::Runner;
use super::Scope;
use super::Size;
use super::Time;

/// One look at engine and GitHub, joined with what this process remembers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct World {
    /// Which installation of ghrunner looks.
    pub instance: InstanceId,
    /// When the look began.
    pub as_of: Time,
    /// Containers and registrations of ours, joined by scope and name.
    pub runners: Vec<Runner>,
    /// What the engine said.
    pub engine: EngineView,
    /// What GitHub said, scope by scope.
    pub registrations: BTreeMap<Scope, RegistrationView>,
    /// Where organization pools register.
    pub mode: Mode,
    /// Repository mode's repositories for pools without a `rollback` list: what GitHub's access list gives.
    pub admitted: BTreeMap<PoolName, Vec<Repo>>,
    /// Public repositories that a pool's runner group would admit if it were open to public ones.
    pub closed_to: BTreeMap<PoolName, Vec<Repo>>,
    /// What is known of jobs that wait and run.
    pub demand: DemandView,
    /// What the host has.
    pub host: HostView,
    /// What this process remembers.
    pub book: Book,
}

/// The engine's side of a look.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct EngineView {
    /// Why the containers could not be listed; then nothing is known of any.
    pub error: Option<String>,
    /// Our sidecars and canaries (runners are in [`World::runners`]).
    pub companions: Vec<Container>,
    /// Volumes, networks and images of ours.
    pub leftovers: Vec<Leftover>,
    /// Images that the pools name.
    pub images: BTreeMap<String, ImageView>,
}

/// One thing of ours beside the containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Leftover {
    /// A volume made for a slot.
    Volume {
        /// The engine's name for it.
        name: String,
        /// The container name of the runner it was made for.
        runner_container: String,
    },
    /// A pool's network.
    Network {
        /// The engine's name for it.
        name: String,
        /// The pool it was made for.
        pool: PoolName,
    },
    /// An image that we pulled, and since when no pool names it.
    Image {
        /// Its reference.
        reference: String,
        /// When a pool last named it.
        last_named: Time,
    },
}

impl Leftover {
    /// A text that tells this leftover from every other one.
    pub fn key(&self) -> String {
        match self {
            Self::Volume { name, .. } => format!("volume {name}"),
            Self::Network { name, .. } => format!("network {name}"),
            Self::Image { reference, .. } => format!("image {reference}"),
        }
    }
}

/// An image that pools name.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct ImageView {
    /// What the engine has under that name.
    pub id: Option<ImageId>,
    /// When it was built.
    pub built: Option<Time>,
    /// When the registry was last asked for it.
    pub checked: Option<Time>,
    /// Why the last pull failed, and when it is tried again.
    pub failed: Option<(String, Time)>,
    /// How far a pull under way has come, in words.
    pub progress: Option<String>,
}

/// GitHub's side of a look, for one scope.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct RegistrationView {
    /// When the last complete listing was asked for; none if there never was one.
    pub as_of: Option<Time>,
    /// All runners of ours in the last complete listing.
    pub ours: Vec<Registration>,
    /// Runners in that listing that are not ours.
    pub foreign: usize,
    /// Why the latest attempt failed.
    pub error: Option<String>,
}

/// What the host has.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct HostView {
    /// Processors.
    pub cpus: Option<f64>,
    /// Memory.
    pub memory: Option<Size>,
    /// Free space where the engine keeps containers.
    pub disk_free: Option<Size>,
}

impl World {
    /// The runner whose container has this id.
    pub fn by_container(&self, id: &ContainerId) -> Option<&Runner> {
        self.runners.iter().find(|r| r.container.as_ref().is_some_and(|c| &c.id == id))
    }
}
