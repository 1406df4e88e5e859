//! How often a repository's queue is read.
//!
//! **Knows** how lively a repository is, how many share a credential, and what is left of its budget.
//! **Does not know** the clock or GitHub: everything is an argument.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher as _;
use std::time::Duration;

use crate::github::Quota;
use crate::model::ErrorClass;
use crate::model::Time;

/// The pace where the file says nothing.
pub(super) const USUAL: Duration = Duration::from_secs(15);
/// The pace where deliveries tell of jobs and only lost ones have to be found.
const SLOW: Duration = Duration::from_secs(5 * 60);
/// No pace is slower than this, whatever the budget.
const SLOWEST: Duration = Duration::from_secs(10 * 60);
/// A repository that is nudged is not read more often than this.
const NUDGED: Duration = Duration::from_secs(3);
/// Repositories that had a job within it are active; and GitHub's budget is for as long.
const HOUR: Duration = Duration::from_secs(3600);
/// Requests a minute that polling sends for one credential, at most: not half of the 850 points that the client allows
/// itself, so that registrations (5 points) and listings of runners always find room.
const REQUESTS_A_MINUTE: f64 = 400.0;
/// A burst of changes is followed without slowing down for about so long.
const SAVINGS_LAST: Duration = Duration::from_secs(10 * 60);
/// Requests that may go out together, when none went for a while.
const BURST: f64 = 200.0;
/// What polling takes of the hourly budget that is left.
const SHARE: f64 = 5.0;
/// How much of the share comes little by little; the rest is there at once.
const SHARE_TO_COME: f64 = 0.75;

/// How a repository is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attention {
    /// Deliveries tell of its jobs.
    Slow,
    /// Nothing else tells of its jobs.
    Quick,
}

/// How lively a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lively {
    /// Jobs wait or run.
    Working,
    /// No job for so long.
    Quiet(Duration),
}

/// What reading one repository at its own pace asks of a credential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// How long it rests between two reads.
    pub(super) rest: Duration,
    /// Requests for each read, on average.
    pub(super) requests: f64,
    /// Of those, answered in full.
    pub(super) full: f64,
}

/// How long a repository rests between two reads, if it has its credential for itself.
pub(super) fn rest(attention: Attention, lively: Lively, usual: Duration) -> Duration {
    match (attention, lively) {
        (Attention::Slow, _) => SLOW.max(usual),
        (_, Lively::Working) => usual * 2 / 3,
        (_, Lively::Quiet(quiet)) => {
            usual.mul_f64((quiet.as_secs_f64() / HOUR.as_secs_f64()).clamp(1.0, 4.0))
        }
    }
}

/// By how much all rests of a credential's repositories are made longer, so that each gets its part.
pub(super) fn stretch(loads: &[Load], purse: &Purse, quota: Option<&Quota>, now: Time) -> f64 {
    let a_second =
        |of: fn(&Load) -> f64| loads.iter().map(|load| of(load) / load.rest.as_secs_f64()).sum::<f64>();
    let pace = a_second(|load| load.requests) * 60.0 / REQUESTS_A_MINUTE;
    let full = a_second(|load| load.full);
    let budget = quota.map_or(0.0, |quota| match income(quota, now) + purse.savings() {
        _ if full <= 0.0 => 0.0,
        means if means > 0.0 => full / means,
        _ => f64::INFINITY,
    });
    pace.max(budget).max(1.0)
}

/// A rest made longer.
pub(super) fn stretched(rest: Duration, by: f64) -> Duration {
    let longest = SLOWEST.max(rest);
    Duration::try_from_secs_f64(rest.as_secs_f64() * by).unwrap_or(longest).min(longest)
}

/// How soon after its last read a repository may be read because something happened, where so many requests read all that
/// it happened to.
pub(super) fn soon(requests: f64) -> Duration {
    NUDGED.max(Duration::from_secs_f64(requests * 60.0 / REQUESTS_A_MINUTE).min(SLOWEST))
}

/// How long to leave something alone that failed so many times in a row.
pub(super) fn backoff(failures: u32, class: ErrorClass, now: Time) -> Duration {
    let doubled = |first: u64, most: u64| {
        Duration::from_secs(first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(most))
    };
    match class {
        ErrorClass::Retry => doubled(15, 300),
        ErrorClass::Auth | ErrorClass::Terminal => doubled(60, 600),
        ErrorClass::Limited(until) => until.since(now).max(NUDGED),
    }
}

/// A factor up to 1, the same for the same thing, so that what began together does not stay together.
pub(super) fn jitter(of: impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let part = u16::try_from(hasher.finish() & 0xffff).unwrap_or(0);
    0.85 + 0.15 * f64::from(part) / f64::from(u16::MAX)
}

/// Full answers a second that polling may cause, beside what it may cause at once. Towards the end of an hour in which
/// much is left it is not more than before.
fn income(quota: &Quota, now: Time) -> f64 {
    let left = quota.reset.since(now);
    let usual = share(quota.limit) / HOUR.as_secs_f64();
    // When the hour is over the next one begins, with all of its requests.
    let of_left = if left.is_zero() { usual } else { share(quota.remaining) / left.as_secs_f64() };
    SHARE_TO_COME * usual.min(of_left)
}

#[expect(clippy::cast_precision_loss, reason = "a budget is far below 2^52")]
fn share(requests: u64) -> f64 {
    requests as f64 / SHARE
}

/// What polling may send with one credential: requests in a minute, and full answers in an hour. Of these a quarter of its
/// share at once, the rest little by little; the share is that of what is left at each moment, whoever else spends. What
/// the hour is still to bring can be borrowed, but for nothing else than it is needed for: see [`Stake`].
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Purse {
    minute: Option<(Time, f64)>,
    hour: Option<Hour>,
}

#[derive(Debug, Clone, PartialEq)]
struct Hour {
    at: Time,
    reset: Time,
    level: f64,
    /// Each second, and until the hour is over.
    income: f64,
    to_come: f64,
}

/// What is at stake with a look, by how much of what the hour is still to bring can be borrowed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// The first look reads everything in full.
    First,
    /// Its last looks found something new.
    Changing,
    /// Its last looks cost nothing, and so will this one. It is how new jobs are heard of when all else is spent.
    Still,
}

impl Stake {
    fn borrows(self) -> f64 {
        match self {
            Self::First => 0.5,
            Self::Changing => 0.75,
            Self::Still => 0.95,
        }
    }
}

/// What looks cost, or are expected to.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Price {
    pub(super) requests: f64,
    pub(super) full: f64,
}

/// Why nothing more can be sent, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Short {
    /// The minute's requests are under way; this is nothing but pace.
    Minute(Duration),
    /// The hour's part is spent.
    Hour(Duration),
}

impl Purse {
    /// Takes in what has come since the last time.
    pub(super) fn fill(&mut self, quota: Option<&Quota>, now: Time) {
        let since = |at: Time| now.since(at).as_secs_f64();
        let level = self.minute.map_or(BURST, |(at, level)| level + since(at) * REQUESTS_A_MINUTE / 60.0);
        self.minute = Some((now, level.min(BURST)));
        self.hour = quota.map(|quota| self.hour_with(quota, now));
    }

    fn hour_with(&self, quota: &Quota, now: Time) -> Hour {
        let over = quota.reset <= now;
        let share = share(if over { quota.limit } else { quota.remaining });
        let most = (share * (1.0 - SHARE_TO_COME)).max(share.min(1.0));
        let income = income(quota, now);
        let to_come = income * if over { HOUR } else { quota.reset.since(now) }.as_secs_f64();
        let level = match &self.hour {
            Some(before) if over || now < before.reset => {
                let passed = now.since(before.at).as_secs_f64();
                let level = before.level + income * passed;
                // Where others spent what was still to come, what was borrowed of it shrinks with it.
                let expected = before.to_come - before.income * passed;
                if level < 0.0 && expected > to_come { level * to_come / expected } else { level }
            }
            _ => most,
        };
        Hour { at: now, reset: quota.reset, level: level.min(most), income, to_come }
    }

    /// Pays for a look.
    pub(super) fn spend(&mut self, price: Price) {
        self.minute = self.minute.map(|(at, level)| (at, level - price.requests));
        if let Some(hour) = &mut self.hour {
            hour.level -= price.full;
            // What is left is less by it, too; that is no reason to forgive what was borrowed.
            hour.to_come -= SHARE_TO_COME * price.full / SHARE;
        }
    }

    /// What may be spent each second of what is in it.
    fn savings(&self) -> f64 {
        self.hour.as_ref().map_or(0.0, |hour| hour.level.max(0.0) / SAVINGS_LAST.as_secs_f64())
    }

    /// Whether another look cannot be paid, while so much is promised to those under way.
    pub(super) fn short(&self, stake: Stake, promised: Price, now: Time) -> Option<Short> {
        if let Some(hour) = &self.hour {
            let lacking = 1.0 - (hour.level - promised.full + stake.borrows() * hour.to_come);
            if lacking > 0.0 {
                let left = hour.reset.since(now).max(Duration::from_secs(1));
                let net = hour.income * (1.0 - stake.borrows());
                return Some(Short::Hour(
                    Duration::try_from_secs_f64(lacking / net).unwrap_or(left).min(left),
                ));
            }
        }
        let lacking = 1.0 - (self.minute?.1 - promised.requests);
        let wait = || Duration::from_secs_f64(lacking * 60.0 / REQUESTS_A_MINUTE);
        (lacking > 0.0).then(wait).map(Short::Minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn quota(remaining: u64, left: u64) -> Quota {
        Quota { limit: 5000, remaining, reset: NOW + secs(left) }
    }

    #[test]
    fn a_lively_repository_is_read_more_often_than_a_quiet_one() {
        let quick = |lively| rest(Attention::Quick, lively, USUAL).as_secs();
        assert_eq!(quick(Lively::Working), 10);
        assert_eq!(quick(Lively::Quiet(secs(0))), 15);
        assert_eq!(quick(Lively::Quiet(secs(3600))), 15);
        assert_eq!(quick(Lively::Quiet(secs(2 * 3600))), 30);
        assert_eq!(quick(Lively::Quiet(secs(1000 * 3600))), 60);
        assert_eq!(rest(Attention::Slow, Lively::Working, USUAL), secs(300));
        assert_eq!(rest(Attention::Quick, Lively::Working, secs(60)), secs(40));
    }

    fn loads(count: usize, requests: f64, full: f64) -> Vec<Load> {
        vec![Load { rest: secs(15), requests, full }; count]
    }

    #[test]
    fn few_repositories_have_their_own_pace() {
        assert_eq!(stretch(&[], &Purse::default(), None, NOW), 1.0);
        assert_eq!(stretch(&loads(20, 2.0, 0.0), &Purse::default(), Some(&quota(0, 3600)), NOW), 1.0);
    }

    #[test]
    fn many_repositories_keep_below_the_secondary_limit() {
        let stretched = stretch(&loads(500, 2.0, 0.0), &Purse::default(), None, NOW);
        assert!((500.0 * 2.0 * 60.0 / (15.0 * stretched) - REQUESTS_A_MINUTE).abs() < 0.1, "{stretched}");
    }

    #[test]
    fn full_answers_keep_below_a_fifth_of_what_is_left() {
        for remaining in [100, 1000, 5000] {
            let quota = quota(remaining, 1800);
            let stretched = stretch(&loads(40, 4.0, 2.0), &Purse::default(), Some(&quota), NOW);
            let spent = 40.0 * 2.0 * 1800.0 / (15.0 * stretched);
            assert!(spent <= share(remaining), "{spent} of {remaining}");
        }
        let nothing_left = stretch(&loads(1, 2.0, 1.0), &Purse::default(), Some(&quota(0, 1800)), NOW);
        assert_eq!(super::stretched(secs(15), nothing_left), SLOWEST);
        assert_eq!(super::stretched(secs(1800), nothing_left), secs(1800));
        let fresh = stretch(&loads(1, 2.0, 1.0), &Purse::default(), Some(&quota(0, 0)), NOW);
        assert_eq!(fresh, 1.0, "a new hour has begun");
    }

    #[test]
    fn a_burst_is_followed_while_there_are_savings() {
        let (quota, mut purse) = (quota(5000, 3600), Purse::default());
        let busy = loads(4, 4.0, 2.0);
        assert!(stretch(&busy, &purse, Some(&quota), NOW) > 2.0);
        purse.fill(Some(&quota), NOW);
        assert_eq!(stretch(&busy, &purse, Some(&quota), NOW), 1.0);
        purse.spend(Price { requests: 0.0, full: 1000.0 });
        assert!(stretch(&busy, &purse, Some(&quota), NOW) > 2.0);
    }

    #[test]
    fn a_nudge_is_followed_at_once_but_not_all_the_time() {
        assert_eq!(soon(2.0), secs(3));
        assert_eq!(soon(200.0), secs(30));
        assert_eq!(soon(1e9), SLOWEST);
    }

    #[test]
    fn failures_in_a_row_are_left_alone_longer_and_longer() {
        let retry = |n| backoff(n, ErrorClass::Retry, NOW).as_secs();
        assert_eq!([1, 2, 3, 5, 6, 99].map(retry), [15, 30, 60, 240, 300, 300]);
        assert_eq!(backoff(1, ErrorClass::Auth, NOW), secs(60));
        assert_eq!(backoff(9, ErrorClass::Terminal, NOW), secs(600));
        assert_eq!(backoff(7, ErrorClass::Limited(NOW + secs(70)), NOW), secs(70));
    }

    #[test]
    fn jitter_only_shortens_and_only_a_little() {
        let all: Vec<f64> = (0..200).map(jitter).collect();
        assert!(all.iter().all(|f| (0.85..=1.0).contains(f)));
        assert!(all.iter().any(|f| *f < 0.9) && all.iter().any(|f| *f > 0.95));
        assert_eq!(jitter(7), jitter(7));
    }

    fn full(full: f64) -> Price {
        Price { requests: 0.0, full }
    }

    fn hour(short: Option<Short>) -> Duration {
        match short {
            Some(Short::Hour(wait)) => wait,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_purse_never_gives_more_than_a_fifth_of_the_hour() {
        let stakes = [Stake::First, Stake::Changing, Stake::Still];
        for (limit, greed) in [(5000_u64, 3_u16), (5000, 500), (60, 4), (15_000, 7)] {
            for stake in stakes {
                let (mut purse, mut remaining, mut spent) = (Purse::default(), limit, 0_u64);
                for second in 0..3600 {
                    let now = NOW + secs(second);
                    let quota = Quota { limit, remaining, reset: NOW + secs(3600) };
                    purse.fill(Some(&quota), now);
                    if purse.short(stake, full(0.0), now).is_none() {
                        purse.spend(full(f64::from(greed)));
                        spent += u64::from(greed);
                        remaining = remaining.saturating_sub(u64::from(greed));
                    }
                }
                assert!(spent > limit / 10, "{spent} of {limit}");
                assert!(spent <= limit / 5 + u64::from(greed), "{spent} of {limit}");
            }
        }
    }

    #[test]
    fn what_the_hour_is_to_bring_can_be_borrowed_for_what_is_needed_most() {
        let mut purse = Purse::default();
        let quota = quota(5000, 3600);
        assert_eq!(purse.short(Stake::First, full(0.0), NOW), None, "nothing is known yet");
        purse.fill(Some(&quota), NOW);
        for (stake, most) in [(Stake::First, 625.0), (Stake::Changing, 812.0), (Stake::Still, 962.0)] {
            assert_eq!(purse.short(stake, full(most - 1.0), NOW), None);
            assert!(hour(purse.short(stake, full(most), NOW)) > Duration::ZERO);
        }
        purse.fill(None, NOW);
        assert_eq!(
            purse.short(Stake::First, full(1e6), NOW),
            None,
            "no budget is known, as where there are no limits"
        );
    }

    #[test]
    fn an_empty_purse_tells_when_it_can_pay_again_and_is_full_in_the_next_hour() {
        let mut purse = Purse::default();
        let much = Quota { limit: 5000, remaining: 4000, reset: NOW + secs(3600) };
        purse.fill(Some(&much), NOW);
        purse.spend(full(200.0 + 300.0));
        let later = NOW + hour(purse.short(Stake::First, full(0.0), NOW)) + secs(1);
        purse.fill(Some(&much), later);
        assert_eq!(purse.short(Stake::First, full(0.0), later), None);

        purse.spend(full(1000.0));
        let next = Quota { remaining: 5000, reset: NOW + secs(7200), ..much };
        purse.fill(Some(&next), NOW + secs(3601));
        assert_eq!(purse.short(Stake::First, full(600.0), NOW + secs(3601)), None);

        let none = quota(3, 600);
        let mut purse = Purse::default();
        purse.fill(Some(&none), NOW);
        assert!(hour(purse.short(Stake::First, full(0.0), NOW)) >= secs(400));
    }

    #[test]
    fn who_else_spends_the_budget_does_not_silence_what_borrowed_little() {
        let mut purse = Purse::default();
        purse.fill(Some(&quota(5000, 3600)), NOW);
        purse.spend(full(600.0));
        let now = NOW + secs(60);
        let drained = Quota { limit: 5000, remaining: 200, reset: NOW + secs(3600) };
        purse.fill(Some(&drained), now);
        assert_eq!(purse.short(Stake::Still, full(0.0), now), None);
        purse.spend(full(40.0));
        assert!(hour(purse.short(Stake::Still, full(0.0), now)) > secs(600));
    }

    #[test]
    fn requests_of_a_minute_are_spread_over_it() {
        let (mut purse, mut sent) = (Purse::default(), 0.0);
        for second in 0..600 {
            let now = NOW + secs(second);
            purse.fill(None, now);
            while purse.short(Stake::First, Price::default(), now).is_none() {
                purse.spend(Price { requests: 4.0, full: 0.0 });
                sent += 4.0;
            }
            assert!(
                matches!(purse.short(Stake::First, Price::default(), now), Some(Short::Minute(wait)) if wait <= secs(1))
            );
        }
        assert!((sent - BURST - 10.0 * REQUESTS_A_MINUTE).abs() < 10.0, "{sent}");
    }
}
