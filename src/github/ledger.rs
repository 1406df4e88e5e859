//! What is known of one credential's standing: limits, budget, counters, refusals.

use std::collections::BTreeMap;

use super::CredentialState;
use super::Quota;
use super::answer::Answer;
use super::limits::Limits;
use super::limits::Reach;
use crate::model::Time;

/// The budget that a call counts against until GitHub names another.
const USUAL_BUDGET: &str = "core";

/// One credential's standing.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Limits and pace.
    pub(super) limits: Limits,
    /// Budgets by installation and name.
    quotas: BTreeMap<Reach, Quota>,
    /// Which budget a kind of call counts against, as answers told.
    budgets: BTreeMap<&'static str, String>,
    requests: u64,
    not_modified: u64,
    /// GitHub's clock minus ours.
    skew_ms: Option<i64>,
    /// `github-authentication-token-expiration` of the last answer.
    pub(super) expires: Option<String>,
    /// `x-oauth-scopes` of the last answer.
    pub(super) classic_scopes: Option<String>,
    /// GitHub's 401.
    pub(super) refused: Option<Refused>,
    /// Why the secret cannot be used.
    pub(super) unusable: Option<String>,
}

/// A credential that GitHub rejected.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) since: Time,
    pub(super) message: String,
}

impl Ledger {
    pub(super) fn new(points_per_minute: u32) -> Self {
        Self {
            limits: Limits::new(points_per_minute),
            quotas: BTreeMap::new(),
            budgets: BTreeMap::new(),
            requests: 0,
            not_modified: 0,
            skew_ms: None,
            expires: None,
            classic_scopes: None,
            refused: None,
            unusable: None,
        }
    }

    /// The budget that a kind of call counts against.
    pub(super) fn budget(&self, kind: &'static str, installation: Option<u64>) -> Reach {
        let name = self.budgets.get(kind).map_or(USUAL_BUDGET, String::as_str);
        Reach::Budget(installation, name.to_owned())
    }

    /// Notes that a request goes out.
    pub(super) fn sending(&mut self) {
        self.requests += 1;
    }

    /// Notes what the headers of an answer tell.
    pub(super) fn note(
        &mut self,
        answer: &Answer,
        kind: &'static str,
        installation: Option<u64>,
        (sent, received): (Time, Time),
    ) {
        if answer.status == http::StatusCode::NOT_MODIFIED {
            self.not_modified += 1;
        }
        if let Some((quota, name)) = answer.quota() {
            self.budgets.insert(kind, name.clone());
            self.quotas.insert(Reach::Budget(installation, name), quota);
        }
        if let Some(date) = answer.date() {
            // GitHub's second has half passed on average, and the answer was on its way for half of the exchange.
            let (date, sent, received) = (signed(date) + 500, signed(sent), signed(received));
            self.skew_ms = Some(date - sent.midpoint(received));
        }
        if answer.status != http::StatusCode::UNAUTHORIZED {
            self.expires = answer.header("github-authentication-token-expiration").map(str::to_owned);
            self.classic_scopes = answer.header("x-oauth-scopes").map(str::to_owned);
        }
    }

    /// GitHub's clock minus ours, once an answer told.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        self.skew_ms
    }

    /// What GitHub's clock shows when ours shows `now`.
    pub(super) fn github_time(&self, now: Time) -> Time {
        Time(u64::try_from(signed(now).saturating_add(self.skew_ms.unwrap_or(0))).unwrap_or(0))
    }

    /// The whole standing, for people. Of several budgets the scarcest `core` one is shown.
    pub(super) fn state(&self, name: String, url: String, now: Time) -> CredentialState {
        let usual = |reach: &Reach| matches!(reach, Reach::Budget(_, name) if name == USUAL_BUDGET);
        let quota = self.quotas.iter().min_by_key(|(reach, quota)| (!usual(reach), quota.remaining));
        CredentialState {
            name,
            url,
            quota: quota.map(|(_, quota)| quota.clone()),
            limited: self.limits.latched(now),
            refused: self.unusable.clone().or_else(|| self.refused.as_ref().map(|r| r.message.clone())),
            requests: self.requests,
            not_modified: self.not_modified,
        }
    }
}

fn signed(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn answer(headers: &[(&'static str, &str)]) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().unwrap())).collect();
        Answer { status: http::StatusCode::OK, headers, body: bytes::Bytes::new() }
    }

    #[test]
    fn a_call_learns_its_budget_and_the_scarcest_is_shown() {
        let mut ledger = Ledger::new(850);
        assert_eq!(ledger.budget("jit", None), Reach::Budget(None, "core".into()));
        let quota = |left: &'static str, name: &'static str| {
            answer(&[
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", left),
                ("x-ratelimit-reset", "1700000000"),
                ("x-ratelimit-resource", name),
            ])
        };
        let at = (Time(0), Time(0));
        ledger.note(&quota("10", "actions_runner_registration"), "jit", None, at);
        assert_eq!(ledger.budget("jit", None), Reach::Budget(None, "actions_runner_registration".into()));
        ledger.note(&quota("4000", "core"), "list", Some(1), at);
        ledger.note(&quota("300", "core"), "list", Some(2), at);
        let state = ledger.state("default".into(), "https://github.com".into(), Time(0));
        assert_eq!(state.quota.unwrap().remaining, 300);
    }

    #[test]
    fn the_clocks_are_compared() {
        let mut ledger = Ledger::new(850);
        assert_eq!(ledger.github_time(Time(5)), Time(5));
        let dated = answer(&[("date", "Tue, 14 Nov 2023 22:13:20 GMT")]);
        ledger.note(&dated, "list", None, (Time(1_700_000_060_000), Time(1_700_000_061_000)));
        assert_eq!(ledger.skew_ms(), Some(-60_000));
        assert_eq!(ledger.github_time(Time(1_700_000_060_000)), Time(1_700_000_000_000));
    }
}
