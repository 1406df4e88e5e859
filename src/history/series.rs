//! What the sums come to over time, step by step.

use super::buckets::ERROR;
use super::rollup::Sums;
use super::sums::SumsRow;
use crate::model::Time;
use crate::model::history::Point;
use crate::model::history::Series;
use crate::model::history::SeriesQuery;
use crate::model::history::Use;

/// Sorts rows of sums, and hours of use, into the steps that were asked for.
pub(super) fn series(query: &SeriesQuery, now: Time, rows: &[SumsRow], hours: &[(u64, Use)]) -> Series {
    let (first, step) = (query.first(), query.step_ms());
    let count = usize::try_from(query.count()).unwrap_or(0);
    let at = |moment: u64| usize::try_from(moment.checked_sub(first.0)? / step).ok();
    let mut sums = vec![Sums::default(); count];
    for row in rows {
        if let Some(sums) = at(row.start).and_then(|at| sums.get_mut(at)) {
            sums.add(&row.sums);
        }
    }
    let mut used: Vec<Option<Use>> = vec![None; count];
    for (hour, usage) in hours {
        if let Some(used) = at(*hour).and_then(|at| used.get_mut(at)) {
            add(used.get_or_insert_default(), usage);
        }
    }
    let starts = (0..).map(|n| Time(first.0 + n * step));
    Series {
        since: first,
        until: query.end().min(now),
        step_ms: step,
        error: ERROR,
        points: starts.zip(&sums).zip(used).map(|((start, sums), usage)| point(start, sums, usage)).collect(),
    }
}

fn add(to: &mut Use, hour: &Use) {
    to.seen_ms += hour.seen_ms;
    to.busy_ms += hour.busy_ms;
    to.idle_ms += hour.idle_ms;
    to.other_ms += hour.other_ms;
    to.max_runners = to.max_runners.max(hour.max_runners);
    to.max_busy = to.max_busy.max(hour.max_busy);
    to.max_waiting = to.max_waiting.max(hour.max_waiting);
}

fn point(start: Time, sums: &Sums, usage: Option<Use>) -> Point {
    Point {
        start,
        jobs: sums.jobs,
        succeeded: sums.succeeded,
        failed: sums.failed,
        cancelled: sums.cancelled,
        lost: sums.lost,
        never_ran: sums.never_ran,
        wait: sums.waits.spread(sums.wait_ms),
        run: sums.runs.spread(sums.run_ms),
        usage,
    }
}
