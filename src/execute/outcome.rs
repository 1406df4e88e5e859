//! What became of an action.

use crate::engine::EngineError;
use crate::engine::Image;
use crate::github::GitHubError;
use crate::model::ContainerId;
use crate::model::ErrorClass;
use crate::model::PostMortem;
use crate::model::RunnerId;

/// Done, or why not.
pub type Outcome = Result<Done, Failure>;

/// An action that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The image is there.
    Pulled(Image),
    /// The runner's container runs.
    Created {
        /// Its container.
        container: ContainerId,
        /// Its number at GitHub, where it is known already.
        runner_id: Option<RunnerId>,
    },
    /// The runner is gone, and what is kept of it.
    Gone(Box<PostMortem>),
    /// The runner's container had ended by itself: it is reaped next.
    Ended,
    /// The registration is gone.
    Deregistered,
    /// The leftover or companion is gone.
    Collected,
    /// GitHub cancels the run.
    Cancelled,
}

/// Who says that a runner is in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veto {
    /// A `Runner.Worker` process in its container.
    Container,
    /// GitHub refuses to delete its registration.
    GitHub,
    /// A `Runner.Worker` process, after GitHub had accepted the delete.
    ContainerAfterDelete,
}

/// An action that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The runner is in a job and stays.
    #[error("{}", match .0 {
        Veto::Container => "a job runs in its container",
        Veto::GitHub => "GitHub says that it is in a job",
        Veto::ContainerAfterDelete => "a job runs in its container although GitHub accepted the delete",
    })]
    Busy(Veto),
    /// The engine failed.
    #[error(transparent)]
    Engine(EngineError),
    /// GitHub failed.
    #[error(transparent)]
    GitHub(GitHubError),
}

impl Failure {
    /// What it means for whoever goes on.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Busy(_) => ErrorClass::Retry,
            Self::Engine(error) => error.class(),
            Self::GitHub(error) => error.class(),
        }
    }
}
