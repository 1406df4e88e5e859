//! What the fleet was like over the last hours: a sample every ten seconds, so that a page opened now shows the past.
//!
//! It is for the eye alone: it is bounded, kept in memory, gone at a restart, and nothing is decided by it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use super::Snapshot;
use super::Why;
use crate::decide::Unserved;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::Time;

/// Between two samples.
pub const TREND_EVERY: Duration = Duration::from_secs(10);
/// How many are kept: those of six hours.
pub const TREND_KEPT: usize = 6 * 360;

/// The fleet in some numbers, at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Jobs that wait for one of our runners.
    pub waiting: u32,
    /// How long the one that came first has waited.
    pub oldest_wait: Duration,
    /// Runners in a job.
    pub busy: u32,
    /// Runners that wait for one.
    pub idle: u32,
    /// Runners that are being made or start.
    pub coming: u32,
    /// Runners of any other phase.
    pub other: u32,
    /// How many runners there should be.
    pub target: u32,
    /// How many there may be.
    pub max: u32,
}

impl Sample {
    /// The numbers of a snapshot.
    pub fn of(snapshot: &Snapshot, at: Time) -> Self {
        let runners = |of: &[Phase]| count(snapshot.runners.iter().filter(|r| of.contains(&r.phase)));
        let [busy, idle] = [runners(&[Phase::Busy]), runners(&[Phase::Idle])];
        let coming = runners(&[Phase::Creating, Phase::Starting]);
        let oldest = waiting(snapshot).map(|job| job.queued).min();
        Self {
            at,
            waiting: count(waiting(snapshot)) + untold(snapshot),
            oldest_wait: oldest.map(|queued| at.since(queued)).unwrap_or_default(),
            busy,
            idle,
            coming,
            other: count(snapshot.runners.iter()) - busy - idle - coming,
            target: snapshot.pools.iter().map(|pool| pool.report.target).sum(),
            max: snapshot.pools.iter().filter_map(|state| state.pool.as_ref()).map(|pool| pool.max).sum(),
        }
    }
}

/// Jobs that wait for a runner, but for those that wait for GitHub's own.
fn waiting(snapshot: &Snapshot) -> impl Iterator<Item = &crate::model::Job> {
    let ours = snapshot.jobs.iter().filter(|e| !matches!(e.why, Why::Unserved(Unserved::Hosted { .. })));
    ours.filter_map(|e| e.job.as_ref()).filter(|job| job.state == JobState::Queued)
}

/// Jobs that GitHub counts for scale sets and tells nothing else of.
fn untold(snapshot: &Snapshot) -> u32 {
    let of_set = |set: &crate::model::SetView| {
        let (counted, _) = set.statistics?;
        let told = snapshot.jobs.iter().filter(|e| {
            e.pool.as_ref() == Some(&set.pool)
                && e.scope.as_ref() == Some(&set.scope)
                && e.job.as_ref().is_some_and(|job| job.state == JobState::Queued)
        });
        Some(counted.assigned.saturating_sub(counted.running).saturating_sub(count(told)))
    };
    snapshot.demand.sets.iter().filter_map(of_set).sum()
}

fn count(of: impl Iterator) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// The samples of the last hours.
#[derive(Debug, Default)]
pub struct Trend(Mutex<VecDeque<Sample>>);

impl Trend {
    /// Adds one, and drops the oldest when there are too many.
    pub fn add(&self, sample: Sample) {
        let mut samples = self.samples();
        // A clock that was set back must not make the line run backwards.
        while samples.back().is_some_and(|last| last.at >= sample.at) {
            samples.pop_back();
        }
        if samples.len() >= TREND_KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// All that were taken after that moment, oldest first.
    pub fn since(&self, after: Time) -> Vec<Sample> {
        let samples = self.samples();
        let from = samples.partition_point(|sample| sample.at <= after);
        samples.range(from..).copied().collect()
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Sample {
        Sample { at: Time::from_secs(secs), ..Sample::default() }
    }

    #[test]
    fn six_hours_are_kept_and_no_more() {
        let trend = Trend::default();
        for n in 0..TREND_KEPT as u64 + 5 {
            trend.add(at(n * 10));
        }
        let all = trend.since(Time::default());
        assert_eq!(all.len(), TREND_KEPT);
        assert_eq!((all[0].at, all[TREND_KEPT - 1].at), (Time::from_secs(50), Time::from_secs(21_640)));
        assert_eq!(trend.since(Time::from_secs(21_630)), [at(21_640)]);
        assert_eq!(trend.since(Time::from_secs(21_640)), []);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_the_line_back_with_it() {
        let trend = Trend::default();
        for secs in [10, 20, 30, 15, 25] {
            trend.add(at(secs));
        }
        assert_eq!(trend.since(Time::default()), [at(10), at(15), at(25)]);
    }
}
