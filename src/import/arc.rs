//! Values of the chart `gha-runner-scale-set`: each is a pool whose jobs GitHub assigns.

use super::place::Notes;
use super::reasons;
use super::secrets::is_secret;
use super::text;
use super::unit::Auth;
use super::unit::Keyed;
use super::unit::Shape;
use super::unit::Source;
use super::unit::Unit;
use super::unit::Value;
use super::unit::line;
use super::yaml::Kind;
use super::yaml::Node;
use crate::model::Secret;

/// Deep enough for a chart in a chart in a release in a list.
const DEEPEST: usize = 6;

/// The values in a document: they may be those of a chart that holds this one, or stand in a release's `values`.
pub(super) fn values(document: &Node) -> Vec<&Node> {
    fn look<'a>(node: &'a Node, depth: usize, found: &mut Vec<&'a Node>) {
        if node.get("githubConfigUrl").is_some() {
            found.push(node);
        } else if depth > 0 {
            node.map().iter().for_each(|(_, below)| look(below, depth - 1, found));
            node.list().iter().for_each(|below| look(below, depth - 1, found));
        }
    }
    let mut found = Vec::new();
    look(document, DEEPEST, &mut found);
    found
}

/// The release's name, where the document is a release of Flux or an application of Argo CD.
pub(super) fn release(document: &Node) -> Option<&str> {
    let kind = document.get("kind").and_then(Node::text)?;
    let places: [&[&str]; 2] = match kind {
        "HelmRelease" => [&["spec", "releaseName"], &["metadata", "name"]],
        "Application" => [&["spec", "source", "helm", "releaseName"], &["metadata", "name"]],
        _ => return None,
    };
    places.iter().find_map(|path| document.at(path)).and_then(Node::text)
}

/// What one chart's values come to; `release` is the Helm release's name, after which a set without a name is named.
pub(super) fn unit(values: &Node, release: Option<&str>, notes: &mut Notes) -> Unit {
    let file = values.at.file.clone();
    let mut unit = Unit::new(release.unwrap_or(text::stem(&file)), Shape::Arc, &values.at);
    let at = values.at.clone();
    unit.line("demand", Value::text("scale-set"), &at, "", "as ARC's");
    name(values, release, &mut unit, notes);
    for (key, node) in values.map().iter().filter(|(_, node)| !node.is_empty()) {
        match key.as_str() {
            "runnerScaleSetName" | "scaleSetLabels" | "runnerLabels" => {}
            "githubConfigUrl" => serve(node, &mut unit, notes),
            "githubConfigSecret" => unit.auth = auth(node),
            "minRunners" => {
                let comment = "ARC counts the idle ones, beyond those in a job";
                number(key, node, "min_idle", comment, &mut unit, notes);
            }
            "maxRunners" => number(key, node, "max", "", &mut unit, notes),
            "runnerGroup" => group(node, values, &mut unit, notes),
            "containerMode" => container_mode(node, &mut unit, notes),
            "proxy" => proxy(node, &mut unit, notes),
            "githubServerTLS" => {
                let text = "copy the certificate to this machine, and name it by ca_file beside the token";
                notes.todo(&node.at, key, text);
            }
            "template" => template(node, &mut unit, notes),
            key => notes.left(&node.at, key, reasons::pod(key).unwrap_or("it is not known")),
        }
    }
    if values.get("maxRunners").is_none_or(Node::is_empty) {
        unit.line(
            "max",
            Value::Count(20),
            &at,
            "",
            "maxRunners is not given, and ARC then has no bound: what host.max_runners is by itself",
        );
    }
    unit
}

/// The set's name, by which alone jobs asked for it.
fn name(values: &Node, release: Option<&str>, unit: &mut Unit, notes: &mut Notes) {
    let given = values.get("runnerScaleSetName").and_then(|node| Some((node.text()?, node)));
    let (set, at, subject) = match given.filter(|(name, _)| !name.is_empty()) {
        Some((name, node)) => (name.to_owned(), node.at.clone(), "runnerScaleSetName"),
        None if release.is_some() => (unit.name.clone(), values.at.clone(), "the release's name"),
        None => {
            let text = "it is not given, and the set is then named after the Helm release: put that name into scale_set and labels";
            notes.todo(&values.at, "runnerScaleSetName", text);
            (unit.name.clone(), values.at.clone(), "")
        }
    };
    unit.name = set.clone();
    unit.line(
        "scale_set",
        Value::text(&set),
        &at,
        subject,
        "one listener at a time has a set: uninstall the release, or choose another name",
    );
    let further =
        ["scaleSetLabels", "runnerLabels"].iter().filter_map(|key| values.get(key)).flat_map(Node::list);
    let mut labels = vec![set.to_lowercase()];
    for label in further.filter_map(Node::text).map(str::to_lowercase) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    unit.line("labels", Value::List(labels), &at, subject, "jobs say runs-on: with it, as before");
    let comment = "ARC's runners have none of self-hosted, linux, architecture";
    unit.line("default_labels", Value::Bool(false), &at, "", comment);
}

fn serve(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    match node.text().and_then(text::address) {
        Some((url, target)) => {
            unit.url = url;
            unit.serve(&target, &node.at, "githubConfigUrl");
        }
        None => notes.todo(
            &node.at,
            "githubConfigUrl",
            "it is no address of an organization, a repository or an enterprise: say org, repo or enterprise",
        ),
    }
}

/// A secret of the cluster by name, or the token or App itself.
fn auth(node: &Node) -> Auth {
    let keyed = |source, node: &Node, subject: &str| Keyed {
        source,
        at: node.at.clone(),
        subject: subject.to_owned(),
    };
    if let Some(name) = node.text() {
        let quoted = name.replace('\'', "");
        let command = format!(
            "`kubectl get secret '{quoted}' -o jsonpath='{{.data.github_token}}' | base64 -d` shows it (or .data.github_app_private_key for an App)"
        );
        return Auth::Token(keyed(Source::Elsewhere(command), node, "githubConfigSecret"));
    }
    let here = |key: &str| {
        let node = node.get(key)?;
        let text = node.text().filter(|text| !text.trim().is_empty())?;
        Some(keyed(Source::Here(Secret::new(text.trim())), node, key))
    };
    let id = node.get("github_app_id").and_then(Node::text).filter(|id| !id.is_empty());
    match (here("github_token"), id, here("github_app_private_key")) {
        (_, Some(id), Some(key)) => {
            let installation = node.get("github_app_installation_id").and_then(Node::text);
            Auth::App {
                id: id.to_owned(),
                installation: installation.and_then(|id| id.trim().parse().ok()),
                key,
            }
        }
        (Some(token), ..) => Auth::Token(token),
        _ => Auth::Nobody,
    }
}

fn number(key: &str, node: &Node, ours: &'static str, comment: &str, unit: &mut Unit, notes: &mut Notes) {
    match node.text().and_then(|text| text.trim().parse().ok()) {
        Some(number) => unit.line(ours, Value::Count(number), &node.at, key, comment),
        None => notes.left(&node.at, key, "it is no whole number"),
    }
}

fn group(node: &Node, values: &Node, unit: &mut Unit, notes: &mut Notes) {
    let name = node.text().unwrap_or_default();
    let url = values.get("githubConfigUrl").and_then(Node::text).and_then(text::address);
    let has_groups = url.is_some_and(|(_, target)| !matches!(target, super::unit::Target::Repo(_)));
    match (name.eq_ignore_ascii_case("default"), has_groups) {
        (true, _) => {}
        (false, true) => unit.line("group", Value::text(name), &node.at, "runnerGroup", ""),
        (false, false) => notes.left(&node.at, "runnerGroup", "repositories have no runner groups"),
    }
}

fn container_mode(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    let Some(kind) = node.get("type") else { return };
    match kind.text().unwrap_or_default() {
        "" => {}
        "dind" => unit.line("docker", Value::text("dind"), &kind.at, "containerMode", ""),
        other => {
            let text = format!(
                "{other}: jobs' containers were pods. Here a job's `container:` and `services:` run in an engine of its own: docker = \"dind\""
            );
            unit.line(
                "docker",
                Value::text("dind"),
                &kind.at,
                "containerMode",
                "jobs' containers were pods, and run in an engine of the job's own here",
            );
            notes.changed(&kind.at, "containerMode", text);
        }
    }
    for (key, below) in node.map().iter().filter(|(key, _)| key != "type") {
        notes.left(&below.at, &format!("containerMode.{key}"), "it belongs to the pods of jobs");
    }
}

/// One proxy for both protocols, which is how it mostly is.
fn proxy(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    let url = |kind: &str| node.at(&[kind, "url"]).and_then(|node| Some((node.text()?.to_owned(), node)));
    let (https, http) = (url("https"), url("http"));
    if let (Some((one, _)), Some((other, at))) = (&https, &http)
        && one != other
    {
        let text = "a pool has one proxy, for both protocols: that for https is taken";
        notes.left(&at.at, "proxy.http", text);
    }
    if let Some((url, at)) = https.or(http) {
        unit.github.push(line(
            "proxy",
            Value::text(&url),
            &at.at,
            "proxy",
            "the service's own way to GitHub",
        ));
        unit.line("proxy", Value::text(&url), &at.at, "proxy", "");
    }
    let hosts: Vec<&str> =
        node.get("noProxy").map(Node::list).unwrap_or_default().iter().filter_map(Node::text).collect();
    if let (false, Some(at)) = (hosts.is_empty(), node.get("noProxy")) {
        unit.line("no_proxy", Value::text(hosts.join(",")), &at.at, "proxy.noProxy", "");
    }
    for kind in ["http", "https"] {
        if let Some(secret) = node.at(&[kind, "credentialSecretRef"]) {
            notes.left(&secret.at, &format!("proxy.{kind}.credentialSecretRef"), "let the proxy admit this machine by its address: a password in the file is seen by all who may read it");
        }
    }
}

/// The pod of a runner.
fn template(template: &Node, unit: &mut Unit, notes: &mut Notes) {
    for (key, node) in template.map().iter().filter(|(key, _)| key != "spec") {
        notes.left(&node.at, &format!("template.{key}"), reasons::pod(key).unwrap_or("it is not known"));
    }
    for (key, node) in template.get("spec").map(Node::map).unwrap_or_default() {
        match key.as_str() {
            _ if node.is_empty() => {}
            "containers" => containers(node, unit, notes),
            "securityContext" => security(node, unit, notes),
            key => notes.left(&node.at, key, reasons::pod(key).unwrap_or("it belongs to the pod")),
        }
    }
}

fn containers(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    for container in node.list() {
        let name = container.get("name").and_then(Node::text).unwrap_or_default();
        if name == "runner" || node.list().len() == 1 {
            runner(container, unit, notes);
        } else if name == "dind" {
            let image = container.get("image").and_then(|node| Some((node.text()?, node)));
            unit.line("docker", Value::text("dind"), &container.at, "container dind", "");
            if let Some((image, node)) = image {
                unit.line("dind_image", Value::text(image), &node.at, "container dind", "");
            }
        } else {
            notes.left(
                &container.at,
                &format!("container {name}"),
                "beside a runner stands nothing but its engine (docker = \"dind\")",
            );
        }
    }
}

fn runner(container: &Node, unit: &mut Unit, notes: &mut Notes) {
    for (key, node) in container.map().iter().filter(|(_, node)| !node.is_empty()) {
        let text = node.text().unwrap_or_default();
        match key.as_str() {
            "name" => {}
            "image" => {
                unit.line("image", Value::text(text), &node.at, key, "");
            }
            "imagePullPolicy" => match text {
                "Always" => unit.line("pull", Value::text("always"), &node.at, key, ""),
                "IfNotPresent" => unit.line("pull", Value::text("missing"), &node.at, key, ""),
                "Never" => unit.line("pull", Value::text("never"), &node.at, key, ""),
                _ => notes.left(&node.at, key, "its value is not known"),
            },
            "command" => {
                let words: Vec<String> =
                    node.list().iter().filter_map(Node::text).map(str::to_owned).collect();
                if words != ["/home/runner/run.sh"] {
                    unit.line("command", Value::List(words), &node.at, key, "");
                }
            }
            "resources" => resources(node, unit, notes),
            "env" => env(node, unit, notes),
            "securityContext" => security(node, unit, notes),
            key => notes.left(&node.at, key, reasons::pod(key).unwrap_or("it belongs to the pod")),
        }
    }
}

/// Limits are limits; what is only requested tells a scheduler where there is room.
fn resources(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    for (key, limit) in node.get("limits").map(Node::map).unwrap_or_default() {
        let text = limit.text().unwrap_or_default();
        let (ours, value) = match key.as_str() {
            "cpu" => ("cpus", text::cores(text).map(Value::Number)),
            "memory" => ("memory", text::kubernetes_size(text).map(Value::Text)),
            "ephemeral-storage" => {
                notes.left(&limit.at, key, "disk = \"SIZE\" limits it, where the engine's storage driver can (overlay2 on xfs with pquota)");
                continue;
            }
            key if key.ends_with("/gpu") => ("gpus", text.trim().parse().ok().map(Value::Count)),
            key => {
                notes.left(&limit.at, key, "it is not known");
                continue;
            }
        };
        match value {
            Some(value) => unit.line(ours, value, &limit.at, &format!("limits.{key}"), ""),
            None => notes.left(&limit.at, &format!("limits.{key}"), "its value cannot be read"),
        }
    }
    if let Some(requests) = node.get("requests").filter(|node| !node.is_empty()) {
        notes.left(
            &requests.at,
            "requests",
            "they tell a scheduler where there is room; here the limits are counted, by reserve in [host]",
        );
    }
}

/// What ARC itself sets for its modes, which the service does as well.
const ARC_S_OWN: [&str; 5] = [
    "DOCKER_HOST",
    "RUNNER_WAIT_FOR_DOCKER_IN_SECONDS",
    "ACTIONS_RUNNER_CONTAINER_HOOKS",
    "ACTIONS_RUNNER_POD_NAME",
    "ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER",
];

fn env(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    let mut kept = Vec::new();
    for item in node.list() {
        let name = item.get("name").and_then(Node::text).unwrap_or_default();
        let value = item.get("value");
        match value.map(|node| (&node.kind, node.text())) {
            _ if ARC_S_OWN.contains(&name) => {
                notes.left(
                    &item.at,
                    name,
                    "ARC sets it for its container mode; docker = \"dind\" does what it is for",
                );
            }
            _ if is_secret(name) => notes.left(
                &item.at,
                name,
                "it sounds like a secret: give it to the steps that need it, from GitHub",
            ),
            Some((_, Some(text))) => kept.push((name.to_owned(), Value::text(text))),
            Some((Kind::Null, _)) => kept.push((name.to_owned(), Value::text(""))),
            _ => notes.left(&item.at, name, "its value stands in the cluster"),
        }
    }
    if !kept.is_empty() {
        unit.line("env", Value::Table(kept), &node.at, "env", "");
    }
}

fn security(node: &Node, unit: &mut Unit, notes: &mut Notes) {
    for (key, node) in node.map() {
        let text = node.text().unwrap_or_default();
        match key.as_str() {
            "runAsUser" => unit.line("user", Value::text(text), &node.at, key, ""),
            "privileged" if text::is_yes(text) => {
                unit.line("privileged", Value::Bool(true), &node.at, key, "a job can leave its container");
                notes.unwise(&node.at, key, "a job can leave its container; where it was there for docker in jobs, take docker = \"dind\" and no privileged");
            }
            "capabilities" => {
                let add = node.get("add").map(Node::list).unwrap_or_default();
                let names: Vec<String> = add.iter().filter_map(Node::text).map(str::to_owned).collect();
                if !names.is_empty() {
                    unit.line("cap_add", Value::List(names), &node.at, "capabilities.add", "");
                }
            }
            "privileged" | "allowPrivilegeEscalation" | "runAsNonRoot" | "seccompProfile" => {
                notes.changed(&node.at, key, "runners gain no rights (no-new-privileges), and keep few capabilities, unless the pool says sudo, cap_add or privileged");
            }
            key => notes.left(
                &node.at,
                key,
                "it belongs to the pod's volumes and users; user = \"UID:GID\" is the runner's own",
            ),
        }
    }
}
