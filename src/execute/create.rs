//! Making a runner: registration, container, start.

use super::Done;
use super::Failure;
use super::Outcome;
use super::Ports;
use crate::engine::Admission;
use crate::engine::Engine;
use crate::engine::NewRunner;
use crate::github::GitHub;
use crate::github::JitRequest;
use crate::model::CreateRunner;
use crate::model::RegistrationKind;
use crate::model::RunnerId;

/// Registers, creates, starts. A registration that its container does not come to use is deleted at once: it is
/// single-use, and is never tried a second time.
pub(super) async fn create<E: Engine, G: GitHub>(ports: &Ports<E, G>, plan: &CreateRunner) -> Outcome {
    let (admission, runner_id) = admit(ports, plan).await.map_err(Failure::GitHub)?;
    let new = NewRunner { plan: plan.clone(), instance: ports.instance.clone(), runner_id, admission };
    let container = match ports.engine.create(&new).await {
        Ok(container) => container,
        Err(error) => {
            forget(ports, plan, runner_id).await;
            return Err(Failure::Engine(error));
        }
    };
    match ports.engine.start(&new, &container).await {
        Ok(()) => Ok(Done::Created { container, runner_id }),
        // The container stays for the next pass to reap: whether it ran after all is for a look to say.
        Err(error) => Err(Failure::Engine(error)),
    }
}

async fn admit<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    plan: &CreateRunner,
) -> Result<(Admission, Option<RunnerId>), crate::github::GitHubError> {
    match plan.registration {
        RegistrationKind::Jit => {
            let request = JitRequest {
                scope: plan.scope.clone(),
                group: plan.group.clone(),
                set: plan.set,
                name: plan.name.clone(),
                labels: plan.labels.clone(),
                work_folder: plan.spec.work_folder.clone(),
            };
            let jit = ports.github.register(&plan.credentials, &request).await?;
            Ok((Admission::Jit(jit.config), Some(jit.id)))
        }
        RegistrationKind::Token => {
            let token = ports.github.registration_token(&plan.credentials, &plan.scope).await?;
            let url = ports.github.url(&plan.credentials);
            Ok((Admission::Token { token, url }, None))
        }
    }
}

/// Deletes a registration that nothing will use. What this cannot delete is found in GitHub's next listing.
async fn forget<E: Engine, G: GitHub>(ports: &Ports<E, G>, plan: &CreateRunner, runner_id: Option<RunnerId>) {
    let Some(id) = runner_id else { return };
    if let Err(error) = ports.github.delete(&plan.credentials, &plan.scope, id).await {
        tracing::warn!(pool = %plan.pool, runner = %plan.name, "An unused registration stays for now: {error}");
    }
}
