//! Why a delivery is refused, what the sender is told of it, and what the journal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::time::Instant;

/// Refusals are told at most this often: whoever wants to fill a journal could.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Why a delivery is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many bad ones came from this address.
    Pace,
    /// The address is none of GitHub's.
    Address,
    /// Nothing is there.
    Path,
    /// Only `POST` is taken.
    Method,
    /// The body is larger than is read.
    TooLarge,
    /// The body did not come in time.
    Slow,
    /// The body came only in part.
    BrokenOff,
    /// All bodies together are too much.
    NoRoom,
    /// No signature, or none of ours.
    Unsigned,
    /// It is not known yet who may deliver.
    NotReady,
    /// Signed, but not as JSON.
    Form,
    /// Signed, and not what GitHub describes.
    Senseless(String),
    /// Signed, and too many wait.
    Full,
}

impl Refusal {
    /// In words for the journal.
    fn word(&self) -> &'static str {
        match self {
            Self::Pace => "too many",
            Self::Address => "not from GitHub's networks",
            Self::Path => "for another path",
            Self::Method => "not a POST",
            Self::TooLarge => "too large",
            Self::Slow => "too slow",
            Self::BrokenOff => "broken off",
            Self::NoRoom => "no room",
            Self::Unsigned => "without a good signature",
            Self::NotReady => "before it is known who may deliver",
            Self::Form => "not sent as JSON",
            Self::Senseless(_) => "not as described",
            Self::Full => "too many wait",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Pace => StatusCode::TOO_MANY_REQUESTS,
            Self::Address => StatusCode::FORBIDDEN,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff | Self::Senseless(_) => StatusCode::BAD_REQUEST,
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::Form => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoRoom | Self::NotReady | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    /// Without a good signature the status is all that is told; with one, GitHub shows the rest to whoever looks there.
    fn into_response(self) -> Response {
        let status = self.status();
        match self {
            Self::Form => (status, "set the webhook's content type to application/json\n").into_response(),
            Self::Senseless(why) => (status, format!("{why}\n")).into_response(),
            _ => status.into_response(),
        }
    }
}

/// Refusals that were not told yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: Option<Instant>,
    waiting: BTreeMap<&'static str, u64>,
}

impl Refusals {
    /// Counts one, and tells of all if it is time.
    pub(super) fn tell(&mut self, refusal: &Refusal, from: IpAddr, now: Instant) {
        if let Refusal::Senseless(why) = refusal {
            tracing::warn!("A signed delivery is not as GitHub describes it: {why}");
        }
        if let Some(line) = self.line(refusal, now) {
            tracing::warn!("Refused deliveries, the last one from {from}: {line}");
        }
    }

    fn line(&mut self, refusal: &Refusal, now: Instant) -> Option<String> {
        *self.waiting.entry(refusal.word()).or_default() += 1;
        let rested = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY);
        rested.then(|| {
            self.told = Some(now);
            let all = std::mem::take(&mut self.waiting).into_iter();
            all.map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_one_line_a_minute() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let line =
            |refusals: &mut Refusals, what, secs| refusals.line(&what, now + Duration::from_secs(secs));
        assert_eq!(line(&mut refusals, Refusal::Unsigned, 0).unwrap(), "1 without a good signature");
        for _ in 0..5000 {
            assert_eq!(line(&mut refusals, Refusal::Pace, 1), None);
        }
        assert_eq!(line(&mut refusals, Refusal::Path, 59), None);
        assert_eq!(line(&mut refusals, Refusal::Path, 60).unwrap(), "2 for another path, 5000 too many");
    }
}
