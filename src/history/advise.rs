//! Which numbers of a pool the history supports, each with its reason.

use std::fmt;

use serde::Serialize;
use serde::Serializer;

use crate::model::Size;
use crate::model::history::Figures;
use crate::model::history::PoolUse;
use crate::model::history::Quantiles;
use crate::model::history::Stats;

/// Jobs below which nothing is advised: a handful tells of one afternoon.
const ENOUGH_JOBS: u64 = 30;
/// Hours below which nothing is advised.
const ENOUGH_HOURS: u64 = 24;
/// A wait that people notice.
const NOTICED_MS: u64 = 60_000;
/// Utilisation below which idle runners are too many.
const LOW: f64 = 0.3;

/// Limits of memory are advised in steps of this, in bytes.
const MEMORY_STEP: u64 = 512 << 20;

/// What the file says of a pool today.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Its name.
    pub pool: String,
    /// `min`.
    pub min: u32,
    /// `max`.
    pub max: u32,
    /// `min_idle`.
    pub min_idle: u32,
    /// `memory`; none for no limit.
    pub memory: Option<Size>,
    /// `cpus`; 0 for no limit.
    pub cpus: f64,
}

/// What a key is set to, as the file has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// A number of runners.
    Runners(u32),
    /// A size.
    Size(#[serde(serialize_with = "in_words")] Size),
    /// A number of processors.
    Processors(f64),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runners(count) => write!(f, "{count}"),
            Self::Size(size) => write!(f, "\"{size}\""),
            Self::Processors(count) => write!(f, "{count:?}"),
        }
    }
}

fn in_words<S: Serializer>(size: &Size, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(size)
}

/// One key of one pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The pool.
    pub pool: String,
    /// The key; none where it is about the pool as a whole.
    pub key: Option<&'static str>,
    /// What it is.
    pub now: Option<Setting>,
    /// What the history supports.
    pub better: Option<Setting>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key, self.now, self.better) {
            (Some(key), Some(now), Some(better)) => {
                write!(f, "{}: {key} = {better} (now {now}): {}", self.pool, self.reason)
            }
            _ => write!(f, "{}: {}", self.pool, self.reason),
        }
    }
}

/// What the history supports, pool by pool. A pool for which all is well gets a word that says so.
pub fn advise(stats: &Stats, limits: &[Limits]) -> Vec<Advice> {
    limits.iter().flat_map(|limits| of_pool(stats, limits)).collect()
}

fn of_pool(stats: &Stats, limits: &Limits) -> Vec<Advice> {
    let figures = stats.pools.iter().find(|figures| figures.name == limits.pool);
    let used = stats.usage.iter().find(|used| used.pool == limits.pool);
    let whole =
        |reason: String| Advice { pool: limits.pool.clone(), key: None, now: None, better: None, reason };
    let (jobs, hours) = (figures.map_or(0, |f| f.jobs), used.map_or(0, |used| used.hours));
    let (Some(figures), Some(used)) = (figures, used) else {
        return vec![whole("the history has nothing of it".to_owned())];
    };
    if jobs < ENOUGH_JOBS || hours < ENOUGH_HOURS {
        return vec![whole(format!(
            "too little is known: {jobs} jobs in {hours} hours; {ENOUGH_JOBS} jobs and {ENOUGH_HOURS} hours are needed"
        ))];
    }
    let found = [
        max(figures, used, limits),
        min(figures, used, limits),
        min_idle(figures, used, limits),
        memory(&figures.memory, limits),
        cpus(&figures.processors, limits),
    ];
    let mut advice: Vec<Advice> = found.into_iter().flatten().collect();
    if figures.barren * 5 > figures.runners && used.utilisation.is_some_and(|part| part < LOW) {
        advice.push(whole(format!(
            "{} of {} runners never had a job: a longer idle_timeout, or demand other than \"fixed\", makes fewer in vain",
            figures.barren, figures.runners
        )));
    }
    if advice.is_empty() {
        let wait = seconds(figures.wait.p95_ms);
        advice.push(whole(format!("its numbers fit: 95 of 100 jobs waited {wait} at most")));
    }
    advice
}

/// More where jobs waited while all runners were busy, less where most of them were never needed.
fn max(figures: &Figures, used: &PoolUse, limits: &Limits) -> Option<Advice> {
    let full = used.max_busy >= limits.max && used.max_waiting > 0;
    if full && figures.wait.p95_ms >= NOTICED_MS {
        let better = used.max_busy + used.max_waiting.div_ceil(2);
        let reason = format!(
            "all {} runners were busy while up to {} jobs waited, and 5 of 100 jobs waited {} or longer",
            limits.max,
            used.max_waiting,
            seconds(figures.wait.p95_ms)
        );
        return Some(of(limits, "max", limits.max, better, reason));
    }
    let enough = (used.max_busy + used.max_busy.div_ceil(4)).max(1);
    let reason = format!(
        "no more than {} runners were ever in a job at a time; a quarter more leaves room, and what the host need not \
         hold ready others can have",
        used.max_busy
    );
    (limits.max >= enough * 2).then(|| of(limits, "max", limits.max, enough.max(limits.min), reason))
}

/// What stands whatever waits should be what is in use whatever the hour.
fn min(figures: &Figures, used: &PoolUse, limits: &Limits) -> Option<Advice> {
    let usual = used.p50_busy;
    let idle = used.utilisation.is_some_and(|part| part < LOW);
    if limits.min > usual + 1 && idle {
        let reason = format!(
            "in half of all hours no more than {usual} runners were in a job at a time, and runners spent {} of their time \
             in jobs",
            percent(used.utilisation)
        );
        return Some(of(limits, "min", limits.min, usual, reason));
    }
    let slow = figures.wait.p50_ms >= NOTICED_MS && used.max_busy < limits.max;
    let reason = format!(
        "in half of all hours {usual} runners were in a job at a time, and half of the jobs waited {} or longer although \
         the pool was not at max",
        seconds(figures.wait.p50_ms)
    );
    (slow && usual > limits.min).then(|| of(limits, "min", limits.min, usual.min(limits.max), reason))
}

/// Spare runners where starts are what jobs wait for.
fn min_idle(figures: &Figures, used: &PoolUse, limits: &Limits) -> Option<Advice> {
    let spare = used.p95_busy.div_ceil(5).max(1);
    if limits.min_idle > spare * 2 && used.utilisation.is_some_and(|part| part < LOW) {
        let reason = format!(
            "runners spent {} of their time in jobs; a fifth of what busy hours need is enough to begin with",
            percent(used.utilisation)
        );
        return Some(of(limits, "min_idle", limits.min_idle, spare, reason));
    }
    let started = limits.min_idle == 0 && figures.wait.p50_ms >= NOTICED_MS / 4 && used.max_busy < limits.max;
    let reason = format!(
        "half of the jobs waited {} or longer although the pool was not at max: that is the time a runner takes to start",
        seconds(figures.wait.p50_ms)
    );
    (started && used.busy_hours * 4 >= used.hours)
        .then(|| of(limits, "min_idle", limits.min_idle, spare.min(limits.max), reason))
}

/// Less where nearly all jobs took much less. That more is needed a peak does not tell: it holds what was read of files,
/// too, and that grows as far as it may.
fn memory(took: &Quantiles, limits: &Limits) -> Option<Advice> {
    let limit = limits.memory?;
    let enough = Size((took.p99 + took.p99 / 4).div_ceil(MEMORY_STEP).max(1) * MEMORY_STEP);
    if took.count < ENOUGH_JOBS || enough.0 * 2 > limit.0 {
        return None;
    }
    let reason = format!(
        "99 of 100 jobs took no more than {} at their peak; a quarter more leaves room, and the host has place for more \
         runners",
        Size(took.p99)
    );
    Some(advised(limits, "memory", Setting::Size(limit), Setting::Size(enough), reason))
}

/// More where most jobs used all they had from beginning to end, less where hardly any used a quarter.
fn cpus(used: &Quantiles, limits: &Limits) -> Option<Advice> {
    let (limit, of) = (limits.cpus, |thousandths: u64| thousandths as f64 / 1000.0);
    if used.count < ENOUGH_JOBS || limit <= 0.0 {
        return None;
    }
    let (better, reason) = if of(used.p50) >= limit * 0.9 {
        let reason = format!(
            "half of the jobs kept {:.1} processors busy from beginning to end: the limit is what they wait for",
            of(used.p50)
        );
        (halves(limit * 1.5), reason)
    } else if of(used.p99) * 4.0 <= limit {
        let reason = format!(
            "99 of 100 jobs used no more than {:.1} processors on average; twice that leaves room for what comes at once",
            of(used.p99)
        );
        (halves(of(used.p99) * 2.0), reason)
    } else {
        return None;
    };
    let (now, better) = (Setting::Processors(limit), Setting::Processors(better));
    Some(advised(limits, "cpus", now, better, reason))
}

/// The next half, from a half on.
fn halves(count: f64) -> f64 {
    ((count * 2.0).ceil() / 2.0).max(0.5)
}

fn of(limits: &Limits, key: &'static str, now: u32, better: u32, reason: String) -> Advice {
    advised(limits, key, Setting::Runners(now), Setting::Runners(better), reason)
}

fn advised(limits: &Limits, key: &'static str, now: Setting, better: Setting, reason: String) -> Advice {
    Advice { pool: limits.pool.clone(), key: Some(key), now: Some(now), better: Some(better), reason }
}

fn seconds(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..=119 => format!("{s} s"),
        s => format!("{} min", s / 60),
    }
}

fn percent(part: Option<f64>) -> String {
    format!("{:.0} %", part.unwrap_or(0.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::Spread;

    fn stats(wait_p50: u64, wait_p95: u64, used: PoolUse) -> Stats {
        let wait = Spread { count: 500, p50_ms: wait_p50, p95_ms: wait_p95, ..Spread::default() };
        let figures = Figures { name: "build".into(), jobs: 500, runners: 500, wait, ..Figures::default() };
        let used = PoolUse { pool: "build".into(), hours: 200, busy_hours: 100, ..used };
        Stats { pools: vec![figures], usage: vec![used], ..Stats::default() }
    }

    fn limits(min: u32, max: u32, min_idle: u32) -> Limits {
        Limits { pool: "build".into(), min, max, min_idle, memory: None, cpus: 0.0 }
    }

    fn told(stats: &Stats, limits: Limits) -> Vec<(Option<&'static str>, Option<u32>)> {
        let runners = |setting| match setting {
            Setting::Runners(count) => count,
            other => panic!("{other} is no number of runners"),
        };
        let advice = advise(stats, &[limits]).into_iter();
        advice.map(|advice| (advice.key, advice.better.map(runners))).collect()
    }

    /// What is advised where all else fits and jobs took so much.
    fn by_need(memory: Quantiles, processors: Quantiles, limits: Limits) -> Vec<String> {
        let used = PoolUse { max_busy: 8, p95_busy: 8, utilisation: Some(0.8), ..PoolUse::default() };
        let mut stats = stats(5_000, 9_000, used);
        (stats.pools[0].memory, stats.pools[0].processors) = (memory, processors);
        let advice = advise(&stats, &[limits]).into_iter().filter(|advice| advice.key.is_some());
        advice.map(|advice| advice.to_string().split(": ").nth(1).unwrap().to_owned()).collect()
    }

    fn alike(each: u64) -> Quantiles {
        Quantiles { count: 100, p50: each, p95: each, p99: each }
    }

    #[test]
    fn limits_follow_what_jobs_took() {
        let limited =
            |memory: u64, cpus| Limits { memory: Some(Size(memory << 30)), cpus, ..limits(0, 8, 1) };
        let nothing = Quantiles::default();
        let got = by_need(alike(900 << 20), alike(150), limited(8, 4.0));
        assert_eq!(got, ["memory = \"1.5GiB\" (now \"8GiB\")", "cpus = 0.5 (now 4.0)"]);
        assert_eq!(by_need(alike(3 << 30), alike(1900), limited(4, 2.0)), ["cpus = 3.0 (now 2.0)"]);
        assert_eq!(by_need(alike(3 << 30), alike(1200), limited(4, 2.0)), [""; 0]);
        assert_eq!(by_need(nothing, nothing, limited(64, 32.0)), [""; 0], "nothing was seen");
        assert_eq!(by_need(alike(1), alike(1), limits(0, 8, 1)), [""; 0], "there is no limit");
    }

    #[test]
    fn a_pool_that_was_full_while_jobs_waited_gets_room() {
        let used = PoolUse {
            max_busy: 8,
            max_waiting: 6,
            p95_busy: 8,
            utilisation: Some(0.8),
            ..PoolUse::default()
        };
        assert_eq!(told(&stats(5_000, 300_000, used.clone()), limits(0, 8, 1)), [(Some("max"), Some(11))]);
        assert_eq!(told(&stats(5_000, 9_000, used), limits(0, 8, 1)), [(None, None)], "nobody waited long");
    }

    #[test]
    fn what_was_never_needed_is_taken_back() {
        let used =
            PoolUse { max_busy: 4, p50_busy: 1, p95_busy: 3, utilisation: Some(0.1), ..PoolUse::default() };
        let got = told(&stats(1_000, 2_000, used), limits(6, 20, 5));
        assert_eq!(got, [(Some("max"), Some(6)), (Some("min"), Some(1)), (Some("min_idle"), Some(1))]);
    }

    #[test]
    fn jobs_that_wait_for_starts_get_spare_runners() {
        let used =
            PoolUse { max_busy: 6, p50_busy: 0, p95_busy: 6, utilisation: Some(0.7), ..PoolUse::default() };
        assert_eq!(told(&stats(25_000, 40_000, used), limits(0, 10, 0)), [(Some("min_idle"), Some(2))]);
    }

    #[test]
    fn of_little_nothing_is_concluded() {
        let mut few = stats(1, 1, PoolUse { max_busy: 1, ..PoolUse::default() });
        few.pools[0].jobs = 5;
        let advice = advise(&few, &[limits(0, 20, 0), Limits { pool: "new".into(), ..limits(0, 1, 0) }]);
        assert!(advice[0].reason.contains("too little is known: 5 jobs"), "{}", advice[0]);
        assert!(advice[1].reason.contains("nothing of it"), "{}", advice[1]);
    }
}
