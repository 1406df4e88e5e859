//! Runners and their containers: `runner_list_containers`, `runner_stop_container`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::http::dto;
use crate::http::dto::Timestamp;
use crate::mcp::cut::Part;
use crate::mcp::cut::short;
use crate::mcp::door::Looker;
use crate::mcp::door::Steerer;
use crate::mcp::door::named;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Steers;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;

/// What container and registration together mean.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// Being made.
    Creating,
    /// Running and not yet online.
    Starting,
    /// Online without a job.
    Idle,
    /// In a job.
    Busy,
    /// To go as soon as it is surely idle.
    Draining,
    /// Its container ended.
    Exited,
    /// Did not come online in time.
    Failed,
    /// A registration without a container.
    Lost,
    /// A container without a registration.
    Stray,
}

impl Phase {
    fn is(self, phase: dto::Phase) -> bool {
        let same = match self {
            Self::Creating => dto::Phase::Creating,
            Self::Starting => dto::Phase::Starting,
            Self::Idle => dto::Phase::Idle,
            Self::Busy => dto::Phase::Busy,
            Self::Draining => dto::Phase::Draining,
            Self::Exited => dto::Phase::Exited,
            Self::Failed => dto::Phase::Failed,
            Self::Lost => dto::Phase::Lost,
            Self::Stray => dto::Phase::Stray,
        };
        same == phase
    }
}

/// Which runners are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Only runners of this pool.
    pool: Option<String>,
    /// Only runners in this phase.
    phase: Option<Phase>,
    /// How many runners at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
}

/// Runners.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runners {
    /// How many there are of those that were asked for.
    total: usize,
    /// The runners.
    runners: Vec<Runner>,
    /// What to give as `after` for more; null if these are the last.
    next: Option<String>,
}

/// A runner.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runner {
    /// Its name at GitHub.
    name: String,
    /// Its pool.
    pool: String,
    /// Its phase: creating, starting, idle, busy, draining, exited, failed, lost or stray.
    phase: String,
    /// Since when it has been busy or idle.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<Timestamp>,
    /// Where it is registered: `orgs/acme` or `repos/acme/app`.
    scope: String,
    /// Whether it is to go as soon as it is surely idle.
    drained: bool,
    /// Its container's name; null where there is none.
    container: Option<String>,
    /// `created`, `running`, `exited` or `removing`.
    container_state: Option<String>,
    /// When its container was made.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    created: Option<Timestamp>,
    /// Its exit code, once it ended.
    exit_code: Option<i64>,
    /// Whether GitHub sees it online; null where it is not registered.
    online: Option<bool>,
}

impl From<dto::Runner> for Runner {
    fn from(runner: dto::Runner) -> Self {
        let container = runner.container.as_ref();
        Self {
            phase: runner.phase.to_string(),
            container: container.map(|container| container.name.clone()),
            container_state: container.map(|container| container.state.clone()),
            created: container.map(|container| container.created),
            exit_code: container.and_then(|container| container.exit_code),
            online: runner.github.map(|github| github.online),
            name: runner.name,
            pool: runner.pool,
            since: runner.since,
            scope: runner.scope,
            drained: runner.drained,
        }
    }
}

/// The runners.
pub(super) struct ListContainers;

impl Tool for ListContainers {
    const NAME: &'static str = "runner_list_containers";
    const TITLE: &'static str = "Runners and their containers";
    const DESCRIPTION: &'static str = "The runners there are, each with its container and its phase: idle, busy, starting and so on. \
        Runners that are gone are in history_query.";
    type Ask = Ask;
    type Answer = Runners;
}

impl Looks for ListContainers {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Runners> {
        // A pool that does not exist is a mistake, and not one without runners.
        if let Some(pool) = &ask.pool {
            let _: dto::Pool = api.get(named("pools", pool, "")).await?;
        }
        let mut runners: Vec<dto::Runner> = api.list("/api/v1/runners").await?;
        runners.retain(|runner| {
            ask.pool.as_ref().is_none_or(|pool| runner.pool == *pool)
                && ask.phase.is_none_or(|phase| phase.is(runner.phase))
        });
        let total = runners.len();
        let part = Part { limit: ask.limit, after: ask.after };
        let (runners, next) = part.of(runners, |runner| runner.name.clone())?;
        Ok(Runners { total, runners: runners.into_iter().map(Runner::from).collect(), next })
    }
}

/// Which runner goes, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    /// The runner, by its name at GitHub or its container's.
    runner: String,
    /// True to stop it at once, even in a job, which then fails for good. Only where the operator asked for exactly this.
    #[serde(default)]
    force: bool,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stopped {
    /// What was done, in words.
    done: String,
    /// The runner's name at GitHub.
    runner: String,
    /// Whether a job is cut off by it.
    kills: bool,
    /// The job that is cut off, where it is known.
    job: Option<Killed>,
}

/// A job that is cut off.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Killed {
    /// GitHub's number for it, where it was told.
    id: Option<u64>,
    /// The workflow run that it belongs to.
    run: u64,
    /// Its repository.
    repository: String,
    /// Its workflow's name.
    workflow: String,
    /// Its own name.
    name: String,
}

/// A runner goes.
pub(super) struct StopContainer;

impl Tool for StopContainer {
    const NAME: &'static str = "runner_stop_container";
    const TITLE: &'static str = "Let a runner go";
    const DESCRIPTION: &'static str = "Lets a runner go as soon as it is surely idle: a job that it has is finished first. Its pool \
        starts another one if its demand asks for it; to have none, use runner_stop_autoscaler. With force the container is stopped \
        at once, and a job in it fails and is lost; the answer says which. Look at runner_list_workflows (state running) before you \
        force anything.";
    type Ask = Stop;
    type Answer = Stopped;
}

impl Steers for StopContainer {
    const TAKES_AWAY: bool = true;
    const REPEATABLE: bool = true;

    async fn steer(api: Steerer<'_>, ask: Stop) -> Told<Stopped> {
        let query = if ask.force { "?force=true" } else { "" };
        let removed: dto::Removed = api.delete(named("runners", &ask.runner, query)).await?;
        let job = removed.job.map(|job| Killed {
            id: job.id,
            run: job.run,
            repository: job.repo,
            workflow: short(&job.workflow),
            name: short(&job.name),
        });
        Ok(Stopped { done: short(&removed.done), runner: removed.runner, kills: removed.kills, job })
    }
}
