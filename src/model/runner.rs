//! A runner as it is seen: its container, its registration, and what the two together mean.

use serde::Serialize;

use super::ContainerId;
use super::CredentialName;
use super::ImageId;
use super::PoolName;
use super::RunnerId;
use super::RunnerName;
use super::Scope;
use super::Slot;
use super::SpecHash;
use super::Time;

/// What a container of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It runs one job.
    Runner,
    /// The inner engine beside a runner.
    Dind,
    /// A trial of a pool's image that registers nothing.
    Canary,
}

/// What the engine says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Made and not started.
    Created,
    /// Running (or paused, or restarting: alive).
    Running,
    /// Ended, with its exit code where the engine tells.
    Exited(Option<i64>),
    /// Being removed by the engine.
    Removing,
}

/// One of our containers, as its labels and the engine's list tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    /// The engine's id.
    pub id: ContainerId,
    /// The engine's name for it, without the leading slash.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The pool it was made for, which the file may no longer have.
    pub pool: PoolName,
    /// Its place in the pool.
    pub slot: Slot,
    /// The runner's name at GitHub.
    pub runner_name: RunnerName,
    /// The runner's number at GitHub, where it was known when the container was made.
    pub runner_id: Option<RunnerId>,
    /// Where the runner is registered.
    pub scope: Scope,
    /// Whose credentials registered it.
    pub credentials: CredentialName,
    /// What it was made from.
    pub spec_hash: SpecHash,
    /// The image it was made from.
    pub image_id: ImageId,
    /// When it was made.
    pub created: Time,
    /// What it is doing.
    pub state: ContainerState,
}

impl Container {
    /// Whether it is alive.
    pub fn runs(&self) -> bool {
        self.state == ContainerState::Running
    }
}

/// A runner as GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// GitHub's number.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// Whether it has a session.
    pub online: bool,
    /// Whether GitHub believes that it runs a job. Known to lie; never enough to stop a runner.
    pub busy: bool,
    /// Its labels, as GitHub keeps them.
    pub labels: Vec<String>,
}

/// What container and registration together mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Being made: the registration, or the container before its start.
    Creating,
    /// Running and not yet seen online.
    Starting,
    /// Online without a job.
    Idle,
    /// In a job, by any witness.
    Busy,
    /// To go as soon as it is surely idle.
    Draining,
    /// Its container ended.
    Exited,
    /// Running, and did not come online in time.
    Failed,
    /// A registration of ours without a container.
    Lost,
    /// A container of ours without a registration.
    Stray,
}

/// Container and registration of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Runner {
    /// The pool it was made for.
    pub pool: PoolName,
    /// Its place in the pool.
    pub slot: Slot,
    /// Its name at GitHub.
    pub name: RunnerName,
    /// Where it is (or was to be) registered.
    pub scope: Scope,
    /// Whose credentials speak for it.
    pub credentials: CredentialName,
    /// Its container, if the engine lists one.
    pub container: Option<Container>,
    /// Its registration, if GitHub's last complete listing has one.
    pub registration: Option<Registration>,
}

impl Runner {
    /// Whether its container is alive.
    pub fn runs(&self) -> bool {
        self.container.as_ref().is_some_and(Container::runs)
    }
}

/// What a runner takes of the machine, its inner engine included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Memory, in bytes: the most that is known.
    pub memory: u64,
    /// Processor time since its start, in milliseconds.
    pub cpu_ms: u64,
}

/// What is kept of a runner that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostMortem {
    /// The pool it was made for.
    pub pool: PoolName,
    /// Its name at GitHub.
    pub runner: RunnerName,
    /// When its container was made.
    pub created: Time,
    /// When it was taken away.
    pub ended: Time,
    /// The exit code of its container.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// Whether it ran a job, by any witness.
    pub ran_job: bool,
    /// The job's name, where the runner's output tells.
    pub job: Option<String>,
    /// One sentence: why it ended.
    pub verdict: String,
    /// The last lines of its output.
    pub last_lines: Vec<String>,
}
