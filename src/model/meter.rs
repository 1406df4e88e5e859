//! What is counted and timed where it happens, for those who watch the daemon.
//!
//! Rooms write into a [`Meter`] and never read it: nothing that is decided may depend on it. How its numbers are shown, and
//! under which names, is for whoever reads them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::PoolName;

/// Seconds that calls and passes take.
pub const QUICK: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds that people wait for.
const SLOW: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0];
/// Numbers of things.
const SIZES: &[f64] = &[0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Bytes of memory: from 64 MiB to 64 GiB, each twice the one before.
const MEMORY: &[f64] = &[
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
    536_870_912.0,
    1_073_741_824.0,
    2_147_483_648.0,
    4_294_967_296.0,
    8_589_934_592.0,
    17_179_869_184.0,
    34_359_738_368.0,
    68_719_476_736.0,
];

/// How many values fell below each bound, and their sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what lies beyond the last.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// An empty one with these bounds, in rising order.
    pub fn of(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Takes in a value.
    pub fn observe(&mut self, value: f64) {
        let at = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.counts[at] += 1;
        self.sum += value;
    }

    /// Takes in a duration, in seconds.
    pub fn time(&mut self, took: Duration) {
        self.observe(took.as_secs_f64());
    }

    /// Takes in the values of another one with the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, more)| *sum += more);
        self.sum += other.sum;
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bound with the number of values between it and the one before; the last bound is infinity.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

/// Calls of one kind of service, by what was asked and what came of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Calls {
    /// How many, by call and result.
    pub counts: BTreeMap<(&'static str, &'static str), u64>,
    /// How long they took, by call.
    pub times: BTreeMap<&'static str, Histogram>,
}

impl Calls {
    /// Takes in one.
    pub fn took(&mut self, call: &'static str, result: &'static str, took: Duration) {
        *self.counts.entry((call, result)).or_default() += 1;
        self.times.entry(call).or_insert_with(|| Histogram::of(QUICK)).time(took);
    }
}

/// A request that somebody made of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Its method; `other` for one that HTTP does not name.
    pub method: &'static str,
    /// The route that took it, such as `/pools/{name}`; never the address itself, which anybody may make up.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
}

/// A part of the way from a job that waits to a runner that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// From the job's queueing to the plan of a start.
    Planned,
    /// From the plan to a container that runs.
    Created,
    /// From there to GitHub's word that the runner is online.
    Online,
    /// From there to its job.
    Taken,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Planned, Self::Created, Self::Online, Self::Taken];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Created => "created",
            Self::Online => "online",
            Self::Taken => "taken",
        }
    }
}

/// What was counted of one pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolReadings {
    /// From a job's queueing to its begin.
    pub queue_wait: Histogram,
    /// How long each part of a start took.
    pub steps: BTreeMap<Step, Histogram>,
    /// From a runner's taking of a job to its end.
    pub job_time: Histogram,
    /// The most memory of each job, in bytes, where it was sampled.
    pub job_memory: Histogram,
    /// The processor time of each job, where it was sampled.
    pub job_cpu: Histogram,
    /// Runners that took a job.
    pub started: u64,
    /// Runners that ended after a job.
    pub completed: u64,
    /// Runners that ended without one.
    pub without_job: u64,
    /// Starts that failed, by reason.
    pub failures: BTreeMap<&'static str, u64>,
}

impl Default for PoolReadings {
    fn default() -> Self {
        Self {
            queue_wait: Histogram::of(SLOW),
            steps: Step::ALL.into_iter().map(|step| (step, Histogram::of(SLOW))).collect(),
            job_time: Histogram::of(SLOW),
            job_memory: Histogram::of(MEMORY),
            job_cpu: Histogram::of(SLOW),
            started: 0,
            completed: 0,
            without_job: 0,
            failures: BTreeMap::new(),
        }
    }
}

/// Spans that were made for a collector of traces.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SpanReadings {
    /// Those that it took.
    pub exported: u64,
    /// Those that found no room, or that it did not take.
    pub dropped: u64,
    /// Whether the last attempt came to nothing.
    pub failing: bool,
}

/// All that was counted and timed since the daemon started.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// How long passes took.
    pub passes: Histogram,
    /// How many actions each plan had.
    pub plans: Histogram,
    /// Actions that were planned, by kind.
    pub planned: BTreeMap<&'static str, u64>,
    /// Actions that ended, by kind and result.
    pub actions: Calls,
    /// Calls to the container engine.
    pub engine: Calls,
    /// Calls to GitHub.
    pub github: Calls,
    /// Requests that were answered, and how long that took.
    pub requests: BTreeMap<Request, Histogram>,
    /// Pools that the last look saw.
    pub pools: BTreeMap<PoolName, PoolReadings>,
    /// Spans of traces; none where none are wanted.
    pub telemetry: Option<SpanReadings>,
    /// How long the service manager waits for a finished pass before it takes the daemon for dead.
    pub watchdog: Option<Duration>,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            passes: Histogram::of(QUICK),
            plans: Histogram::of(SIZES),
            planned: BTreeMap::new(),
            actions: Calls::default(),
            engine: Calls::default(),
            github: Calls::default(),
            requests: BTreeMap::new(),
            pools: BTreeMap::new(),
            telemetry: None,
            watchdog: None,
        }
    }
}

impl Readings {
    /// What was counted of this pool.
    pub fn pool(&mut self, name: &PoolName) -> &mut PoolReadings {
        self.pools.entry(name.clone()).or_default()
    }
}

/// Where rooms write what they count.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Readings>);

impl Meter {
    /// Writes something down.
    pub fn note(&self, change: impl FnOnce(&mut Readings)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All that was written so far.
    pub fn read(&self) -> Readings {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_below_the_first_bound_that_is_not_smaller() {
        let mut histogram = Histogram::of(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.buckets(), [(1.0, 2), (2.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, 12.0));
    }

    #[test]
    fn bounds_rise() {
        for bounds in [QUICK, SLOW, SIZES, MEMORY] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
        }
    }

    #[test]
    fn calls_are_counted_by_result_and_timed_by_call() {
        let meter = Meter::default();
        for result in ["ok", "ok", "timed_out"] {
            meter.note(|r| r.engine.took("list containers", result, Duration::from_millis(3)));
        }
        let engine = meter.read().engine;
        assert_eq!(engine.counts[&("list containers", "ok")], 2);
        assert_eq!(engine.counts[&("list containers", "timed_out")], 1);
        assert_eq!(engine.times["list containers"].count(), 3);
    }
}
