//! What a refusal of the Actions service means: by the name of its exception where it gives one, else by status.

use std::time::Duration;

use super::super::GitHubError;
use super::super::SetError;
use super::super::answer::Answer;
use super::super::answer::Verdict;
use super::fields::Fields;
use super::fields::read;
use crate::model::CredentialName;
use crate::model::Time;

/// How long to be silent after a limit that does not say.
const LIMIT_PAUSE: Duration = Duration::from_secs(30);
/// No limit is believed for longer.
const LIMIT_LONGEST: Duration = Duration::from_secs(60 * 60);
/// The service's words are cut to this many characters.
const MESSAGE_MAX: usize = 300;

/// What is not there when the service answers 404 without saying what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The scale set.
    Set,
    /// The session with it.
    Session,
    /// Something else.
    Else,
}

/// The exceptions that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A runner of that name exists.
    AgentExists,
    /// Another session is open.
    SessionConflict,
    /// The session is over, or not known any more.
    SessionGone,
    /// There is no such scale set.
    SetNotFound,
    /// Anything else, or nothing.
    Other,
}

/// A refusal in the service's words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl Refusal {
    /// Reads an answer's body. A part of the exception's name decides, since the rest holds versions.
    pub(super) fn of(answer: &Answer) -> Self {
        let value = read(&answer.body).ok();
        let fields = value.as_ref().and_then(Fields::of);
        let name = fields.and_then(|f| f.text("typeName")).unwrap_or_default();
        let said = fields.and_then(|f| f.words("message"));
        let message = said.map_or_else(|| answer.message(), str::to_owned);
        let is = |part: &str| name.contains(part);
        let kind = if is("AgentExistsException") {
            Kind::AgentExists
        } else if is("RunnerScaleSetSessionConflictException") {
            Kind::SessionConflict
        } else if is("RunnerScaleSetSessionExpiredException")
            || is("RunnerAdminException") && message.contains("session ID")
        {
            Kind::SessionGone
        } else if is("RunnerScaleSetNotFoundException") {
            Kind::SetNotFound
        } else {
            Kind::Other
        };
        let message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect();
        Self { kind, message }
    }
}

/// The error that an answer is.
pub(super) fn error(
    answer: &Answer,
    (call, missing): (&str, Missing),
    credential: &CredentialName,
    secret: &str,
    now: Time,
) -> SetError {
    let Refusal { kind, message } = Refusal::of(answer);
    let message = if secret.is_empty() { message } else { message.replace(secret, "***") };
    match (kind, missing) {
        (Kind::SetNotFound, _) => return SetError::SetGone,
        (Kind::SessionConflict, _) => return SetError::SessionTaken(message),
        (Kind::SessionGone, _) => return SetError::SessionGone(message),
        _ => {}
    }
    let (credential, call, status) = (credential.clone(), call.to_owned(), answer.status.as_u16());
    let limited = |pause: Option<Duration>, message| {
        let pause = pause.unwrap_or(LIMIT_PAUSE).clamp(Duration::from_secs(1), LIMIT_LONGEST);
        GitHubError::Limited { credential: credential.clone(), until: now + pause, message }
    };
    let error = match answer.verdict(now) {
        Verdict::NotFound => match missing {
            Missing::Set => return SetError::SetGone,
            Missing::Session => return SetError::SessionGone(message),
            Missing::Else => GitHubError::NotFound {
                credential,
                what: format!("what it takes to {call}"),
                needs: answer.needs(),
            },
        },
        Verdict::Limited(limit) => limited(limit.pause, message),
        Verdict::Unauthorized => GitHubError::Rejected { credential, call, message },
        Verdict::Forbidden => GitHubError::Forbidden { credential, call, message },
        Verdict::Refused => GitHubError::Refused { call, status, message },
        Verdict::Failed => match answer.retry_after(now).filter(|_| status == 503) {
            Some(pause) => limited(Some(pause), message),
            None => GitHubError::Failed { call, status },
        },
        Verdict::Good | Verdict::NotModified | Verdict::Odd => {
            GitHubError::Malformed { call, why: format!("its status is {status}") }
        }
    };
    SetError::GitHub(error)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use http::StatusCode;

    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn typed(status: u16, name: &str, message: &str) -> Answer {
        let name = format!("GitHub.DistributedTask.WebApi.{name}, GitHub.DistributedTask.WebApi");
        answer(status, &serde_json::json!({ "typeName": name, "message": message }).to_string())
    }

    fn judge(answer: &Answer, missing: Missing) -> SetError {
        error(answer, ("do it", missing), &CredentialName::default_name(), "s3cret", NOW)
    }

    /// Every row of the table of exceptions, at statuses that other versions of the service use.
    #[test]
    fn the_exception_s_name_decides_whatever_the_status() {
        for status in [400, 404, 409] {
            let of = |name: &str, message: &str| judge(&typed(status, name, message), Missing::Else);
            assert_eq!(of("RunnerScaleSetNotFoundException", "gone"), SetError::SetGone);
            let taken = "The actions runner scaleset x already has an active session.";
            assert_eq!(
                of("RunnerScaleSetSessionConflictException", taken),
                SetError::SessionTaken(taken.into())
            );
            let expired = "The session identifier is not valid.";
            assert_eq!(
                of("RunnerScaleSetSessionExpiredException", expired),
                SetError::SessionGone(expired.into())
            );
            let evicted = "session ID that doesn't exist in redis";
            assert_eq!(of("RunnerAdminException", evicted), SetError::SessionGone(evicted.into()));
            let kind = Refusal::of(&typed(status, "TaskAgentExistsException", "taken")).kind;
            assert_eq!(kind, Kind::AgentExists);
        }
        let other = judge(&typed(404, "RunnerAdminException", "no such thing"), Missing::Else);
        assert!(matches!(other, SetError::GitHub(GitHubError::NotFound { .. })), "{other:?}");
        let running = judge(&typed(400, "JobStillRunningException", "a job runs"), Missing::Set);
        assert!(matches!(running, SetError::GitHub(GitHubError::Refused { status: 400, .. })), "{running:?}");
    }

    #[test]
    fn a_404_without_a_name_is_what_the_call_was_about() {
        for body in ["", "not found", "{}", "\u{feff}{\"message\":\"no\"}"] {
            assert_eq!(judge(&answer(404, body), Missing::Set), SetError::SetGone);
            assert!(matches!(judge(&answer(404, body), Missing::Session), SetError::SessionGone(_)));
        }
    }

    #[test]
    fn other_statuses_are_what_they_are_with_rest() {
        let is = |status, body| match judge(&answer(status, body), Missing::Session) {
            SetError::GitHub(error) => error,
            other => panic!("{other:?}"),
        };
        assert!(matches!(is(401, ""), GitHubError::Rejected { .. }));
        assert!(matches!(is(403, ""), GitHubError::Forbidden { .. }));
        assert!(
            matches!(is(400, "bad capacity s3cret"), GitHubError::Refused { message, .. } if message == "bad capacity ***")
        );
        assert!(matches!(is(500, "<html>"), GitHubError::Failed { status: 500, .. }));
        assert!(matches!(is(200, ""), GitHubError::Malformed { .. }));
        assert!(matches!(is(302, ""), GitHubError::Malformed { .. }));
        let until = |answer: &Answer| match judge(answer, Missing::Set) {
            SetError::GitHub(GitHubError::Limited { until, .. }) => until.since(NOW).as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(until(&answer(429, "")), 30);
        let mut busy = answer(503, "");
        busy.headers.insert("retry-after", "7".parse().unwrap());
        assert_eq!(until(&busy), 7);
        busy.headers.insert("retry-after", "999999".parse().unwrap());
        assert_eq!(until(&busy), 3600);
    }
}
