//! What must hold among pools.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::super::build::Draft;
use super::super::build::PoolDraft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::tree::Entry;
use crate::model::Demand;
use crate::model::Pool;
use crate::model::PoolScope;
use crate::model::RepoPattern;

pub(super) fn check(draft: &Draft<'_>, sink: &mut Sink) {
    same_labels(draft, sink);
    same_set(draft, sink);
    unused_credentials(draft, sink);
    host_is_full(draft, sink);
    if draft.pools.is_empty() {
        sink.push(
            Diagnostic::warning("no pools: nothing to run")
                .in_file(0)
                .help("add one: [pools.build] with org = \"acme\" or repo = \"acme/app\""),
        );
    }
}

/// Whom a pool serves and by which labels, in a form in which equal means the same to GitHub.
type Place = (String, String, BTreeSet<String>);

/// Two such pools would take each other's jobs, and neither's numbers would mean anything.
fn same_labels(draft: &Draft<'_>, sink: &mut Sink) {
    let mut seen: BTreeMap<Place, &PoolDraft<'_>> = BTreeMap::new();
    for pool in &draft.pools {
        let Some(made) = &pool.made else { continue };
        let clash = places(made, &url(draft, made)).into_iter().find_map(|place| seen.insert(place, pool));
        if let Some(first) = clash {
            sink.push(
                Diagnostic::error(format!(
                    "pools {} and {} serve the same labels in the same place: {}",
                    first.name,
                    pool.name,
                    made.labels.join(", ")
                ))
                .at_with(pool.fields.at, "this one")
                .at_with(first.fields.at, "and this one")
                .help("give one of them a label of its own, or make one pool of both"),
            );
        }
    }
}

/// A scale set has one listener: of two pools with the same one, only one would ever hear of its jobs.
fn same_set(draft: &Draft<'_>, sink: &mut Sink) {
    let mut seen: BTreeMap<(String, String, String), &PoolDraft<'_>> = BTreeMap::new();
    for pool in &draft.pools {
        let Some(made) = pool.made.as_ref().filter(|made| made.demand == Demand::ScaleSet) else { continue };
        let name = made.set_name().to_lowercase();
        let sets =
            places(made, &url(draft, made)).into_iter().map(|(url, scope, _)| (url, scope, name.clone()));
        if let Some(first) = sets.filter_map(|set| seen.insert(set, pool)).last() {
            let at = |pool: &PoolDraft<'_>| {
                pool.fields.own("scale_set").map_or(pool.fields.at, |entry| entry.at())
            };
            sink.push(
                Diagnostic::error(format!(
                    "pools {} and {} have the same scale set in the same place: {}",
                    first.name,
                    pool.name,
                    made.set_name()
                ))
                .at_with(at(pool), "this one")
                .at_with(at(first), "and this one")
                .help("give one of them another scale_set"),
            );
        }
    }
}

/// The address of the GitHub that a pool's credentials are for.
fn url(draft: &Draft<'_>, pool: &Pool) -> String {
    let credentials = draft.credentials.iter().find(|c| c.name == pool.credentials);
    credentials.and_then(|c| c.fields.text("url")).unwrap_or_default().trim_end_matches('/').to_lowercase()
}

fn places(pool: &Pool, url: &str) -> Vec<Place> {
    let labels: BTreeSet<String> = pool.labels.iter().cloned().collect();
    let place = |scope: String| (url.to_owned(), scope.to_lowercase(), labels.clone());
    let group = pool.scope.group().map(|group| group.as_str()).unwrap_or_default();
    match &pool.scope {
        PoolScope::Enterprise { slug, .. } => vec![place(format!("enterprises/{slug} {group}"))],
        PoolScope::Organization { org, .. } => vec![place(format!("{org} {group}"))],
        PoolScope::Repositories(patterns) => patterns
            .iter()
            .map(|pattern| match pattern {
                RepoPattern::One(repo) => place(repo.to_string()),
                RepoPattern::AllOf(owner) => place(format!("{owner}/*")),
            })
            .collect(),
    }
}

fn unused_credentials(draft: &Draft<'_>, sink: &mut Sink) {
    for credentials in &draft.credentials {
        let used = |pool: &PoolDraft<'_>| pool.fields.text("credentials") == Some(credentials.name.as_str());
        if credentials.is_named && !draft.pools.iter().any(used) {
            sink.push(
                Diagnostic::warning(format!("no pool uses the credentials {}", credentials.name))
                    .at(credentials.fields.at)
                    .help(format!("add credentials = \"{}\" to a pool, or remove them", credentials.name)),
            );
        }
    }
}

fn host_is_full(draft: &Draft<'_>, sink: &mut Sink) {
    let Some(limit) = draft.host.count("max_runners") else { return };
    let made = || draft.pools.iter().filter_map(|pool| Some((pool, pool.made.as_ref()?)));
    let sum = made().fold(0_u32, |sum, (_, pool)| sum.saturating_add(pool.min));
    if sum <= limit || made().any(|(_, pool)| pool.max > limit) {
        return;
    }
    let limit_at = draft.host.written("max_runners").map(Entry::at);
    let last = made().rfind(|(_, pool)| pool.min > 0);
    let at = limit_at.or_else(|| last.map(|(pool, _)| pool.fields.place("min")));
    sink.push(
        Diagnostic::warning(format!(
            "the pools' min together ({sum}) is more than host.max_runners ({limit}): some runners will never stand"
        ))
        .maybe_at(at, "")
        .help("raise max_runners in [host], or lower the min of some pools"),
    );
}
