//! What tests look at: jobs, runners and counters as plain data.

use serde::Serialize;

use super::Counters;
use super::Job;
use super::JobStatus;
use super::Runner;
use super::ScaleSet;
use super::Scope;
use super::World;
use crate::clock::Moment;
use crate::clock::rfc3339;

/// Everything at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Numbers.
    pub counters: Counters,
    /// Jobs, oldest first.
    pub jobs: Vec<JobView>,
    /// Registered runners, oldest first.
    pub runners: Vec<RunnerView>,
    /// Scale sets, oldest first.
    pub scale_sets: Vec<ScaleSetView>,
}

/// One job.
#[derive(Debug, Clone, Serialize)]
pub struct JobView {
    /// Job id.
    pub id: u64,
    /// Run id.
    pub run: u64,
    /// `owner/name`.
    pub repository: String,
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub status: JobStatus,
    /// What it came to.
    pub conclusion: Option<&'static str>,
    /// Whether its runner died in it.
    pub lost: bool,
    /// Who has, or had, it.
    pub runner: Option<String>,
    /// That runner's id.
    pub runner_id: Option<u64>,
    /// The scale set that has, or had, it.
    pub scale_set: Option<u64>,
    /// How often it was taken back from a scale set.
    pub withdrawn: u32,
    /// Milliseconds from the simulator's start to its queueing.
    pub queued_ms: u64,
    /// … to its assignment.
    pub assigned_ms: Option<u64>,
    /// … to its runner's start of it.
    pub started_ms: Option<u64>,
    /// … to its end.
    pub completed_ms: Option<u64>,
}

/// One registered runner.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerView {
    /// Runner id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `org:LOGIN`, `repo:OWNER/NAME` or `enterprise:SLUG`.
    pub scope: String,
    /// Its group.
    pub group: u64,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether GitHub shows it as online.
    pub online: bool,
    /// Whether it has a job.
    pub busy: bool,
    /// That job.
    pub job: Option<u64>,
    /// Whether it serves one job only.
    pub ephemeral: bool,
    /// The scale set it belongs to.
    pub scale_set: Option<u64>,
    /// Whether its registration has been used.
    pub used: bool,
    /// When it was registered.
    pub registered: String,
}

/// One scale set.
#[derive(Debug, Clone, Serialize)]
pub struct ScaleSetView {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: u64,
    /// Its labels.
    pub labels: Vec<String>,
    /// Who has its session, if there is one.
    pub session_owner: Option<String>,
    /// The session's id.
    pub session_id: Option<String>,
    /// What that client last said it can run.
    pub capacity: Option<u64>,
    /// Jobs it has, running ones included.
    pub assigned: u64,
    /// Of those, the ones that run.
    pub running: u64,
    /// Jobs offered and not acquired.
    pub available: u64,
    /// Messages that were read or wait to be, and were not deleted.
    pub messages: usize,
}

/// One webhook.
#[derive(Debug, Clone, Serialize)]
pub struct HookView {
    /// Its id.
    pub id: u64,
    /// Where it delivers.
    pub url: String,
    /// What it hears of.
    pub events: Vec<String>,
    /// What was tried to deliver, oldest first.
    pub deliveries: Vec<DeliveryView>,
}

/// One delivery.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// Its id.
    pub id: u64,
    /// The event's guid.
    pub guid: String,
    /// The event.
    pub event: &'static str,
    /// The event's action.
    pub action: Option<&'static str>,
    /// How the receiver answered; 502 and 504 may be made up.
    pub code: u16,
    /// Whether it was asked for again.
    pub redelivery: bool,
}

fn millis(at: Moment) -> u64 {
    u64::try_from(at.up.as_millis()).unwrap_or(u64::MAX)
}

impl World {
    /// Everything at one moment.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        Snapshot {
            counters: self.counters(),
            jobs: self.jobs.values().map(|j| self.job_view(j)).collect(),
            runners: self.runners.values().map(|r| self.runner_view(r, now)).collect(),
            scale_sets: self.scale_sets.values().map(|s| self.set_view(s, now)).collect(),
        }
    }

    fn job_view(&self, job: &Job) -> JobView {
        JobView {
            id: job.id,
            run: job.run,
            repository: self
                .repository_by_id(job.repository)
                .map_or_else(String::new, super::Repository::full_name),
            name: job.spec.name.clone(),
            status: job.status,
            conclusion: job.conclusion,
            lost: job.lost,
            runner: job.holder.as_ref().map(|h| h.runner_name.clone()),
            runner_id: job.holder.as_ref().map(|h| h.runner_id),
            scale_set: job.placement.as_ref().map(|p| p.set),
            withdrawn: job.withdrawn,
            queued_ms: millis(job.queued),
            assigned_ms: job.assigned.map(millis),
            started_ms: job.started.map(millis),
            completed_ms: job.completed.map(millis),
        }
    }

    fn runner_view(&self, runner: &Runner, now: Moment) -> RunnerView {
        let login = |id| self.account_by_id(id).map_or_else(String::new, |a| a.login.clone());
        let scope = match runner.scope {
            Scope::Organization(id) => format!("org:{}", login(id)),
            Scope::Enterprise(id) => format!("enterprise:{}", login(id)),
            Scope::Repository(id) => {
                let name = self.repository_by_id(id).map_or_else(String::new, super::Repository::full_name);
                format!("repo:{name}")
            }
        };
        RunnerView {
            id: runner.id,
            name: runner.name.clone(),
            scope,
            group: runner.group,
            labels: runner.labels.clone(),
            online: self.is_online(runner, now),
            busy: runner.job.is_some(),
            job: runner.job,
            ephemeral: runner.ephemeral,
            scale_set: runner.scale_set,
            used: runner.used,
            registered: rfc3339(runner.registered.wall),
        }
    }

    fn set_view(&self, set: &ScaleSet, now: Moment) -> ScaleSetView {
        let numbers = self.statistics(set, now);
        let session = set.session.as_ref();
        ScaleSetView {
            id: set.id,
            name: set.name.clone(),
            group: set.group,
            labels: set.labels.iter().map(|l| l.name.clone()).collect(),
            session_owner: session.map(|s| s.owner.clone()),
            session_id: session.map(|s| s.id.clone()),
            capacity: session.and_then(|s| s.capacity),
            assigned: numbers.total_assigned_jobs,
            running: numbers.total_running_jobs,
            available: numbers.total_available_jobs,
            messages: set.stored.len() + usize::from(!set.pending.is_empty()),
        }
    }

    /// The webhooks, with what became of their deliveries.
    #[must_use]
    pub fn hook_views(&self) -> Vec<HookView> {
        let delivery = |d: &super::Delivery| DeliveryView {
            id: d.id,
            guid: d.parcel.guid.clone(),
            event: d.parcel.event,
            action: d.parcel.action,
            code: d.code,
            redelivery: d.redelivery,
        };
        let view = |h: &super::Hook| HookView {
            id: h.id,
            url: h.url.clone(),
            events: h.events.clone(),
            deliveries: h.deliveries.iter().map(delivery).collect(),
        };
        self.hooks.iter().map(view).collect()
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: u64) -> Option<JobView> {
        self.jobs.get(&id).map(|j| self.job_view(j))
    }
}
