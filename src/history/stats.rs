//! What the sums come to.

use std::collections::BTreeMap;

use super::buckets::ERROR;
use super::rollup::DAY;
use super::rollup::Span;
use super::rollup::Sums;
use super::sums::StatsRows;
use crate::model::Time;
use crate::model::history::Figures;
use crate::model::history::Period;
use crate::model::history::PoolUse;
use crate::model::history::Stats;
use crate::model::history::UsageRecord;

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

fn used(usage: &[UsageRecord]) -> Vec<PoolUse> {
    let mut pools: BTreeMap<&str, (PoolUse, Vec<u32>)> = BTreeMap::new();
    for hour in usage {
        let (of, peaks) = pools.entry(&hour.pool).or_default();
        of.seen_ms += hour.seen_ms;
        of.busy_ms += hour.busy_ms;
        of.idle_ms += hour.idle_ms;
        of.other_ms += hour.other_ms;
        of.max_runners = of.max_runners.max(hour.max_runners);
        of.max_busy = of.max_busy.max(hour.max_busy);
        of.max_waiting = of.max_waiting.max(hour.max_waiting);
        of.hours += 1;
        of.busy_hours += u64::from(hour.max_busy > 0);
        peaks.push(hour.max_busy);
    }
    pools.into_iter().map(|(pool, (of, peaks))| summed(pool, of, peaks)).collect()
}

fn summed(pool: &str, mut of: PoolUse, mut peaks: Vec<u32>) -> PoolUse {
    of.pool = pool.to_owned();
    let all = of.busy_ms + of.idle_ms + of.other_ms;
    of.utilisation = (all > 0).then(|| of.busy_ms as f64 / all as f64);
    peaks.sort_unstable();
    of.p50_busy = rank(&peaks, 50);
    let working: Vec<u32> = peaks.into_iter().filter(|peak| *peak > 0).collect();
    of.p95_busy = rank(&working, 95);
    of
}

/// The value that so many of a hundred do not exceed.
fn rank(sorted: &[u32], part: usize) -> u32 {
    let at = (sorted.len() * part).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(pool: &str, hour: u64, busy: u32) -> UsageRecord {
        UsageRecord {
            pool: pool.into(),
            hour: Time(hour),
            seen_ms: 100,
            busy_ms: 60 * u64::from(busy.min(1)),
            idle_ms: 40,
            max_busy: busy,
            ..UsageRecord::default()
        }
    }

    #[test]
    fn use_is_added_up_pool_by_pool_and_its_peaks_are_those_of_working_hours() {
        let mut hours: Vec<UsageRecord> = (0..80).map(|n| hour("a", n, 0)).collect();
        hours.extend((80..99).map(|n| hour("a", n, 4)));
        hours.push(hour("a", 99, 9));
        hours.push(hour("b", 0, 1));
        let used = used(&hours);
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
