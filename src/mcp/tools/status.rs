//! `runner_get_status`: the daemon, its pools, and what is wrong.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::http::dto;
use crate::http::dto::Timestamp;
use crate::mcp::cut::Part;
use crate::mcp::cut::few;
use crate::mcp::cut::short;
use crate::mcp::door::Looker;
use crate::mcp::door::named;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;
use crate::model::Mode;

/// Which pools are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Only the pool of this name.
    pool: Option<String>,
    /// How many pools at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
}

/// The daemon and its pools, as of the end of the last pass.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    /// ghrunner's version.
    version: String,
    /// Whether the daemon has had a first complete look at engine and GitHub.
    ready: bool,
    /// One line for people.
    summary: String,
    /// When the last pass ended. If this is minutes ago, the daemon hangs.
    #[schemars(with = "String", extend("format" = "date-time"))]
    as_of: Timestamp,
    /// `organization` or `repository`.
    mode: String,
    /// All runners, by phase: creating, starting, idle, busy, draining, exited, failed, lost or stray.
    runners: BTreeMap<String, u32>,
    /// Whatever is wrong with the daemon itself, and what will be in days if nobody does anything.
    troubles: Vec<String>,
    /// How many pools there are.
    pools_total: usize,
    /// The pools.
    pools: Vec<Pool>,
    /// What to give as `after` for more pools; null if these are the last.
    next: Option<String>,
}

/// A pool.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pool {
    /// Its name.
    name: String,
    /// Whom it serves: `acme`, `acme/app`, or several patterns.
    serves: Vec<String>,
    /// Its runners' labels: a job has to ask for some of these and no others.
    labels: Vec<String>,
    /// Where its demand comes from: `fixed`, `poll`, `webhook` or `scale-set`.
    demand: Option<String>,
    /// `critical`, `high`, `normal` or `low`.
    priority: Option<String>,
    /// Runners that always stand.
    min: u32,
    /// Runners that never are exceeded.
    max: u32,
    /// How many runners it should have now.
    target: u32,
    /// Why so many.
    why: String,
    /// How many it has, by phase.
    runners: BTreeMap<String, u32>,
    /// Whether it is stopped (drained): runner_start_autoscaler serves it again.
    drained: bool,
    /// What runner_provision_for_workflow or an operator added for a time.
    boost: Option<Boost>,
    /// What is held back, and why.
    held_back: Vec<String>,
}

/// More runners than the file says, for a time.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Boost {
    /// How many more, within `max`.
    count: u32,
    /// Until when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
}

/// The status.
pub(super) struct GetStatus;

impl Tool for GetStatus {
    const NAME: &'static str = "runner_get_status";
    const TITLE: &'static str = "Status of the fleet";
    const DESCRIPTION: &'static str = "The daemon, its troubles, and its pools: how many runners each has and should have and why, \
        what is held back and why, whether it is drained or boosted. Start here. It answers from memory, at most some seconds old.";
    type Ask = Ask;
    type Answer = Status;
}

impl Looks for GetStatus {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Status> {
        let mut status: dto::Status = api.get("/api/v1/status").await?;
        let pools_total = status.pools.len();
        let pools = match &ask.pool {
            Some(name) => vec![api.get(named("pools", name, "")).await?],
            None => std::mem::take(&mut status.pools),
        };
        let part = Part { limit: ask.limit, after: ask.after };
        let (pools, next) = part.of(pools, |pool: &dto::Pool| pool.name.clone())?;
        let mut runners = BTreeMap::new();
        for runner in &status.runners {
            *runners.entry(runner.phase.to_string()).or_default() += 1;
        }
        Ok(Status {
            troubles: troubles(&status),
            version: status.version,
            ready: status.ready,
            summary: status.status,
            as_of: status.as_of,
            mode: mode(status.mode).to_owned(),
            runners,
            pools_total,
            pools: pools.into_iter().map(Pool::from).collect(),
            next,
        })
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Organization => "organization",
        Mode::Repository => "repository",
    }
}

/// All that is wrong, in one list: an agent should not have to know where to look for it.
fn troubles(status: &dto::Status) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(error) = &status.config.error {
        all.push(format!("{} is refused, and the last good one is in force: {error}", status.config.path));
    }
    if !status.config.needs_restart.is_empty() {
        all.push(format!(
            "these settings wait for a restart of the daemon: {}",
            status.config.needs_restart.join(", ")
        ));
    }
    all.extend(
        status.engine_error.iter().map(|error| format!("the container engine does not answer: {error}")),
    );
    for credential in &status.credentials {
        let name = &credential.name;
        all.extend(credential.refused.iter().map(|why| format!("the credential {name} is refused: {why}")));
        let limited = credential.limited.iter();
        all.extend(limited.map(|limited| format!("GitHub limits the credential {name}: {}", limited.reason)));
    }
    let history = status.history.iter().filter_map(|history| history.trouble.as_ref());
    all.extend(history.map(|trouble| format!("the history is not written: {trouble}")));
    all.extend(status.held.iter().map(|held| format!("{}: {}", held.what, held.text)));
    all.extend(status.advice.iter().cloned());
    all.extend(status.config.warnings.iter().map(|warning| format!("unwise, though legal: {warning}")));
    few(&all)
}

/// Counts by the words that phases have.
pub(super) fn by_phase(phases: &BTreeMap<dto::Phase, u32>) -> BTreeMap<String, u32> {
    phases.iter().map(|(phase, count)| (phase.to_string(), *count)).collect()
}

/// What is held back, a line each.
pub(super) fn held_back(held: &[dto::Held]) -> Vec<String> {
    few(&held.iter().map(|held| format!("{}: {}", held.what, held.text)).collect::<Vec<_>>())
}

impl From<dto::Pool> for Pool {
    fn from(pool: dto::Pool) -> Self {
        Self {
            runners: by_phase(&pool.phases),
            held_back: held_back(&pool.held),
            serves: few(&pool.scope),
            labels: few(&pool.labels),
            why: short(&pool.why),
            boost: pool.boost.map(|boost| Boost { count: boost.count, until: boost.until }),
            name: pool.name,
            demand: pool.demand,
            priority: pool.priority,
            min: pool.min,
            max: pool.max,
            target: pool.target,
            drained: pool.drained,
        }
    }
}
