//! Organization mode or repository mode.

use serde::Deserialize;
use serde::Serialize;

/// Where organization pools register their runners.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At their organization.
    #[default]
    Organization,
    /// At each repository of their `rollback` list, or, where that is empty, of their runner group's access list.
    Repository,
}
