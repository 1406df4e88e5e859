//! What a runner's container is made of.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Size;

/// Everything about a runner that its container (or its registration) is made from, and nothing else: the digest of
/// this value decides whether a running runner still is what its pool asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunnerSpec {
    /// Image reference, by tag or by digest (`…@sha256:…`).
    pub image: String,
    /// What to run in it instead of `/home/runner/run.sh` (just-in-time) or the image's own command (token).
    pub command: Option<Vec<String>>,
    /// The user to run as, where it is not the image's own.
    pub user: Option<String>,
    /// Further environment of the runner.
    pub env: BTreeMap<String, String>,
    /// Where jobs work inside the container; relative to `/home/runner`, as the runner takes it.
    pub work_folder: String,
    /// Processors, as a number of cores; 0 for no limit.
    pub cpus: f64,
    /// Memory; none for no limit.
    pub memory: Option<Size>,
    /// Processes and threads; none for no limit.
    pub pids: Option<u32>,
    /// The container's writable layer, where the storage driver can limit it.
    pub disk: Option<Size>,
    /// Size of `/dev/shm`.
    pub shm_size: Option<Size>,
    /// Whether no-new-privileges is left out, so that jobs may call sudo.
    pub sudo: bool,
    /// Whether the container has all of the host's privileges.
    pub privileged: bool,
    /// Capabilities beyond the few that every runner keeps.
    pub cap_add: Vec<Capability>,
    /// Which network it joins.
    pub network: NetworkMode,
    /// Bind mounts and named volumes.
    pub volumes: Vec<VolumeMount>,
    /// The cgroup that the container's own lies under; none for `ghrunner-<pool>.slice` where the engine allows it.
    pub cgroup_parent: Option<String>,
    /// OCI runtime, such as `runsc` or `sysbox-runc`.
    pub runtime: Option<String>,
    /// Graphics processors.
    pub gpus: Option<Gpus>,
    /// `host:address` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Proxy that jobs and the runner use.
    pub proxy: Option<String>,
    /// Hosts that the proxy is not used for.
    pub no_proxy: Option<String>,
    /// What a job gets of a container engine.
    pub docker: DockerMode,
    /// The image of the inner engine, with `docker = "dind"`.
    pub dind_image: String,
    /// Where the runner's output goes.
    pub log_driver: LogDriver,
}

#[cfg(test)]
impl RunnerSpec {
    /// With the defaults that the file gives, for tests to change.
    pub(crate) fn usual() -> Self {
        Self {
            image: "ghcr.io/actions/actions-runner:latest".to_owned(),
            command: None,
            user: None,
            env: BTreeMap::new(),
            work_folder: "_work".to_owned(),
            cpus: 2.0,
            memory: Some(Size(4 << 30)),
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
            dind_image: "docker.io/library/docker:dind".to_owned(),
            log_driver: LogDriver::Auto,
        }
    }
}

/// A Linux capability by its name without `CAP_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Capability(pub String);

/// What a job gets of a container engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DockerMode {
    /// Nothing.
    None,
    /// An engine of its own beside the runner, removed with it.
    Dind,
    /// The host's engine, which is as good as root on the host.
    Socket,
}

/// Which network a runner joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// The pool's own bridge, without traffic between its runners.
    Pool,
    /// The host's, which opens every loopback service of the host to jobs.
    Host,
    /// None at all.
    None,
    /// One that the operator made.
    Named(String),
}

/// A bind mount (`/host/path:/path[:ro]`) or a named volume (`name:/path[:ro]`), as `docker run --volume` takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeMount {
    /// An absolute path of the host or a volume's name.
    pub source: String,
    /// An absolute path in the container.
    pub target: String,
    /// Whether jobs may only read it.
    pub read_only: bool,
}

/// Graphics processors, as `docker run --gpus` takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gpus {
    /// Every one.
    All,
    /// So many.
    Count(u32),
    /// These, by index or UUID.
    Devices(Vec<String>),
}

/// Where the runner's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogDriver {
    /// The journal where the host has one, else the engine's default (saved before removal).
    Auto,
    /// A driver of the engine's, by name.
    Named(String),
}
