//! The shapes of the control API's answers, which are also what `--json` prints.
//!
//! Fields are only ever added. Times are RFC 3339 with milliseconds, in UTC; words (phases, modes, kinds) are lower-case.

mod fleet;
mod jobs;
mod plan;
mod status;
mod time;

pub use fleet::Container;
pub use fleet::Ended;
pub use fleet::GitHubSide;
pub use fleet::Phase;
pub use fleet::Pool;
pub use fleet::Runner;
pub use jobs::Boost;
pub use jobs::Explanation;
pub use jobs::Job;
pub use plan::Action;
pub use plan::Held;
pub use plan::Plan;
pub use plan::PoolPlan;
pub use status::ConfigFile;
pub use status::Credential;
pub use status::Engine;
pub use status::Limited;
pub use status::Quota;
pub use status::Status;
pub use time::Timestamp;

use serde::Deserialize;
use serde::Serialize;

use crate::model;

/// The body of `POST /v1/mode`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMode {
    /// `organization` or `repository`.
    pub mode: model::Mode,
    /// Only say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer to something done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What was done, in words.
    pub done: String,
}
