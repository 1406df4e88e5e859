//! The engine's times (RFC 3339 with nanoseconds) as [`Time`].

use std::time::Duration;
use std::time::UNIX_EPOCH;

use crate::model::Time;

/// The moment that the text speaks of; none for the engine's zero time and for what is no time.
pub(super) fn parse(text: &str) -> Option<Time> {
    // A date is ten letters long; a sign after it begins an offset from UTC.
    let sign = text.get(10..)?.rfind(['+', '-']).map(|at| at + 10);
    let (utc, offset) = match sign {
        Some(at) => (format!("{}Z", &text[..at]), offset_secs(&text[at..])?),
        None => (text.to_owned(), 0),
    };
    let since = humantime::parse_rfc3339(&utc).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let time = Time(u64::try_from(since.as_millis()).ok()?);
    let by = Duration::from_secs(offset.unsigned_abs());
    Some(if offset < 0 { time + by } else { time - by })
}

/// `+HH:MM` in seconds.
fn offset_secs(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let secs = i64::from(hours.parse::<u8>().ok()?) * 3600 + i64::from(minutes.parse::<u8>().ok()?) * 60;
    Some(if text.starts_with('-') { -secs } else { secs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_engines_write() {
        assert_eq!(parse("1970-01-01T00:00:01.123456789Z"), Some(Time(1123)));
        assert_eq!(parse("2024-02-29T12:34:56Z"), Some(Time::from_secs(1_709_210_096)));
        assert_eq!(parse("2024-02-29T14:34:56.5+02:00"), Some(Time(1_709_210_096_500)));
        assert_eq!(parse("2024-02-29T07:04:56-05:30"), Some(Time::from_secs(1_709_210_096)));
        for nothing in ["0001-01-01T00:00:00Z", "", "yesterday", "2024-02-29"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in ".{0,40}|[0-9TZ:.+-]{10,40}|2024-02-29T12:34:56[+-][0-9:]{0,24}") {
            let _ = parse(&text);
        }
    }
}
