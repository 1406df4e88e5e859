//! What a container takes of its host: limits, network, mounts, devices, logs.

use std::collections::HashMap;

use bollard::models::DeviceRequest;
use bollard::models::HostConfig;
use bollard::models::HostConfigLogConfig;
use bollard::models::Mount;
use bollard::models::MountType;
use bollard::models::MountVolumeOptions;
use bollard::models::RestartPolicy;
use bollard::models::RestartPolicyNameEnum;

use crate::model::DockerMode;
use crate::model::Gpus;
use crate::model::LogDriver;
use crate::model::NetworkMode;
use crate::model::RunnerSpec;
use crate::model::Size;

use super::HostFacts;
use super::NewRunner;
use super::has_sidecar;
use super::labels;
use super::names;
use super::names::SlotVolume;
use super::security;
use super::words;

/// Cap of a runner's log where the engine keeps it as files: two of ten mebibytes. The last of it is what a post-mortem
/// shows; without a cap, one chatty job fills the engine's disk.
const LOG_FILES: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];

/// Where a job expects the engine's socket.
pub(super) const SOCKET_IN_CONTAINER: &str = "/var/run/docker.sock";

/// The runner's own.
///
/// No init process is asked for: `run.sh` is run by bash, which waits for orphans itself and forwards signals, while an
/// engine without the `docker-init` binary (Debian's without its recommended packages) refuses to start such a container.
/// Whoever wants one sets `"init": true` in the engine's own configuration.
pub(super) fn runner(new: &NewRunner, facts: &HostFacts) -> HostConfig {
    let spec = &new.plan.spec;
    let security = security::of(spec);
    let mut config = HostConfig {
        privileged: security.privileged,
        cap_drop: security.cap_drop,
        cap_add: security.cap_add,
        security_opt: security.options,
        device_requests: spec.gpus.as_ref().map(|gpus| vec![graphics(gpus)]),
        ..common(new, facts)
    };
    if has_sidecar(new) {
        config.network_mode = Some(format!("container:{}", names::sidecar(&names::container(new))));
        config.mounts = Some(runner_mounts(new));
        config.group_add = Some(vec![super::sidecar::SOCKET_GID.to_string()]);
        config.dns = None;
        config.extra_hosts = None;
    } else if spec.docker == DockerMode::Socket
        && let Some(socket) = &facts.socket
    {
        let bind = format!("{}:{SOCKET_IN_CONTAINER}", socket.path);
        config.binds.get_or_insert_default().push(bind);
        config.group_add = socket.gid.map(|gid| vec![gid.to_string()]);
    }
    config
}

/// What runner and sidecar have in common.
pub(super) fn common(new: &NewRunner, facts: &HostFacts) -> HostConfig {
    let spec = &new.plan.spec;
    HostConfig {
        network_mode: Some(network(new)),
        dns: some_if_any(&spec.dns),
        extra_hosts: some_if_any(&spec.extra_hosts),
        binds: some_if_any(&spec.volumes.iter().map(bind).collect::<Vec<_>>()),
        nano_cpus: nano_cpus(spec.cpus),
        memory: spec.memory.map(bytes),
        // The same number means no swap: a job over its limit is killed, instead of slowing down the whole host.
        memory_swap: spec.memory.map(bytes),
        pids_limit: spec.pids.map(i64::from),
        storage_opt: disk(spec, facts),
        shm_size: spec.shm_size.map(bytes),
        cgroup_parent: cgroup_parent(new, facts),
        runtime: spec.runtime.clone(),
        log_config: log_config(&spec.log_driver, facts),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        // A dead runner's container is kept for the post-mortem.
        auto_remove: Some(false),
        oom_score_adj: Some(security::OOM_SCORE_ADJ),
        ..Default::default()
    }
}

fn network(new: &NewRunner) -> String {
    match &new.plan.spec.network {
        NetworkMode::Pool => names::network(&new.plan.pool),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Named(name) => name.clone(),
    }
}

fn bind(volume: &crate::model::VolumeMount) -> String {
    let mode = if volume.read_only { ":ro" } else { "" };
    format!("{}:{}{mode}", volume.source, volume.target)
}

/// Billionths of a processor.
fn nano_cpus(cpus: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)]
    (cpus > 0.0).then_some((cpus * 1e9).round() as i64)
}

fn bytes(size: Size) -> i64 {
    i64::try_from(size.0).unwrap_or(i64::MAX)
}

fn disk(spec: &RunnerSpec, facts: &HostFacts) -> Option<HashMap<String, String>> {
    let size = spec.disk.filter(|_| facts.disk_limit)?;
    Some(HashMap::from([("size".to_owned(), size.0.to_string())]))
}

fn cgroup_parent(new: &NewRunner, facts: &HostFacts) -> Option<String> {
    let given = new.plan.spec.cgroup_parent.clone();
    given.or_else(|| facts.systemd_cgroups.then(|| names::slice(&new.plan.pool)))
}

fn graphics(gpus: &Gpus) -> DeviceRequest {
    let (count, device_ids) = match gpus {
        Gpus::All => (Some(-1), None),
        Gpus::Count(count) => (Some(i64::from(*count)), None),
        Gpus::Devices(ids) => (None, Some(ids.clone())),
    };
    DeviceRequest {
        count,
        device_ids,
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..Default::default()
    }
}

/// Where the output goes. In the journal, each line carries `CONTAINER_NAME` and the labels as fields
/// (`IO_GHRUNNER_POOL=`, `IO_GHRUNNER_RUNNER=`, …), and the container's name as its identifier (`journalctl -t NAME`).
fn log_config(driver: &LogDriver, facts: &HostFacts) -> Option<HostConfigLogConfig> {
    let driver = match driver {
        LogDriver::Named(name) => name.as_str(),
        LogDriver::Auto if facts.journal => "journald",
        LogDriver::Auto => facts.default_log_driver.as_str(),
    };
    let config = match driver {
        "journald" => words([("tag", "{{.Name}}"), ("labels", labels::IN_LOGS)]),
        "json-file" | "local" => words(LOG_FILES),
        "" => return None,
        _ => HashMap::new(),
    };
    Some(HostConfigLogConfig { typ: Some(driver.to_owned()), config: Some(config) })
}

/// Work folder, tools and socket, shared with the sidecar under the same paths.
///
/// Created empty and mounted into the runner first, the tools' volume is filled from the runner's image.
fn runner_mounts(new: &NewRunner) -> Vec<Mount> {
    vec![
        slot_mount(new, SlotVolume::Work, &names::in_home(&new.plan.spec.work_folder), true),
        slot_mount(new, SlotVolume::Externals, &names::in_home("externals"), true),
        slot_mount(new, SlotVolume::Socket, "/var/run", false),
    ]
}

/// One of the slot's volumes; `fill` lets the engine copy what the image has there.
pub(super) fn slot_mount(new: &NewRunner, volume: SlotVolume, target: &str, fill: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.name(&names::container(new))),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions { no_copy: Some(!fill), ..Default::default() }),
        ..Default::default()
    }
}

fn some_if_any(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}
