//! Doing one action, idempotently.
//!
//! **Knows** the order of calls that keeps every step safe to repeat and safe to be cut off after.
//! **Does not know** why an action was planned, and chooses nothing: names, targets and reasons come with the action.
//!
//! Nothing is retried here. An action that fails says so; the next pass looks again and plans again.

mod create;
mod logs;
mod outcome;
mod remove;

use std::sync::Arc;

pub use logs::LogKeeper;
pub use outcome::Done;
pub use outcome::Failure;
pub use outcome::Outcome;
pub use outcome::Veto;

use crate::engine::Engine;
use crate::github::GitHub;
use crate::model::Action;
use crate::model::InstanceId;
use crate::model::Time;

/// Where actions are done.
#[derive(Debug)]
pub struct Ports<E, G> {
    /// The container engine.
    pub engine: Arc<E>,
    /// GitHub.
    pub github: Arc<G>,
    /// Which installation of ghrunner acts.
    pub instance: InstanceId,
    /// Where the output of runners that go is kept.
    pub logs: LogKeeper,
}

impl<E, G> Clone for Ports<E, G> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            github: Arc::clone(&self.github),
            instance: self.instance.clone(),
            logs: self.logs.clone(),
        }
    }
}

/// Does one action. `progress` hears how far a pull has come; `now` stamps what is kept of runners that go.
pub async fn execute<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    action: &Action,
    now: impl Fn() -> Time + Send + Sync,
    progress: impl Fn(String) + Send + Sync,
) -> Outcome {
    match action {
        Action::Pull { image } => {
            ports.engine.pull(image, progress).await.map(Done::Pulled).map_err(Failure::Engine)
        }
        Action::Create(new) => create::create(ports, new).await,
        Action::Retire { container, runner_id, reason, force } => {
            let gone = remove::retire(ports, container, *runner_id, *force, now).await;
            gone.map(|done| remove::explained(done, reason, *force))
        }
        Action::Reap { container, runner_id, seen_busy } => {
            remove::reap(ports, container, *runner_id, *seen_busy, now).await
        }
        Action::Deregister(registration) => remove::deregister(ports, registration).await,
        Action::RemoveCompanion { container } => remove::companion(ports, container).await,
        Action::Collect(leftover) => {
            ports.engine.collect(leftover).await.map(|()| Done::Collected).map_err(Failure::Engine)
        }
        Action::CancelRun { credentials, repo, run, .. } => {
            let asked = ports.github.cancel_run(credentials, repo, *run).await;
            asked.map(|()| Done::Cancelled).map_err(Failure::GitHub)
        }
    }
}
