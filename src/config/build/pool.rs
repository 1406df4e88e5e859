//! `[pools.NAME]`, but for its container.

use std::env::consts::ARCH;

use super::super::fields::Fields;
use super::scaling::scaling;
use super::spec::spec;
use crate::model::CredentialName;
use crate::model::Demand;
use crate::model::GroupName;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::Priority;
use crate::model::PullPolicy;
use crate::model::RegistrationKind;
use crate::model::RepoPattern;

/// A pool, if its name and scope are good and all that it needs could be read.
pub(super) fn pool(name: &str, fields: &Fields<'_>) -> Option<Pool> {
    let demand = demand(fields)?;
    let (min, max, min_idle) = counts(fields, demand);
    Some(Pool {
        name: PoolName::parse(name).ok()?,
        credentials: CredentialName::new(fields.text("credentials")?),
        scope: scope(fields)?,
        labels: labels(fields),
        demand,
        scale_set: fields.optional_text("scale_set"),
        registration: match fields.text("registration")? {
            "jit" => RegistrationKind::Jit,
            "token" => RegistrationKind::Token,
            _ => return None,
        },
        min,
        max,
        min_idle,
        idle_timeout: fields.duration("idle_timeout")?,
        start_timeout: fields.duration("start_timeout")?,
        job_timeout: fields.duration("job_timeout"),
        failed_starts_per_hour: fields.count("failed_starts_per_hour")?,
        priority: priority(fields)?,
        scaling: scaling(fields)?,
        pull: match fields.text("pull")? {
            "always" => PullPolicy::Always,
            "missing" => PullPolicy::Missing,
            "never" => PullPolicy::Never,
            _ => return None,
        },
        rollback: match fields.text("org") {
            Some(_) => fields.strings("rollback").iter().filter_map(|repo| repo.parse().ok()).collect(),
            None => Vec::new(),
        },
        active_within: fields.duration("active_within")?,
        spec: spec(fields)?,
    })
}

fn demand(fields: &Fields<'_>) -> Option<Demand> {
    Some(match fields.text("demand")? {
        "fixed" => Demand::Fixed,
        "poll" => Demand::Poll,
        "webhook" => Demand::Webhook,
        "scale-set" => Demand::ScaleSet,
        _ => return None,
    })
}

pub(super) fn priority(fields: &Fields<'_>) -> Option<Priority> {
    Some(match fields.text("priority")? {
        "critical" => Priority::Critical,
        "high" => Priority::High,
        "normal" => Priority::Normal,
        "low" => Priority::Low,
        _ => return None,
    })
}

/// `min`, `max` and `min_idle`. A pool that says nothing has one runner, and one that says `max = 0` none.
fn counts(fields: &Fields<'_>, demand: Demand) -> (u32, u32, u32) {
    let min_idle = fields.count("min_idle").unwrap_or(0);
    let max = fields.count("max");
    let stands = demand == Demand::Fixed && min_idle == 0 && max != Some(0);
    let min = fields.count("min").unwrap_or(u32::from(stands));
    (min, max.unwrap_or(min.saturating_add(min_idle).max(1)), min_idle)
}

fn scope(fields: &Fields<'_>) -> Option<PoolScope> {
    let group = fields.optional_text("group").map(GroupName::new);
    if let Some(slug) = fields.text("enterprise") {
        return Some(PoolScope::Enterprise { slug: slug.to_owned(), group });
    }
    if let Some(org) = fields.text("org") {
        return Some(PoolScope::Organization { org: org.to_owned(), group });
    }
    if let Some(repo) = fields.text("repo") {
        return Some(PoolScope::Repositories(vec![RepoPattern::One(repo.parse().ok()?)]));
    }
    let repos = fields.texts("repos")?;
    let repos = repos.iter().map(|repo| repo.value.parse().ok()).collect::<Option<Vec<_>>>()?;
    Some(PoolScope::Repositories(repos))
}

/// Lower-case, since GitHub compares them so and gives them back so; each once, in the order given.
fn labels(fields: &Fields<'_>) -> Vec<String> {
    let implied: &[&str] = match fields.bool("default_labels") {
        Some(false) => &[],
        _ => &["self-hosted", "linux", architecture()],
    };
    let own = fields.texts("labels").unwrap_or_default();
    let mut labels = Vec::new();
    for label in implied.iter().copied().chain(own.iter().map(|label| label.value)) {
        let label = label.to_lowercase();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// This machine's architecture as GitHub's installer writes it.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}
