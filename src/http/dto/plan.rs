//! `GET /api/v1/plan`: what a pass would do, and what it would hold back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Phase;
use super::Timestamp;
use crate::model;
use crate::model::HeldReason;

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// What would be done, in order.
    pub actions: Vec<Action>,
    /// Pool by pool.
    pub pools: Vec<PoolPlan>,
    /// What is held back for no single pool.
    pub held: Vec<Held>,
    /// What will go wrong in days if nobody does anything.
    pub advice: Vec<String>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// `pull`, `create`, `retire`, `reap`, `deregister`, `remove_companion`, `collect` or `cancel_run`.
    pub action: String,
    /// The pool it is done for.
    pub pool: Option<String>,
    /// The runner's name at GitHub.
    pub runner: Option<String>,
    /// The container's name.
    pub container: Option<String>,
    /// The line that journal and terminal show.
    pub text: String,
}

/// One pool of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolPlan {
    /// Its name.
    pub pool: String,
    /// How many runners it should have.
    pub target: u32,
    /// Why so many.
    pub why: String,
    /// How many it has, by phase.
    pub phases: BTreeMap<Phase, u32>,
    /// What is held back.
    pub held: Vec<Held>,
}

/// Something held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// What it concerns.
    pub what: String,
    /// The kind of reason: `at_max`, `host_full`, `backoff`, ….
    pub why: String,
    /// The reason in words.
    pub text: String,
    /// Until when, where the reason knows.
    pub until: Option<Timestamp>,
}

/// Counts by phase, without the phases that have none.
pub(super) fn phases(report: &model::PoolReport) -> BTreeMap<Phase, u32> {
    report.phases.iter().filter(|(_, n)| *n > 0).map(|(phase, n)| ((*phase).into(), *n)).collect()
}

impl From<&model::Plan> for Plan {
    fn from(plan: &model::Plan) -> Self {
        Self {
            actions: plan.actions.iter().map(Action::from).collect(),
            pools: plan.report.pools.iter().map(PoolPlan::from).collect(),
            held: plan.report.held.iter().map(Held::from).collect(),
            advice: plan.report.advice.clone(),
        }
    }
}

impl From<&model::PoolReport> for PoolPlan {
    fn from(report: &model::PoolReport) -> Self {
        Self {
            pool: report.pool.to_string(),
            target: report.target,
            why: report.why.clone(),
            phases: phases(report),
            held: report.held.iter().map(Held::from).collect(),
        }
    }
}

impl From<&model::Action> for Action {
    fn from(action: &model::Action) -> Self {
        let of = |kind: &str, pool, runner, container| Self {
            action: kind.to_owned(),
            pool,
            runner,
            container,
            text: action.to_string(),
        };
        let seen = |kind: &str, c: &model::Container| {
            of(kind, Some(c.pool.to_string()), Some(c.runner_name.to_string()), Some(c.name.clone()))
        };
        match action {
            model::Action::Pull { .. } => of("pull", None, None, None),
            model::Action::Create(new) => of(
                "create",
                Some(new.pool.to_string()),
                Some(new.name.to_string()),
                Some(new.pool.container_name(new.slot)),
            ),
            model::Action::Retire { container, .. } => seen("retire", container),
            model::Action::Reap { container, .. } => seen("reap", container),
            model::Action::Deregister(reg) => {
                of("deregister", Some(reg.pool.to_string()), Some(reg.name.to_string()), None)
            }
            model::Action::RemoveCompanion { container } => seen("remove_companion", container),
            model::Action::Collect(_) => of("collect", None, None, None),
            model::Action::CancelRun { pool, runner, .. } => {
                of("cancel_run", Some(pool.to_string()), Some(runner.to_string()), None)
            }
        }
    }
}

impl From<&model::Held> for Held {
    fn from(held: &model::Held) -> Self {
        let (why, until) = kind(&held.reason);
        Self {
            what: held.what.clone(),
            why: why.to_owned(),
            text: held.reason.to_string(),
            until: until.map(Timestamp),
        }
    }
}

/// The stable word for a reason.
pub(in crate::http) fn word(reason: &HeldReason) -> &'static str {
    kind(reason).0
}

/// The stable word for a reason, and its end where it has one.
pub(super) fn kind(reason: &HeldReason) -> (&'static str, Option<model::Time>) {
    match reason {
        HeldReason::AtMax { .. } => ("at_max", None),
        HeldReason::HostFull { .. } => ("host_full", None),
        HeldReason::HostBudget { .. } => ("host_budget", None),
        HeldReason::Disk { .. } => ("disk", None),
        HeldReason::Backoff { until, .. } => ("backoff", Some(*until)),
        HeldReason::Probing { .. } => ("probing", None),
        HeldReason::StormBreaker { until, .. } => ("storm_breaker", Some(*until)),
        HeldReason::Image { .. } => ("image", None),
        HeldReason::Engine { .. } => ("engine", None),
        HeldReason::ListingIncomplete { .. } => ("listing_incomplete", None),
        HeldReason::GitHub { until, .. } => ("github", Some(*until)),
        HeldReason::Busy => ("busy", None),
        HeldReason::Registering => ("registering", None),
        HeldReason::Draining => ("draining", None),
        HeldReason::RetryLater { until } => ("retry_later", Some(*until)),
        HeldReason::DemandUnheard { .. } => ("demand_unheard", None),
        HeldReason::DemandFailing { .. } => ("demand_failing", None),
        HeldReason::ScaleSet { .. } => ("scale_set", None),
        HeldReason::Cap { .. } => ("cap", None),
        HeldReason::UpThreshold { .. } => ("scale_up_threshold", None),
        HeldReason::UpFactor => ("scale_up_factor", None),
        HeldReason::RunnerGone { .. } => ("runner_gone", None),
    }
}
