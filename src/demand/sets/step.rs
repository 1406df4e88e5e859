//! What follows from an error. None ends the work on a scale set.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher as _;
use std::time::Duration;

use crate::github::GitHubError;
use crate::github::SetError;
use crate::model::ErrorClass;
use crate::model::Time;

/// How far a scale set has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is looked for or made, which needs a way into the Actions service first.
    Set,
    /// A session is opened.
    Session,
    /// Messages are fetched and handled.
    Messages,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// From where to go on.
    pub(super) stage: Stage,
    /// After this long.
    pub(super) wait: Duration,
    /// Whether the set is gone, and with it the place in its messages and what they told.
    pub(super) anew: bool,
}

/// The longest wait that is our own idea.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest wait that GitHub may impose.
const LONGEST_LIMIT: Duration = Duration::from_secs(60 * 60);
/// So many refusals in a row while messages are fetched, and the session is given up with them.
const REFUSALS: u32 = 3;

/// What follows from the `attempt`th error in a row, counted from 1; a message that was handled, or a wait that heard
/// none, ends the row.
pub(super) fn next(stage: Stage, error: &SetError, attempt: u32, now: Time) -> Step {
    let at = |stage, wait| Step { stage, wait, anew: false };
    // The first time is no reason to wait: what is gone is gone.
    let soon = if attempt <= 1 { Duration::ZERO } else { backoff(attempt - 1) };
    match error {
        SetError::SetGone => Step { stage: Stage::Set, wait: soon, anew: true },
        SetError::SessionGone(_) => at(Stage::Session, soon),
        SetError::SessionTaken(_) => at(Stage::Session, conflict(attempt)),
        SetError::GitHub(error) => match error.class() {
            ErrorClass::Limited(until) => {
                at(stage, until.since(now).clamp(Duration::from_secs(1), LONGEST_LIMIT))
            }
            // Refused as such: a new session has a new token, and nothing else is worth hurrying for.
            ErrorClass::Auth if stage == Stage::Messages => at(Stage::Session, backoff(attempt)),
            ErrorClass::Auth => at(stage, backoff(attempt.saturating_add(4))),
            ErrorClass::Terminal if stage == Stage::Messages && attempt >= REFUSALS => {
                at(Stage::Session, backoff(attempt))
            }
            ErrorClass::Terminal | ErrorClass::Retry => at(stage, backoff(attempt)),
        },
    }
}

/// 1, 2, 4 … 60 seconds.
fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.saturating_sub(1).min(6)).min(LONGEST)
}

/// 5, 10, 20, 30 seconds: GitHub gives up the session of a process that died after minutes.
fn conflict(attempt: u32) -> Duration {
    Duration::from_secs(5 << attempt.saturating_sub(1).min(3)).min(Duration::from_secs(30))
}

/// A wait shortened by up to a quarter, by chance that follows from `seed`, so that many do not come back together.
pub(super) fn jittered(wait: Duration, seed: impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1000).unwrap_or(0);
    wait - wait / 4000 * part
}

/// The pause after a wait for messages that brought nothing new. The service holds such a call for about 50 seconds; where
/// it does not, the `quick`th in a row (counted from 1) is followed by a pause, so that it is not asked in a circle.
pub(super) fn pause(took: Duration, quick: u32) -> Duration {
    if took >= Duration::from_secs(1) || quick <= 1 {
        return Duration::ZERO;
    }
    Duration::from_secs(u64::from((quick - 1).min(5)))
}

/// What is said of an error, with what it takes to understand it.
pub(super) fn words(error: &SetError, name: &str) -> String {
    match error {
        SetError::SessionTaken(said) => format!(
            "another ghrunner, or another listener, has the session of scale set {name:?}; or GitHub has not given up \
             one that was left open here ({said})"
        ),
        SetError::GitHub(GitHubError::NotFound { what, .. }) => {
            format!("scale set {name:?}: GitHub has no {what}")
        }
        other => format!("scale set {name:?}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CredentialName;

    const NOW: Time = Time(1_700_000_000_000);

    fn secs(stage: Stage, error: &SetError, attempts: std::ops::RangeInclusive<u32>) -> Vec<u64> {
        attempts.map(|attempt| next(stage, error, attempt, NOW).wait.as_secs()).collect()
    }

    fn failed() -> SetError {
        GitHubError::Failed { call: "x".into(), status: 500 }.into()
    }

    fn refused() -> SetError {
        GitHubError::Refused { call: "x".into(), status: 400, message: "bad capacity".into() }.into()
    }

    fn forbidden() -> SetError {
        let credential = CredentialName::default_name();
        GitHubError::Forbidden { credential, call: "x".into(), message: String::new() }.into()
    }

    #[test]
    fn a_set_that_is_gone_is_made_anew_at_once_and_then_with_patience() {
        for stage in [Stage::Set, Stage::Session, Stage::Messages] {
            let step = next(stage, &SetError::SetGone, 1, NOW);
            assert_eq!(step, Step { stage: Stage::Set, wait: Duration::ZERO, anew: true });
        }
        assert_eq!(secs(Stage::Session, &SetError::SetGone, 1..=9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn a_session_that_is_over_is_followed_by_another() {
        let gone = SetError::SessionGone("expired".into());
        let step = next(Stage::Messages, &gone, 1, NOW);
        assert_eq!(step, Step { stage: Stage::Session, wait: Duration::ZERO, anew: false });
        assert_eq!(secs(Stage::Messages, &gone, 1..=4), [0, 1, 2, 4]);
    }

    #[test]
    fn a_session_that_another_has_is_asked_for_every_half_minute() {
        let taken = SetError::SessionTaken("x".into());
        assert_eq!(secs(Stage::Session, &taken, 1..=6), [5, 10, 20, 30, 30, 30]);
        assert_eq!(next(Stage::Session, &taken, u32::MAX, NOW).stage, Stage::Session);
        let words = words(&taken, "gpu");
        assert!(words.contains("another ghrunner, or another listener, has the session"), "{words}");
    }

    #[test]
    fn a_failing_service_is_asked_ever_more_seldom_and_the_session_is_kept() {
        assert_eq!(secs(Stage::Messages, &failed(), 1..=8), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next(Stage::Messages, &failed(), 60, NOW).stage, Stage::Messages);
        assert_eq!(next(Stage::Messages, &failed(), u32::MAX, NOW).wait, LONGEST);
    }

    #[test]
    fn refusals_of_messages_end_in_a_new_session_and_elsewhere_in_patience() {
        let stages: Vec<_> = (1..=4).map(|n| next(Stage::Messages, &refused(), n, NOW).stage).collect();
        assert_eq!(stages, [Stage::Messages, Stage::Messages, Stage::Session, Stage::Session]);
        assert_eq!(next(Stage::Set, &refused(), 9, NOW).stage, Stage::Set);
        assert_eq!(next(Stage::Messages, &forbidden(), 1, NOW).stage, Stage::Session);
        let step = next(Stage::Set, &forbidden(), 1, NOW);
        assert_eq!((step.stage, step.wait.as_secs()), (Stage::Set, 16));
    }

    #[test]
    fn a_limit_is_waited_out_within_reason() {
        let limited = |secs| {
            let credential = CredentialName::default_name();
            let until = NOW + Duration::from_secs(secs);
            SetError::GitHub(GitHubError::Limited { credential, until, message: String::new() })
        };
        for (asked, waited) in [(0, 1), (42, 42), (1_000_000, 3600)] {
            let step = next(Stage::Messages, &limited(asked), 1, NOW);
            assert_eq!((step.stage, step.wait.as_secs()), (Stage::Messages, waited));
        }
    }

    #[test]
    fn chance_shortens_by_a_quarter_at_most_and_pauses_grow() {
        let waits: Vec<_> = (0..200).map(|seed| jittered(Duration::from_secs(60), seed)).collect();
        assert!(waits.iter().all(|w| (45_000..=60_000).contains(&w.as_millis())));
        assert!(waits.iter().max().unwrap().saturating_sub(*waits.iter().min().unwrap()).as_secs() > 10);
        let fast = Duration::from_millis(3);
        let pauses: Vec<_> = (1..=8).map(|quick| pause(fast, quick).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 3, 4, 5, 5, 5]);
        assert_eq!(pause(Duration::from_secs(50), 9), Duration::ZERO);
    }
}
