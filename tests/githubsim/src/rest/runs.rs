//! Workflow runs and jobs, read from the queue.

use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::number;
use super::page;
use super::reply::Reply;
use super::shape;
use super::shape::time;
use crate::clock::Moment;
use crate::world::Credential;
use crate::world::Job;
use crate::world::JobStatus;
use crate::world::Level;
use crate::world::Refusal;
use crate::world::Repository;
use crate::world::Run;
use crate::world::World;

/// A filtered listing gives no more than this.
const MOST_FILTERED: usize = 1000;

/// The one commit there is.
pub(super) const HEAD: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) fn route(world: &mut World, who: &Credential, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    if call.method == "POST" {
        return cancel(world, who, call, now);
    }
    let segments = call.segments();
    let (owner, name) = (segments[1], segments[2]);
    let repository = world.repository(owner, name)?;
    world.may_use_actions(who, repository, Level::Read)?;
    let run = |id: &str| {
        let id = number(id)?;
        world.runs.get(&id).filter(|r| r.repository == repository.id).ok_or(Refusal::NotFound)
    };
    match (call.method.as_str(), &segments[4..]) {
        ("GET", ["runs"]) => Ok(list(world, call, repository)),
        ("GET", ["runs", id]) => Ok(Reply::ok(present(world, call, repository, run(id)?))),
        ("GET", ["runs", id, "jobs"] | ["runs", id, "attempts", "1", "jobs"]) => {
            let jobs: Vec<&Job> = run(id)?.jobs.iter().filter_map(|id| world.jobs.get(id)).collect();
            Ok(page::listing(call, "jobs", &jobs, |j| shape_of_job(call, repository, world, j)))
        }
        ("GET", ["jobs", id]) => {
            let id = number(id)?;
            let job =
                world.jobs.get(&id).filter(|j| j.repository == repository.id).ok_or(Refusal::NotFound)?;
            Ok(Reply::ok(shape_of_job(call, repository, world, job)))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn cancel(world: &mut World, who: &Credential, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    let segments = call.segments();
    let repository = world.repository(segments[1], segments[2])?;
    world.may_use_actions(who, repository, Level::Write)?;
    let ["runs", id, "cancel" | "force-cancel"] = segments[4..] else {
        return Err(Refusal::NotFound);
    };
    let id = number(id)?;
    world.runs.get(&id).filter(|r| r.repository == repository.id).ok_or(Refusal::NotFound)?;
    world.cancel_run(id, now)?;
    Ok(Reply::new(202, json!({})))
}

fn list(world: &World, call: &Call, repository: &Repository) -> Reply {
    let mut runs: Vec<&Run> = world.runs.values().rev().filter(|r| r.repository == repository.id).collect();
    if let Some(status) = call.parameter("status") {
        runs.retain(|r| world.run_status(r).as_str() == status || world.run_conclusion(r) == Some(status));
    }
    for (parameter, of) in [("event", |r: &Run| r.event.clone()), ("branch", |r: &Run| r.branch.clone())]
        as [(&str, fn(&Run) -> String); 2]
    {
        if let Some(wanted) = call.parameter(parameter) {
            runs.retain(|r| of(r) == wanted);
        }
    }
    if ["status", "event", "branch"].iter().any(|p| call.parameter(p).is_some()) {
        runs.truncate(MOST_FILTERED);
    }
    page::listing(call, "workflow_runs", &runs, |r| present(world, call, repository, r))
}

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) status: JobStatus,
    pub(super) conclusion: Option<&'static str>,
}

fn present(world: &World, call: &Call, repository: &Repository, run: &Run) -> Value {
    let so = State { status: world.run_status(run), conclusion: world.run_conclusion(run) };
    shape_of_run(world, call, repository, run, so)
}

pub(super) fn shape_of_run(
    world: &World,
    call: &Call,
    repository: &Repository,
    run: &Run,
    so: State,
) -> Value {
    let base = format!("{}/repos/{}", call.api, repository.full_name());
    let url = format!("{base}/actions/runs/{}", run.id);
    json!({
        "id": run.id, "name": run.workflow, "node_id": shape::node("WFR", run.id), "check_suite_id": run.id,
        "check_suite_node_id": shape::node("CS", run.id), "head_branch": run.branch, "head_sha": HEAD,
        "path": run.path(), "run_number": run.number, "run_attempt": 1, "event": run.event,
        "display_title": run.workflow, "status": so.status.as_str(),
        "conclusion": so.conclusion, "workflow_id": repository.id, "url": url,
        "html_url": format!("{}/{}/actions/runs/{}", call.web, repository.full_name(), run.id), "pull_requests": [],
        "created_at": time(run.created.wall), "updated_at": time(run.updated.wall),
        "run_started_at": time(run.created.wall), "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{base}/check-suites/{}", run.id), "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"), "rerun_url": format!("{url}/rerun"), "previous_attempt_url": null,
        "workflow_url": format!("{base}/actions/workflows/{}", repository.id), "head_commit": null,
        "repository": shape::repository(call, world, repository),
        "head_repository": shape::repository(call, world, repository)
    })
}

pub(super) fn shape_of_job(call: &Call, repository: &Repository, world: &World, job: &Job) -> Value {
    let base = format!("{}/repos/{}", call.api, repository.full_name());
    let started = job.started.or(job.assigned).unwrap_or(job.queued);
    let run = world.runs.get(&job.run);
    json!({
        "id": job.id, "run_id": job.run, "run_url": format!("{base}/actions/runs/{}", job.run), "run_attempt": 1,
        "node_id": shape::node("CR", job.id), "head_sha": HEAD, "url": format!("{base}/actions/jobs/{}", job.id),
        "html_url": format!("{}/{}/actions/runs/{}/job/{}", call.web, repository.full_name(), job.run, job.id),
        "status": job.status.as_str(), "conclusion": job.conclusion, "created_at": time(job.queued.wall),
        "started_at": time(started.wall), "completed_at": job.completed.map(|t| time(t.wall)), "name": job.spec.name,
        "steps": [], "check_run_url": format!("{base}/check-runs/{}", job.id), "labels": job.spec.labels,
        "runner_id": job.holder.as_ref().map(|h| h.runner_id),
        "runner_name": job.holder.as_ref().map(|h| h.runner_name.clone()),
        "runner_group_id": job.holder.as_ref().map(|h| h.group_id),
        "runner_group_name": job.holder.as_ref().map(|h| h.group_name.clone()),
        "workflow_name": run.map(|r| r.workflow.clone()), "head_branch": run.map(|r| r.branch.clone())
    })
}
