//! Jobs and the runners that had them, joined as both come to their end.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use super::super::output;
use super::clip;
use crate::control::Deed;
use crate::control::Snapshot;
use crate::model::Demand;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::PostMortem;
use crate::model::Scope;
use crate::model::Time;
use crate::model::Usage;
use crate::model::history::JobRecord;
use crate::model::history::JobResult;
use crate::model::history::Record;
use crate::model::history::RunnerRecord;

/// How long a job that is no longer listed, and a runner whose job nobody named, wait for one another: queues are read
/// every few seconds to a minute, and a runner takes its time to go.
const PATIENCE: Duration = Duration::from_secs(300);
/// The most jobs and runners that wait, each.
const MOST: usize = 20_000;
/// How many labels are kept of a job.
const LABELS: usize = 20;

/// What has not come to its end.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    open: BTreeMap<JobId, Open>,
    /// Jobs whose end is known from their runner, while the queue still lists them.
    closed: HashSet<JobId>,
    /// Since when runners have been in a job.
    busy: HashMap<String, Time>,
    ended: Vec<Ended>,
    /// Pools whose jobs nobody tells of.
    fixed: HashSet<String>,
}

/// A job that waits or runs.
#[derive(Debug)]
struct Open {
    job: Job,
    pool: String,
    runner: Option<String>,
    /// When it was first seen to run.
    ran: Option<Time>,
    /// Since when it is no longer listed.
    gone: Option<Time>,
}

/// A runner that is gone.
#[derive(Debug)]
struct Ended {
    gone: PostMortem,
    repo: String,
    image: Option<String>,
    busy: Option<Time>,
    used: Option<Usage>,
    heard: Time,
}

impl Jobs {
    /// Takes a runner's end.
    pub(super) fn bury(&mut self, deed: &Deed, gone: &PostMortem) {
        let container = deed.container.as_ref();
        let repo = match container.map(|container| &container.scope) {
            Some(Scope::Repository(repo)) => repo.to_string(),
            _ => deed.repo.clone(),
        };
        self.ended.push(Ended {
            gone: gone.clone(),
            repo,
            image: container.map(|container| container.image_id.to_string()),
            busy: self.busy.remove(gone.runner.as_str()),
            used: deed.used,
            heard: deed.at,
        });
    }

    /// Takes what is listed now, and gives what has come to its end.
    pub(super) fn look(&mut self, next: &Snapshot) -> Vec<Record> {
        self.update(next);
        self.settle(next.as_of)
    }

    /// Gives all that waits, as far as it is known.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        // What is still listed goes on without the daemon, and is found again by the next one.
        let end = self.ended.iter().map(|ended| ended.heard).max().unwrap_or_default();
        self.settle(end + PATIENCE + PATIENCE)
    }

    fn update(&mut self, next: &Snapshot) {
        let now = next.as_of;
        let mut listed = HashSet::new();
        for explanation in &next.jobs {
            let (Some(job), Some(pool)) = (&explanation.job, &explanation.pool) else { continue };
            listed.insert(job.id);
            if self.closed.contains(&job.id) || (self.open.len() >= MOST && !self.open.contains_key(&job.id))
            {
                continue;
            }
            let open = self.open.entry(job.id).or_insert_with(|| Open {
                job: job.clone(),
                pool: pool.to_string(),
                runner: None,
                ran: None,
                gone: None,
            });
            open.gone = None;
            if let JobState::Running { runner } = &job.state {
                open.pool = pool.to_string();
                open.ran.get_or_insert(now);
                open.runner = runner.as_ref().map(ToString::to_string).or_else(|| open.runner.take());
            }
        }
        self.closed.retain(|id| listed.contains(id));
        let gone = self.open.iter_mut().filter(|(id, _)| !listed.contains(id));
        gone.for_each(|(_, open)| open.gone = open.gone.or(Some(now)));
        self.runners(next);
    }

    /// Since when runners have been busy, and which pools' jobs nobody tells of.
    fn runners(&mut self, next: &Snapshot) {
        let fixed = next
            .pools
            .iter()
            .filter(|state| state.pool.as_ref().is_some_and(|pool| matches!(pool.demand, Demand::Fixed)));
        self.fixed = fixed.map(|state| state.report.pool.to_string()).collect();
        let there: HashSet<&str> = next.runners.iter().map(|state| state.runner.name.as_str()).collect();
        self.busy.retain(|name, _| there.contains(name.as_str()));
        for state in next.runners.iter().filter(|state| state.phase == Phase::Busy) {
            let since = state.since.unwrap_or(next.as_of);
            self.busy.entry(state.runner.name.to_string()).or_insert(since);
        }
    }

    fn settle(&mut self, now: Time) -> Vec<Record> {
        let mut records = Vec::new();
        for ended in std::mem::take(&mut self.ended) {
            let job = if ended.gone.ran_job { self.job_of(&ended) } else { None };
            let known = job.is_some() || !ended.gone.ran_job || self.fixed.contains(ended.gone.pool.as_str());
            if !known && now.since(ended.heard) < PATIENCE && self.ended.len() < MOST {
                self.ended.push(ended);
                continue;
            }
            let open = job.and_then(|id| {
                self.closed.insert(id);
                self.open.remove(&id)
            });
            if ended.gone.ran_job {
                records.push(Record::Job(Box::new(finished(open.as_ref(), &ended))));
            }
            records.push(Record::Runner(Box::new(buried(open.as_ref(), &ended))));
        }
        let waits = |open: &Open| open.gone.is_none_or(|gone| now.since(gone) < PATIENCE);
        let over: Vec<JobId> = self.open.iter().filter(|(_, open)| !waits(open)).map(|(id, _)| *id).collect();
        for id in over {
            let Some(open) = self.open.remove(&id) else { continue };
            // A runner that is still there may only be slow to go.
            match open.runner.as_ref().is_some_and(|runner| self.busy.contains_key(runner)) {
                true => drop(self.open.insert(id, open)),
                false => records.push(Record::Job(Box::new(vanished(&open)))),
            }
        }
        records
    }

    /// The job that a runner had: by the runner's name, else the oldest of that name that went without naming one.
    fn job_of(&self, ended: &Ended) -> Option<JobId> {
        let runner = ended.gone.runner.as_str();
        let named = self.open.iter().find(|(_, open)| open.runner.as_deref() == Some(runner));
        if let Some((id, _)) = named {
            return Some(*id);
        }
        let name = ended.gone.job.as_deref()?;
        let fits = |open: &&Open| {
            open.gone.is_some()
                && open.runner.is_none()
                && open.pool == ended.gone.pool.as_str()
                && open.job.name == name
                && (ended.repo.is_empty() || ended.repo.eq_ignore_ascii_case(&open.job.repo.to_string()))
        };
        self.open.values().filter(fits).min_by_key(|open| open.job.queued).map(|open| open.job.id)
    }
}

/// A job whose runner is gone.
fn finished(open: Option<&Open>, ended: &Ended) -> JobRecord {
    let told = output::read(&ended.gone.last_lines);
    let end = told.ended.unwrap_or(ended.gone.ended);
    let started = told.started.or(ended.busy).or_else(|| open.and_then(|open| open.ran));
    let result = told.result.unwrap_or(match ended.gone.exit_code {
        Some(0) if !ended.gone.oom_killed => JobResult::Unknown,
        _ => JobResult::Lost,
    });
    let runner = ended.gone.runner.to_string();
    let mut record = match open {
        Some(open) => of(open, end, result),
        None => JobRecord {
            key: format!("runner {runner}"),
            repo: clip(&ended.repo),
            run: None,
            workflow: String::new(),
            name: clip(ended.gone.job.as_deref().unwrap_or_default()),
            labels: Vec::new(),
            pool: ended.gone.pool.to_string(),
            runner: None,
            image: None,
            queued: None,
            started: None,
            ended: end,
            result,
            peak_memory: None,
            cpu_ms: None,
        },
    };
    // Clocks of runner and daemon are one machine's; GitHub's is another.
    record.started = started.map(|at| at.min(end).max(record.queued.unwrap_or_default()));
    record.ended = end.max(record.started.unwrap_or_default());
    record.runner = Some(clip(&runner));
    record.image = ended.image.clone();
    record.peak_memory = ended.used.map(|used| used.memory);
    record.cpu_ms = ended.used.map(|used| used.cpu_ms);
    record
}

/// A job that went without a runner of ours that told of it.
fn vanished(open: &Open) -> JobRecord {
    let end = open.gone.unwrap_or(open.job.queued);
    let result = if open.ran.is_some() { JobResult::Unknown } else { JobResult::NeverRan };
    let mut record = of(open, end, result);
    record.started = open.ran;
    record.runner = open.runner.as_deref().map(clip);
    record
}

fn of(open: &Open, ended: Time, result: JobResult) -> JobRecord {
    let job = &open.job;
    JobRecord {
        key: match job.id {
            JobId::Job(id) => format!("job {id}"),
            // Sets of different places number requests each for itself.
            JobId::Request(id) => format!("request {id} of {}", open.pool),
        },
        repo: clip(&job.repo.to_string()),
        run: Some(job.run).filter(|run| *run > 0),
        workflow: clip(&job.workflow),
        name: clip(&job.name),
        labels: job.labels.iter().take(LABELS).map(|label| clip(label)).collect(),
        pool: open.pool.clone(),
        runner: None,
        image: None,
        queued: Some(job.queued),
        started: None,
        ended,
        result,
        peak_memory: None,
        cpu_ms: None,
    }
}

fn buried(open: Option<&Open>, ended: &Ended) -> RunnerRecord {
    let gone = &ended.gone;
    let told = output::read(&gone.last_lines);
    let started = told.started.or(ended.busy).or_else(|| open.and_then(|open| open.ran));
    RunnerRecord {
        pool: gone.pool.to_string(),
        runner: clip(gone.runner.as_str()),
        repo: open.map_or_else(|| clip(&ended.repo), |open| clip(&open.job.repo.to_string())),
        image: ended.image.clone(),
        created: gone.created,
        started: started
            .filter(|_| gone.ran_job)
            .map(|at| at.clamp(gone.created, gone.ended.max(gone.created))),
        ended: gone.ended,
        exit_code: gone.exit_code,
        oom_killed: gone.oom_killed,
        ran_job: gone.ran_job,
        job: gone.job.as_deref().map(clip),
        verdict: clip(&gone.verdict),
        last_lines: gone.last_lines.iter().map(|line| clip(line)).collect(),
    }
}
