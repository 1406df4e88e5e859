//! A session with a scale set: opened, renewed, closed. Only one is open at a time.

use http::Method;
use serde_json::Value;
use serde_json::json;

use super::super::GitHubError;
use super::super::Session;
use super::super::SetError;
use super::super::credential::Credential;
use super::address::Address;
use super::exchange::Ask;
use super::refusal::Missing;
use super::sets::SETS;
use super::wire;
use super::wire::WireSession;
use crate::model::Scope;
use crate::model::SetId;
use crate::model::percent::encode;

impl Credential {
    /// Opens a session. One that is of no use is closed again, since it would stand in the way of the next.
    pub(super) async fn open_session(
        &self,
        scope: &Scope,
        set: SetId,
        owner: &str,
    ) -> Result<Session, SetError> {
        let label = format!("open a session with scale set {} of {scope}", set.0);
        let ask = Ask::new(Method::POST, format!("{SETS}/{}/sessions", set.0), label, Missing::Set);
        let ask = ask.of_set(set).with(json!({ "ownerName": owner }));
        let answer = match self.ask(scope, &ask).await {
            Err(SetError::GitHub(GitHubError::Refused { status: 409, message, .. })) => {
                return Err(SetError::SessionTaken(message));
            }
            other => other?,
        };
        let opened = wire::session(&ask.read(&answer)?).map_err(|why| ask.malformed(why))?;
        let id = opened.id.clone();
        let made = self.useful(opened).and_then(|session| {
            let WireSession { id, queue_url, token, statistics } = session;
            let statistics = statistics.ok_or("the session has no statistics")?;
            Ok(Session { id, set, queue_url, token, statistics })
        });
        match made {
            Ok(session) => Ok(session),
            Err(why) => {
                if let Err(error) = self.close_session(scope, set, &id).await {
                    tracing::debug!(%scope, set = set.0, %error, "a session that is of no use stays open");
                }
                Err(ask.malformed(why).into())
            }
        }
    }

    /// Checks that messages can be fetched with it: the service has been seen to name no queue while in trouble.
    fn useful(&self, session: WireSession) -> Result<WireSession, String> {
        if session.queue_url.is_empty() {
            return Err("the session has no queue".to_owned());
        }
        if session.token.is_empty() || !session.token.reveal().bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the session has no token".to_owned());
        }
        Address::parse(&session.queue_url, self.plain())?;
        Ok(session)
    }

    /// Renews a session's token, in place.
    pub(super) async fn renew_session(&self, scope: &Scope, session: &mut Session) -> Result<(), SetError> {
        let label = format!("renew the session with scale set {} of {scope}", session.set.0);
        let ask = one(Method::PATCH, session.set, &session.id, label);
        let value: Value = ask.read(&self.ask(scope, &ask).await?)?;
        let renewed = wire::session(&value).and_then(|s| self.useful(s));
        let renewed = renewed.map_err(|why| ask.malformed(why))?;
        session.id = renewed.id;
        session.queue_url = renewed.queue_url;
        session.token = renewed.token;
        session.statistics = renewed.statistics.unwrap_or(session.statistics);
        Ok(())
    }

    /// Closes a session; one that is gone is no error.
    pub(super) async fn close_session(
        &self,
        scope: &Scope,
        set: SetId,
        session: &str,
    ) -> Result<(), SetError> {
        let label = format!("close the session with scale set {} of {scope}", set.0);
        let ask = one(Method::DELETE, set, session, label);
        match self.ask(scope, &ask).await {
            Ok(_) | Err(SetError::SetGone | SetError::SessionGone(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn one(method: Method, set: SetId, session: &str, label: String) -> Ask {
    let path = format!("{SETS}/{}/sessions/{}", set.0, encode(session));
    Ask::new(method, path, label, Missing::Session).of_set(set)
}
