//! What the history came to over time, step by step: what may be asked, and the answer.

use std::time::Duration;

use super::Spread;
use crate::model::Time;

/// The shortest step, and what every step is a multiple of: sums are kept by the hour.
const HOUR: Duration = Duration::from_secs(3600);
/// From here on sums by the day serve, which are kept longer.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Up to so long a time is told by the hour where nobody says.
const BY_HOUR: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far back sums by the hour go.
pub const HOURS_KEPT: Duration = Duration::from_secs(35 * 24 * 3600);
/// The most steps of one answer.
const MOST: u64 = 1000;

/// For which time, whom and which steps a series is asked. It is one that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    since: Time,
    until: Time,
    step: Duration,
    /// Only this pool.
    pub pool: Option<String>,
    /// Only this repository.
    pub repo: Option<String>,
}

impl SeriesQuery {
    /// From a moment to another, or to now, of everybody. Without a step it is an hour up to a week, and a day beyond.
    ///
    /// # Errors
    /// The step does not fit the sums that are kept, or there would be too many of them; says which would do.
    pub fn new(since: Time, until: Time, step: Option<Duration>, now: Time) -> Result<Self, String> {
        let until = until.min(now);
        let span = until.since(since);
        if span.is_zero() {
            return Err("since has to be before until".to_owned());
        }
        let step = step.unwrap_or(if span <= BY_HOUR { HOUR } else { DAY });
        if step.is_zero() || !step.as_millis().is_multiple_of(HOUR.as_millis()) {
            return Err("step is a number of whole hours, such as 1h, 6h or 1d".to_owned());
        }
        let query = Self { since, until, step, pool: None, repo: None };
        if !query.by_day() && now.since(since) > HOURS_KEPT {
            return Err(
                "what is older than 35 days is known by the day: step is a number of days then".to_owned()
            );
        }
        let count = query.count();
        if count > MOST {
            return Err(format!("that would be {count} steps; there are {MOST} at most: use a longer step"));
        }
        Ok(query)
    }

    /// Whether sums by the day serve.
    pub fn by_day(&self) -> bool {
        self.step.as_millis().is_multiple_of(DAY.as_millis())
    }

    /// How long a step is, in milliseconds.
    pub fn step_ms(&self) -> u64 {
        u64::try_from(self.step.as_millis()).unwrap_or(u64::MAX)
    }

    /// When the first step begins: steps are counted from the beginning of 1970, in UTC.
    pub fn first(&self) -> Time {
        Time(self.since.0 - self.since.0 % self.step_ms())
    }

    /// When the last step ends.
    pub fn end(&self) -> Time {
        Time(self.first().0.saturating_add(self.count().saturating_mul(self.step_ms())))
    }

    /// How many steps there are.
    pub fn count(&self) -> u64 {
        (self.until.0 - self.first().0).div_ceil(self.step_ms())
    }
}

/// How runners were used within a step, as seen pass by pass.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Use {
    /// How much of the step was seen, in milliseconds.
    pub seen_ms: u64,
    /// Time of runners in a job.
    pub busy_ms: u64,
    /// Time of runners that waited for one.
    pub idle_ms: u64,
    /// Time of runners that came or went.
    pub other_ms: u64,
    /// The most runners that one pool had at a time.
    pub max_runners: u32,
    /// The most runners of one pool that were in a job at a time.
    pub max_busy: u32,
    /// The most jobs that waited for one pool at a time.
    pub max_waiting: u32,
}

/// What a step came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Point {
    /// When it began.
    pub start: Time,
    /// Jobs that ended in it.
    pub jobs: u64,
    /// Of those, the ones that succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Lost their runner.
    pub lost: u64,
    /// Went before they ran.
    pub never_ran: u64,
    /// How long those that ended in it had waited for a runner.
    pub wait: Spread,
    /// How long they had run.
    pub run: Spread,
    /// How runners were used; none where nobody looked, and for a single repository.
    pub usage: Option<Use>,
}

/// What the history came to, step by step.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Series {
    /// When the first step begins.
    pub since: Time,
    /// When the last one ends, or the moment of asking.
    pub until: Time,
    /// How long a step is, in milliseconds.
    pub step_ms: u64,
    /// The part by which a percentile may be wrong.
    pub error: f64,
    /// Every step, the oldest first; those without a job, too.
    pub points: Vec<Point>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_760_000_000_000);

    fn ask(back: Duration, step: Option<u64>) -> Result<SeriesQuery, String> {
        SeriesQuery::new(NOW - back, NOW, step.map(|hours| HOUR * u32::try_from(hours).unwrap()), NOW)
    }

    #[test]
    fn steps_cover_what_is_asked_and_begin_at_whole_ones() {
        for (back, step) in
            [(DAY, Some(1)), (DAY * 7, Some(6)), (DAY * 30, Some(24)), (DAY * 7, None), (HOUR, None)]
        {
            let query = ask(back, step).unwrap();
            assert_eq!(query.first().0 % query.step_ms(), 0);
            assert!(query.first() <= NOW - back && query.end() >= NOW, "{query:?}");
            assert!(query.end().0 - query.step_ms() < NOW.0, "no step lies behind the end: {query:?}");
        }
        assert_eq!(ask(DAY * 7, None).unwrap().step_ms(), 3_600_000);
        assert_eq!(ask(DAY * 8, None).unwrap().step_ms(), 86_400_000);
    }

    #[test]
    fn what_cannot_be_answered_is_no_query() {
        assert!(ask(Duration::ZERO, None).is_err());
        assert!(ask(DAY, Some(0)).is_err());
        let odd = SeriesQuery::new(NOW - DAY, NOW, Some(Duration::from_secs(5400)), NOW);
        assert!(odd.unwrap_err().contains("whole hours"));
        assert!(ask(DAY * 36, Some(6)).unwrap_err().contains("by the day"));
        assert!(ask(DAY * 36, Some(48)).is_ok());
        assert!(ask(DAY * 34, Some(1)).is_ok());
        assert!(ask(DAY * 1001, None).unwrap_err().contains("1002 steps"));
        assert!(SeriesQuery::new(Time(0), Time(u64::MAX), None, NOW).is_err());
    }
}
