//! From a runner's spec to the body of the engine's create call. Pure: the same arguments give the same body.
//!
//! The fields are those of `POST /containers/create` in the Docker Engine API, version 1.41
//! (<https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate>).

mod environment;
mod host;
mod security;
mod sidecar;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;

use crate::model::DockerMode;
use crate::model::NetworkMode;
use crate::model::Role;
use crate::model::Time;

use super::Admission;
use super::NewRunner;
use super::labels;
use super::names;

pub(super) use sidecar::PROBE;
pub(super) use sidecar::sidecar;
pub(super) use sidecar::trial_of_privileges;

/// What the engine and its host can do, as far as bodies depend on it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct HostFacts {
    /// Whether cgroup parents are systemd slices.
    pub(super) systemd_cgroups: bool,
    /// Whether the storage driver can limit a container's writable layer.
    pub(super) disk_limit: bool,
    /// Whether the engine has the journald driver and the host a journal.
    pub(super) journal: bool,
    /// The engine's default log driver.
    pub(super) default_log_driver: String,
    /// The engine's own socket on the host, and the group that may use it.
    pub(super) socket: Option<HostSocket>,
}

/// The engine's own socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostSocket {
    pub(super) path: String,
    pub(super) gid: Option<u32>,
}

/// How far a sidecar's privileges go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privilege {
    /// `--privileged`, as inner engines ask for.
    Full,
    /// All capabilities but `SYS_RESOURCE`, without seccomp, AppArmor and masked paths: for an engine that itself lacks
    /// that capability and so cannot give `--privileged`.
    AllButResource,
}

/// The container that runs the job, or tries the image.
pub(super) fn runner(new: &NewRunner, facts: &HostFacts, now: Time) -> ContainerCreateBody {
    let spec = &new.plan.spec;
    let role = if is_trial(new) { Role::Canary } else { Role::Runner };
    let (entrypoint, cmd) = command(new);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        user: spec.user.clone(),
        env: Some(environment::of(new)),
        entrypoint,
        cmd,
        labels: Some(labels::of_container(new, role, now)),
        // A container that shares another's network shares its hostname too.
        hostname: (!has_sidecar(new)).then(|| names::container(new)),
        host_config: Some(host::runner(new, facts)),
        ..Default::default()
    }
}

/// Whether an inner engine stands beside the runner.
pub(super) fn has_sidecar(new: &NewRunner) -> bool {
    new.plan.spec.docker == DockerMode::Dind
}

fn is_trial(new: &NewRunner) -> bool {
    matches!(new.admission, Admission::Nothing)
}

/// Whether the runner (or its sidecar) joins the pool's own network.
pub(super) fn joins_pool_network(new: &NewRunner) -> bool {
    new.plan.spec.network == NetworkMode::Pool
}

/// What runs: entry point and arguments.
///
/// A just-in-time runner's command replaces the image's entry point, as it does in Kubernetes, so that `run.sh` is what
/// gets the signals. An image that registers itself keeps its entry point, since that is what registers. A trial without a
/// command asks the runner for its version: it needs no registration and ends at once.
fn command(new: &NewRunner) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let own = new.plan.spec.command.clone();
    let usual = match new.admission {
        Admission::Token { .. } => return (None, own),
        Admission::Jit(_) => vec![names::in_home("run.sh")],
        Admission::Nothing => vec![names::in_home("bin/Runner.Listener"), "--version".to_owned()],
    };
    let mut words = own.unwrap_or(usual).into_iter();
    let first = words.next();
    (first.map(|word| vec![word]), Some(words.collect()))
}

/// A map from words, for the engine's many string maps.
fn words<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
