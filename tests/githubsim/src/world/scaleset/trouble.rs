//! Why the Actions service says no: a status, and the exception by which clients know it.

use crate::world::Refusal;

/// A refusal in the service's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) status: u16,
    /// The exception's full name; empty for an answer in plain text.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

const AGENT: &str = "GitHub.DistributedTask.WebApi";
const SETS: &str = "GitHub.Actions.Runtime.WebApi";

impl Trouble {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    /// An answer in plain text.
    pub(crate) fn text(status: u16, message: &str) -> Self {
        Self::new(status, "", message)
    }

    /// The exception's name with its assembly, as `typeName` has it.
    pub(crate) fn type_name(&self) -> String {
        let home = if self.kind.contains("Agent") || self.kind.contains("JobStill") { AGENT } else { SETS };
        format!("{home}.{}, {home}", self.kind)
    }

    pub(crate) fn no_set(id: u64) -> Self {
        let message = format!("No runner scale set found with identifier {id}.");
        Self::new(404, "RunnerScaleSetNotFoundException", message)
    }

    pub(crate) fn set_exists(name: &str) -> Self {
        let message = format!("A runner scale set with name '{name}' already exists in the runner group.");
        Self::new(400, "RunnerScaleSetExistsException", message)
    }

    pub(crate) fn no_group(id: u64) -> Self {
        Self::new(404, "RunnerGroupNotFoundException", format!("No runner group found with identifier {id}."))
    }

    pub(crate) fn argument(name: &str) -> Self {
        Self::new(400, "ArgumentException", format!("Value cannot be null or empty. Parameter name: {name}"))
    }

    pub(crate) fn no_version() -> Self {
        Self::new(400, "VssVersionNotSpecifiedException", "No api-version was supplied for the request.")
    }

    pub(crate) fn still_running(name: &str) -> Self {
        Self::new(400, "JobStillRunningException", format!("Runner \"{name}\" is still running a job."))
    }

    pub(crate) fn no_agent(id: u64) -> Self {
        Self::new(404, "AgentNotFoundException", format!("No agent found with identifier {id}."))
    }

    /// What registering a runner was refused with.
    pub(crate) fn of_agent(name: &str, no: &Refusal) -> Self {
        match no {
            Refusal::Conflict(_) => {
                let message = format!("A runner exists with the same name {name}.");
                Self::new(409, "AgentExistsException", message)
            }
            no => Self::new(400, "ArgumentException", no.to_string()),
        }
    }

    pub(crate) fn session_conflict(set: &str, owner: &str) -> Self {
        let message =
            format!("The actions runner scaleset {set} already has an active session for owner {owner}.");
        Self::new(409, "RunnerScaleSetSessionConflictException", message)
    }

    pub(crate) fn session_expired(id: &str) -> Self {
        let message = format!("The session identifier '{id}' is not valid.");
        Self::new(400, "RunnerScaleSetSessionExpiredException", message)
    }

    pub(crate) fn session_evicted(id: &str) -> Self {
        let message = format!("Failed to refresh session: session ID {id} that doesn't exist in redis");
        Self::new(404, "RunnerAdminException", message)
    }
}
