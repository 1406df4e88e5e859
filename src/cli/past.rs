//! What was, as text.

use std::time::Duration;

use super::Printer;
use super::printer::Tone;
use super::table::Column;
use super::table::Grid;
use super::table::Text;
use super::table::always;
use super::table::from;
use super::text::age;
use super::text::brief;
use super::text::or_dash;
use crate::http::dto;
use crate::http::dto::Bar;
use crate::http::dto::Figures;
use crate::http::dto::PoolUse;
use crate::model::Size;
use crate::model::Time;
use crate::model::history::JobResult;

const JOBS: [Column; 10] = [
    always("ENDED"),
    always("JOB"),
    always("REPOSITORY"),
    from(120, "WORKFLOW"),
    from(60, "POOL"),
    from(80, "WAITED"),
    from(80, "RAN"),
    from(140, "MEMORY"),
    from(140, "CPU"),
    always("RESULT"),
];

/// Jobs that ended.
pub(super) fn jobs(jobs: &[dto::PastJob], printer: &Printer) -> String {
    if jobs.is_empty() {
        return "The history has no such job; names of repositories are compared with their case.".to_owned();
    }
    let mut grid = Grid::new(printer, &JOBS);
    for job in jobs {
        let word = job.result.word().replace('_', " ");
        grid.row([
            minute(job.ended).into(),
            or_dash(Some(&job.name)).to_owned().into(),
            or_dash(Some(&job.repo)).to_owned().into(),
            or_dash(Some(&job.workflow)).to_owned().into(),
            job.pool.clone().into(),
            job.wait_ms.map_or_else(|| "-".to_owned(), time).into(),
            job.run_ms.map_or_else(|| "-".to_owned(), time).into(),
            job.peak_memory_bytes.map_or_else(|| "-".to_owned(), |bytes| Size(bytes).to_string()).into(),
            job.cpu_ms.map_or_else(|| "-".to_owned(), time).into(),
            Text(word, tone(job.result)),
        ]);
    }
    grid.render()
}

fn tone(result: JobResult) -> Option<Tone> {
    match result {
        JobResult::Succeeded => Some(Tone::Good),
        JobResult::Failed | JobResult::Lost => Some(Tone::Bad),
        JobResult::Cancelled | JobResult::NeverRan | JobResult::Unknown => Some(Tone::Dim),
    }
}

/// Runners that are gone.
pub(super) fn runners(runners: &[dto::PastRunner], printer: &Printer) -> String {
    if runners.is_empty() {
        return "The history has no such runner.".to_owned();
    }
    let columns =
        [always("ENDED"), always("RUNNER"), from(100, "REPOSITORY"), from(80, "IDLE"), always("END")];
    let mut grid = Grid::new(printer, &columns);
    for runner in runners {
        grid.row([
            minute(runner.ended).into(),
            runner.runner.clone().into(),
            or_dash(Some(&runner.repo)).to_owned().into(),
            time(runner.idle_ms).into(),
            Text(runner.verdict.clone(), (!runner.ran_job).then_some(Tone::Warn)),
        ]);
    }
    grid.render()
}

/// Changes of what pools wanted.
pub(super) fn decisions(decisions: &[dto::Decision], printer: &Printer) -> String {
    if decisions.is_empty() {
        return "The history has no such decision.".to_owned();
    }
    let columns = [always("WHEN"), always("POOL"), always("TARGET"), from(80, "HAD"), always("WHY")];
    let mut grid = Grid::new(printer, &columns);
    for decision in decisions {
        let before = decision.before.map(|before| format!("{before} to ")).unwrap_or_default();
        let held: String = decision.held.iter().map(|held| format!("; held back: {held}")).collect();
        grid.row([
            minute(decision.at).into(),
            decision.pool.clone().into(),
            format!("{before}{}", decision.target).into(),
            decision.have.to_string().into(),
            format!("{}{held}", decision.why).into(),
        ]);
    }
    grid.render()
}

/// The audit trail.
pub(super) fn audit(entries: &[dto::AuditEntry], printer: &Printer) -> String {
    if entries.is_empty() {
        return "The audit trail has no such entry.".to_owned();
    }
    let columns = [from(80, "ENTRY"), always("WHEN"), always("WHO"), always("WHAT"), always("OUTCOME")];
    let mut grid = Grid::new(printer, &columns);
    for entry in entries {
        let good = matches!(entry.outcome.as_str(), "done" | "in force");
        grid.row([
            entry.seq.to_string().into(),
            minute(entry.at).into(),
            entry.who.clone().into(),
            entry.text.clone().into(),
            Text(entry.outcome.clone(), (!good).then_some(Tone::Warn)),
        ]);
    }
    grid.render()
}

/// What the history comes to.
pub(super) fn stats(stats: &dto::Stats, now: Time, printer: &Printer) -> String {
    let total = &stats.total;
    let mut parts = vec![format!(
        "{} in {} (since {}): {}",
        printer.paint(Tone::Strong, format!("{} jobs", total.jobs)),
        age(now, stats.since),
        minute(stats.since),
        results(total)
    )];
    if total.wait.count > 0 {
        let bars = stats.waits.as_slice();
        parts.push(format!(
            "{}\n{}",
            printer.paint(Tone::Strong, "Waiting for a runner"),
            histogram(bars, printer)
        ));
    }
    if stats.periods.len() > 1 {
        parts.push(lines(stats, printer));
    }
    if !stats.pools.is_empty() {
        parts.push(pools(stats, printer));
        parts.push(repos(&stats.repos, printer));
    }
    parts.push(format!(
        "Times are counted in classes: a percentile may be off by {:.1} %.",
        stats.error * 100.0
    ));
    parts.join("\n\n")
}

fn results(f: &Figures) -> String {
    let unknown = f.jobs.saturating_sub(f.succeeded + f.failed + f.cancelled + f.lost + f.never_ran);
    let words = [
        (f.succeeded, "succeeded"),
        (f.failed, "failed"),
        (f.cancelled, "cancelled"),
        (f.lost, "lost their runner"),
        (f.never_ran, "never ran"),
        (unknown, "ended unknown"),
    ];
    let told: Vec<String> =
        words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

/// Bars as wide as their counts.
fn histogram(bars: &[Bar], printer: &Printer) -> String {
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    let digits = most.to_string().len();
    let room = printer.width().saturating_sub(14 + digits).clamp(10, 60);
    let line = |bar: &Bar| {
        let title = match bar.upto_ms {
            u64::MAX => format!("over {}", time(bar.above_ms)),
            upto => format!("up to {}", time(upto)),
        };
        let eighths = usize::try_from(bar.count * room as u64 * 8 / most).unwrap_or(0);
        let eighths = if bar.count > 0 { eighths.max(1) } else { 0 };
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        format!("{title:>11} {:>digits$} {}{part}", bar.count, "█".repeat(eighths / 8)).trim_end().to_owned()
    };
    bars.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Jobs and waits over time, one mark for each hour or day.
fn lines(stats: &dto::Stats, printer: &Printer) -> String {
    let step = stats.period_ms.max(1);
    let first = stats.periods.first().map_or(0, |period| period.start.0.0);
    let slots = usize::try_from((stats.until.0.0.saturating_sub(first)) / step + 1).unwrap_or(1);
    let shown = slots.min(printer.width().saturating_sub(24).max(10));
    // What does not fit is summed up: jobs added, waits by the longest.
    let mut jobs = vec![0u64; shown];
    let mut waits = vec![0u64; shown];
    for period in &stats.periods {
        let slot = usize::try_from((period.start.0.0 - first) / step).unwrap_or(0);
        let at = (slot * shown / slots).min(shown - 1);
        jobs[at] += period.jobs;
        waits[at] = waits[at].max(period.wait_p95_ms);
    }
    let unit = if step < 24 * 3_600_000 { "hour" } else { "day" };
    let most = |values: &[u64]| values.iter().copied().max().unwrap_or(0);
    format!(
        "{}\n{:<9}{} at most {}\n{:<9}{} at most {}",
        printer.paint(Tone::Strong, format!("By the {unit}")),
        "jobs",
        sparkline(&jobs),
        most(&jobs),
        "wait p95",
        sparkline(&waits),
        time(most(&waits))
    )
}

fn sparkline(values: &[u64]) -> String {
    const MARKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let mark = |value: &u64| {
        let level = (*value as f64 / most as f64 * 8.0).ceil() as usize;
        MARKS[level.min(8)]
    };
    values.iter().map(mark).collect()
}

fn pools(stats: &dto::Stats, printer: &Printer) -> String {
    let columns = [
        always("POOL"),
        always("JOBS"),
        always("WAIT P50"),
        always("P95"),
        from(60, "P99"),
        from(80, "RUN P50"),
        from(80, "P95"),
        always("USED"),
        from(90, "IDLE"),
        from(100, "PEAK"),
    ];
    let mut grid = Grid::new(printer, &columns);
    for f in &stats.pools {
        let used: Option<&PoolUse> = stats.usage.iter().find(|used| used.pool == f.name);
        let part = used.and_then(|used| used.utilisation);
        grid.row([
            f.name.clone().into(),
            f.jobs.to_string().into(),
            time(f.wait.p50_ms).into(),
            time(f.wait.p95_ms).into(),
            time(f.wait.p99_ms).into(),
            time(f.run.p50_ms).into(),
            time(f.run.p95_ms).into(),
            part.map_or_else(|| "-".to_owned(), |part| format!("{:.0}%", part * 100.0)).into(),
            time(used.map_or(f.idle_ms, |used| used.idle_ms)).into(),
            used.map_or_else(|| "-".to_owned(), |used| used.max_busy.to_string()).into(),
        ]);
    }
    grid.render()
}

fn repos(repos: &[Figures], printer: &Printer) -> String {
    /// More are for `--json`.
    const MOST: usize = 20;
    let columns = [
        always("REPOSITORY"),
        always("JOBS"),
        always("WAIT P50"),
        always("P95"),
        from(60, "P99"),
        from(80, "BUSY"),
        from(80, "IDLE"),
    ];
    let mut grid = Grid::new(printer, &columns);
    for f in repos.iter().take(MOST) {
        let name = if f.name.is_empty() { "(not known)".to_owned() } else { f.name.clone() };
        grid.row([
            name.into(),
            f.jobs.to_string().into(),
            time(f.wait.p50_ms).into(),
            time(f.wait.p95_ms).into(),
            time(f.wait.p99_ms).into(),
            time(f.busy_ms).into(),
            time(f.idle_ms).into(),
        ]);
    }
    let more = repos.len().saturating_sub(MOST);
    let more = if more > 0 { format!("\n… and {more} more; --json has all") } else { String::new() };
    grid.render() + &more
}

/// `2026-01-31 12:00`.
fn minute(at: dto::Timestamp) -> String {
    at.0.to_string().replace('T', " ").chars().take(16).collect()
}

/// A duration as people say it; below a second in milliseconds.
fn time(ms: u64) -> String {
    match ms {
        0 => "0s".to_owned(),
        1..1000 => format!("{ms}ms"),
        _ => brief(Duration::from_millis(ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(width: u16) -> Printer {
        Printer::to(std::io::sink(), std::io::sink(), width)
    }

    #[test]
    fn bars_are_as_wide_as_their_counts_and_none_vanishes() {
        let bar = |above_ms, upto_ms, count| Bar { above_ms, upto_ms, count };
        let bars = [bar(0, 1000, 800), bar(1000, 60_000, 400), bar(60_000, u64::MAX, 1)];
        let text = histogram(&bars, &printer(40));
        assert_eq!(
            text,
            "   up to 1s 800 ███████████████████████\n   up to 1m 400 ███████████▌\n    over 1m   1 ▏"
        );
    }

    #[test]
    fn a_line_reaches_its_highest_mark_and_shows_whatever_is_not_nothing() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
    }
}
