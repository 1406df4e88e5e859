//! `plan`: what is about to happen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::status::by_phase;
use super::status::held_back;
use crate::http::dto;
use crate::mcp::cut::Part;
use crate::mcp::cut::few;
use crate::mcp::cut::short;
use crate::mcp::door::Looker;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;

/// How much is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// How many actions, and how many pools, at most: 25 of each unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// What a pass would do now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Planned {
    /// How many things would be done.
    actions_total: usize,
    /// The first of them, in order.
    actions: Vec<Action>,
    /// How many pools there are.
    pools_total: usize,
    /// Pool by pool, those first for which something is held back.
    pools: Vec<Pool>,
    /// What is held back for no single pool, and why.
    held_back: Vec<String>,
    /// What will go wrong in days if nobody does anything.
    advice: Vec<String>,
}

/// One thing to do.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Action {
    /// `pull`, `create`, `retire`, `reap`, `deregister`, `remove_companion`, `collect` or `cancel_run`.
    action: String,
    /// The pool it is done for.
    pool: Option<String>,
    /// The runner's name at GitHub.
    runner: Option<String>,
    /// The line that the journal shows.
    text: String,
}

/// One pool of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pool {
    /// Its name.
    name: String,
    /// How many runners it should have.
    target: u32,
    /// Why so many.
    why: String,
    /// How many it has, by phase.
    runners: BTreeMap<String, u32>,
    /// What is held back, and why.
    held_back: Vec<String>,
}

/// The plan.
pub(super) struct Plan;

impl Tool for Plan {
    const NAME: &'static str = "plan";
    const TITLE: &'static str = "What is about to happen";
    const DESCRIPTION: &'static str = "What the daemon's next pass would do (starts, removals, clean-up), and what it would hold back \
        and why. It is a preview: nothing is done by asking. The daemon passes by itself; nothing has to be applied.";
    type Ask = Ask;
    type Answer = Planned;
}

impl Looks for Plan {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Planned> {
        let size = Part { limit: ask.limit, after: None }.size()?;
        let mut plan: dto::Plan = api.get("/api/v1/plan").await?;
        plan.pools.sort_by_key(|pool| pool.held.is_empty());
        Ok(Planned {
            actions_total: plan.actions.len(),
            actions: plan.actions.into_iter().take(size).map(Action::from).collect(),
            pools_total: plan.pools.len(),
            pools: plan.pools.into_iter().take(size).map(Pool::from).collect(),
            held_back: held_back(&plan.held),
            advice: few(&plan.advice),
        })
    }
}

impl From<dto::Action> for Action {
    fn from(action: dto::Action) -> Self {
        Self { action: action.action, pool: action.pool, runner: action.runner, text: short(&action.text) }
    }
}

impl From<dto::PoolPlan> for Pool {
    fn from(pool: dto::PoolPlan) -> Self {
        Self {
            runners: by_phase(&pool.phases),
            held_back: held_back(&pool.held),
            name: pool.pool,
            target: pool.target,
            why: short(&pool.why),
        }
    }
}
