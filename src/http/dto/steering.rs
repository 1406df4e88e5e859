//! What is sent to steer, and what comes back of it.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Job;

/// Runners to have beyond what the file says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Boost {
    /// How many runners more, within the pool's `max`. It takes the place of an earlier boost.
    #[schema(minimum = 1, maximum = 100000, example = 2)]
    pub count: u32,
    /// For how long, a week at most: `30m`, `2h`, `1h 30m`.
    #[serde(default = "an_hour", rename = "for")]
    #[schema(default = "1h", example = "30m")]
    pub time: String,
}

fn an_hour() -> String {
    "1h".to_owned()
}

/// Runners to have no longer beyond what the file says.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lower {
    /// How many of a boost are taken back; all without it.
    #[serde(default)]
    #[schema(minimum = 1, example = 1)]
    pub count: Option<u32>,
}

/// A runner that goes, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// What was done, in words.
    pub done: String,
    /// The runner's name at GitHub.
    pub runner: String,
    /// Whether a job is cut off by it.
    pub kills: bool,
    /// The job that is cut off, where it is known.
    pub job: Option<Job>,
}
