//! `GET /health` and `GET /ready`.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// The daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// The daemon has seen engine and GitHub once, and keeps the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Always true: until then the answer is a problem.
    pub ready: bool,
}
