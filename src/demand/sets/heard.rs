//! Jobs as a scale set's messages told of them. Messages come again, late, and not all of them after a restart: GitHub's
//! count says how many jobs there are, and this says which, as far as it is known.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::github::SetNews;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::SetStatistics;
use crate::model::Time;

/// How many messages are remembered as handled. What was not acknowledged comes again soon or not at all.
const REMEMBERED: usize = 64;
/// GitHub takes an assignment back after minutes and makes another: a job without news for this long, in excess of
/// GitHub's count, is one whose end was not told.
const STALE: Duration = Duration::from_secs(30 * 60);
/// GitHub ends a job after five days.
const LONGEST_JOB: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// What messages told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    jobs: BTreeMap<JobId, Known>,
    handled: VecDeque<i64>,
    /// Whether all jobs that GitHub counts must be among these: there was a moment without any, and none was missed since.
    whole: bool,
}

#[derive(Debug)]
struct Known {
    job: Job,
    /// When it was last heard of.
    at: Time,
}

impl Heard {
    /// Whether a message was handled before.
    pub(super) fn knows(&self, message: i64) -> bool {
        self.handled.contains(&message)
    }

    /// Takes a message's news; those that are only offered count when they are `taken`.
    pub(super) fn take(&mut self, message: i64, news: &[SetNews], taken: &[JobId], now: Time) {
        if self.knows(message) {
            return;
        }
        for one in news {
            match one {
                SetNews::Available(job) if !taken.contains(&job.id) => {}
                SetNews::Available(job) | SetNews::Assigned(job) => self.waits(job, now),
                SetNews::Started(job) => self.put(job, now),
                SetNews::Completed { id, .. } => drop(self.jobs.remove(id)),
            }
        }
        self.handled.push_back(message);
        if self.handled.len() > REMEMBERED {
            self.handled.pop_front();
        }
    }

    /// Takes jobs that were taken from the list of offers.
    pub(super) fn offered(&mut self, jobs: &[Job], taken: &[JobId], now: Time) {
        for job in jobs.iter().filter(|job| taken.contains(&job.id)) {
            self.waits(job, now);
        }
    }

    /// A job that waits; one that is known to run does not wait again.
    fn waits(&mut self, job: &Job, now: Time) {
        let runs = |known: &Known| matches!(known.job.state, JobState::Running { .. });
        if !self.jobs.get(&job.id).is_some_and(runs) {
            self.put(job, now);
        }
    }

    fn put(&mut self, job: &Job, now: Time) {
        self.jobs.insert(job.id, Known { job: job.clone(), at: now });
    }

    /// Holds what is known against GitHub's count, and drops what must be over.
    pub(super) fn compare(&mut self, count: &SetStatistics, now: Time) {
        self.jobs.retain(|_, known| now.since(known.at) < LONGEST_JOB);
        let excess = self.jobs.len().saturating_sub(count.assigned as usize);
        let mut stale: Vec<(Time, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, known)| now.since(known.at) >= STALE)
            // What runs is believed for as long as any of the set's runners is in a job.
            .filter(|(_, known)| known.job.state == JobState::Queued || count.busy == 0 && count.running == 0)
            .map(|(id, known)| (known.at, *id))
            .collect();
        stale.sort_unstable();
        for (_, id) in stale.into_iter().take(excess) {
            self.jobs.remove(&id);
        }
        if count.assigned == 0 && self.jobs.is_empty() {
            self.whole = true;
        }
    }

    /// The jobs, in the order of their ids.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|known| &known.job)
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether none can be missing.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::RunnerName;

    pub(in super::super) fn job(id: i64) -> Job {
        Job {
            id: JobId::Request(id),
            run: 1,
            repo: "acme/app".parse().unwrap(),
            workflow: "ci.yml".into(),
            name: "test".into(),
            labels: vec!["build".into()],
            event: "push".into(),
            branch: "main".into(),
            state: JobState::Queued,
            queued: Time(0),
        }
    }

    pub(in super::super) fn started(id: i64) -> SetNews {
        SetNews::Started(Job { state: JobState::Running { runner: Some(RunnerName::new("r")) }, ..job(id) })
    }

    pub(in super::super) fn completed(id: i64) -> SetNews {
        SetNews::Completed { id: JobId::Request(id), runner: None, result: "canceled".into() }
    }

    fn told(heard: &Heard) -> Vec<(String, bool)> {
        heard.jobs().map(|j| (j.id.to_string(), j.state == JobState::Queued)).collect()
    }

    fn minutes(n: u64) -> Time {
        Time::from_secs(n * 60)
    }

    #[test]
    fn jobs_wait_run_and_end() {
        let mut heard = Heard::default();
        let offers = [SetNews::Available(job(1)), SetNews::Available(job(2)), SetNews::Assigned(job(3))];
        heard.take(1, &offers, &[JobId::Request(2)], Time(0));
        assert_eq!(told(&heard), [("request 2".into(), true), ("request 3".into(), true)]);
        heard.take(2, &[started(3), completed(2), started(4)], &[], Time(0));
        assert_eq!(told(&heard), [("request 3".into(), false), ("request 4".into(), false)]);
        heard.take(3, &[SetNews::Assigned(job(3)), completed(9)], &[], Time(0));
        assert_eq!(told(&heard)[0], ("request 3".into(), false), "it does not wait again");
    }

    #[test]
    fn a_message_that_comes_twice_changes_nothing() {
        let mut heard = Heard::default();
        heard.take(1, &[SetNews::Assigned(job(1))], &[], Time(0));
        heard.take(2, &[started(1), completed(1)], &[], Time(0));
        heard.take(1, &[SetNews::Assigned(job(1))], &[], Time(0));
        assert_eq!(heard.len(), 0);
        assert!(heard.knows(1) && !heard.knows(3));
        for id in 3..1000 {
            heard.take(id, &[], &[], Time(0));
        }
        assert!(heard.handled.len() <= REMEMBERED);
    }

    #[test]
    fn an_assignment_that_is_taken_back_and_made_again_waits_again() {
        let mut heard = Heard::default();
        heard.take(1, &[SetNews::Assigned(job(1))], &[], Time(0));
        heard.take(2, &[completed(1)], &[], Time(0));
        heard.take(3, &[SetNews::Assigned(job(1))], &[], Time(0));
        assert_eq!(heard.len(), 1);
    }

    #[test]
    fn what_github_does_not_count_is_dropped_in_the_end_and_no_more_than_that() {
        let mut heard = Heard::default();
        heard.take(1, &[SetNews::Assigned(job(1)), SetNews::Assigned(job(2)), started(3)], &[], minutes(0));
        heard.take(2, &[SetNews::Assigned(job(4))], &[], minutes(20));
        let count =
            |assigned, busy| SetStatistics { assigned, busy, running: busy, ..SetStatistics::default() };
        heard.compare(&count(0, 1), minutes(29));
        assert_eq!(heard.len(), 4, "there may be news yet");
        heard.compare(&count(3, 1), minutes(31));
        assert_eq!(heard.len(), 3, "one is in excess");
        heard.compare(&count(0, 1), minutes(31));
        assert_eq!(told(&heard), [("request 3".into(), false), ("request 4".into(), true)]);
        heard.compare(&count(0, 0), minutes(40));
        assert_eq!(told(&heard), [("request 4".into(), true)]);
        heard.take(3, &[started(5)], &[], minutes(40));
        heard.compare(&count(9, 9), minutes(7 * 24 * 60));
        assert_eq!(heard.len(), 0, "no job takes a week");
    }

    #[test]
    fn nothing_is_missing_once_there_was_nothing() {
        let mut heard = Heard::default();
        let count = |assigned| SetStatistics { assigned, ..SetStatistics::default() };
        heard.compare(&count(3), Time(0));
        assert!(!heard.is_whole());
        heard.compare(&count(0), Time(0));
        heard.take(1, &[SetNews::Assigned(job(1))], &[], Time(0));
        heard.compare(&count(1), Time(0));
        assert!(heard.is_whole());
    }
}
