//! Deliveries and looks at the queues, as one list of jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::book::Heard;
use super::book::HeardJob;
use super::book::stage;
use super::event::Stage;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Repo;
use crate::model::Time;

/// GitHub's listings are behind its deliveries by some seconds, so that a look which was asked for right after a delivery
/// may not know of it. Believing such a look would leave a job without a runner until the next one.
const LISTINGS_LAG: Duration = Duration::from_secs(15);
/// A job that is open and was made so long before a look is in it: runs that are held, the last that a look asks for, are
/// asked for each minute.
const LISTED_WITHIN: Duration = Duration::from_secs(2 * 60);

/// All jobs, each once, in the order of their ids.
///
/// A complete look at a repository's queue is the truth for its jobs whose last news is older than the look; what was
/// heard since then goes further. A repository that is not looked at has what was heard.
pub fn merge(polled: &BTreeMap<Repo, (Time, Vec<Job>)>, heard: &Heard) -> Vec<Job> {
    let looks: BTreeMap<String, Time> = polled.iter().map(|(repo, (at, _))| (key(repo), *at)).collect();
    let mut all: BTreeMap<JobId, Job> = BTreeMap::new();
    for (as_of, jobs) in polled.values() {
        for job in jobs {
            let ended = heard.done.get(&job.id).is_some_and(|at| is_newer(*at, *as_of));
            if !ended {
                let news = heard.jobs.get(&job.id).filter(|news| is_newer(news.at, *as_of));
                all.insert(job.id, further(job, news));
            }
        }
    }
    for (id, heard) in &heard.jobs {
        let looked = looks.get(&key(&heard.job.repo));
        if !all.contains_key(id) && looked.is_none_or(|as_of| may_be_missing(heard, *as_of)) {
            all.insert(*id, heard.job.clone());
        }
    }
    all.into_values().collect()
}

/// Whether a job that a look did not find may be open all the same. A delivery that was asked for again is heard now and
/// tells of what was then: of a job that ended since, and whose end arrived in its time.
fn may_be_missing(heard: &HeardJob, look: Time) -> bool {
    is_newer(heard.at, look) && heard.job.queued + LISTED_WITHIN >= look
}

/// Whether news may be missing from a look.
fn is_newer(news: Time, look: Time) -> bool {
    news + LISTINGS_LAG >= look
}

/// Names are compared without case, as GitHub does.
fn key(repo: &Repo) -> String {
    repo.to_string().to_ascii_lowercase()
}

/// The job as it was seen, or as far as it was heard to have come since. What the one does not tell the other may.
fn further(seen: &Job, news: Option<&HeardJob>) -> Job {
    let mut job = seen.clone();
    let Some(HeardJob { job: heard, .. }) = news else { return job };
    let unnamed = matches!(job.state, JobState::Running { runner: None });
    if stage(&heard.state) > stage(&job.state) || unnamed && stage(&heard.state) == Stage::Running {
        job.state.clone_from(&heard.state);
    }
    for (told, known) in [
        (&heard.event, &mut job.event),
        (&heard.branch, &mut job.branch),
        (&heard.workflow, &mut job.workflow),
    ] {
        if known.is_empty() {
            known.clone_from(told);
        }
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunnerName;

    const LOOK: Time = Time(1_700_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn job(id: u64, repo: &str, state: JobState) -> Job {
        Job {
            id: JobId::Job(id),
            run: 1,
            repo: repo.parse().unwrap(),
            workflow: String::new(),
            name: "build".to_owned(),
            labels: vec![],
            event: String::new(),
            branch: String::new(),
            state,
            queued: LOOK,
        }
    }

    fn running(runner: Option<&str>) -> JobState {
        JobState::Running { runner: runner.map(RunnerName::new) }
    }

    fn look(jobs: Vec<Job>) -> BTreeMap<Repo, (Time, Vec<Job>)> {
        BTreeMap::from([("acme/app".parse().unwrap(), (LOOK, jobs))])
    }

    fn heard(jobs: Vec<(Job, Time)>, done: &[(u64, Time)]) -> Heard {
        let entry = |(job, at): (Job, Time)| (job.id, HeardJob { job, attempt: 1, at });
        Heard {
            jobs: jobs.into_iter().map(entry).collect(),
            done: done.iter().map(|(id, at)| (JobId::Job(*id), *at)).collect(),
            ..Heard::default()
        }
    }

    fn ids(jobs: &[Job]) -> Vec<JobId> {
        jobs.iter().map(|job| job.id).collect()
    }

    #[test]
    fn a_look_is_the_truth_for_older_news() {
        let book = heard(
            vec![
                (job(1, "acme/app", JobState::Queued), LOOK - MINUTE),
                (job(2, "Acme/App", JobState::Queued), LOOK - MINUTE),
                (job(3, "acme/app", running(None)), LOOK - MINUTE),
            ],
            &[(4, LOOK - MINUTE)],
        );
        let seen = vec![
            job(1, "acme/app", JobState::Queued),
            job(3, "acme/app", JobState::Queued),
            job(4, "acme/app", JobState::Queued),
            job(5, "acme/app", JobState::Queued),
        ];
        let all = merge(&look(seen.clone()), &book);
        assert_eq!(all, seen, "2 was lost, 3 never ran, 4 never ended, 5 was not delivered");
    }

    #[test]
    fn news_after_the_look_wins() {
        let book = heard(
            vec![
                (job(1, "acme/app", running(Some("r"))), LOOK + MINUTE),
                (job(2, "acme/app", JobState::Queued), LOOK + MINUTE),
            ],
            &[(3, LOOK + MINUTE)],
        );
        let seen = vec![job(1, "acme/app", JobState::Queued), job(3, "acme/app", running(None))];
        let all = merge(&look(seen), &book);
        assert_eq!(ids(&all), [JobId::Job(1), JobId::Job(2)]);
        assert_eq!(all[0].state, running(Some("r")));
    }

    #[test]
    fn a_job_never_goes_back() {
        let late = heard(vec![(job(1, "acme/app", JobState::Queued), LOOK + MINUTE)], &[]);
        let all = merge(&look(vec![job(1, "acme/app", running(None))]), &late);
        assert_eq!(all[0].state, running(None));
    }

    #[test]
    fn a_look_that_was_asked_for_right_after_a_delivery_may_not_know_it() {
        let just = heard(
            vec![(job(1, "acme/app", JobState::Queued), LOOK - Duration::from_secs(2))],
            &[(2, LOOK - Duration::from_secs(2))],
        );
        let all = merge(&look(vec![job(2, "acme/app", running(None))]), &just);
        assert_eq!(ids(&all), [JobId::Job(1)]);
    }

    #[test]
    fn what_is_delivered_again_tells_of_no_job_that_a_look_would_have_found() {
        let (old, new) = (LOOK - 30 * MINUTE, LOOK - MINUTE);
        let told = |id, queued| Job { queued, ..job(id, "acme/app", JobState::Queued) };
        let book = heard(vec![(told(1, old), LOOK + MINUTE), (told(2, new), LOOK + MINUTE)], &[]);
        assert_eq!(ids(&merge(&look(vec![]), &book)), [JobId::Job(2)]);
        assert_eq!(ids(&merge(&BTreeMap::new(), &book)).len(), 2, "without a look both may be open");
        let still = merge(&look(vec![told(1, old)]), &book);
        assert_eq!(ids(&still), [JobId::Job(1), JobId::Job(2)]);
    }

    #[test]
    fn what_nobody_looks_at_is_as_it_was_heard() {
        let book = heard(vec![(job(1, "acme/web", JobState::Held), LOOK - 100 * MINUTE)], &[]);
        assert_eq!(ids(&merge(&look(vec![]), &book)), [JobId::Job(1)]);
        assert_eq!(merge(&BTreeMap::new(), &Heard::default()), vec![]);
    }

    #[test]
    fn each_fills_in_what_the_other_does_not_tell() {
        let told = Job { event: "push".to_owned(), ..job(1, "acme/app", running(Some("r"))) };
        let seen = Job { workflow: "CI".to_owned(), ..job(1, "acme/app", running(None)) };
        let all = merge(&look(vec![seen]), &heard(vec![(told, LOOK + MINUTE)], &[]));
        assert_eq!((all[0].event.as_str(), all[0].workflow.as_str()), ("push", "CI"));
        assert_eq!(all[0].state, running(Some("r")));
    }
}
