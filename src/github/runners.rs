//! Registrations: made, found, listed, deleted.
//!
//! <https://docs.github.com/rest/actions/self-hosted-runners>

use std::time::Duration;

use http::Method;

use super::GitHubError;
use super::Jit;
use super::JitRequest;
use super::Removal;
use super::call::Call;
use super::call::Fault;
use super::credential::Credential;
use super::pages::Listing;
use super::wire;
use crate::model::Registration;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::percent::encode;

/// A registration token lives an hour; whoever gets one still has this long to use it.
const REGISTRATION_TOKEN_LEFT: Duration = Duration::from_secs(10 * 60);
/// A registration whose answer was lost may appear a little later.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Credential {
    /// Registers a single-use runner; after a failure nothing is left behind, as far as that can be told.
    pub(super) async fn register(&self, request: &JitRequest) -> Result<Jit, GitHubError> {
        let scope = &request.scope;
        if let Some(set) = request.set {
            return self.settle(request, self.generate_in_set(request, set).await).await;
        }
        let (group, just_read) = self.group_id(scope, request.group.as_ref(), false).await?;
        let mut made = self.generate(request, group).await;
        let unknown = matches!(&made, Err(fault) if matches!(fault.error, GitHubError::NotFound { .. }));
        if unknown && !just_read {
            // The group may have been deleted and made anew since its number was read.
            let (again, _) = self.group_id(scope, request.group.as_ref(), true).await?;
            if again != group {
                made = self.generate(request, again).await;
            }
        }
        self.settle(request, made).await
    }

    /// The registration, or the error once what may have been made all the same is gone.
    async fn settle(&self, request: &JitRequest, made: Result<Jit, Fault>) -> Result<Jit, GitHubError> {
        match made {
            Ok(jit) => Ok(jit),
            Err(Fault { error, lost }) => {
                if lost {
                    self.mend(&request.scope, &request.name).await;
                }
                Err(error)
            }
        }
    }

    /// The group's number is needed for repositories too, where it is 1; no label is added by GitHub.
    async fn generate(&self, request: &JitRequest, group: u64) -> Result<Jit, Fault> {
        let JitRequest { scope, name, labels, work_folder, .. } = request;
        let mut call = Call::new(
            Method::POST,
            "generate-jitconfig",
            format!("{scope}/actions/runners/generate-jitconfig"),
            format!("register a runner in {scope}"),
            format!("{scope} or runner group {group}"),
        );
        let body = serde_json::json!({
            "name": name.as_str(), "runner_group_id": group, "labels": labels, "work_folder": work_folder,
        });
        call.body = Some(body.to_string());
        let answer = self.send(scope, &call).await.map_err(|fault| match fault.error {
            GitHubError::Refused { status: 409, .. } => GitHubError::NameTaken { name: name.clone() }.into(),
            _ => fault,
        })?;
        // A good status is the registration itself, whatever can be made of the rest.
        let (id, config) = wire::jit(&answer.body).map_err(|why| Fault::lost(call.malformed(why)))?;
        Ok(Jit { id, config })
    }

    /// Deletes a registration that may have been made although its answer was lost.
    async fn mend(&self, scope: &Scope, name: &RunnerName) {
        let look_twice = async {
            let first = self.find_and_delete(scope, name).await?;
            if first.is_some() {
                return Ok(first);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            self.find_and_delete(scope, name).await
        };
        match tokio::time::timeout(self.tuning.mend_timeout, look_twice).await {
            Ok(Ok(Some((id, removal)))) => {
                tracing::info!(%scope, %name, %id, ?removal, "a registration whose answer was lost is deleted");
            }
            Ok(Ok(None)) => {
                tracing::debug!(%scope, %name, "a registration whose answer was lost was not made")
            }
            Ok(Err(why)) => tracing::warn!(%scope, %name, %why, "a registration may be left behind"),
            Err(_) => {
                tracing::warn!(%scope, %name, why = "GitHub is too slow", "a registration may be left behind")
            }
        }
    }

    async fn find_and_delete(
        &self,
        scope: &Scope,
        name: &RunnerName,
    ) -> Result<Option<(RunnerId, Removal)>, GitHubError> {
        match self.find(scope, name).await? {
            Some(found) => Ok(Some((found.id, self.delete(scope, found.id).await?))),
            None => Ok(None),
        }
    }

    /// A registration token, a kept one if it lasts.
    pub(super) async fn registration_token(&self, scope: &Scope) -> Result<Secret, GitHubError> {
        let call = Call::new(
            Method::POST,
            "registration-token",
            format!("{scope}/actions/runners/registration-token"),
            format!("make a registration token for {scope}"),
            scope.to_string(),
        );
        let lasts = |(_, end): &(Secret, _)| *end > self.github_now() + REGISTRATION_TOKEN_LEFT;
        let make = async {
            let answer = self.send(scope, &call).await?;
            wire::token(&answer.body).map_err(|why| call.malformed(why).into())
        };
        Ok(self.registration_tokens.get(scope.clone(), lasts, make).await?.value.0)
    }

    /// All runners of a scope.
    pub(super) async fn list(&self, scope: &Scope) -> Result<Vec<Registration>, GitHubError> {
        let listing = Listing {
            path: format!("{scope}/actions/runners?per_page=100"),
            kind: "list-runners",
            label: format!("list the runners of {scope}"),
            what: scope.to_string(),
            read: wire::runners,
            id: |runner| runner.id.0,
        };
        self.list_all(scope, &listing).await
    }

    /// Whether runners can be listed, at the price of one request.
    pub(super) async fn try_list(&self, scope: &Scope) -> Result<(), GitHubError> {
        let call = Call::new(
            Method::GET,
            "list-runners",
            format!("{scope}/actions/runners?per_page=1"),
            format!("list the runners of {scope}"),
            scope.to_string(),
        );
        let answer = self.send(scope, &call).await?;
        wire::runners(&answer.body).map_err(|why| call.malformed(why))?;
        Ok(())
    }

    /// The runner of that very name.
    pub(super) async fn find(
        &self,
        scope: &Scope,
        name: &RunnerName,
    ) -> Result<Option<Registration>, GitHubError> {
        let call = Call::new(
            Method::GET,
            "list-runners",
            format!("{scope}/actions/runners?name={}&per_page=100", encode(name.as_str())),
            format!("find runner {name} in {scope}"),
            scope.to_string(),
        );
        let answer = self.send(scope, &call).await?;
        let (runners, _) = wire::runners(&answer.body).map_err(|why| call.malformed(why))?;
        Ok(runners.into_iter().find(|runner| runner.name == *name))
    }

    /// Deletes a registration. GitHub answers 422 for one that runs a job.
    pub(super) async fn delete(&self, scope: &Scope, id: RunnerId) -> Result<Removal, GitHubError> {
        let call = Call::new(
            Method::DELETE,
            "delete-runner",
            format!("{scope}/actions/runners/{id}"),
            format!("delete runner {id} of {scope}"),
            format!("runner {id} in {scope}"),
        );
        match self.send(scope, &call).await.map_err(GitHubError::from) {
            Ok(_) => Ok(Removal::Removed),
            Err(GitHubError::NotFound { .. }) => Ok(Removal::AlreadyGone),
            Err(GitHubError::Refused { status: 422, .. }) => Ok(Removal::Busy),
            Err(error) => Err(error),
        }
    }
}
