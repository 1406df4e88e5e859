//! The book of jobs that deliveries tell of.
//!
//! Deliveries come doubled, late, out of order, or never
//! (<https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks>). A job only ever goes forward, so the
//! furthest that was heard of it is true, in whatever order it came; what ended is remembered as long as older news of it
//! could still arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::HookEvent;
use super::event::JobNews;
use super::event::RunNews;
use super::event::Stage;
use crate::model::HookView;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Repo;
use crate::model::Time;

/// GitHub cancels a job that waited this long
/// (<https://docs.github.com/actions/reference/limits#existing-system-limits>).
const WAITS_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// A job on a runner of one's own may run this long (the same page).
const RUNS_AT_MOST: Duration = Duration::from_secs(5 * 24 * 60 * 60);
/// How long ends are told to others: longer than any look at a queue takes to arrive.
const END_IS_NEWS: Duration = Duration::from_secs(60 * 60);
/// Jobs, ends and runs that are kept, each: far more than wait anywhere, and some 10 MB.
const KEPT_AT_MOST: usize = 20_000;

/// What deliveries have told, as others see it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Heard {
    /// Jobs that wait or run.
    pub jobs: BTreeMap<JobId, HeardJob>,
    /// Jobs that ended lately, and when that was heard.
    pub done: BTreeMap<JobId, Time>,
    /// How deliveries arrive.
    pub hooks: HookView,
}

/// A job, and since when it is known to be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardJob {
    /// The job.
    pub job: Job,
    /// Which try of its run it belongs to.
    pub attempt: u64,
    /// When the last news of it came.
    pub at: Time,
}

/// The book.
#[derive(Debug, Default, Clone)]
pub struct Book {
    jobs: BTreeMap<JobId, HeardJob>,
    done: BTreeMap<JobId, Time>,
    runs: BTreeMap<u64, Run>,
    /// Names that repositories have now, by GitHub's number: deliveries that are under way name the old ones.
    moved: BTreeMap<u64, (Repo, Time)>,
    /// What an App no longer sees, by account.
    lost: BTreeMap<String, String>,
}

/// What a run's own deliveries tell of its jobs.
#[derive(Debug, Clone)]
struct Run {
    event: String,
    workflow: String,
    /// The last try that ended.
    done: u64,
    at: Time,
}

impl Book {
    /// Takes a delivery that came now.
    pub fn hear(&mut self, event: &HookEvent, now: Time) {
        match event {
            HookEvent::Job(news) => self.job(news, now),
            HookEvent::Run(news) => self.run(news, now),
            HookEvent::CheckEnded(id) => {
                // Checks of others than jobs are none of ours.
                let id = JobId::Job(*id);
                if self.jobs.contains_key(&id) {
                    self.end(id, now);
                }
            }
            HookEvent::Moved { id, from, to } => {
                self.moved.insert(*id, (to.clone(), now));
                self.rename(|repo| same(repo, from).then(|| to.clone()));
            }
            HookEvent::Gone(repo) => self.drop_jobs(|job| same(&job.repo, repo)),
            HookEvent::AccountMoved { from, to } => self.rename(|repo| {
                let ours = repo.owner().eq_ignore_ascii_case(from);
                ours.then(|| format!("{to}/{}", repo.name()).parse().ok()).flatten()
            }),
            HookEvent::AccountGone(account) => {
                self.drop_jobs(|job| job.repo.owner().eq_ignore_ascii_case(account));
            }
            HookEvent::Access { account, lost: Some(lost) } => {
                self.lost.insert(account.clone(), lost.clone());
            }
            HookEvent::Access { account, lost: None } => {
                self.lost.remove(account);
            }
            HookEvent::Ping | HookEvent::Nothing => {}
        }
        self.bound();
    }

    /// Forgets what can no longer matter.
    pub fn prune(&mut self, now: Time) {
        self.jobs.retain(|_, heard| now.since(heard.at) < longest(&heard.job.state));
        // Nothing that came later than a day after its making is taken, so older ends need not be known.
        self.done.retain(|_, at| now.since(*at) < WAITS_AT_MOST);
        self.runs.retain(|_, run| now.since(run.at) < WAITS_AT_MOST);
        self.moved.retain(|_, (_, at)| now.since(*at) < WAITS_AT_MOST);
    }

    /// What others may see, but for how deliveries arrive.
    pub fn heard(&self, now: Time) -> Heard {
        let recent = self.done.iter().filter(|(_, at)| now.since(**at) < END_IS_NEWS);
        Heard {
            jobs: self.jobs.clone(),
            done: recent.map(|(id, at)| (*id, *at)).collect(),
            hooks: HookView::default(),
        }
    }

    /// What an App no longer sees, in words.
    pub fn lost(&self) -> Option<String> {
        let all: Vec<&str> = self.lost.values().map(String::as_str).collect();
        (!all.is_empty()).then(|| format!("{}: deliveries from there stop", all.join("; ")))
    }

    fn job(&mut self, news: &JobNews, now: Time) {
        let id = JobId::Job(news.id);
        if news.stage == Stage::Done {
            return self.end(id, now);
        }
        let ended = self.done.contains_key(&id)
            || self.runs.get(&news.run).is_some_and(|run| run.done >= news.attempt);
        let old = news.created.is_some_and(|made| now.since(made) >= longest(&state(news)));
        if ended || old {
            return;
        }
        match self.jobs.get_mut(&id) {
            Some(known) => {
                let further = news.stage > stage(&known.job.state);
                let told = news.stage == Stage::Running && news.runner.is_some();
                let unnamed = matches!(known.job.state, JobState::Running { runner: None });
                if further || told && unnamed {
                    known.job.state = state(news);
                    known.at = now;
                }
            }
            None => {
                let job = self.make(news, now);
                self.jobs.insert(id, HeardJob { job, attempt: news.attempt, at: now });
            }
        }
    }

    fn make(&self, news: &JobNews, now: Time) -> Job {
        let run = self.runs.get(&news.run);
        let of_run = |part: fn(&Run) -> &String| run.map(part).cloned().unwrap_or_default();
        let workflow =
            if news.workflow.is_empty() { of_run(|run| &run.workflow) } else { news.workflow.clone() };
        Job {
            id: JobId::Job(news.id),
            run: news.run,
            repo: self.moved.get(&news.repo_id).map_or_else(|| news.repo.clone(), |(repo, _)| repo.clone()),
            workflow,
            name: news.name.clone(),
            labels: news.labels.clone(),
            event: of_run(|run| &run.event),
            branch: news.branch.clone(),
            state: state(news),
            queued: news.created.unwrap_or(now),
        }
    }

    fn run(&mut self, news: &RunNews, now: Time) {
        let done = if news.done { news.attempt } else { 0 };
        let known = self.runs.get(&news.id).map_or(0, |run| run.done);
        let run = Run {
            event: news.event.clone(),
            workflow: news.workflow.clone(),
            done: done.max(known),
            at: now,
        };
        for heard in self.jobs.values_mut().filter(|heard| heard.job.run == news.id) {
            heard.job.event.clone_from(&run.event);
            if heard.job.workflow.is_empty() {
                heard.job.workflow.clone_from(&run.workflow);
            }
        }
        // A run ends with its last job: an end of one of them got lost, if it is still here.
        let over = |heard: &&HeardJob| heard.job.run == news.id && heard.attempt <= run.done;
        let over: Vec<JobId> = self.jobs.values().filter(over).map(|heard| heard.job.id).collect();
        self.runs.insert(news.id, run);
        over.into_iter().for_each(|id| self.end(id, now));
    }

    fn end(&mut self, id: JobId, now: Time) {
        self.jobs.remove(&id);
        self.done.entry(id).or_insert(now);
    }

    fn rename(&mut self, new_name: impl Fn(&Repo) -> Option<Repo>) {
        for heard in self.jobs.values_mut() {
            if let Some(name) = new_name(&heard.job.repo) {
                heard.job.repo = name;
            }
        }
    }

    fn drop_jobs(&mut self, such: impl Fn(&Job) -> bool) {
        self.jobs.retain(|_, heard| !such(&heard.job));
    }

    /// What was heard longest ago goes when there is too much; a look at the queues knows it still.
    fn bound(&mut self) {
        forget_oldest(&mut self.jobs, |heard| heard.at);
        forget_oldest(&mut self.done, |at| *at);
        forget_oldest(&mut self.runs, |run| run.at);
        forget_oldest(&mut self.moved, |(_, at)| *at);
        while self.lost.len() > 100 {
            self.lost.pop_first();
        }
    }
}

fn forget_oldest<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, at: impl Fn(&V) -> Time) {
    if map.len() <= KEPT_AT_MOST {
        return;
    }
    // A tenth at once, so that the search is not made for each.
    let mut all: Vec<(Time, K)> = map.iter().map(|(key, value)| (at(value), *key)).collect();
    all.sort_unstable();
    for (_, key) in all.into_iter().take(KEPT_AT_MOST / 10) {
        map.remove(&key);
    }
}

/// GitHub's names differ in nothing but case only by mistake.
pub(super) fn same(one: &Repo, other: &Repo) -> bool {
    one.owner().eq_ignore_ascii_case(other.owner()) && one.name().eq_ignore_ascii_case(other.name())
}

fn state(news: &JobNews) -> JobState {
    match news.stage {
        Stage::Held => JobState::Held,
        Stage::Queued => JobState::Queued,
        Stage::Running | Stage::Done => JobState::Running { runner: news.runner.clone() },
    }
}

pub(super) fn stage(state: &JobState) -> Stage {
    match state {
        JobState::Held => Stage::Held,
        JobState::Queued => Stage::Queued,
        JobState::Running { .. } => Stage::Running,
    }
}

fn longest(state: &JobState) -> Duration {
    match state {
        JobState::Held | JobState::Queued => WAITS_AT_MOST,
        JobState::Running { .. } => RUNS_AT_MOST,
    }
}

#[cfg(test)]
mod tests;
