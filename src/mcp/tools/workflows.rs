//! `runner_list_workflows`: the queues, repository by repository.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::explain::Explained;
use crate::http::dto;
use crate::http::dto::Timestamp;
use crate::mcp::cut::Part;
use crate::mcp::door::Looker;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;

/// Whether a job waits.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// GitHub itself holds it: an approval, a concurrency group.
    Held,
    /// It waits for a runner.
    Queued,
    /// A runner has it.
    Running,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Running => "running",
        }
    }
}

/// Which jobs are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Only jobs of this repository, `owner/name`.
    repository: Option<String>,
    /// Only jobs that this pool serves.
    pool: Option<String>,
    /// Only jobs in this state.
    state: Option<State>,
    /// How many jobs at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
}

/// Jobs that wait and run, repository by repository.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Queues {
    /// How many of the jobs that were asked for wait for a runner.
    queued: usize,
    /// How many of them run.
    running: usize,
    /// How many of them GitHub itself holds.
    held: usize,
    /// How many of those that wait do so for which reason.
    reasons: BTreeMap<String, usize>,
    /// The repositories of the jobs in this part.
    repositories: Vec<Queue>,
    /// What to give as `after` for more jobs; null if these are the last.
    next: Option<String>,
}

/// One repository's jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Queue {
    /// `owner/name`.
    repository: String,
    /// How many of its jobs wait for a runner, those in other parts included.
    queued: usize,
    /// How many run.
    running: usize,
    /// Since when the one waits that has waited longest.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    oldest: Option<Timestamp>,
    /// Its jobs in this part, those that come first first.
    jobs: Vec<Explained>,
}

/// The queues.
pub(super) struct ListWorkflows;

impl Tool for ListWorkflows {
    const NAME: &'static str = "runner_list_workflows";
    const TITLE: &'static str = "Queues of workflow jobs";
    const DESCRIPTION: &'static str = "Workflow jobs that wait for a runner, run, or are held by GitHub, repository by repository, \
        each waiting one with the reason why it waits (why: a stable word; text: what it means). Known are the jobs that the \
        pools' sources of demand have told of: those of a pool with fixed demand are not among them.";
    type Ask = Ask;
    type Answer = Queues;
}

impl Looks for ListWorkflows {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Queues> {
        let all: Vec<dto::Explanation> = api.list("/api/v1/jobs").await?;
        let mut jobs: Vec<dto::Explanation> = all.into_iter().filter(|job| ask.wants(job)).collect();
        // Stable: within a repository those stay first that come first.
        jobs.sort_by(|a, b| repository(a).cmp(repository(b)));
        let count = |state: State| jobs.iter().filter(|job| is(job, state)).count();
        let (queued, running, held) = (count(State::Queued), count(State::Running), count(State::Held));
        let (reasons, totals) = (reasons(&jobs), totals(&jobs));
        let part = Part { limit: ask.limit, after: ask.after };
        let (jobs, next) = part.of(jobs, key)?;
        let mut repositories: Vec<Queue> = Vec::new();
        for job in jobs {
            let name = repository(&job);
            match repositories.last_mut() {
                Some(queue) if queue.repository == name => queue.jobs.push(job.into()),
                _ => {
                    let mut queue =
                        totals.get(name).map_or_else(|| Queue::of(name), |total| total.clone().queue(name));
                    queue.jobs.push(job.into());
                    repositories.push(queue);
                }
            }
        }
        Ok(Queues { queued, running, held, reasons, repositories, next })
    }
}

/// What a repository's jobs come to.
#[derive(Debug, Clone, Default)]
struct Total {
    queued: usize,
    running: usize,
    oldest: Option<Timestamp>,
}

impl Total {
    fn queue(self, name: &str) -> Queue {
        let Self { queued, running, oldest } = self;
        Queue { queued, running, oldest, ..Queue::of(name) }
    }
}

impl Queue {
    fn of(name: &str) -> Self {
        Self { repository: name.to_owned(), queued: 0, running: 0, oldest: None, jobs: Vec::new() }
    }
}

impl Ask {
    fn wants(&self, answer: &dto::Explanation) -> bool {
        let Some(job) = &answer.job else { return false };
        self.repository.as_ref().is_none_or(|wanted| job.repo.eq_ignore_ascii_case(wanted))
            && self.pool.as_ref().is_none_or(|wanted| answer.pool.as_ref() == Some(wanted))
            && self.state.is_none_or(|wanted| job.state == wanted.word())
    }
}

fn is(answer: &dto::Explanation, state: State) -> bool {
    answer.job.as_ref().is_some_and(|job| job.state == state.word())
}

fn repository(answer: &dto::Explanation) -> &str {
    answer.job.as_ref().map_or("", |job| job.repo.as_str())
}

fn key(answer: &dto::Explanation) -> String {
    match answer.job.as_ref().map(|job| (job.id, job.request)) {
        Some((Some(id), _)) => id.to_string(),
        Some((None, Some(request))) => format!("request-{request}"),
        _ => String::new(),
    }
}

fn reasons(jobs: &[dto::Explanation]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for job in jobs.iter().filter(|job| is(job, State::Queued)) {
        *all.entry(job.why.clone()).or_default() += 1;
    }
    all
}

fn totals(jobs: &[dto::Explanation]) -> BTreeMap<String, Total> {
    let mut all: BTreeMap<String, Total> = BTreeMap::new();
    for answer in jobs {
        let total = all.entry(repository(answer).to_owned()).or_default();
        total.running += usize::from(is(answer, State::Running));
        if is(answer, State::Queued) {
            total.queued += 1;
            let since = answer.job.as_ref().map(|job| job.queued);
            total.oldest = [total.oldest, since].into_iter().flatten().min();
        }
    }
    all
}
