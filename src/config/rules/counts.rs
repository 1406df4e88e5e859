//! How many runners a pool has, which labels they carry, and what they may not be at once.

use std::collections::HashMap;

use super::super::build::Draft;
use super::super::build::PoolDraft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::super::nearest::nearest;
use super::super::schema::syntax::CREDENTIALS_NAME;
use super::super::schema::syntax::volume;
use super::super::tree::Entry;
use super::MAX_LABELS;
use crate::model::DockerMode;
use crate::model::NetworkMode;
use crate::model::Pool;

pub(super) fn check(draft: &PoolDraft<'_>, all: &Draft<'_>, sink: &mut Sink) {
    credentials_exist(draft, all, sink);
    same_target_twice(&draft.fields, sink);
    let Some(pool) = &draft.made else { return };
    counts(pool, &draft.fields, sink);
    host_carries(pool, &draft.fields, all, sink);
    labels(pool, &draft.fields, sink);
    dind_on_host_network(pool, &draft.fields, sink);
}

fn counts(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    let written = |key| fields.written(key).map(Entry::at);
    let (min, max, idle) = (pool.min, pool.max, pool.min_idle);
    if min > max {
        sink.push(
            Diagnostic::error(format!("min ({min}) is more than max ({max})"))
                .maybe_at(written("min"), "")
                .maybe_at(written("max"), "")
                .help("raise max or lower min"),
        );
    } else if min.saturating_add(idle) > max {
        sink.push(
            Diagnostic::error(format!(
                "min ({min}) and min_idle ({idle}) together are more than max ({max})"
            ))
            .maybe_at(written("min_idle"), "")
            .maybe_at(written("min"), "")
            .maybe_at(written("max"), "")
            .help(format!("raise max to {} at least", min.saturating_add(idle))),
        );
    }
}

fn host_carries(pool: &Pool, fields: &Fields<'_>, all: &Draft<'_>, sink: &mut Sink) {
    let Some(limit) = all.host.count("max_runners") else { return };
    if pool.max > limit {
        let at = ["max", "min", "min_idle"].iter().find_map(|key| fields.written(key));
        sink.push(
            Diagnostic::error(format!(
                "max ({}) is more than all pools together may have, host.max_runners ({limit})",
                pool.max
            ))
            .at(at.map_or(fields.at, Entry::at))
            .maybe_at(all.host.written("max_runners").map(Entry::at), "the host's limit")
            .help(format!("lower max, or set max_runners = {} in [host]", pool.max)),
        );
    }
}

fn labels(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    if pool.labels.is_empty() {
        sink.push(
            Diagnostic::error("the runners would have no label, and no job could ask for them")
                .at(fields.place("default_labels"))
                .help("add labels = [\"…\"], or remove default_labels = false"),
        );
    }
    if pool.labels.len() > MAX_LABELS {
        sink.push(
            Diagnostic::error(format!(
                "{} labels are more than GitHub takes ({MAX_LABELS})",
                pool.labels.len()
            ))
            .at(fields.place("labels")),
        );
    }
}

fn credentials_exist(draft: &PoolDraft<'_>, all: &Draft<'_>, sink: &mut Sink) {
    let Some(name) = draft.fields.text("credentials") else { return };
    let known = || all.credentials.iter().map(|c| c.name.as_str());
    if known().any(|other| other == name) || (CREDENTIALS_NAME.check)(name).is_err() {
        return;
    }
    let error = match name {
        "default" => {
            Diagnostic::error(format!("pool {} uses [github], which the file does not have", draft.name))
                .help("add [github] with a token or an app, or name credentials = \"…\"")
        }
        _ => match nearest(name, known()) {
            Some(near) => Diagnostic::error(format!("there are no credentials {name:?}"))
                .help(format!("did you mean {near:?}?")),
            None => Diagnostic::error(format!("there are no credentials {name:?}"))
                .help(format!("add [credentials.{name}], or remove the line to use [github]")),
        },
    };
    sink.push(error.at(draft.fields.place("credentials")));
}

fn same_target_twice(fields: &Fields<'_>, sink: &mut Sink) {
    let mut seen = HashMap::new();
    for item in fields.texts("volumes").unwrap_or_default() {
        let Ok(mount) = volume(item.value) else { continue };
        let target = mount.target.trim_end_matches('/').to_owned();
        if let Some(first) = seen.insert(target.clone(), item.at) {
            sink.push(
                Diagnostic::error(format!("volumes: two of them are mounted at {target}"))
                    .at_with(item.at, "again")
                    .at_with(first, "first here"),
            );
        }
    }
}

fn dind_on_host_network(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    if pool.spec.docker == DockerMode::Dind && pool.spec.network == NetworkMode::Host {
        sink.push(
            Diagnostic::error("an inner engine on the host's network would rewrite the host's own firewall")
                .at(fields.place("docker"))
                .at(fields.place("network"))
                .help("use network = \"pool\", or docker = \"none\""),
        );
    }
}
