//! When a credential must be silent: limits that GitHub pronounced, and the pace that avoids them.
//!
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Time;

/// The window over which GitHub counts points.
const WINDOW: Duration = Duration::from_secs(60);
/// A wait up to this is slept through inside the call; a longer one is an answer of its own.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// After a secondary limit without `retry-after`: "wait for at least one minute".
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// The primary limit's window is an hour, so that no honest limit lasts longer; one that claims to is tried again then.
const LONGEST: Duration = Duration::from_secs(65 * 60);

/// What a limit holds for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// All that the credential sends (secondary limits).
    Everything,
    /// One account's budget for one kind of thing: the installation where it is an App's, and GitHub's name for the
    /// budget (`x-ratelimit-resource`).
    Budget(Option<u64>, String),
}

/// A limit as an answer pronounced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    /// Whether it is the hourly budget; else it is a secondary limit.
    pub(super) primary: bool,
    /// How long to be silent, where GitHub tells.
    pub(super) pause: Option<Duration>,
    /// GitHub's words.
    pub(super) message: String,
}

/// Whether a call may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// Now; its points are taken.
    Go,
    /// After this short wait, ask again.
    Wait(Duration),
    /// Not before then.
    Held(Time, String),
}

/// One credential's limits and pace.
#[derive(Debug)]
pub(super) struct Limits {
    points_per_minute: u32,
    spent: VecDeque<(Time, u32)>,
    latched: BTreeMap<Reach, (Time, String)>,
    /// Secondary limits in a row.
    streak: u32,
}

impl Limits {
    pub(super) fn new(points_per_minute: u32) -> Self {
        Self { points_per_minute, spent: VecDeque::new(), latched: BTreeMap::new(), streak: 0 }
    }

    /// Asks to send a call of so many points.
    pub(super) fn admit(&mut self, now: Time, points: u32, budget: &Reach) -> Admission {
        self.forget(now);
        for reach in [&Reach::Everything, budget] {
            if let Some((until, message)) = self.latched.get(reach) {
                return Admission::Held(*until, message.clone());
            }
        }
        let spent: u32 = self.spent.iter().map(|(_, points)| points).sum();
        let Some(excess) = (spent + points).checked_sub(self.points_per_minute).filter(|e| *e > 0) else {
            self.spent.push_back((now, points));
            return Admission::Go;
        };
        let free = self.when_freed(excess).unwrap_or(now);
        let wait = free.since(now).max(Duration::from_millis(1));
        if wait <= SHORT_WAIT {
            Admission::Wait(wait)
        } else {
            Admission::Held(free, format!("{} points a minute are spent", self.points_per_minute))
        }
    }

    /// When so many points have left the window.
    fn when_freed(&self, points: u32) -> Option<Time> {
        let mut freed = 0;
        self.spent.iter().find_map(|(at, spent)| {
            freed += spent;
            (freed >= points).then_some(*at + WINDOW)
        })
    }

    /// Drops what is over; also what lies too far ahead because the clock was set back.
    fn forget(&mut self, now: Time) {
        self.spent.retain(|(at, _)| now.since(*at) < WINDOW && *at <= now + WINDOW);
        self.latched.retain(|_, (until, _)| *until > now && *until <= now + LONGEST);
    }

    /// Latches a limit; returns until when.
    pub(super) fn latch(&mut self, now: Time, limit: &Limit, budget: &Reach) -> Time {
        let reach = if limit.primary { budget.clone() } else { Reach::Everything };
        // Calls that were under way together are refused together: that is one limit, not several in a row.
        let already = self.latched.get(&reach).map(|(until, _)| *until).filter(|until| *until > now);
        if !limit.primary && already.is_none() {
            self.streak += 1;
        }
        let doubled = SECONDARY_PAUSE.saturating_mul(1 << self.streak.saturating_sub(1).min(6));
        let pause = limit.pause.unwrap_or(doubled).clamp(Duration::from_secs(1), LONGEST);
        let until = already.unwrap_or(now).max(now + pause);
        self.latched.insert(reach, (until, limit.message.clone()));
        until
    }

    /// Notes a good answer to a call sent then: a run of secondary limits is over.
    pub(super) fn served(&mut self, sent: Time) {
        if self.latched.get(&Reach::Everything).is_none_or(|(until, _)| *until <= sent) {
            self.streak = 0;
        }
    }

    /// The longest limit that holds now.
    pub(super) fn latched(&self, now: Time) -> Option<(Time, String)> {
        self.latched.values().filter(|(until, _)| *until > now).max_by_key(|(until, _)| *until).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core() -> Reach {
        Reach::Budget(None, "core".to_owned())
    }

    fn secondary(pause: Option<u64>) -> Limit {
        Limit { primary: false, pause: pause.map(Duration::from_secs), message: "slow down".to_owned() }
    }

    fn held(admission: Admission) -> u64 {
        match admission {
            Admission::Held(until, _) => until.0 / 1000,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_window_lets_a_burst_through_and_then_paces() {
        let mut limits = Limits::new(850);
        let start = Time::from_secs(1000);
        for _ in 0..170 {
            assert_eq!(limits.admit(start, 5, &core()), Admission::Go);
        }
        assert_eq!(held(limits.admit(start + Duration::from_secs(1), 5, &core())), 1060);
        let soon = Time(1_059_400);
        assert_eq!(limits.admit(soon, 1, &core()), Admission::Wait(Duration::from_millis(600)));
        assert_eq!(limits.admit(Time::from_secs(1060), 5, &core()), Admission::Go);
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_window_or_a_limit() {
        let mut limits = Limits::new(5);
        assert_eq!(limits.admit(Time::from_secs(100_000), 5, &core()), Admission::Go);
        limits.latch(Time::from_secs(100_000), &secondary(None), &core());
        assert_eq!(limits.admit(Time::from_secs(1000), 5, &core()), Admission::Go);
    }

    #[test]
    fn a_primary_limit_silences_its_own_budget_only() {
        let mut limits = Limits::new(850);
        let now = Time::from_secs(1000);
        let limit =
            Limit { primary: true, pause: Some(Duration::from_secs(600)), message: "over".to_owned() };
        assert_eq!(limits.latch(now, &limit, &core()), Time::from_secs(1600));
        assert_eq!(held(limits.admit(now, 1, &core())), 1600);
        let other = Reach::Budget(Some(7), "core".to_owned());
        assert_eq!(limits.admit(now, 1, &other), Admission::Go);
        assert_eq!(limits.latched(now), Some((Time::from_secs(1600), "over".to_owned())));
        assert_eq!(limits.latched(Time::from_secs(1600)), None);
    }

    #[test]
    fn secondary_limits_in_a_row_double_and_a_good_answer_ends_the_row() {
        let mut limits = Limits::new(850);
        let mut now = Time::from_secs(1000);
        for expected in [60, 120, 240, 480, 960, 1920, 3840, 3840] {
            let until = limits.latch(now, &secondary(None), &core());
            assert_eq!(until.since(now), Duration::from_secs(expected));
            assert_eq!(
                limits.latch(now, &secondary(None), &core()),
                until,
                "the same limit, met by a second call"
            );
            now = until;
        }
        limits.served(now - Duration::from_secs(1));
        assert_eq!(limits.latch(now, &secondary(None), &core()).since(now), Duration::from_secs(3840));
        now = now + Duration::from_secs(3840);
        limits.served(now);
        assert_eq!(limits.latch(now, &secondary(None), &core()).since(now), Duration::from_secs(60));
    }

    #[test]
    fn github_s_own_pause_is_kept_within_reason() {
        let mut limits = Limits::new(850);
        let now = Time::from_secs(1000);
        assert_eq!(limits.latch(now, &secondary(Some(7)), &core()).since(now), Duration::from_secs(7));
        assert_eq!(limits.latch(now, &secondary(Some(1_000_000)), &core()).since(now), LONGEST);
    }
}
