//! Pools, runners, and runners that are gone.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Held;
use super::Timestamp;
use crate::control;
use crate::model;
use crate::model::ContainerState;
use crate::model::PoolScope;

/// What container and registration together mean; see the model's phase of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
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

impl From<model::Phase> for Phase {
    fn from(phase: model::Phase) -> Self {
        match phase {
            model::Phase::Creating => Self::Creating,
            model::Phase::Starting => Self::Starting,
            model::Phase::Idle => Self::Idle,
            model::Phase::Busy => Self::Busy,
            model::Phase::Draining => Self::Draining,
            model::Phase::Exited => Self::Exited,
            model::Phase::Failed => Self::Failed,
            model::Phase::Lost => Self::Lost,
            model::Phase::Stray => Self::Stray,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Exited => "exited",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Stray => "stray",
        })
    }
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Whether the file (still) has it; a pool that only containers remember has the fields below empty.
    pub declared: bool,
    /// Whom it serves: `acme`, `acme/app`, or several patterns.
    pub scope: Vec<String>,
    /// The runner group; none for the default one, and for repositories.
    pub group: Option<String>,
    /// Whose credentials register its runners.
    pub credentials: Option<String>,
    /// Its runners' labels.
    pub labels: Vec<String>,
    /// Where its demand comes from: `fixed`, `poll`, `webhook`, `scale-set`.
    pub demand: Option<String>,
    /// `jit` or `token`.
    pub registration: Option<String>,
    /// `critical`, `high`, `normal`, `low`.
    pub priority: Option<String>,
    /// Runners that always stand.
    pub min: u32,
    /// Runners that never are exceeded.
    pub max: u32,
    /// Spare ones beyond the busy.
    pub min_idle: u32,
    /// The image.
    pub image: Option<String>,
    /// `none`, `dind` or `socket`.
    pub docker: Option<String>,
    /// Whether the operator drains it.
    pub drained: bool,
    /// What the operator wants beyond the file, for a time.
    #[serde(default)]
    pub boost: Option<Boosted>,
    /// How many runners it should have.
    pub target: u32,
    /// Where they should be registered, and how many in each place; nothing where that is not known.
    #[serde(default)]
    pub places: Vec<Place>,
    /// Why so many.
    pub why: String,
    /// How many it has, by phase; phases without a runner are left out.
    pub phases: BTreeMap<Phase, u32>,
    /// What is held back.
    pub held: Vec<Held>,
}

/// More runners than the file says, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Boosted {
    /// How many more, within the pool's `max`.
    pub count: u32,
    /// Until when.
    pub until: Timestamp,
}

/// How many runners a pool should have in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// Where they register: `orgs/acme` or `repos/acme/app`.
    pub scope: String,
    /// How many.
    pub target: u32,
}

/// A runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Runner {
    /// Its name at GitHub.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its place in the pool.
    pub slot: u32,
    /// Where it is registered: `orgs/acme` or `repos/acme/app`.
    pub scope: String,
    /// Whose credentials speak for it.
    pub credentials: String,
    /// Its phase.
    pub phase: Phase,
    /// Since when it has been busy or idle.
    pub since: Option<Timestamp>,
    /// Whether the operator drains it.
    pub drained: bool,
    /// Its container.
    pub container: Option<Container>,
    /// Its registration.
    pub github: Option<GitHubSide>,
}

/// A runner's container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image's id.
    pub image_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// `created`, `running`, `exited` or `removing`.
    pub state: String,
    /// Its exit code, once it ended.
    pub exit_code: Option<i64>,
    /// The digest of what it was made from.
    pub spec_hash: String,
}

/// A runner's registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GitHubSide {
    /// GitHub's number.
    pub id: u64,
    /// Whether it is online.
    pub online: bool,
    /// Whether GitHub believes that it runs a job.
    pub busy: bool,
    /// Its labels.
    pub labels: Vec<String>,
}

/// A runner that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// Its pool.
    pub pool: String,
    /// Its name at GitHub.
    pub runner: String,
    /// When its container was made.
    pub created: Timestamp,
    /// When it was taken away.
    pub ended: Timestamp,
    /// Exit code.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// Whether it ran a job.
    pub ran_job: bool,
    /// The job's name.
    pub job: Option<String>,
    /// One sentence: why it ended.
    pub verdict: String,
    /// The last lines of its output.
    pub last_lines: Vec<String>,
}

/// The word that a model's enum has in the file, which is its serialized form too.
fn word(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

fn scope(scope: &PoolScope) -> Vec<String> {
    match scope {
        PoolScope::Enterprise { slug, .. } => vec![format!("enterprises/{slug}")],
        PoolScope::Organization { org, .. } => vec![org.clone()],
        PoolScope::Repositories(patterns) => patterns.iter().map(ToString::to_string).collect(),
    }
}

impl From<&control::PoolState> for Pool {
    fn from(state: &control::PoolState) -> Self {
        let pool = state.pool.as_ref();
        let group = pool.and_then(|p| p.scope.group());
        Self {
            name: state.report.pool.to_string(),
            declared: pool.is_some(),
            scope: pool.map(|p| scope(&p.scope)).unwrap_or_default(),
            group: group.map(ToString::to_string),
            credentials: pool.map(|p| p.credentials.to_string()),
            labels: pool.map(|p| p.labels.clone()).unwrap_or_default(),
            demand: pool.and_then(|p| word(p.demand)),
            registration: pool.and_then(|p| word(p.registration)),
            priority: pool.and_then(|p| word(p.priority)),
            min: pool.map_or(0, |p| p.min),
            max: pool.map_or(0, |p| p.max),
            min_idle: pool.map_or(0, |p| p.min_idle),
            image: pool.map(|p| p.spec.image.clone()),
            docker: pool.and_then(|p| word(p.spec.docker)),
            drained: state.drained,
            boost: state.boost.map(|(count, until)| Boosted { count, until: until.into() }),
            target: state.report.target,
            places: state.report.places.iter().map(Place::from).collect(),
            why: state.report.why.clone(),
            phases: super::plan::phases(&state.report),
            held: state.report.held.iter().map(Held::from).collect(),
        }
    }
}

impl From<&model::PlaceReport> for Place {
    fn from(place: &model::PlaceReport) -> Self {
        Self { scope: place.scope.to_string(), target: place.target }
    }
}

impl From<&control::RunnerState> for Runner {
    fn from(state: &control::RunnerState) -> Self {
        let runner = &state.runner;
        Self {
            name: runner.name.to_string(),
            pool: runner.pool.to_string(),
            slot: runner.slot.0,
            scope: runner.scope.to_string(),
            credentials: runner.credentials.to_string(),
            phase: state.phase.into(),
            since: state.since.map(Timestamp),
            drained: state.drained,
            container: runner.container.as_ref().map(Container::from),
            github: runner.registration.as_ref().map(|r| GitHubSide {
                id: r.id.0,
                online: r.online,
                busy: r.busy,
                labels: r.labels.clone(),
            }),
        }
    }
}

impl From<&model::Container> for Container {
    fn from(c: &model::Container) -> Self {
        let (state, exit_code) = match c.state {
            ContainerState::Created => ("created", None),
            ContainerState::Running => ("running", None),
            ContainerState::Exited(code) => ("exited", code),
            ContainerState::Removing => ("removing", None),
        };
        Self {
            id: c.id.to_string(),
            name: c.name.clone(),
            image_id: c.image_id.to_string(),
            created: c.created.into(),
            state: state.to_owned(),
            exit_code,
            spec_hash: c.spec_hash.to_string(),
        }
    }
}

impl From<&model::PostMortem> for Ended {
    fn from(p: &model::PostMortem) -> Self {
        Self {
            pool: p.pool.to_string(),
            runner: p.runner.to_string(),
            created: p.created.into(),
            ended: p.ended.into(),
            exit_code: p.exit_code,
            oom_killed: p.oom_killed,
            ran_job: p.ran_job,
            job: p.job.clone(),
            verdict: p.verdict.clone(),
            last_lines: p.last_lines.clone(),
        }
    }
}
