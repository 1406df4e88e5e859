//! Whose job comes first: by priority, and by age, so that nobody waits for ever.

use std::time::Duration;

use crate::model::Job;
use crate::model::JobId;
use crate::model::Pool;
use crate::model::Priority;
use crate::model::Time;

/// A job of one priority that has waited this much longer than one of the next higher is its equal. Shorter than most
/// people's patience, longer than most jobs: a burst of higher ones goes first, and an endless stream does not.
pub(super) const STEP: Duration = Duration::from_secs(600);

/// A job's place in the queue of all pools: the moment since which a job of the lowest priority would have had to wait
/// to be its equal, then its number. It does not change while the job waits, so that no two jobs overtake each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    since: i64,
    id: JobId,
}

impl Rank {
    /// The rank of a job with that priority.
    pub fn new(priority: Priority, queued: Time, id: JobId) -> Self {
        let since = i64::try_from(queued.0).unwrap_or(i64::MAX);
        Self { since: since.saturating_sub(step().saturating_mul(level(priority))), id }
    }

    /// Its priority at `now`, aging included: as the numbers of [`level`], and above them all in the end.
    pub(super) fn level(&self, now: Time) -> i64 {
        i64::try_from(now.0).unwrap_or(i64::MAX).saturating_sub(self.since).div_euclid(step())
    }
}

/// A priority as a number: the higher, the sooner.
pub(super) fn level(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Critical => 3,
    }
}

fn step() -> i64 {
    i64::try_from(STEP.as_millis()).unwrap_or(i64::MAX)
}

/// The priority of a job in its pool: of the first rule that fits, else the pool's.
pub(super) fn priority(pool: &Pool, job: &Job) -> Priority {
    let rule = pool.scaling.priority_rules.iter().find(|rule| rule.fits(job));
    rule.map_or(pool.priority, |rule| rule.priority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_long_enough_is_before_who_matters_more() {
        let now = Time::from_secs(100_000);
        let rank =
            |priority, waited, id| Rank::new(priority, now - Duration::from_secs(waited), JobId::Job(id));
        assert!(rank(Priority::High, 0, 2) < rank(Priority::Normal, 599, 1));
        assert!(rank(Priority::Normal, 601, 1) < rank(Priority::High, 0, 2));
        assert!(rank(Priority::Low, 1801, 9) < rank(Priority::Critical, 0, 1));
        assert!(rank(Priority::Low, 5, 1) < rank(Priority::Low, 5, 2));
        assert_eq!(rank(Priority::Low, 0, 1).level(now), level(Priority::Low));
        assert_eq!(rank(Priority::Critical, 0, 1).level(now), level(Priority::Critical));
        assert_eq!(rank(Priority::Low, 1800, 1).level(now), level(Priority::Critical));
    }
}
