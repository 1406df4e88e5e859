//! Jobs as text, each with the reason for which it waits.

use super::Printer;
use super::printer::Tone;
use super::table::Column;
use super::table::Grid;
use super::table::Text;
use super::table::always;
use super::table::from;
use super::text::age;
use super::text::or_dash;
use crate::http::dto;
use crate::model::Time;

const COLUMNS: [Column; 7] = [
    always("JOB"),
    always("REPOSITORY"),
    from(120, "WORKFLOW"),
    from(100, "RUN"),
    from(80, "QUEUED"),
    always("POOL"),
    always("WHY"),
];

/// All jobs, those that wait longest first.
pub(super) fn jobs(jobs: &[dto::Explanation], now: Time, printer: &Printer) -> String {
    let mut known: Vec<(&dto::Job, &dto::Explanation)> =
        jobs.iter().filter_map(|e| Some((e.job.as_ref()?, e))).collect();
    if known.is_empty() {
        return "No jobs wait or run, as far as the daemon has heard.".to_owned();
    }
    known.sort_by_key(|(job, _)| (job.state == "running", job.queued));
    let mut grid = Grid::new(printer, &COLUMNS);
    for (job, explanation) in known {
        grid.row([
            job.name.clone().into(),
            job.repo.clone().into(),
            job.workflow.clone().into(),
            job.run.to_string().into(),
            age(now, job.queued).into(),
            or_dash(explanation.pool.as_deref()).into(),
            Text(explanation.text.clone(), tone(explanation)),
        ]);
    }
    grid.render()
}

/// Answers, each with what it is about.
pub(super) fn explanations(answers: &[dto::Explanation], now: Time, printer: &Printer) -> String {
    let parts: Vec<String> = answers.iter().map(|answer| one(answer, now, printer)).collect();
    parts.join("\n\n")
}

fn one(answer: &dto::Explanation, now: Time, printer: &Printer) -> String {
    let mut lines = Vec::new();
    if let Some(job) = &answer.job {
        let name = printer.paint(Tone::Strong, format!("{} / {}", job.workflow, job.name));
        lines.push(format!(
            "{name} of {} (run {}), {} for {}",
            job.repo,
            job.run,
            job.state,
            age(now, job.queued)
        ));
        lines.push(format!("  labels  {}", job.labels.join(", ")));
    }
    let place = match (&answer.pool, &answer.scope) {
        (Some(pool), Some(scope)) => format!("{pool}, in {scope}"),
        (pool, _) => or_dash(pool.as_deref()).to_owned(),
    };
    lines.push(format!("  pool    {place}"));
    let why = match tone(answer) {
        Some(tone) => printer.paint(tone, &answer.text),
        None => answer.text.clone(),
    };
    lines.push(format!("  why     {why}"));
    lines.join("\n")
}

/// What goes on by itself needs nobody's eye.
fn tone(explanation: &dto::Explanation) -> Option<Tone> {
    match explanation.why.as_str() {
        "runs" | "starting" | "would_start" | "idle_runner" | "taken" => Some(Tone::Good),
        "hosted" | "github_holds" | "by_scale_set" | "in_line" => Some(Tone::Dim),
        _ => Some(Tone::Warn),
    }
}
