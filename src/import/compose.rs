//! Compose files: the services in them that are runners, or make runners.

use super::container;
use super::env;
use super::env::Var;
use super::fleet;
use super::fleet::Setting;
use super::place::Notes;
use super::place::Place;
use super::place::Problem;
use super::reasons;
use super::text;
use super::unit::Shape;
use super::unit::Unit;
use super::unit::Value;
use super::vars::Vars;
use super::yaml::Kind;
use super::yaml::Node;

/// An environment file that was named beside the compose file.
pub(super) struct EnvFile<'a> {
    pub(super) name: &'a str,
    pub(super) vars: &'a [Var],
}

/// Whether a compose file needs this one: a service names it, or its variables are put in somewhere.
pub(super) fn uses(document: &Node, file: &EnvFile<'_>) -> bool {
    is_named(document, file) || file.vars.iter().any(|var| asked_for(document).contains(&var.key))
}

fn is_named(document: &Node, file: &EnvFile<'_>) -> bool {
    let services = document.get("services").map(Node::map).unwrap_or_default();
    services.iter().any(|(_, service)| env_files(service).iter().any(|(name, _)| same_file(name, file.name)))
}

/// The names that `${…}` asks for.
fn asked_for(document: &Node) -> Vec<String> {
    let mut names = Vec::new();
    document.walk("", &mut |_, node| names.extend(node.text().map(env::names).unwrap_or_default()));
    names
}

/// Compose names it from its own folder, people from theirs.
fn same_file(one: &str, other: &str) -> bool {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    last(one) == last(other)
}

/// Each service that runs, or makes, runners.
pub(super) fn units(document: &Node, files: &[EnvFile<'_>], notes: &mut Notes) -> Result<Vec<Unit>, Problem> {
    let services = document.get("services").map(Node::map).unwrap_or_default();
    let mut units = Vec::new();
    let mut others = Vec::new();
    for (name, service) in services {
        let mut own = Notes::default();
        let vars = Vars::new(variables(service, files, &mut own), &mut own);
        match vars.shape() {
            Some(shape) => {
                units.push(unit(name, service, vars, shape, files, &mut own));
                notes.0.append(&mut own.0);
            }
            None => others.push((name, service)),
        }
    }
    if units.is_empty() {
        let names: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Problem {
            at: document.at.clone(),
            message: format!("no service of this compose file runs or makes runners: {}", names.join(", ")),
            help: "name the .env file that it takes its values from, too".to_owned(),
        });
    }
    for (name, service) in others {
        notes.left(&service.at, &format!("service {name}"), "it is no runner, and ghrunner does not need it");
    }
    unused(document, files, notes);
    Ok(units)
}

/// Variables of files that are there for `${…}` alone, and that nothing asks for.
fn unused(document: &Node, files: &[EnvFile<'_>], notes: &mut Notes) {
    let asked = asked_for(document);
    for file in files.iter().filter(|file| !is_named(document, file)) {
        for var in file.vars.iter().filter(|var| !asked.contains(&var.key)) {
            notes.left(&var.at, &var.key, format!("no service of {} takes it", document.at.file));
        }
    }
}

/// What a service's container has in its environment: files first, then what the service itself says.
fn variables(service: &Node, files: &[EnvFile<'_>], notes: &mut Notes) -> Vec<Var> {
    let mut vars: Vec<Var> = Vec::new();
    for (name, at) in env_files(service) {
        match files.iter().find(|file| same_file(&name, file.name)) {
            Some(file) => vars.extend(file.vars.iter().cloned()),
            None => notes.todo(&at, "env_file", format!("{name} is not among the files: name it, too")),
        }
    }
    if let Some(environment) = service.get("environment") {
        for (key, value) in environment.map() {
            vars.push(variable(key, value, value.text(), files));
        }
        for item in environment.list() {
            let text = item.text().unwrap_or_default();
            let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
            if env::is_name(key) {
                vars.push(variable(key, item, value, files));
            }
        }
    }
    vars
}

/// A value; none means the variable of that name outside.
fn variable(key: &str, node: &Node, value: Option<&str>, files: &[EnvFile<'_>]) -> Var {
    let mut var =
        Var { key: key.to_owned(), value: String::new(), at: node.at.clone(), literal: false, open: None };
    let known = |name: &str| from_files(name, files);
    match value {
        Some(text) => match env::filled(text, &known) {
            Ok(text) => var.value = text,
            Err(name) => var.open = Some(format!("the variable {name}")),
        },
        None if matches!(node.kind, Kind::Map(_) | Kind::List(_)) => {}
        None => match known(key) {
            Some(text) => var.value = text,
            None => var.open = Some(format!("the variable {key}")),
        },
    }
    var
}

fn from_files(name: &str, files: &[EnvFile<'_>]) -> Option<String> {
    let found = files.iter().flat_map(|file| file.vars).rfind(|var| var.key == name && var.open.is_none());
    found.map(|var| var.value.clone())
}

/// `env_file: a`, `env_file: [a, b]`, `env_file: [{ path: a }]`.
fn env_files(service: &Node) -> Vec<(String, Place)> {
    let Some(node) = service.get("env_file") else { return Vec::new() };
    let items = if node.list().is_empty() { std::slice::from_ref(node) } else { node.list() };
    let path = |item: &Node| item.text().or_else(|| item.get("path")?.text()).map(str::to_owned);
    items.iter().filter_map(|item| Some((path(item)?, item.at.clone()))).collect()
}

fn unit(
    name: &str,
    service: &Node,
    vars: Vars,
    shape: Shape,
    files: &[EnvFile<'_>],
    notes: &mut Notes,
) -> Unit {
    let known = |name: &str| from_files(name, files);
    let filled = |node: &Node| node.text().map(|text| env::filled(text, &known));
    let count = replicas(service, &filled);
    let own_name = (!["runner", "orchestrator", "app", "autoscaler"].contains(&name)).then_some(name);
    let setting = Setting { at: &service.at, name: own_name.filter(|_| shape.is_runner()), count };
    let mut unit = fleet::unit(vars, shape, &setting, notes);
    for (key, node) in service.map().iter().filter(|(_, node)| !node.is_empty()) {
        match key.as_str() {
            "environment" | "env_file" | "replicas" | "scale" => {}
            "deploy" => deploy(node, &filled, &mut unit, notes),
            _ if !shape.is_runner() => {
                let text = match key.as_str() {
                    "image" | "build" => {
                        "it is the program that made runners, which ghrunner takes the place of"
                    }
                    _ => "it concerns the program that made runners, not the runners",
                };
                notes.left(&node.at, key, text);
            }
            key => carry(key, node, &filled, &mut unit, notes),
        }
    }
    unit
}

type Filled<'a> = dyn Fn(&Node) -> Option<Result<String, String>> + 'a;

/// How many containers of a service stand.
fn replicas(service: &Node, filled: &Filled<'_>) -> u64 {
    let places: [&[&str]; 2] = [&["deploy", "replicas"], &["scale"]];
    let count = places.iter().find_map(|path| service.at(path)).and_then(filled);
    count.and_then(|text| text.ok()?.trim().parse().ok()).unwrap_or(1)
}

fn deploy(deploy: &Node, filled: &Filled<'_>, unit: &mut Unit, notes: &mut Notes) {
    for (key, node) in deploy.map().iter().filter(|(key, _)| key != "replicas") {
        match key.as_str() {
            "resources" if unit.shape.is_runner() => {
                for (key, limit) in node.get("limits").map(Node::map).unwrap_or_default() {
                    carry(key, limit, filled, unit, notes);
                }
                if let Some(reservations) = node.get("reservations").filter(|node| !node.is_empty()) {
                    let text = "limits are what the host's budget counts: cpus and memory of the pool, reserve in [host]";
                    notes.left(&reservations.at, "reservations", text);
                }
            }
            key => notes.left(
                &node.at,
                &format!("deploy.{key}"),
                "it tells Compose or Swarm where and how to run containers",
            ),
        }
    }
}

/// One key of a runner's service.
fn carry(key: &str, node: &Node, filled: &Filled<'_>, unit: &mut Unit, notes: &mut Notes) {
    let text = match filled(node) {
        Some(Err(name)) => {
            notes.todo(
                &node.at,
                key,
                format!("{name} is set outside of the file: set it, or name the .env file, too"),
            );
            return;
        }
        Some(Ok(text)) => text,
        None => String::new(),
    };
    let size = || text::docker_size(&text).map(Value::Text);
    let value = match key {
        "image" => return container::unit_image(&text, &node.at, key, unit, notes),
        "network_mode" => return container::network(&text, &node.at, key, unit, notes),
        "volumes" => return volumes(node, filled, unit, notes),
        "privileged" => return privileged(&text, node, unit, notes),
        "mem_limit" | "memory" => ("memory", size()),
        "shm_size" => ("shm_size", size()),
        "cpus" => ("cpus", text::cores(&text).map(Value::Number)),
        "pids_limit" | "pids" => ("pids", text.trim().parse().ok().map(Value::Count)),
        "user" => ("user", Some(Value::Text(text.clone()))),
        "runtime" => ("runtime", Some(Value::Text(text.clone()))),
        "cgroup_parent" => ("cgroup_parent", Some(Value::Text(text.clone()))),
        "pull_policy" => ("pull", pull(&text)),
        "cap_add" => ("cap_add", list(node, filled)),
        "dns" => ("dns", list(node, filled)),
        "extra_hosts" => ("extra_hosts", list(node, filled)),
        key => {
            notes.left(&node.at, key, reasons::service(key).unwrap_or("it has no like in a pool"));
            return;
        }
    };
    match value {
        (ours, Some(value)) => unit.line(ours, value, &node.at, key, ""),
        (_, None) => notes.left(&node.at, key, "its value cannot be read"),
    }
}

fn pull(text: &str) -> Option<Value> {
    match text {
        "always" | "never" | "missing" => Some(Value::text(text)),
        "if_not_present" => Some(Value::text("missing")),
        _ => None,
    }
}

fn list(node: &Node, filled: &Filled<'_>) -> Option<Value> {
    let items = if node.list().is_empty() { std::slice::from_ref(node) } else { node.list() };
    let texts: Option<Vec<String>> = items.iter().map(|item| filled(item)?.ok()).collect();
    texts.map(Value::List)
}

fn privileged(text: &str, node: &Node, unit: &mut Unit, notes: &mut Notes) {
    if text::is_yes(text) {
        unit.line(
            "privileged",
            Value::Bool(true),
            &node.at,
            "privileged",
            "a job can leave its container; docker = \"dind\" mostly does",
        );
        notes.unwise(&node.at, "privileged", "a job can leave its container; where it was there for docker in jobs, take docker = \"dind\" and no privileged");
    }
}

/// The engine's socket is a way to work, a folder of this machine a volume, and the rest Compose's own.
fn volumes(node: &Node, filled: &Filled<'_>, unit: &mut Unit, notes: &mut Notes) {
    let mut kept = Vec::new();
    for item in node.list() {
        let (source, target, mode) = match mount(item, filled) {
            Some(parts) => parts,
            None => {
                notes.left(&item.at, "volumes", "a mount that cannot be read");
                continue;
            }
        };
        if source.ends_with("docker.sock") {
            unit.line(
                "docker",
                Value::text("socket"),
                &item.at,
                "volumes",
                "every job is root on this machine; \"dind\" gives each job an engine of its own",
            );
            let text = "docker = \"socket\" makes every job root on this machine; docker = \"dind\" gives each an engine of its own, and is removed with it";
            notes.unwise(&item.at, &source, text);
        } else if unit.work_folder.as_deref().is_some_and(|work| work == target.trim_end_matches('/')) {
            let text = "it kept the folder in which jobs worked; here each job begins with a fresh one";
            notes.left(&item.at, "volumes", text);
        } else if !source.starts_with('/') {
            let text = format!(
                "{source} is Compose's own volume or folder; volumes = [\"/HOST/PATH:{target}\"] mounts a folder of this machine"
            );
            notes.left(&item.at, "volumes", text);
        } else if source == target && (source.contains("work") || source.starts_with("/tmp")) {
            let text = format!(
                "{source} was there so that the host's engine found what jobs check out; a runner's own folder is fresh for each job"
            );
            notes.left(&item.at, "volumes", text);
        } else {
            kept.push(format!("{source}:{target}{mode}"));
        }
    }
    if !kept.is_empty() {
        unit.line(
            "volumes",
            Value::List(kept),
            &node.at,
            "volumes",
            "what one job leaves there, the next one finds",
        );
    }
}

/// `/host:/container[:mode]`, or the long form.
fn mount(item: &Node, filled: &Filled<'_>) -> Option<(String, String, &'static str)> {
    if let Some(text) = filled(item) {
        let text = text.ok()?;
        let mut parts = text.split(':');
        let (source, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let read_only = parts.next().is_some_and(|modes| modes.split(',').any(|mode| mode == "ro"));
        return Some((source, target, if read_only { ":ro" } else { "" }));
    }
    let text = |key: &str| filled(item.get(key)?)?.ok();
    let read_only = text("read_only").is_some_and(|text| text::is_yes(&text));
    Some((text("source")?, text("target")?, if read_only { ":ro" } else { "" }))
}
