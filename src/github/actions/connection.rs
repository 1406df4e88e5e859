//! The way into the Actions service: a registration token is exchanged for the service's address and a token for it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;

use super::super::GitHubError;
use super::super::SetError;
use super::super::answer::Verdict;
use super::super::call::Fault;
use super::super::credential::Credential;
use super::address::Address;
use super::exchange::Ask;
use super::exchange::Line;
use super::fields::Fields;
use super::fields::read;
use super::refusal::Missing;
use super::wire;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::Time;

/// A token is renewed when this little of it is left.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// A registration token that is just made may not be known everywhere yet: 401 and 403 are asked again after these.
const REPLICATION: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// The way into the service for one scope.
#[derive(Debug, Clone)]
pub(in super::super) struct Connection {
    pub(super) service: Address,
    pub(super) token: Secret,
    /// When the token ends, by GitHub's clock, where it tells.
    expires: Option<Time>,
    /// Tells this token from earlier ones.
    pub(super) generation: u64,
}

impl Credential {
    /// Whether addresses without TLS are good enough: where GitHub itself is spoken to without.
    pub(super) fn plain(&self) -> bool {
        self.spec.url.trim_start().to_ascii_lowercase().starts_with("http://")
    }

    /// The way into the service, a kept one if it lasts.
    pub(super) async fn connection(&self, scope: &Scope) -> Result<Connection, Fault> {
        let lasts = |c: &Connection| c.expires.is_none_or(|end| end > self.github_now() + RENEW_BEFORE);
        Ok(self.connections.get(scope.clone(), lasts, self.connect(scope)).await?.value)
    }

    async fn connect(&self, scope: &Scope) -> Result<Connection, Fault> {
        let token = self.registration_token(scope).await?;
        let mut waits = REPLICATION.into_iter();
        loop {
            let error = match self.introduce(scope, &token).await? {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            match waits.next() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    // A kept one may have been revoked: the next attempt makes another.
                    self.registration_tokens.forget(scope.clone(), |(kept, _)| *kept == token).await;
                    return Err(error.into());
                }
            }
        }
    }

    /// One exchange; the inner error is one that may pass by itself in a moment.
    async fn introduce(
        &self,
        scope: &Scope,
        token: &Secret,
    ) -> Result<Result<Connection, GitHubError>, Fault> {
        let root = self.root()?;
        let ask = Ask::new(
            Method::POST,
            "actions/runner-registration".to_owned(),
            format!("open the Actions service for {scope}"),
            Missing::Else,
        );
        let url = format!("{}/{}", self.spec.url.trim().trim_end_matches('/'), scope.path());
        let ask = ask.with(json!({ "url": url, "runner_event": "register" }));
        let uri = root.join(&ask.path).map_err(|why| ask.malformed(why))?;
        let limit = self.tuning.request_timeout;
        let answer =
            self.speak(&ask, Line { uri, scheme: "RemoteAuth", token, capacity: None, limit }).await?;
        if !answer.status.is_success() {
            let passing = matches!(answer.verdict(self.now()), Verdict::Unauthorized | Verdict::Forbidden);
            let error = match self.refusal(&answer, &ask, token.reveal()) {
                SetError::GitHub(error) => error,
                other => ask.malformed(other.to_string()),
            };
            return if passing { Ok(Err(error)) } else { Err(error.into()) };
        }
        let made = read(&answer.body).and_then(|value| {
            let (url, token) = wire::connection(&value)?;
            Ok((Address::parse(&url, self.plain())?, token))
        });
        let (service, token) = made.map_err(|why| ask.malformed(why))?;
        tracing::debug!(%scope, service = service.origin(), "the Actions service is open");
        let generation = self.identity.generation();
        Ok(Ok(Connection { service, expires: expiry(&token), token, generation }))
    }
}

/// When a JWT ends. Its signature is for whoever accepts it.
fn expiry(token: &Secret) -> Option<Time> {
    let payload = token.reveal().split('.').nth(1)?.trim_end_matches('=');
    let value = read(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Fields::of(&value)?.int("exp").and_then(|secs| u64::try_from(secs).ok()).map(Time::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_s_end_is_read_where_it_tells() {
        let jwt = |claims: &str| Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)));
        assert_eq!(expiry(&jwt(r#"{"exp":1700000000}"#)), Some(Time::from_secs(1_700_000_000)));
        for none in [jwt("{}"), jwt("x"), jwt(r#"{"exp":-1}"#), Secret::new("opaque"), Secret::new("a.%.c")] {
            assert_eq!(expiry(&none), None);
        }
    }
}
