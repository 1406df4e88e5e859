//! `GET` and `PUT /api/v1/log-level`.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Timestamp;

/// How much is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLevel {
    /// `error`, `warn`, `info`, `debug`, `trace`, or filters such as `info,ghrunner::github=debug`.
    pub level: String,
    /// Until when, where it is for a time.
    pub until: Option<Timestamp>,
    /// What it is then.
    pub then: Option<String>,
}

/// How much is to be logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLogLevel {
    /// `error`, `warn`, `info`, `debug`, `trace`, or filters such as `info,ghrunner::github=debug`.
    #[schema(max_length = 500, example = "debug")]
    pub level: String,
    /// For how long, such as `10m`; then it is again what it was. Without it the level stays until the daemon ends.
    #[serde(default, rename = "for")]
    #[schema(example = "10m")]
    pub time: Option<String>,
}
