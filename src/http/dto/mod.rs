//! The shapes of the control API's answers, which are also what `--json` prints.
//!
//! Fields are only ever added. Times are RFC 3339 with milliseconds, in UTC; words (phases, modes, kinds) are lower-case.

mod figures;
mod fleet;
mod history;
mod jobs;
mod level;
mod live;
mod plan;
mod probes;
mod series;
mod status;
mod steering;
mod time;

pub use figures::AuditHead;
pub use figures::AuditVerdict;
pub use figures::Bar;
pub use figures::Figures;
pub use figures::PoolUse;
pub use figures::Quantiles;
pub use figures::Spread;
pub use figures::Use;
pub use fleet::Boosted;
pub use fleet::Container;
pub use fleet::Ended;
pub use fleet::GitHubSide;
pub use fleet::Phase;
pub use fleet::Place;
pub use fleet::Pool;
pub use fleet::Runner;
pub use history::AuditEntry;
pub use history::Decision;
pub use history::HistoryHealth;
pub use history::Page;
pub use history::PastJob;
pub use history::PastRunner;
pub use history::Period;
pub use history::Stats;
pub use jobs::Explanation;
pub use jobs::Job;
pub use level::LogLevel;
pub use level::SetLogLevel;
pub use live::Change;
pub use live::KeyedJob;
pub use live::Opening;
pub use live::Sample;
pub use live::Trend;
pub use live::WhoAmI;
pub use plan::Action;
pub use plan::Held;
pub use plan::Plan;
pub use plan::PoolPlan;
pub use probes::Health;
pub use probes::Ready;
pub use series::Point;
pub use series::Series;
pub use status::ConfigFile;
pub use status::Credential;
pub use status::Engine;
pub use status::Limited;
pub use status::Quota;
pub use status::Status;
pub use steering::Boost;
pub use steering::Lower;
pub use steering::Removed;
pub use time::Timestamp;

pub(super) use plan::word as held_word;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control;
use crate::model;

/// Where the runners of organization pools register.
#[derive(ToSchema)]
#[schema(as = Mode, rename_all = "lowercase")]
#[expect(dead_code, reason = "only its shape is of use")]
pub(super) enum ModeWord {
    /// Organization pools register at their organization.
    Organization,
    /// Organization pools register at the repositories that they serve.
    Repository,
}

/// The body of `POST /api/v1/mode`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMode {
    /// `organization` or `repository`.
    #[schema(value_type = ModeWord)]
    pub mode: model::Mode,
    /// Only say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// Something that speaks against a change of mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Obstacle {
    /// The pool that it concerns, where it is one.
    pub pool: Option<String>,
    /// Whether runners would be lacking after the change; if not, it is only worth knowing.
    pub grave: bool,
    /// What it is, and what to do.
    pub text: String,
}

impl From<&control::Obstacle> for Obstacle {
    fn from(obstacle: &control::Obstacle) -> Self {
        let pool = obstacle.pool.as_ref().map(ToString::to_string);
        Self { pool, grave: obstacle.grave, text: obstacle.text.clone() }
    }
}

/// The answer to something done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// What was done, in words.
    pub done: String,
}
