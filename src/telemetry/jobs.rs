//! A job's life as one trace. Its parts have the names of the steps that `ghrunner_startup_duration_seconds` counts.

use super::ids;
use super::ids::Place;
use super::lives::Life;
use super::span::Attributes;
use super::span::Span;
use crate::model::Time;
use crate::model::history::JobRecord;
use crate::model::history::JobResult;

/// What a job's spans are made of.
#[derive(Debug)]
pub(super) struct Told<'a> {
    /// The installation.
    pub(super) instance: &'a str,
    /// GitHub's address.
    pub(super) github: &'a str,
    /// The job.
    pub(super) job: &'a JobRecord,
    /// Its runner, as far as that was seen.
    pub(super) life: Option<&'a Life>,
}

/// The job from its queueing to its end, and the parts of that.
pub(super) fn job(told: &Told<'_>) -> Vec<Span> {
    let job = told.job;
    let place = ids::job(told.instance, &job.key);
    let began = job.queued.or(job.started).unwrap_or(job.ended);
    let name = if job.name.is_empty() { "job" } else { &job.name };
    let mut root = Span::new(place, None, name, (began, job.ended));
    about_job(&mut root.attributes, told);
    about_worker(&mut root.attributes, job, told.life);
    let result = job.result.word();
    root.attributes.text("ghrunner.job.result", result);
    if let Some(word) = conventional(job.result) {
        root.attributes.text("cicd.pipeline.task.run.result", word);
    }
    if matches!(job.result, JobResult::Failed | JobResult::Lost) {
        root.attributes.text("error.type", result);
        root.fail(if job.result == JobResult::Lost { "its runner ended before it did" } else { "it failed" });
    }
    let mut spans = parts(place, job, told.life, began);
    spans.insert(0, root);
    spans
}

/// The words of OpenTelemetry's conventions; none for what has no word there.
fn conventional(result: JobResult) -> Option<&'static str> {
    match result {
        JobResult::Succeeded => Some("success"),
        JobResult::Failed => Some("failure"),
        JobResult::Cancelled => Some("cancellation"),
        JobResult::Lost => Some("error"),
        JobResult::NeverRan => Some("skip"),
        JobResult::Unknown => None,
    }
}

fn about_job(attributes: &mut Attributes, told: &Told<'_>) {
    let Told { job, github, .. } = told;
    attributes.text("cicd.pipeline.name", &job.workflow).text("cicd.pipeline.task.name", &job.name);
    let (owner, name) = job.repo.split_once('/').unwrap_or(("", ""));
    attributes.text("vcs.owner.name", owner).text("vcs.repository.name", name);
    let home =
        if github.is_empty() || name.is_empty() { String::new() } else { format!("{github}/{}", job.repo) };
    attributes.text("vcs.repository.url.full", &home);
    if let Some(run) = job.run {
        attributes.text("cicd.pipeline.run.id", run.to_string());
        let id = job.key.strip_prefix("job ");
        attributes.text("cicd.pipeline.task.run.id", id.unwrap_or(&job.key));
        if !home.is_empty() {
            attributes.text("cicd.pipeline.run.url.full", format!("{home}/actions/runs/{run}"));
            if let Some(id) = id {
                let url = format!("{home}/actions/runs/{run}/job/{id}");
                attributes.text("cicd.pipeline.task.run.url.full", url);
            }
        }
    }
    attributes.text("ghrunner.pool", &job.pool).texts("ghrunner.job.labels", &job.labels);
    attributes.known("ghrunner.job.peak_memory", job.peak_memory).known("ghrunner.job.cpu_ms", job.cpu_ms);
}

fn about_worker(attributes: &mut Attributes, job: &JobRecord, life: Option<&Life>) {
    let Some(runner) = &job.runner else { return };
    attributes.text("cicd.worker.name", runner);
    attributes.text("container.image.id", job.image.as_deref().unwrap_or_default());
    let Some(life) = life else { return };
    if let Some(number) = life.number {
        attributes.text("cicd.worker.id", number.to_string());
    }
    attributes.text("container.id", &life.container).text("container.name", &life.container_name);
}

/// Each step from the one before it. What was there before the job is no step of its life: a runner that waited for it.
fn parts(root: Place, job: &JobRecord, life: Option<&Life>, began: Time) -> Vec<Span> {
    let Some(taken) = job.started else { return Vec::new() };
    let known = life.cloned().unwrap_or_default();
    let mut at = began;
    let mut parts = Vec::new();
    let mut step = |name: &'static str, moment: Option<Time>| {
        let moment = moment.filter(|moment| *moment > began).map(|moment| moment.clamp(at, taken.max(at)));
        let Some(moment) = moment else { return };
        let place = Place { trace: root.trace, span: ids::part(root, name) };
        parts.push(Span::new(place, Some(root.span), name, (at, moment)));
        at = moment;
    };
    step("planned", known.planned.map(|(at, _)| at));
    step("created", known.created);
    step("online", known.online);
    let waited = !parts_have(&parts, "created");
    let mut last = |name: &'static str, (from, to): (Time, Time)| {
        let place = Place { trace: root.trace, span: ids::part(root, name) };
        parts.push(Span::new(place, Some(root.span), name, (from, to)));
    };
    last("taken", (at.min(taken), taken));
    last("run", (taken, job.ended));
    if let Some(gone) = known.gone {
        last("removed", (job.ended, gone));
    }
    for part in &mut parts {
        match part.name.as_str() {
            "planned" => part.attributes.text("ghrunner.reason", &known.reason),
            "taken" => part.attributes.flag("ghrunner.runner.waited", waited),
            _ => &mut part.attributes,
        };
        // The start was decided in a pass, which is a trace of its own.
        if part.name == "created" {
            part.link = known.planned.map(|(_, pass)| pass);
        }
        about_worker(&mut part.attributes, job, life);
    }
    parts
}

fn parts_have(parts: &[Span], name: &str) -> bool {
    parts.iter().any(|part| part.name == name)
}
