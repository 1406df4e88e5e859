//! What it means that a collector did not take spans.

use std::time::Duration;

/// Why a request came to nothing, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In words, with what to do.
    pub(super) why: String,
    /// Whether the same may be sent again, and not before.
    pub(super) again: Option<Duration>,
}

/// The longest wait that a collector may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// What an answer means. Which ones may be tried again, the specification says (OTLP, "Retryable Response Codes").
pub(super) fn of(status: u16, retry_after: Option<&str>) -> Trouble {
    let what = match status {
        401 | 403 => "it refuses us; check headers in [telemetry], and `systemctl reload ghrunner`",
        404 | 405 => {
            "it takes no traces there; endpoint in [telemetry] must lead to a receiver of OTLP over HTTP"
        }
        400 | 415 => {
            "it does not understand the request; is it a receiver of OTLP over HTTP, usually at port 4318?"
        }
        413 => "it takes no requests of this size; raise its limit",
        429 => "it wants fewer spans; lower sample in [telemetry]",
        300..=399 => "it sends us elsewhere, and redirects are not followed; give the address itself",
        500..=599 => "its own log says more",
        _ => "that is no answer of a collector",
    };
    let wait =
        retry_after.and_then(|text| text.trim().parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
    let again = matches!(status, 429 | 502..=504).then(|| wait.min(LONGEST));
    Trouble { why: format!("the collector answers {status}: {what}"), again }
}

/// Nothing came back in time.
pub(super) fn late(patience: Duration) -> Trouble {
    let why =
        format!("the collector did not answer within {} s (timeout in [telemetry])", patience.as_secs());
    Trouble { why, again: Some(Duration::ZERO) }
}

/// No connection, or one that broke; `cause` is what the system says.
pub(super) fn away(cause: &str) -> Trouble {
    let known = [
        ("Connection refused", "nobody listens there; is the collector running, and the address right?"),
        ("dns error", "its name cannot be resolved"),
        (
            "UnknownIssuer",
            "its certificate is signed by nobody who is trusted here; name its authority with ca_file",
        ),
        ("InvalidContentType", "what answers there speaks no TLS; is http:// meant?"),
    ];
    let found = known.iter().find(|(sign, _)| cause.contains(sign));
    let why = found.map_or(cause, |(_, words)| words);
    Trouble { why: format!("the collector cannot be reached: {why}"), again: Some(Duration::ZERO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_sent_again() {
        let again = |status| of(status, None).again.is_some();
        assert_eq!([429, 502, 503, 504].map(again), [true; 4]);
        assert_eq!([301, 400, 401, 404, 413, 500].map(again), [false; 6]);
        assert!(late(Duration::from_secs(1)).again.is_some() && away("broken pipe").again.is_some());
    }

    #[test]
    fn a_collector_says_when_and_not_for_ever() {
        assert_eq!(of(503, Some("7")).again, Some(Duration::from_secs(7)));
        assert_eq!(of(503, Some("86400")).again, Some(LONGEST));
        assert_eq!(of(503, Some("tomorrow")).again, Some(Duration::ZERO));
        assert_eq!(of(400, Some("7")).again, None);
    }

    #[test]
    fn mistakes_that_people_make_are_named() {
        assert!(
            away("client error (Connect): Connection refused (os error 111)").why.contains("nobody listens")
        );
        assert!(of(404, None).why.contains("endpoint") && of(401, None).why.contains("headers"));
    }
}
