//! Whether GitHub's count can be believed. It has been seen to stay high for days after an incident, and at zero while jobs
//! were assigned.

use std::time::Duration;

use super::heard::Heard;
use crate::model::SetStatistics;
use crate::model::Time;

/// Count and messages come by different ways, and runners take their time: a difference is one when it lasts this long.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// A message tells of at most fifty jobs; of more, not all need be known.
const TOLD_AT_ONCE: u32 = 50;

/// When GitHub is asked to count anew: its last count may only be an old one, of a message that came late.
const ASK_AFTER: Duration = Duration::from_secs(2 * 60);
/// How often.
const ASK_EACH: Duration = Duration::from_secs(10 * 60);

/// Differences, and since when each lasts.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    idle: Option<Time>,
    high: Option<Time>,
    low: Option<Time>,
    asked: Option<Time>,
}

impl Doubt {
    /// Looks at the count of this moment.
    pub(super) fn look(&mut self, count: &SetStatistics, heard: &Heard, now: Time) {
        let heard_of = u32::try_from(heard.len()).unwrap_or(u32::MAX);
        let differences = [
            (&mut self.idle, waiting(count) > 0 && count.idle > 0),
            (&mut self.high, heard.is_whole() && count.assigned > heard_of && count.assigned <= TOLD_AT_ONCE),
            (&mut self.low, heard_of > count.assigned),
        ];
        for (since, holds) in differences {
            *since = holds.then(|| since.unwrap_or(now));
        }
    }

    /// Whether GitHub is to be asked to count anew; if so, the next time is a while later.
    pub(super) fn asks(&mut self, now: Time) -> bool {
        let first = [self.idle, self.high, self.low].into_iter().flatten().min();
        let asks = first.is_some_and(|since| now.since(since) >= ASK_AFTER)
            && self.asked.is_none_or(|at| now.since(at) >= ASK_EACH);
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    /// What does not go together, and has not for a while.
    pub(super) fn words(&self, count: &SetStatistics, heard: &Heard, now: Time) -> Option<String> {
        let lasts = |since: Option<Time>| {
            since.map(|since| now.since(since)).filter(|d| *d >= PATIENCE).map(|d| d.as_secs() / 60)
        };
        let stuck = "a count that is stuck stays so until the scale set is deleted";
        if let Some(minutes) = lasts(self.low) {
            return Some(format!(
                "messages told of {} jobs that have not ended, but for {minutes} minutes GitHub has counted only {}",
                heard.len(),
                count.assigned
            ));
        }
        if let Some(minutes) = lasts(self.high) {
            return Some(format!(
                "for {minutes} minutes GitHub has counted {} jobs, but its messages told of {}; {stuck}",
                count.assigned,
                heard.len()
            ));
        }
        lasts(self.idle).map(|minutes| {
            format!(
                "for {minutes} minutes GitHub has counted {} jobs that wait, beside {} runners that wait for jobs; {stuck}",
                waiting(count),
                count.idle
            )
        })
    }
}

/// Jobs that have no runner yet.
fn waiting(count: &SetStatistics) -> u32 {
    count.assigned.saturating_sub(count.running)
}

#[cfg(test)]
mod tests {
    use super::super::heard::tests::job;
    use super::*;
    use crate::github::SetNews;

    fn minutes(n: u64) -> Time {
        Time::from_secs(n * 60)
    }

    fn after(minutes_each: &[(u64, SetStatistics)], heard: &Heard) -> Option<String> {
        let mut doubt = Doubt::default();
        for (at, count) in minutes_each {
            doubt.look(count, heard, minutes(*at));
        }
        let (at, count) = minutes_each.last().unwrap();
        doubt.words(count, heard, minutes(*at))
    }

    fn count(assigned: u32, running: u32, idle: u32) -> SetStatistics {
        SetStatistics { assigned, running, busy: running, idle, ..SetStatistics::default() }
    }

    fn heard(whole: bool, ids: &[i64]) -> Heard {
        let mut heard = Heard::default();
        if whole {
            heard.compare(&SetStatistics::default(), Time(0));
        }
        let news: Vec<_> = ids.iter().map(|id| SetNews::Assigned(job(*id))).collect();
        heard.take(1, &news, &[], Time(0));
        heard
    }

    #[test]
    fn a_count_stuck_high_is_noticed_by_what_was_heard_or_by_idle_runners() {
        let high = [(0, count(34, 19, 0)), (5, count(34, 19, 0))];
        let words = after(&high, &heard(true, &[1, 2])).unwrap();
        assert!(
            words.starts_with("for 5 minutes GitHub has counted 34 jobs, but its messages told of 2"),
            "{words}"
        );
        assert_eq!(after(&high, &heard(false, &[1, 2])), None, "what was told before the start is not known");
        assert_eq!(after(&high[..1], &heard(true, &[1])), None, "it may be a moment's difference");
        let many = [(0, count(80, 60, 0)), (9, count(80, 60, 0))];
        assert_eq!(after(&many, &heard(true, &[1])), None, "more than messages tell at once");
        let idle = [(0, count(34, 19, 3)), (7, count(34, 19, 3))];
        let words = after(&idle, &heard(false, &[])).unwrap();
        assert!(words.starts_with("for 7 minutes GitHub has counted 15 jobs that wait, beside 3"), "{words}");
    }

    #[test]
    fn a_count_stuck_at_zero_is_noticed_by_what_was_heard() {
        let zero = [(0, count(0, 0, 0)), (6, count(0, 0, 0))];
        let words = after(&zero, &heard(false, &[1, 2])).unwrap();
        assert!(
            words.starts_with("messages told of 2 jobs that have not ended, but for 6 minutes"),
            "{words}"
        );
        assert_eq!(after(&zero, &heard(false, &[])), None);
    }

    #[test]
    fn github_is_asked_to_count_anew_before_anybody_is_told_and_not_all_the_time() {
        let (mut doubt, heard) = (Doubt::default(), heard(true, &[]));
        doubt.look(&count(2, 0, 0), &heard, minutes(0));
        assert!(!doubt.asks(minutes(1)));
        assert!(doubt.asks(minutes(2)) && !doubt.asks(minutes(11)) && doubt.asks(minutes(12)));
        doubt.look(&count(0, 0, 0), &heard, minutes(30));
        assert!(!doubt.asks(minutes(30)), "nothing is in doubt");
    }

    #[test]
    fn a_difference_that_passes_begins_anew() {
        let passing = [(0, count(0, 0, 0)), (4, count(1, 0, 0)), (6, count(0, 0, 0))];
        assert_eq!(after(&passing, &heard(false, &[1])), None);
    }
}
