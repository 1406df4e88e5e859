//! What a pool's containers are made of.

use super::super::fields::Fields;
use super::super::schema::syntax::capability_name;
use super::super::schema::syntax::volume;
use super::super::tree::Value;
use crate::model::Capability;
use crate::model::DockerMode;
use crate::model::Gpus;
use crate::model::LogDriver;
use crate::model::NetworkMode;
use crate::model::RunnerSpec;
use crate::model::Size;

/// Reads all of it, if what it needs could be read.
pub(super) fn spec(fields: &Fields<'_>) -> Option<RunnerSpec> {
    let command = fields.strings("command");
    let variables = fields.variables("env").into_iter();
    Some(RunnerSpec {
        image: fields.text("image")?.to_owned(),
        command: (!command.is_empty()).then_some(command),
        user: fields.optional_text("user"),
        env: variables.map(|(name, text)| (name, text.value.to_owned())).collect(),
        work_folder: fields.text("work_folder")?.to_owned(),
        cpus: fields.number("cpus")?,
        memory: limit(fields, "memory"),
        pids: fields.count("pids").filter(|pids| *pids > 0),
        disk: limit(fields, "disk"),
        shm_size: limit(fields, "shm_size"),
        sudo: fields.bool("sudo")?,
        privileged: fields.bool("privileged")?,
        cap_add: capabilities(fields),
        network: match fields.text("network")? {
            "pool" => NetworkMode::Pool,
            "host" => NetworkMode::Host,
            "none" => NetworkMode::None,
            name => NetworkMode::Named(name.to_owned()),
        },
        volumes: fields.strings("volumes").iter().filter_map(|text| volume(text).ok()).collect(),
        cgroup_parent: fields.optional_text("cgroup_parent"),
        runtime: fields.optional_text("runtime"),
        gpus: gpus(fields),
        extra_hosts: fields.strings("extra_hosts"),
        dns: fields.strings("dns"),
        proxy: fields.optional_text("proxy"),
        no_proxy: fields.optional_text("no_proxy"),
        docker: match fields.text("docker")? {
            "none" => DockerMode::None,
            "dind" => DockerMode::Dind,
            "socket" => DockerMode::Socket,
            _ => return None,
        },
        dind_image: fields.text("dind_image")?.to_owned(),
        log_driver: match fields.text("log_driver")? {
            "auto" => LogDriver::Auto,
            name => LogDriver::Named(name.to_owned()),
        },
    })
}

/// A limit, unless it is lifted. To an engine, zero means "no limit" too.
fn limit(fields: &Fields<'_>, key: &str) -> Option<Size> {
    fields.size(key).filter(|size| size.0 > 0)
}

/// Each once and in order, so that the spec's digest does not change when the list is only shuffled.
fn capabilities(fields: &Fields<'_>) -> Vec<Capability> {
    let mut names: Vec<_> =
        fields.strings("cap_add").iter().map(|c| Capability(capability_name(c))).collect();
    names.sort();
    names.dedup();
    names
}

fn gpus(fields: &Fields<'_>) -> Option<Gpus> {
    match &fields.entry("gpus")?.node.value {
        Value::Text(_) => Some(Gpus::All),
        Value::Integer(number) => number.and_then(|n| u32::try_from(n).ok()).map(Gpus::Count),
        Value::Array(items) if !items.is_empty() => Some(Gpus::Devices(fields.strings("gpus"))),
        _ => None,
    }
}
