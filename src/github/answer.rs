//! What an answer of GitHub's means, from status, headers and body alone.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use serde::Deserialize;

use super::Quota;
use super::limits::Limit;
use crate::model::Time;

/// GitHub's words are cut to this many characters.
const MESSAGE_MAX: usize = 300;

/// Words that make a 403 a limit where no header says so; the last one is GitHub's answer to too many bad logins.
const LIMIT_WORDS: [&str; 4] =
    ["secondary rate limit", "abuse", "api rate limit exceeded", "number of login attempts"];

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 2xx.
    Good,
    /// 304.
    NotModified,
    /// A limit, primary or secondary.
    Limited(Limit),
    /// 401.
    Unauthorized,
    /// 403 that is no limit.
    Forbidden,
    /// 404, and 410 for what is gone for good.
    NotFound,
    /// Any other 4xx.
    Refused,
    /// 5xx.
    Failed,
    /// Nothing that GitHub describes.
    Odd,
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// What it means. 403 may be a permission, a secondary limit or the primary limit: every answer carries
    /// `x-ratelimit-*`, so that only here "remaining: 0" means anything
    /// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
    pub(super) fn verdict(&self, now: Time) -> Verdict {
        match self.status.as_u16() {
            200..=299 => Verdict::Good,
            304 => Verdict::NotModified,
            401 => Verdict::Unauthorized,
            403 | 429 => self.limit(now).map_or(Verdict::Forbidden, Verdict::Limited),
            404 | 410 => Verdict::NotFound,
            400..=499 => Verdict::Refused,
            500..=599 => Verdict::Failed,
            _ => Verdict::Odd,
        }
    }

    /// The limit that a 403 or 429 pronounces, if it is one.
    fn limit(&self, now: Time) -> Option<Limit> {
        let message = self.message();
        let spent = self.number("x-ratelimit-remaining") == Some(0);
        if let Some(pause) = self.retry_after(now) {
            return Some(Limit { primary: false, pause: Some(pause), message });
        }
        if spent {
            // By GitHub's own clock, so that ours may be wrong.
            let github_now = self.date().unwrap_or(now);
            let reset = self.number("x-ratelimit-reset").map(Time::from_secs);
            let pause = reset.map(|reset| reset.since(github_now)).filter(|pause| !pause.is_zero());
            return Some(Limit { primary: true, pause: pause.or(Some(Duration::from_secs(60))), message });
        }
        let words = message.to_ascii_lowercase();
        let said = LIMIT_WORDS.iter().any(|w| words.contains(w));
        (said || self.status == StatusCode::TOO_MANY_REQUESTS).then_some(Limit {
            primary: false,
            pause: None,
            message,
        })
    }

    /// `retry-after`, in seconds or as a date.
    pub(super) fn retry_after(&self, now: Time) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        match text.parse() {
            Ok(secs) => Some(Duration::from_secs(secs)),
            Err(_) => Some(http_date(text)?.since(self.date().unwrap_or(now))),
        }
    }

    /// GitHub's clock, in whole seconds.
    pub(super) fn date(&self) -> Option<Time> {
        http_date(self.header("date")?)
    }

    /// What is left of the budget that the call was counted against, and that budget's name.
    pub(super) fn quota(&self) -> Option<(Quota, String)> {
        let quota = Quota {
            limit: self.number("x-ratelimit-limit")?,
            remaining: self.number("x-ratelimit-remaining")?,
            reset: Time::from_secs(self.number("x-ratelimit-reset")?),
        };
        Some((quota, self.header("x-ratelimit-resource").unwrap_or("core").to_owned()))
    }

    /// What a credential lacks that may not do this, or does not see what it is about: `needs administration=write`.
    ///
    /// Of newer tokens GitHub tells what the call needs, and not what they have; where sets are divided by semicolons,
    /// each of them will do. Of classic ones it tells both
    /// (<https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps>).
    pub(super) fn needs(&self) -> Option<String> {
        let given = |name| self.header(name).map(str::trim).filter(|text| !text.is_empty());
        if let Some(permissions) = given("x-accepted-github-permissions") {
            return Some(format!(
                "needs {}",
                permissions.split(';').map(str::trim).collect::<Vec<_>>().join(" or ")
            ));
        }
        let needed = given("x-accepted-oauth-scopes")?;
        // One without any scope has the header all the same.
        let has: Vec<_> = scopes(self.header("x-oauth-scopes")?).collect();
        if scopes(needed).any(|needed| has.iter().any(|has| includes(has, needed))) {
            return None;
        }
        let needed = scopes(needed).collect::<Vec<_>>().join(" or ");
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        Some(format!("needs the scope {needed}, and has {has}"))
    }

    /// GitHub's words: the message, the first errors, and the permission that was missing.
    pub(super) fn message(&self) -> String {
        #[derive(Deserialize)]
        struct Body {
            message: Option<String>,
            errors: Option<serde_json::Value>,
        }
        let mut text = match serde_json::from_slice::<Body>(&self.body) {
            Ok(Body { message, errors }) => [message, errors.as_ref().and_then(first_error)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": "),
            Err(_) => String::from_utf8_lossy(&self.body[..self.body.len().min(4 * MESSAGE_MAX)])
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .unwrap_or_default()
                .to_owned(),
        };
        if text.is_empty() {
            text = self.status.canonical_reason().unwrap_or("no reason given").to_owned();
        }
        if let Some(needs) = self.needs().filter(|_| self.status == StatusCode::FORBIDDEN) {
            text = format!("{text} (it {needs})");
        }
        text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect()
    }
}

fn scopes(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|scope| !scope.is_empty())
}

/// Whether one classic scope includes another.
fn includes(has: &str, needed: &str) -> bool {
    has == needed
        || match has.split_once(':') {
            None => has == "repo" && (needed.starts_with("repo:") || needed == "public_repo"),
            Some((right, what)) => match needed.split_once(':') {
                Some(("read", of)) => of == what && matches!(right, "admin" | "write"),
                Some(("write" | "manage_runners", of)) => of == what && right == "admin",
                _ => false,
            },
        }
}

/// The first of GitHub's `errors`, which are texts or objects with a message or a code.
fn first_error(errors: &serde_json::Value) -> Option<String> {
    let first = errors.get(0).unwrap_or(errors);
    let text =
        first.as_str().or_else(|| first.get("message")?.as_str()).or_else(|| first.get("code")?.as_str());
    text.map(str::to_owned)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Time> {
    time_of(chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?)
}

/// `2016-07-11T22:14:10Z`, or with an offset, as GitHub's tokens give it.
pub(super) fn rfc_3339(text: &str) -> Option<Time> {
    time_of(chrono::DateTime::parse_from_rfc3339(text.trim()).ok()?)
}

fn time_of(date: chrono::DateTime<chrono::FixedOffset>) -> Option<Time> {
    u64::try_from(date.timestamp_millis()).ok().map(Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn limit(
        status: u16,
        headers: &[(&'static str, &str)],
        body: &'static str,
    ) -> Option<(bool, Option<u64>)> {
        match answer(status, headers, body).verdict(NOW) {
            Verdict::Limited(limit) => Some((limit.primary, limit.pause.map(|p| p.as_secs()))),
            _ => None,
        }
    }

    #[test]
    fn a_403_is_judged_by_retry_after_then_remaining_then_words() {
        let over =
            [("retry-after", "17"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000900")];
        assert_eq!(limit(403, &over, "{}"), Some((false, Some(17))));
        assert_eq!(limit(403, &over[1..], "{}"), Some((true, Some(900))));
        let words = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "4000")], words), Some((false, None)));
        assert_eq!(
            limit(403, &[], r#"{"message":"You have triggered an abuse detection"}"#),
            Some((false, None))
        );
        let locked_out =
            r#"{"message":"Maximum number of login attempts exceeded. Please try again later."}"#;
        assert_eq!(limit(403, &[], locked_out), Some((false, None)));
        assert_eq!(limit(429, &[], ""), Some((false, None)));
        assert_eq!(
            limit(403, &[("x-ratelimit-remaining", "4000")], r#"{"message":"Must have admin rights"}"#),
            None
        );
    }

    #[test]
    fn remaining_zero_is_no_limit_on_an_ordinary_answer() {
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000900")];
        assert_eq!(answer(404, &headers, "{}").verdict(NOW), Verdict::NotFound);
        assert_eq!(answer(200, &headers, "{}").verdict(NOW), Verdict::Good);
        assert_eq!(answer(422, &headers, "{}").verdict(NOW), Verdict::Refused);
    }

    #[test]
    fn limits_are_counted_by_github_s_clock() {
        // GitHub's clock is an hour behind ours: the reset lies in our past, and 600 seconds ahead for GitHub.
        let headers = [
            ("date", "Tue, 14 Nov 2023 21:13:20 GMT"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1699997000"),
        ];
        assert_eq!(limit(403, &headers, "{}"), Some((true, Some(600))));
        let dated =
            [("date", "Tue, 14 Nov 2023 21:13:20 GMT"), ("retry-after", "Tue, 14 Nov 2023 21:14:00 GMT")];
        assert_eq!(limit(429, &dated, "{}"), Some((false, Some(40))));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
        assert_eq!(limit(403, &past, "{}"), Some((true, Some(60))));
    }

    #[test]
    fn other_statuses_say_what_they_are() {
        for (status, verdict) in [
            (201, Verdict::Good),
            (304, Verdict::NotModified),
            (401, Verdict::Unauthorized),
            (403, Verdict::Forbidden),
            (410, Verdict::NotFound),
            (409, Verdict::Refused),
            (451, Verdict::Refused),
            (502, Verdict::Failed),
            (302, Verdict::Odd),
        ] {
            assert_eq!(answer(status, &[], "").verdict(NOW), verdict, "{status}");
        }
    }

    #[test]
    fn github_s_words_are_found_and_kept_short() {
        let body = r#"{"message":"Validation Failed","errors":[{"resource":"Runner","code":"taken"}]}"#;
        assert_eq!(answer(422, &[], body).message(), "Validation Failed: taken");
        assert_eq!(answer(422, &[], r#"{"message":"No","errors":["because"]}"#).message(), "No: because");
        assert_eq!(answer(502, &[], "\n <html>\x07bad gateway\n</html>").message(), "<html>bad gateway");
        assert_eq!(answer(500, &[], "").message(), "Internal Server Error");
        let needs = [("x-accepted-github-permissions", "administration=write")];
        let message =
            answer(403, &needs, r#"{"message":"Resource not accessible by integration"}"#).message();
        assert_eq!(message, "Resource not accessible by integration (it needs administration=write)");
        let found = answer(404, &needs, r#"{"message":"Not Found"}"#);
        assert_eq!(
            (found.message().as_str(), found.needs().as_deref()),
            ("Not Found", Some("needs administration=write"))
        );
        let long = Answer { body: "ä".repeat(5000).into(), ..answer(400, &[], "") };
        assert_eq!(long.message().chars().count(), 300);
    }

    #[test]
    fn what_a_token_lacks_is_told_where_it_lacks_it() {
        let needs = |accepted, has| {
            let headers = [("x-accepted-oauth-scopes", accepted), ("x-oauth-scopes", has)];
            answer(403, &headers, "").needs()
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(
            needs("admin:org", "repo, workflow"),
            told("needs the scope admin:org, and has repo, workflow")
        );
        assert_eq!(needs("repo", ""), told("needs the scope repo, and has none"));
        assert_eq!(
            needs("admin:enterprise, manage_runners:enterprise", "read:enterprise"),
            told("needs the scope admin:enterprise or manage_runners:enterprise, and has read:enterprise")
        );
        for (accepted, has) in [
            ("admin:org", "repo, admin:org"),
            ("manage_runners:enterprise", "admin:enterprise"),
            ("read:org", "write:org"),
            ("public_repo, repo:status", "repo"),
            ("", "repo"),
        ] {
            assert_eq!(needs(accepted, has), None, "{has} is enough for {accepted}");
        }
        assert!(needs("admin:org", "write:org").is_some());
        let sets = [("x-accepted-github-permissions", "actions=read; administration=read,metadata=read")];
        assert_eq!(
            answer(403, &sets, "").needs(),
            told("needs actions=read or administration=read,metadata=read")
        );
        assert_eq!(answer(403, &[("x-accepted-oauth-scopes", "repo")], "").needs(), None, "no classic token");
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Time::from_secs(784_111_777)));
        assert_eq!(rfc_3339("2016-07-11T22:14:10Z"), Some(Time::from_secs(1_468_275_250)));
        assert_eq!(rfc_3339("2020-01-22T12:13:35.123-08:00"), Some(Time(1_579_724_015_123)));
        assert_eq!(rfc_3339("soon"), None);
    }

    proptest::proptest! {
        /// Whatever a server or a proxy on the way puts there.
        #[test]
        fn any_answer_has_a_verdict(
            status in 100..1000_u16,
            values in proptest::collection::vec("[ -~]{0,20}|[0-9]{0,22}|-[0-9]{1,19}", 5),
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..2000),
        ) {
            let names = ["retry-after", "x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset", "date"];
            let headers = names
                .into_iter()
                .zip(&values)
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers, body: Bytes::from(body) };
            let _ = (answer.verdict(NOW), answer.quota(), answer.date());
            proptest::prop_assert!(answer.message().chars().count() <= MESSAGE_MAX);
        }
    }
}
