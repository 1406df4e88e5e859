//! What a runner's container is: image, network, limits, proxies; and the engine that runs it.

use super::place::Notes;
use super::place::Place;
use super::text;
use super::unit::Unit;
use super::unit::Value;
use super::unit::line;
use super::vars::Vars;

/// The variables that say what a runner's container is, and which engine runs it.
pub(super) fn read(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    image(vars, unit, notes);
    limits(vars, unit, notes);
    proxies(vars, unit, notes);
    engine(vars, unit, notes);
}

fn image(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    if let Some(var) = vars.first(&["RUNNER_IMAGE", "DOCKER_IMAGE"], notes) {
        unit_image(&var.value, &var.at, &var.key, unit, notes);
    }
}

/// The image, and how runners of it register.
pub(super) fn unit_image(image: &str, at: &Place, subject: &str, unit: &mut Unit, notes: &mut Notes) {
    let image = image.trim();
    unit.line("image", Value::text(image), at, subject, "");
    if image.contains("myoung34/github-runner") {
        let comment = "this image registers itself; GitHub's own is safer, with \"jit\"";
        unit.line("registration", Value::text("token"), at, "", comment);
        return;
    }
    if image.ends_with(":local") {
        unit.line("pull", Value::text("never"), at, "", "the image is in no registry");
    }
    if !image.starts_with("ghcr.io/actions/actions-runner") {
        let text = format!(
            "ghrunner starts /home/runner/run.sh in {image}; if the image has it somewhere else, say command, and if it registers itself, registration = \"token\". `ghrunner verify POOL` tries it"
        );
        notes.todo(at, subject, text);
    }
}

/// Where jobs work, their network, and what they may take.
fn limits(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    if let Some(var) = vars.first(&["RUNNER_WORKDIR", "RUNNER_WORK_DIR", "WORK_DIR"], notes) {
        unit.work_folder = Some(var.value.trim_end_matches('/').to_owned());
        match var.value.as_str() {
            "_work" => {}
            absolute if absolute.starts_with('/') => {
                notes.left(
                    &var.at,
                    &var.key,
                    "each job works in a fresh folder of its own container, below /home/runner",
                );
            }
            _ => unit.line("work_folder", Value::text(&var.value), &var.at, &var.key, ""),
        }
    }
    if let Some(var) = vars.first(&["RUNNER_NETWORK", "NETWORK_MODE"], notes) {
        network(&var.value, &var.at, &var.key, unit, notes);
    }
    if let Some(var) = vars.value("MEMORY_LIMIT", notes) {
        match text::docker_size(&var.value) {
            Some(size) => unit.line("memory", Value::text(size), &var.at, &var.key, ""),
            None => notes.left(&var.at, &var.key, "it is no size"),
        }
    }
    if let Some(var) = vars.value("CPU_LIMIT", notes) {
        match text::cores(&var.value) {
            Some(cores) => unit.line("cpus", Value::Number(cores), &var.at, &var.key, ""),
            None => notes.left(&var.at, &var.key, "it is no number of processors"),
        }
    }
    if let Some(var) = vars.value("START_DOCKER_SERVICE", notes).filter(|var| text::is_yes(&var.value)) {
        unit.line("docker", Value::text("dind"), &var.at, &var.key, "an engine of the job's own");
    }
}

pub(super) fn network(name: &str, at: &Place, subject: &str, unit: &mut Unit, notes: &mut Notes) {
    match name {
        "bridge" | "default" => {
            notes.changed(at, subject, "a pool has a bridge of its own, without traffic between its runners")
        }
        "host" => {
            unit.line("network", Value::text("host"), at, subject, "\"pool\" is safer");
            notes.unwise(
                at,
                subject,
                "jobs reach every loopback service of this machine; network = \"pool\" is the default",
            );
        }
        name => unit.line(
            "network",
            Value::text(name),
            at,
            subject,
            "it must go on being there; \"pool\" is a bridge of the pool's own",
        ),
    }
}

/// Proxies are the runner's, and the service's own way to GitHub.
fn proxies(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    if let Some(var) = vars.first(&["HTTPS_PROXY", "HTTP_PROXY"], notes) {
        unit.github.push(line(
            "proxy",
            Value::text(&var.value),
            &var.at,
            &var.key,
            "the service's own way to GitHub",
        ));
        unit.line("proxy", Value::text(&var.value), &var.at, &var.key, "");
    }
    if let Some(var) = vars.value("NO_PROXY", notes) {
        unit.line("no_proxy", Value::text(&var.value), &var.at, &var.key, "");
    }
}

fn engine(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let Some(var) = vars.first(&["DOCKER_HOST", "DOCKER_SOCKET"], notes) else { return };
    let usual = ["/run/docker.sock", "/var/run/docker.sock"];
    let path = var.value.strip_prefix("unix://").unwrap_or(&var.value);
    if usual.contains(&path) {
        return;
    }
    match path.starts_with('/') {
        true => {
            let endpoint = Value::text(format!("unix://{path}"));
            unit.engine.push(line("endpoint", endpoint, &var.at, &var.key, ""));
        }
        false => {
            notes.left(&var.at, &var.key, "the service speaks to an engine on this machine, by its socket")
        }
    }
}
