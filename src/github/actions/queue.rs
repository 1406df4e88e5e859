//! A session's messages, and taking the jobs that they offer.

use http::Method;
use http::StatusCode;
use http::Uri;
use serde_json::Value;

use super::super::GitHubError;
use super::super::Message;
use super::super::Session;
use super::super::SetError;
use super::super::answer::Answer;
use super::super::credential::Credential;
use super::address::Address;
use super::exchange::Ask;
use super::exchange::Line;
use super::fields::is_blank;
use super::message;
use super::refusal::Missing;
use super::sets::SETS;
use crate::model::Job;
use crate::model::JobId;
use crate::model::Scope;
use crate::model::SetId;

impl Credential {
    /// Waits for the message after `last`. "Nothing" is 202, and 200 without a body, which the service answers too.
    pub(super) async fn next_message(
        &self,
        scope: &Scope,
        session: &mut Session,
        last: i64,
        capacity: u32,
    ) -> Result<Option<Message>, SetError> {
        let label = format!("wait for messages of scale set {} of {scope}", session.set.0);
        let ask = Ask::new(Method::GET, String::new(), label, Missing::Session).of_set(session.set);
        let answer = self.at_queue(scope, session, &ask, Some(capacity), |queue| queue.after(last)).await?;
        match answer.status.as_u16() {
            202 | 204 => Ok(None),
            200 if is_blank(&answer.body) => Ok(None),
            200 => {
                let read = message::message(&ask.read(&answer)?, self.now());
                Ok(Some(read.map_err(|why| ask.malformed(why))?))
            }
            _ => Err(self.refusal(&answer, &ask, session.token.reveal())),
        }
    }

    /// Acknowledges a message; only 204 says that it worked.
    pub(super) async fn acknowledge(
        &self,
        scope: &Scope,
        session: &mut Session,
        message: i64,
    ) -> Result<(), SetError> {
        let label = format!("acknowledge message {message} of scale set {} of {scope}", session.set.0);
        let ask = Ask::new(Method::DELETE, String::new(), label, Missing::Session).of_set(session.set);
        let answer = self.at_queue(scope, session, &ask, None, |queue| queue.message(message)).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.refusal(&answer, &ask, session.token.reveal())),
        }
    }

    /// Speaks to the session's queue; once more with a renewed token if the first is refused.
    async fn at_queue(
        &self,
        scope: &Scope,
        session: &mut Session,
        ask: &Ask,
        capacity: Option<u32>,
        place: impl Fn(&Address) -> Result<Uri, String>,
    ) -> Result<Answer, SetError> {
        let limit = if capacity.is_some() { self.tuning.poll_timeout } else { self.tuning.request_timeout };
        let mut renewed = false;
        loop {
            let uri = Address::parse(&session.queue_url, self.plain()).and_then(|queue| place(&queue));
            let uri = uri.map_err(|why| ask.malformed(why))?;
            let line = Line { uri, scheme: "Bearer", token: &session.token, capacity, limit };
            let answer = self.speak(ask, line).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            self.renew_once(scope, session, &mut renewed).await?;
        }
    }

    /// Renews a session whose token was refused; a second time it is over.
    async fn renew_once(
        &self,
        scope: &Scope,
        session: &mut Session,
        renewed: &mut bool,
    ) -> Result<(), SetError> {
        if std::mem::replace(renewed, true) {
            return Err(SetError::SessionGone("its token is refused although it is new".to_owned()));
        }
        self.renew_session(scope, session).await
    }

    /// Jobs that are offered; none where the service has no such list.
    pub(super) async fn available_jobs(&self, scope: &Scope, set: SetId) -> Result<Vec<Job>, SetError> {
        let label = format!("list the jobs offered to scale set {} of {scope}", set.0);
        let path = format!("{SETS}/{}/acquirablejobs", set.0);
        let ask = Ask::new(Method::GET, path, label, Missing::Else).of_set(set);
        let answer = match self.ask(scope, &ask).await {
            Err(SetError::GitHub(GitHubError::NotFound { .. })) => return Ok(Vec::new()),
            other => other?,
        };
        if answer.status == StatusCode::NO_CONTENT || is_blank(&answer.body) {
            return Ok(Vec::new());
        }
        message::offered(&ask.read(&answer)?, self.now()).map_err(|why| ask.malformed(why).into())
    }

    /// Takes offered jobs. The service is asked with the queue's token: the protocol wants it so.
    pub(super) async fn acquire(
        &self,
        scope: &Scope,
        session: &mut Session,
        jobs: &[JobId],
    ) -> Result<Vec<JobId>, SetError> {
        let request = |id: &JobId| match id {
            JobId::Request(id) => Some(Value::from(*id)),
            JobId::Job(_) => None,
        };
        let ids: Vec<Value> = jobs.iter().filter_map(request).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let label = format!("take jobs for scale set {} of {scope}", session.set.0);
        let path = format!("{SETS}/{}/acquirejobs", session.set.0);
        let ask = Ask::new(Method::POST, path, label, Missing::Session).of_set(session.set);
        let ask = ask.with(Value::from(ids));
        let mut renewed = false;
        loop {
            let connection = self.connection(scope).await?;
            let answer = self.below(&connection, &ask, &session.token).await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                self.renew_once(scope, session, &mut renewed).await?;
            } else if answer.status.is_success() {
                return message::taken(&ask.read(&answer)?).map_err(|why| ask.malformed(why).into());
            } else {
                return Err(self.refusal(&answer, &ask, session.token.reveal()));
            }
        }
    }
}
