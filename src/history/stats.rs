//! What the sums come to.

use std::collections::BTreeMap;

use super::buckets::ERROR;
use super::rollup::DAY;
use super::rollup::Span;
use super::rollup::Sums;
use super::sums::HoursRow;
use super::sums::StatsRows;
use crate::model::Time;
use crate::model::history::Figures;
use crate::model::history::Period;
use crate::model::history::PoolUse;
use crate::model::history::Stats;

/// Up to this age questions are answered by the hour, beyond it by the day.
const BY_HOUR: u64 = 7 * DAY;

/// By which rows a question that reaches back to `since` is answered.
pub(super) fn span(since: Time, now: Time) -> Span {
    if now.0.saturating_sub(since.0) <= BY_HOUR { Span::Hour } else { Span::Day }
}

/// Adds up.
pub(super) fn stats(since: Time, now: Time, span: Span, rows: &StatsRows) -> Stats {
    let mut total = Sums::default();
    let mut pools: BTreeMap<&str, Sums> = BTreeMap::new();
    let mut repos: BTreeMap<&str, Sums> = BTreeMap::new();
    let mut periods: BTreeMap<u64, Sums> = BTreeMap::new();
    for row in &rows.by_pool {
        total.add(&row.sums);
        pools.entry(&row.pool).or_default().add(&row.sums);
        periods.entry(row.start).or_default().add(&row.sums);
    }
    for row in &rows.by_repo {
        repos.entry(&row.repo).or_default().add(&row.sums);
    }
    Stats {
        since: Time(since.0 - since.0 % span.ms()),
        until: now,
        period_ms: span.ms(),
        error: ERROR,
        waits: total.waits.bars(),
        total: figures("", &total),
        pools: pools.iter().map(|(name, sums)| figures(name, sums)).collect(),
        repos: by_jobs(repos.iter().map(|(name, sums)| figures(name, sums)).collect()),
        usage: used(&rows.usage),
        periods: periods.iter().map(|(start, sums)| period(*start, sums)).collect(),
    }
}

fn figures(name: &str, sums: &Sums) -> Figures {
    Figures {
        name: name.to_owned(),
        jobs: sums.jobs,
        succeeded: sums.succeeded,
        failed: sums.failed,
        cancelled: sums.cancelled,
        lost: sums.lost,
        never_ran: sums.never_ran,
        wait: sums.waits.spread(sums.wait_ms),
        run: sums.runs.spread(sums.run_ms),
        busy_ms: sums.run_ms,
        idle_ms: sums.idle_ms,
        runners: sums.runners,
        barren: sums.barren,
        memory: sums.memory.quantiles(),
        processors: sums.processors.quantiles(),
    }
}

fn by_jobs(mut figures: Vec<Figures>) -> Vec<Figures> {
    figures.sort_by(|a, b| b.jobs.cmp(&a.jobs).then_with(|| a.name.cmp(&b.name)));
    figures
}

fn period(start: u64, sums: &Sums) -> Period {
    Period {
        start: Time(start),
        jobs: sums.jobs,
        wait_p50_ms: sums.waits.quantile(0.5),
        wait_p95_ms: sums.waits.quantile(0.95),
        busy_ms: sums.run_ms,
    }
}

fn used(usage: &[HoursRow]) -> Vec<PoolUse> {
    let mut pools: BTreeMap<&str, (PoolUse, Peaks)> = BTreeMap::new();
    for row in usage {
        let (of, peaks) = pools.entry(&row.pool).or_default();
        of.seen_ms += row.seen_ms;
        of.busy_ms += row.busy_ms;
        of.idle_ms += row.idle_ms;
        of.other_ms += row.other_ms;
        of.max_runners = of.max_runners.max(row.max_runners);
        of.max_busy = of.max_busy.max(row.max_busy);
        of.max_waiting = of.max_waiting.max(row.max_waiting);
        of.hours += row.hours;
        of.busy_hours += if row.max_busy > 0 { row.hours } else { 0 };
        *peaks.entry(row.max_busy).or_default() += row.hours;
    }
    pools.into_iter().map(|(pool, (of, peaks))| summed(pool, of, peaks)).collect()
}

/// In how many hours so many runners were in a job at the most.
type Peaks = BTreeMap<u32, u64>;

fn summed(pool: &str, mut of: PoolUse, mut peaks: Peaks) -> PoolUse {
    of.pool = pool.to_owned();
    let all = of.busy_ms + of.idle_ms + of.other_ms;
    of.utilisation = (all > 0).then(|| of.busy_ms as f64 / all as f64);
    of.p50_busy = rank(&peaks, 50);
    peaks.remove(&0);
    of.p95_busy = rank(&peaks, 95);
    of
}

/// The number that so many of a hundred hours do not exceed.
fn rank(peaks: &Peaks, part: u64) -> u32 {
    let at = (peaks.values().sum::<u64>() * part).div_ceil(100);
    let mut seen = 0;
    let reached = peaks.iter().find(|(_, hours)| {
        seen += **hours;
        seen >= at
    });
    reached.map_or(0, |(peak, _)| *peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(pool: &str, hours: u64, busy: u32) -> HoursRow {
        HoursRow {
            pool: pool.into(),
            max_busy: busy,
            hours,
            seen_ms: 100 * hours,
            busy_ms: 60 * hours * u64::from(busy.min(1)),
            idle_ms: 40 * hours,
            ..HoursRow::default()
        }
    }

    #[test]
    fn use_is_added_up_pool_by_pool_and_its_peaks_are_those_of_working_hours() {
        let used = used(&[hours("a", 80, 0), hours("a", 19, 4), hours("a", 1, 9), hours("b", 1, 1)]);
        let a = &used[0];
        assert_eq!((a.pool.as_str(), a.hours, a.busy_hours, a.max_busy), ("a", 100, 20, 9));
        assert_eq!((a.p95_busy, a.p50_busy), (4, 0));
        assert_eq!(a.utilisation, Some(1200.0 / 5200.0));
        assert_eq!(used[1].utilisation, Some(0.6));
    }

    #[test]
    fn old_questions_are_answered_by_the_day() {
        let now = Time(100 * DAY);
        assert_eq!(span(Time(93 * DAY), now), Span::Hour);
        assert_eq!(span(Time(93 * DAY - 1), now), Span::Day);
    }
}
