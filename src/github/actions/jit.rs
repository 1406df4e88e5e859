//! Just-in-time registrations in a scale set.

use http::Method;
use serde_json::json;

use super::super::GitHubError;
use super::super::Jit;
use super::super::JitRequest;
use super::super::SetError;
use super::super::call::Fault;
use super::super::credential::Credential;
use super::exchange::Ask;
use super::fields::read;
use super::refusal::Kind;
use super::refusal::Missing;
use super::refusal::Refusal;
use super::sets::SETS;
use super::wire;
use crate::model::SetId;

impl Credential {
    /// Registers a runner in a set. Group and labels are the set's.
    pub(in super::super) async fn generate_in_set(
        &self,
        request: &JitRequest,
        set: SetId,
    ) -> Result<Jit, Fault> {
        let JitRequest { scope, name, work_folder, .. } = request;
        let label = format!("register a runner in scale set {} of {scope}", set.0);
        let path = format!("{SETS}/{}/generatejitconfig", set.0);
        let ask = Ask::new(Method::POST, path, label, Missing::Set).of_set(set);
        let ask = ask.with(json!({ "name": name.as_str(), "workFolder": work_folder }));
        let (answer, token) = self.admin(scope, &ask).await?;
        if answer.status.is_success() {
            // A good status is the registration itself, whatever can be made of the rest.
            let made = read(&answer.body).and_then(|value| wire::jit(&value));
            let (id, config) = made.map_err(|why| Fault::lost(ask.malformed(why)))?;
            return Ok(Jit { id, config });
        }
        if Refusal::of(&answer).kind == Kind::AgentExists {
            return Err(GitHubError::NameTaken { name: name.clone() }.into());
        }
        let error = match self.refusal(&answer, &ask, token.reveal()) {
            SetError::GitHub(GitHubError::Refused { status: 409, .. }) => {
                GitHubError::NameTaken { name: name.clone() }
            }
            SetError::GitHub(error) => error,
            SetError::SetGone => {
                let what = format!("scale set {} in {scope}", set.0);
                GitHubError::NotFound { credential: self.name(), what, needs: None }
            }
            other => ask.malformed(other.to_string()),
        };
        Err(Fault { lost: answer.status.is_server_error(), error })
    }
}
