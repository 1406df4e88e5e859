//! What is legal in a pool, but unwise.

use super::super::build::PoolDraft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::super::redact::sounds_secret;
use super::super::schema::syntax::capability_name;
use super::super::schema::syntax::image_parts;
use super::super::schema::syntax::volume;
use super::github::password_in_proxy;
use crate::model::Demand;
use crate::model::Pool;

/// Capabilities that lead out of the container.
const ESCAPES: [&str; 6] = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"];

/// Sockets that command an engine.
const ENGINE_SOCKETS: [&str; 4] = ["docker.sock", "podman.sock", "containerd.sock", "crio.sock"];

pub(super) fn check(draft: &PoolDraft<'_>, sink: &mut Sink) {
    let fields = &draft.fields;
    rights(fields, sink);
    limits(fields, sink);
    volumes(fields, sink);
    capabilities(fields, sink);
    variables(fields, sink);
    moving_tag(fields, sink);
    password_in_proxy(fields, sink);
    if let Some(pool) = &draft.made {
        nothing_stands(pool, fields, sink);
    }
}

fn warn(sink: &mut Sink, fields: &Fields<'_>, key: &str, message: &str, help: &str) {
    sink.push(Diagnostic::warning(message).at(fields.place(key)).help(help));
}

fn rights(fields: &Fields<'_>, sink: &mut Sink) {
    if fields.text("docker") == Some("socket") {
        let message = "docker = \"socket\" gives every job root on this host";
        warn(
            sink,
            fields,
            "docker",
            message,
            "use \"dind\", an engine of the job's own, unless you trust all who can push",
        );
    }
    if fields.bool("privileged") == Some(true) {
        let message = "privileged = true lets a job leave its container";
        warn(sink, fields, "privileged", message, "name what jobs need in cap_add instead");
    }
    if fields.bool("sudo") == Some(true) {
        let message = "sudo = true lets jobs gain rights in their container, from where escapes start";
        warn(sink, fields, "sudo", message, "put what jobs install into the image instead");
    }
    match fields.text("network") {
        Some("host") => {
            let message = "network = \"host\" opens every loopback service of this host to jobs";
            warn(sink, fields, "network", message, "use \"pool\", or a network that you made");
        }
        Some("none") => {
            let message = "network = \"none\" leaves the runner no way to GitHub: it cannot take a job";
            warn(sink, fields, "network", message, "use \"pool\", or an internal network with a proxy");
        }
        _ => {}
    }
}

fn limits(fields: &Fields<'_>, sink: &mut Sink) {
    if fields.number("cpus") == Some(0.0) {
        let message = "without a limit one job can take every processor of this host";
        warn(sink, fields, "cpus", message, "give a number, such as cpus = 2.0");
    }
    if fields.text("memory") == Some("none") {
        let message = "without a limit one job can take all memory, and the kernel then kills what it likes";
        warn(sink, fields, "memory", message, "give a size, such as memory = \"4GiB\"");
    }
    if fields.integer("pids") == Some(0) {
        let message = "without a limit one job can fork until this host has no process left";
        warn(sink, fields, "pids", message, "give a number, such as pids = 4096");
    }
    if fields.integer("failed_starts_per_hour") == Some(0) {
        let message =
            "0 switches the storm breaker off: an image that exits at once piles up runners at GitHub";
        warn(sink, fields, "failed_starts_per_hour", message, "give a number, such as 10");
    }
}

fn volumes(fields: &Fields<'_>, sink: &mut Sink) {
    for item in fields.texts("volumes").unwrap_or_default() {
        let Ok(mount) = volume(item.value) else { continue };
        let source = mount.source.trim_end_matches('/');
        if ENGINE_SOCKETS.iter().any(|socket| source.ends_with(socket)) {
            sink.push(
                Diagnostic::warning("this mounts an engine's socket: every job is root on this host")
                    .at(item.at)
                    .help("use docker = \"dind\", an engine of the job's own"),
            );
        } else if [
            "",
            "/etc",
            "/run",
            "/var/run",
            "/var/lib",
            "/var/lib/docker",
            "/root",
            "/proc",
            "/sys",
            "/dev",
        ]
        .contains(&source)
            && !mount.read_only
        {
            sink.push(
                Diagnostic::warning(format!("jobs may write to this host's {}", mount.source))
                    .at(item.at)
                    .help("mount a folder made for it, or add :ro"),
            );
        }
    }
}

fn capabilities(fields: &Fields<'_>, sink: &mut Sink) {
    for item in fields.texts("cap_add").unwrap_or_default() {
        let name = capability_name(item.value);
        if ESCAPES.contains(&name.as_str()) {
            sink.push(
                Diagnostic::warning(format!("{name} lets a job leave its container"))
                    .at(item.at)
                    .help("name a narrower capability"),
            );
        }
    }
}

fn variables(fields: &Fields<'_>, sink: &mut Sink) {
    for (name, text) in fields.variables("env") {
        if sounds_secret(&name) && !text.value.is_empty() {
            sink.push(
                Diagnostic::warning(format!("env: {name} shows in `docker inspect` and to every job"))
                    .at(text.at)
                    .help("keep secrets in GitHub, and give them to the steps that need them"),
            );
        }
    }
}

/// A tag that moves upstream, and is never asked for again here, grows old until GitHub refuses the runner in it.
fn moving_tag(fields: &Fields<'_>, sink: &mut Sink) {
    let (Some(image), Some(pull)) = (fields.text("image"), fields.text("pull")) else { return };
    let parts = image_parts(image);
    let moves = parts.digest.is_none() && parts.tag.is_none_or(|tag| tag == "latest");
    if moves && pull != "always" {
        sink.push(
            Diagnostic::warning(format!("{image} moves, but pull = {pull:?} never follows it"))
                .at(fields.place("pull"))
                .help("use pull = \"always\", or an image with a version"),
        );
    }
}

fn nothing_stands(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    if pool.max == 0 {
        let message = format!("pool {} is switched off: max = 0", pool.name);
        warn(sink, fields, "max", &message, "raise max when it should run again");
    } else if pool.demand == Demand::Fixed && pool.min == 0 && pool.min_idle == 0 {
        let message = format!("pool {} never has a runner: min and min_idle are 0", pool.name);
        warn(sink, fields, "min", &message, "set min or min_idle to 1 at least");
    }
}
