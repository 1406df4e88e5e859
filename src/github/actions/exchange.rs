//! One request to the Actions service or to a queue, and its answer.

use std::time::Duration;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header;
use octocrab::OctoBody;
use serde_json::Value;
use serde_json::json;

use super::super::GitHubError;
use super::super::SetError;
use super::super::answer::Answer;
use super::super::call::Fault;
use super::super::credential::Credential;
use super::super::transport::NoAnswer;
use super::fields::read;
use super::refusal;
use super::refusal::Missing;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::SetId;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Below the service's address, without a leading slash.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The set that it is about, if one is.
    pub(super) set: Option<SetId>,
    /// What it does, to follow "GitHub refused to …".
    pub(super) label: String,
    /// What is not there when the answer is 404.
    pub(super) missing: Missing,
}

impl Ask {
    pub(super) fn new(method: Method, path: String, label: String, missing: Missing) -> Self {
        Self { method, path, body: None, set: None, label, missing }
    }

    pub(super) fn of_set(self, set: SetId) -> Self {
        Self { set: Some(set), ..self }
    }

    pub(super) fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn malformed(&self, why: impl Into<String>) -> GitHubError {
        GitHubError::Malformed { call: self.label.clone(), why: why.into() }
    }

    /// The body of a good answer.
    pub(super) fn read(&self, answer: &Answer) -> Result<Value, SetError> {
        read(&answer.body).map_err(|why| self.malformed(why).into())
    }
}

/// Who speaks, where to, and with what.
pub(super) struct Line<'a> {
    pub(super) uri: Uri,
    /// `Bearer`, or `RemoteAuth` for a registration token.
    pub(super) scheme: &'static str,
    pub(super) token: &'a Secret,
    /// How many runners can be had; only a queue is told.
    pub(super) capacity: Option<u32>,
    pub(super) limit: Duration,
}

impl From<Fault> for SetError {
    fn from(fault: Fault) -> Self {
        Self::GitHub(fault.error)
    }
}

impl Credential {
    /// Asks the service with the scope's own token; once more with a new one if that is refused. The answer may be any;
    /// beside it is the token that it was given to.
    pub(super) async fn admin(&self, scope: &Scope, ask: &Ask) -> Result<(Answer, Secret), Fault> {
        let connection = self.connection(scope).await?;
        let answer = self.below(&connection, ask, &connection.token).await?;
        if answer.status != http::StatusCode::UNAUTHORIZED {
            return Ok((answer, connection.token));
        }
        let same = |kept: &super::Connection| kept.generation == connection.generation;
        self.connections.forget(scope.clone(), same).await;
        let connection = self.connection(scope).await?;
        Ok((self.below(&connection, ask, &connection.token).await?, connection.token))
    }

    /// Asks the service with the scope's own token; the answer is good.
    pub(super) async fn ask(&self, scope: &Scope, ask: &Ask) -> Result<Answer, SetError> {
        // Boxed: it holds what opens a connection, too, which every caller's future would have to be large enough for.
        let (answer, token) = Box::pin(self.admin(scope, ask)).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, ask, token.reveal())) }
    }

    /// Asks below the service's address, with a token of whichever plane the protocol wants there.
    pub(super) async fn below(
        &self,
        connection: &super::Connection,
        ask: &Ask,
        token: &Secret,
    ) -> Result<Answer, Fault> {
        let uri = connection.service.call(&ask.path).map_err(|why| ask.malformed(why))?;
        // The semaphore is never closed; polls take no place, so that they wait for nobody.
        let _place = self.places.acquire().await.ok();
        let limit = self.tuning.request_timeout;
        self.speak(ask, Line { uri, scheme: "Bearer", token, capacity: None, limit }).await
    }

    /// The error that an answer is.
    pub(super) fn refusal(&self, answer: &Answer, ask: &Ask, secret: &str) -> SetError {
        refusal::error(answer, (&ask.label, ask.missing), &self.name(), secret, self.now())
    }

    /// One request, and its answer.
    pub(super) async fn speak(&self, ask: &Ask, line: Line<'_>) -> Result<Answer, Fault> {
        let (method, path, origin) = (&ask.method, line.uri.path().to_owned(), origin(&line.uri));
        let (limit, token) = (line.limit, line.token);
        let kind = if line.capacity.is_some() { "await-message" } else { "actions-service" };
        let request = self.utter(ask, line)?;
        let sent = self.now();
        let transport = self.transport()?;
        let result = transport.send_within(request, limit, self.tuning.body_limit).await;
        self.took(kind, result.as_ref().ok(), self.now().since(sent));
        let (credential, ms) = (&self.spec.name, self.now().since(sent).as_millis());
        match result {
            Ok(answer) => {
                let status = answer.status.as_u16();
                let id = answer.header("activityid").or_else(|| answer.header("x-github-request-id"));
                let said =
                    (!answer.status.is_success()).then(|| answer.message().replace(token.reveal(), "***"));
                tracing::debug!(%credential, %method, path, status, request_id = id, ms, said, "the Actions service answered");
                Ok(answer)
            }
            Err(NoAnswer { why, sent, too_large }) => {
                tracing::debug!(%credential, %method, path, why, ms, "the Actions service did not answer");
                let error = if too_large {
                    ask.malformed(format!("it is larger than {} bytes", self.tuning.body_limit))
                } else {
                    GitHubError::Unreachable { url: origin, why }
                };
                Err(Fault { error, lost: sent })
            }
        }
    }

    fn utter(&self, ask: &Ask, line: Line<'_>) -> Result<Request<OctoBody>, GitHubError> {
        let unsendable = |_| self.unusable("a token that GitHub gave cannot be sent");
        let mut authorization =
            HeaderValue::try_from(format!("{} {}", line.scheme, line.token.reveal())).map_err(unsendable)?;
        authorization.set_sensitive(true);
        let mut builder = Request::builder()
            .method(&ask.method)
            .uri(line.uri)
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json; api-version=6.0-preview")
            .header(header::USER_AGENT, user_agent(ask.set));
        if let Some(capacity) = line.capacity {
            // The service reads a signed number of 32 bits.
            builder = builder.header("x-scalesetmaxcapacity", capacity.min(i32::MAX.unsigned_abs()));
        }
        let body = match &ask.body {
            Some(body) => OctoBody::from(body.to_string()),
            None => {
                if matches!(ask.method, Method::POST | Method::PATCH) {
                    builder = builder.header(header::CONTENT_LENGTH, 0);
                }
                OctoBody::empty()
            }
        };
        builder.body(body).map_err(|why| ask.malformed(format!("the request cannot be made: {why}")))
    }
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
}

/// Who we are, as an object: that is the form in which GitHub's own client names itself to this service.
fn user_agent(set: Option<SetId>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "system": "ghrunner", "version": version, "commit_sha": "", "scale_set_id": set.map_or(0, |set| set.0),
        "subsystem": "daemon", "build_version": version, "build_commit_sha": "", "kind": "scaleset",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_is_an_object_that_a_header_can_hold() {
        let text = user_agent(Some(SetId(7)));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["system"], &value["scale_set_id"]), (&json!("ghrunner"), &json!(7)));
        assert!(HeaderValue::from_str(&text).is_ok());
        assert!(user_agent(None).contains("\"scale_set_id\":0"));
    }
}
