//! The sources together: one view, whichever of them spoke last.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Heard;
use super::Polled;
use super::Sets;
use super::merge;
use crate::model::DemandView;
use crate::model::Job;
use crate::model::JobState;
use crate::model::Repo;
use crate::model::RepoView;
use crate::model::Time;

/// What each source knows.
#[derive(Debug)]
pub struct Hub {
    /// The queues that were read.
    pub polled: watch::Receiver<Arc<Polled>>,
    /// What deliveries told.
    pub heard: watch::Receiver<Arc<Heard>>,
    /// What scale sets told.
    pub sets: watch::Receiver<Arc<Sets>>,
}

impl Hub {
    /// Publishes the joined view whenever a source has something new, until it is stopped.
    pub async fn run(mut self, view: watch::Sender<Arc<DemandView>>, stop: CancellationToken) {
        loop {
            let joined = join(
                &self.polled.borrow_and_update().clone(),
                &self.heard.borrow_and_update().clone(),
                &self.sets.borrow_and_update().clone(),
            );
            view.send_if_modified(|before| {
                let new = **before != joined;
                if new {
                    *before = Arc::new(joined);
                }
                new
            });
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.polled.changed() => {}
                Ok(()) = self.heard.changed() => {}
                Ok(()) = self.sets.changed() => {}
                else => return,
            }
        }
    }
}

/// One view of what all sources know. Reading a queue corrects what deliveries told.
fn join(polled: &Polled, heard: &Heard, sets: &Sets) -> DemandView {
    let looks: BTreeMap<Repo, (Time, Vec<Job>)> = polled
        .repos
        .iter()
        .filter_map(|(repo, read)| Some((repo.clone(), (read.as_of?, read.jobs.clone()))))
        .collect();
    let mut jobs = merge(&looks, heard);
    give(&mut jobs, sets.jobs.iter().map(|(.., job)| job.clone()));
    jobs.sort_by_key(|job| job.id);
    let view = |read: &super::RepoRead| RepoView { as_of: read.as_of, error: read.error.clone() };
    DemandView {
        jobs,
        repos: polled.repos.iter().map(|(repo, read)| (repo.clone(), view(read))).collect(),
        accounts: polled.accounts.clone(),
        given: sets.jobs.iter().map(|(pool, scope, job)| (job.id, pool.clone(), scope.clone())).collect(),
        sets: sets.sets.clone(),
        hooks: heard.hooks.clone(),
    }
}

/// Puts the jobs that scale sets told of in the place of those that a queue or a delivery told of as well. Messages number
/// jobs in a way of their own, so a job is known by its run and name; of equal ones each stands for one.
fn give(jobs: &mut Vec<Job>, told: impl Iterator<Item = Job>) {
    let known_by = |job: &Job| (job.repo.clone(), job.run, job.name.clone());
    let mut twins: HashMap<(Repo, u64, String), Vec<usize>> = HashMap::new();
    for (at, job) in jobs.iter().enumerate().rev() {
        twins.entry(known_by(job)).or_default().push(at);
    }
    for mut job in told {
        match twins.get_mut(&known_by(&job)).and_then(Vec::pop) {
            None => jobs.push(job),
            Some(at) => {
                // That a runner has it may be heard from either first.
                if matches!(jobs[at].state, JobState::Running { .. }) && job.state == JobState::Queued {
                    job.state = jobs[at].state.clone();
                }
                jobs[at] = job;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobId;

    fn job(id: JobId, name: &str, state: JobState) -> Job {
        Job {
            id,
            run: 7,
            repo: "acme/app".parse().unwrap(),
            workflow: "ci".into(),
            name: name.into(),
            labels: vec!["build".into()],
            event: "push".into(),
            branch: "main".into(),
            state,
            queued: Time::from_secs(1),
        }
    }

    #[test]
    fn a_job_of_which_two_sources_tell_stands_once() {
        let running = || JobState::Running { runner: None };
        let mut jobs = vec![
            job(JobId::Job(1), "test", JobState::Queued),
            job(JobId::Job(2), "test", running()),
            job(JobId::Job(3), "lint", JobState::Queued),
        ];
        let told = [
            job(JobId::Request(10), "test", running()),
            job(JobId::Request(11), "test", JobState::Queued),
            job(JobId::Request(12), "test", JobState::Queued),
            job(JobId::Request(13), "docs", JobState::Queued),
        ];
        give(&mut jobs, told.into_iter());
        let known: Vec<_> = jobs.iter().map(|job| (job.id, job.state == JobState::Queued)).collect();
        assert_eq!(
            known,
            [
                (JobId::Request(10), false),
                (JobId::Request(11), false),
                (JobId::Job(3), true),
                (JobId::Request(12), true),
                (JobId::Request(13), true)
            ]
        );
    }
}
