//! Whom a pool serves.

use std::collections::HashMap;

use super::super::build::PoolDraft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::At;
use super::super::fields::Fields;
use super::super::schema::SCOPE_KEYS;
use super::super::schema::syntax::PATTERN;
use super::super::tree::Entry;
use super::super::tree::Value;

pub(super) fn check(pool: &PoolDraft<'_>, sink: &mut Sink) {
    let fields = &pool.fields;
    exactly_one(pool, sink);
    if fields.own("org").is_none() {
        organizations_only(fields, sink);
    }
    repositories(fields, sink);
    wildcard_needs_demand(fields, sink);
    enterprise_has_no_queue(fields, sink);
    rollback(fields, sink);
}

fn exactly_one(pool: &PoolDraft<'_>, sink: &mut Sink) {
    let fields = &pool.fields;
    let mut given = SCOPE_KEYS.iter().filter_map(|key| fields.own(key));
    match (given.next(), given.next()) {
        (None, _) => sink.push(
            Diagnostic::error(format!("pool {} does not say whom it serves", pool.name))
                .at(fields.at)
                .help("add org = \"acme\", repo = \"acme/app\" or repos = [\"alice/app\", \"alice/web\"]"),
        ),
        (Some(first), Some(second)) => sink.push(
            Diagnostic::error(format!(
                "pool {} serves one of org, repo, repos and enterprise, not several",
                pool.name
            ))
            .at_with(second.key, "one too many")
            .at_with(first.key, "the other")
            .help("make a pool for each"),
        ),
        _ => {}
    }
}

/// What `[defaults]` say of groups is for the organization pools among the rest, and no error here.
fn organizations_only(fields: &Fields<'_>, sink: &mut Sink) {
    let group = ("group", "organization and enterprise pools", "repositories have no runner groups");
    let rollback = |why| ("rollback", "organization pools", why);
    let (scope, serves, keys) = match ["repo", "repos"].iter().find_map(|key| fields.own(key)) {
        Some(scope) => {
            let keys = vec![group, rollback("this pool stands at its repositories in either mode")];
            (Some(scope), "this pool serves repositories", keys)
        }
        None => {
            let keys = vec![rollback("this pool stands at its enterprise in either mode")];
            (fields.own("enterprise"), "this pool serves an enterprise", keys)
        }
    };
    for (key, for_whom, why) in keys {
        if let (Some(entry), Some(scope)) = (fields.own(key), scope) {
            sink.push(
                Diagnostic::error(format!("{key} is for {for_whom} only"))
                    .at(entry.key)
                    .at_with(scope.key, serves)
                    .help(format!("remove it: {why}")),
            );
        }
    }
}

/// One account, and each repository once.
fn repositories(fields: &Fields<'_>, sink: &mut Sink) {
    let Some(repos) = fields.texts("repos") else { return };
    if let ([], Some(entry)) = (repos.as_slice(), fields.own("repos")) {
        // An element that is no text was told of already; an empty list was not.
        if matches!(&entry.node.value, Value::Array(items) if items.is_empty()) {
            sink.push(
                Diagnostic::error("repos is empty")
                    .at(entry.at())
                    .help("name at least one repository, or remove the pool"),
            );
        }
    }
    twice("repos", &repos, sink);
    let owner = |repo: &At<&str>| repo.value.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let mut good = repos.iter().filter(|repo| (PATTERN.check)(repo.value).is_ok());
    let Some(first) = good.next() else { return };
    if let Some(other) = good.find(|repo| owner(repo) != owner(first)) {
        sink.push(
            Diagnostic::error("repos must belong to one account")
                .at_with(other.at, "another account")
                .at_with(first.at, "the first")
                .help("make a pool for each account"),
        );
    }
}

fn wildcard_needs_demand(fields: &Fields<'_>, sink: &mut Sink) {
    let wild = fields.texts("repos").unwrap_or_default().into_iter().find(|repo| repo.value.ends_with("/*"));
    if let (Some(wild), Some("fixed")) = (wild, fields.text("demand")) {
        sink.push(
            Diagnostic::error(
                "with demand = \"fixed\" nobody can know in which repository the runners should stand",
            )
            .at(wild.at)
            .maybe_at(fields.written("demand").map(Entry::at), "")
            .help("name the repositories, or choose a demand that says where jobs wait"),
        );
    }
}

fn enterprise_has_no_queue(fields: &Fields<'_>, sink: &mut Sink) {
    let (Some(enterprise), Some(demand)) = (fields.own("enterprise"), fields.text("demand")) else { return };
    if demand == "poll" || demand == "webhook" {
        sink.push(
            Diagnostic::error(format!(
                "demand = \"{demand}\" is not for enterprises, whose repositories nobody lists"
            ))
            .at_with(enterprise.key, "this pool serves an enterprise")
            .maybe_at(fields.written("demand").map(Entry::at), "")
            .help("choose demand = \"scale-set\" or \"fixed\""),
        );
    }
}

fn rollback(fields: &Fields<'_>, sink: &mut Sink) {
    let (Some(org), Some(repos)) = (fields.text("org"), fields.texts("rollback")) else { return };
    twice("rollback", &repos, sink);
    for repo in repos {
        let owner = repo.value.split('/').next().unwrap_or_default();
        if !owner.eq_ignore_ascii_case(org) && repo.value.contains('/') {
            sink.push(
                Diagnostic::error(format!("rollback: {:?} does not belong to {org}", repo.value))
                    .at(repo.at)
                    .at_with(fields.place("org"), "the pool's organization"),
            );
        }
    }
}

/// The same text twice in a list, in GitHub's eyes, who ignores case.
fn twice(key: &str, items: &[At<&str>], sink: &mut Sink) {
    let mut seen = HashMap::new();
    for item in items {
        if let Some(first) = seen.insert(item.value.to_ascii_lowercase(), item.at) {
            sink.push(
                Diagnostic::error(format!("{key}: {:?} is given twice", item.value))
                    .at_with(item.at, "again")
                    .at_with(first, "first here"),
            );
        }
    }
}
