//! `runner_provision_for_workflow`: more runners for a time, where a job's labels lead.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::explain::About;
use super::status::by_phase;
use crate::http::dto;
use crate::mcp::cut::few;
use crate::mcp::cut::short;
use crate::mcp::door::Steerer;
use crate::mcp::door::named;
use crate::mcp::tool::Steers;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;
use crate::mcp::trouble::Trouble;

/// For what, how many and for how long: exactly one of `pool`, `labels` and `job`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The pool of this name.
    pool: Option<String>,
    /// The pool that serves a job which asks for these labels (its `runs-on`).
    labels: Option<Vec<String>>,
    /// The repository of that job, `owner/name`: pools may serve some only.
    repository: Option<String>,
    /// The pool that serves the job of this number.
    job: Option<u64>,
    /// How many runners more than the file says. It takes the place of an earlier boost of the pool.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    count: u32,
    /// For how long, a week at most: `30m`, `2h`, `1h 30m`. Then the pool has again what the file says.
    #[serde(default = "an_hour", rename = "for")]
    time: String,
}

fn one() -> u32 {
    1
}

fn an_hour() -> String {
    "1h".to_owned()
}

/// What was done, and what stands in its way.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Provisioned {
    /// What was done, in words.
    done: String,
    /// The pool that was boosted.
    pool: String,
    /// Runners that the pool never exceeds: a boost beyond it adds nothing. Only the operator's file raises it.
    max: u32,
    /// How many runners the pool had as of the last pass, by phase.
    runners: BTreeMap<String, u32>,
    /// What held the pool's runners back as of the last pass, and still may.
    held_back: Vec<String>,
}

/// More runners for a time.
pub(super) struct Provision;

impl Tool for Provision {
    const NAME: &'static str = "runner_provision_for_workflow";
    const TITLE: &'static str = "More runners for a time";
    const DESCRIPTION: &'static str = "Has a pool keep so many runners more than its demand and the file ask for, for a time, within \
        the pool's max: so that a workflow about to start finds them. The pool is named, or found by a job's labels or number. \
        Runners that jobs already wait for come by themselves; if they do not, explain_job says why, and more of them will not help.";
    type Ask = Ask;
    type Answer = Provisioned;
}

impl Steers for Provision {
    const TAKES_AWAY: bool = false;
    // The time begins anew.
    const REPEATABLE: bool = false;

    async fn steer(api: Steerer<'_>, ask: Ask) -> Told<Provisioned> {
        let boost = dto::Boost { count: ask.count, time: ask.time.clone() };
        let name = pool_for(&api, ask).await?;
        let pool: dto::Pool = api.look().get(named("pools", &name, "")).await?;
        if pool.drained {
            return Err(Trouble::new(
                "drained",
                format!(
                    "pool {name} is stopped (drained), so that a boost would start nothing: nothing was changed"
                ),
                "find out who stopped it and why; runner_start_autoscaler serves it again.",
            ));
        }
        let done: dto::Done = api.post(named("pools", &name, "/scale-up"), &boost).await?;
        let held: Vec<String> =
            pool.held.iter().map(|held| format!("{}: {}", held.what, held.text)).collect();
        Ok(Provisioned {
            done: done.done,
            max: pool.max,
            runners: by_phase(&pool.phases),
            held_back: few(&held),
            pool: pool.name,
        })
    }
}

/// The name of the pool that is meant.
async fn pool_for(api: &Steerer<'_>, ask: Ask) -> Told<String> {
    let given = [ask.pool.is_some(), ask.labels.is_some(), ask.job.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(Trouble::bad_call("give exactly one of pool, labels and job: nothing was changed"));
    }
    if let Some(pool) = ask.pool {
        return Ok(pool);
    }
    let about = About { job: ask.job, run: None, labels: ask.labels, repository: ask.repository };
    let answer = about.ask(api.look()).await?.into_iter().next();
    let why = answer.as_ref().map_or_else(String::new, |answer| short(&answer.text));
    answer.and_then(|answer| answer.pool).ok_or_else(|| {
        Trouble::new(
            "no_pool",
            format!("no pool serves this job: {why}; nothing was changed"),
            "tell the operator, or correct the workflow's runs-on: runner_get_status shows each pool's labels and whom it serves.",
        )
    })
}
