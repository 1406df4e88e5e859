//! What a scale set is told about its jobs.

use std::time::SystemTime;

use serde_json::Value;
use serde_json::json;

use super::Placement;
use crate::clock::Moment;
use crate::world::Job;
use crate::world::JobStatus;
use crate::world::World;

/// Request ids are another count than job ids: nothing may take the one for the other.
const REQUESTS_FROM: u64 = 7_000_000;

/// How .NET writes a time that is not set.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn time(at: Option<SystemTime>) -> String {
    match at {
        None => NEVER.into(),
        // Seven digits of the second, as .NET has them.
        Some(at) => format!("{:.27}Z", humantime::format_rfc3339_nanos(at).to_string()),
    }
}

impl Job {
    /// The id by which the Actions service knows the job.
    pub(crate) fn request_id(&self) -> u64 {
        REQUESTS_FROM + self.id
    }

    fn guid(&self) -> String {
        format!("{:08x}-51b8-5e5a-9d5c-{:012x}", self.run, self.id)
    }
}

impl World {
    /// A job as the service's messages and listings describe it.
    pub(crate) fn job_message(&self, job: &Job, kind: &str, now: Option<Moment>) -> Value {
        let repository = self.repository_by_id(job.repository);
        let (owner, name) = repository.map_or(("", ""), |r| (r.owner_login.as_str(), r.name.as_str()));
        let run = self.runs.get(&job.run);
        let (path, branch) = run.map_or_else(Default::default, |r| (r.path(), r.branch.clone()));
        let placed = job.placement.as_ref().map(|p: &Placement| p.since.wall);
        let mut out = json!({
            "messageType": kind,
            "runnerRequestId": job.request_id(),
            "repositoryName": name,
            "ownerName": owner,
            "jobId": job.guid(),
            "jobWorkflowRef": format!("{owner}/{name}/{path}@refs/heads/{branch}"),
            "jobDisplayName": job.spec.name,
            "workflowRunId": job.run,
            "eventName": job.spec.event,
            "requestLabels": job.spec.labels,
            "queueTime": time(Some(job.queued.wall)),
            "scaleSetAssignTime": time(placed),
            "runnerAssignTime": time(job.assigned.map(|at| at.wall)),
            "finishTime": time(now.map(|at| at.wall))
        });
        let holder = job.holder.as_ref();
        if let Value::Object(out) = &mut out
            && matches!(kind, "JobStarted" | "JobCompleted")
        {
            out.insert("runnerId".into(), holder.map_or(0, |h| h.runner_id).into());
            out.insert("runnerName".into(), holder.map_or("", |h| h.runner_name.as_str()).into());
        }
        out
    }

    /// Puts a message about a job into a set's queue.
    pub(super) fn tell_set(&mut self, set: u64, job: u64, kind: &str, result: Option<(&str, Moment)>) {
        let Some(found) = self.jobs.get(&job) else {
            return;
        };
        let mut told = self.job_message(found, kind, result.map(|(_, at)| at));
        if let (Some((result, _)), Value::Object(told)) = (result, &mut told) {
            told.insert("result".into(), result.into());
        }
        if let Some(set) = self.scale_sets.get_mut(&set) {
            set.pending.push_back(told);
        }
    }

    /// Tells a job's set that one of its runners has started it.
    pub(crate) fn tell_started(&mut self, job: u64) {
        if let Some(set) = self.set_of(job) {
            self.tell_set(set, job, "JobStarted", None);
        }
    }

    /// Tells a job's set, once, that it is over.
    pub(crate) fn tell_completed(&mut self, job: u64, result: &str, now: Moment) {
        let Some(set) = self.set_of(job) else {
            return;
        };
        let told = self.jobs.get_mut(&job).map(|j| std::mem::replace(&mut j.completion_told, true));
        if told == Some(false) {
            self.tell_set(set, job, "JobCompleted", Some((result, now)));
        }
    }

    /// Tells a set that its running jobs are over while they are not, as the service has done.
    pub(crate) fn tell_completed_early(&mut self, set: u64, now: Moment) {
        let running = |j: &&Job| j.status == JobStatus::InProgress && j.started.is_some();
        let jobs: Vec<u64> = self.jobs_of_set(set).filter(running).map(|j| j.id).collect();
        for job in jobs {
            self.tell_completed(job, "succeeded", now);
        }
    }

    fn set_of(&self, job: u64) -> Option<u64> {
        Some(self.jobs.get(&job)?.placement.as_ref()?.set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seven_digits() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(1_700_000_000_123_456_700);
        assert_eq!(time(Some(at)), "2023-11-14T22:13:20.1234567Z");
        assert_eq!(time(None), NEVER);
    }
}
