//! Pools served and not served: `runner_start_autoscaler`, `runner_stop_autoscaler`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::http::dto;
use crate::mcp::door::Steerer;
use crate::mcp::door::named;
use crate::mcp::tool::Steers;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;
use crate::mcp::trouble::Trouble;

/// Which pools are meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The one pool of this name.
    pool: Option<String>,
    /// True for all pools; give either this or `pool`.
    #[serde(default)]
    all: bool,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Done {
    /// What was done, in words.
    done: String,
}

impl Which {
    /// The call that means them. That nothing was named does not mean all: a forgotten argument is no order.
    async fn order(self, api: Steerer<'_>, verb: &str) -> Told<Done> {
        let target = match (self.pool, self.all) {
            (Some(pool), false) => named("pools", &pool, &format!("/{verb}")),
            (None, true) => format!("/api/v1/{verb}"),
            (Some(_), true) => {
                return Err(Trouble::bad_call("give pool or all, and not both: nothing was changed"));
            }
            (None, false) => {
                return Err(Trouble::new(
                    "bad_call",
                    "neither pool nor all was given: nothing was changed",
                    "name one pool (runner_get_status lists them), or give all: true if every pool is meant.",
                ));
            }
        };
        let done: dto::Done = api.order(target).await?;
        Ok(Done { done: done.done })
    }
}

/// Pools are served again.
pub(super) struct StartAutoscaler;

impl Tool for StartAutoscaler {
    const NAME: &'static str = "runner_start_autoscaler";
    const TITLE: &'static str = "Serve pools again";
    const DESCRIPTION: &'static str = "Serves a pool that was stopped (drained) again, or all of them: runners are started as its \
        demand and the operator's file say. Takes nothing away, and does nothing to a pool that is served already. Undoes \
        runner_stop_autoscaler.";
    type Ask = Which;
    type Answer = Done;
}

impl Steers for StartAutoscaler {
    const TAKES_AWAY: bool = false;
    const REPEATABLE: bool = true;

    async fn steer(api: Steerer<'_>, ask: Which) -> Told<Done> {
        ask.order(api, "resume").await
    }
}

/// Pools are drained.
pub(super) struct StopAutoscaler;

impl Tool for StopAutoscaler {
    const NAME: &'static str = "runner_stop_autoscaler";
    const TITLE: &'static str = "Drain pools";
    const DESCRIPTION: &'static str = "Drains a pool, or all of them: idle runners go, busy ones finish their job, and none is \
        started, so that new jobs for it wait until runner_start_autoscaler is called. It stays so over restarts of the daemon. No \
        job is cut off.";
    type Ask = Which;
    type Answer = Done;
}

impl Steers for StopAutoscaler {
    const TAKES_AWAY: bool = true;
    const REPEATABLE: bool = true;

    async fn steer(api: Steerer<'_>, ask: Which) -> Told<Done> {
        ask.order(api, "drain").await
    }
}
