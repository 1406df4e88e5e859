//! Times and counts as people say them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::Clock;
use crate::http::dto::Phase;
use crate::http::dto::Timestamp;
use crate::model::Time;

/// The wall clock. Commands read it once, when they begin to show something.
pub(super) fn now() -> Time {
    Clock::system().now()
}

/// `3m`, `1h 59m`, `2days 3h`: a second unit only where the first is coarse.
pub(super) fn brief(duration: Duration) -> String {
    let whole = if duration.as_secs() == 0 { duration } else { Duration::from_secs(duration.as_secs()) };
    let text = humantime::format_duration(whole).to_string();
    let mut parts = text.split(' ');
    let first = parts.next().unwrap_or("0s").to_owned();
    let coarse = first.ends_with('h')
        || ["day", "days", "month", "months", "year", "years"]
            .iter()
            .any(|u| first.strip_suffix(u).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())));
    match parts.next() {
        Some(second) if coarse => format!("{first} {second}"),
        _ => first,
    }
}

/// How long ago, without `ago`: `3m`; `now` within the same second.
pub(super) fn age(now: Time, then: Timestamp) -> String {
    match now.since(then.0) {
        d if d < Duration::from_secs(1) => "now".to_owned(),
        d => brief(d),
    }
}

/// `3m ago`, `in 5m`, `just now`.
pub(super) fn ago(now: Time, then: Timestamp) -> String {
    if then.0 > now + Duration::from_secs(1) {
        return format!("in {}", brief(then.0.since(now)));
    }
    match age(now, then) {
        text if text == "now" => "just now".to_owned(),
        text => format!("{text} ago"),
    }
}

/// `3 busy, 1 idle`, or a dash.
pub(super) fn phases(phases: &BTreeMap<Phase, u32>) -> String {
    if phases.is_empty() {
        return "-".to_owned();
    }
    let parts: Vec<String> = phases.iter().map(|(phase, n)| format!("{n} {phase}")).collect();
    parts.join(", ")
}

/// The text, or a dash for none.
pub(super) fn or_dash(text: Option<&str>) -> &str {
    text.filter(|t| !t.is_empty()).unwrap_or("-")
}

/// `1 runner`, `2 runners`.
pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (secs, text) in
            [(0, "0s"), (45, "45s"), (192, "3m"), (7_199, "1h 59m"), (3_600, "1h"), (183_600, "2days 3h")]
        {
            assert_eq!(brief(Duration::from_secs(secs)), text, "{secs}");
        }
    }

    #[test]
    fn past_and_future_are_told_apart() {
        let now = Time::from_secs(1_000_000);
        assert_eq!(ago(now, Time::from_secs(999_820).into()), "3m ago");
        assert_eq!(ago(now, Time::from_secs(1_000_300).into()), "in 5m");
        assert_eq!(ago(now, now.into()), "just now");
    }
}
