//! `explain_job`: why a job waits, or why one would.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::http::dto;
use crate::http::dto::Timestamp;
use crate::mcp::cut::Part;
use crate::mcp::cut::few;
use crate::mcp::cut::short;
use crate::mcp::door::Looker;
use crate::mcp::door::asking;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;
use crate::mcp::trouble::Trouble;

/// Which jobs are asked about: exactly one of `job`, `run` and `labels`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The job of this number: the one at the end of its address at GitHub.
    job: Option<u64>,
    /// All jobs of this workflow run.
    run: Option<u64>,
    /// A job that would ask for these labels (its `runs-on`).
    labels: Option<Vec<String>>,
    /// The repository, `owner/name`: with `labels` whose job it would be.
    repository: Option<String>,
    /// How many answers at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
}

/// What is true of each job.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answers {
    /// One for each job.
    answers: Vec<Explained>,
    /// What to give as `after` for more; null if these are the last.
    next: Option<String>,
}

/// What is true of one job, and what follows from it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explained {
    /// GitHub's number for it; null where only labels were asked about, or where a scale set told of it.
    id: Option<u64>,
    /// The workflow run that it belongs to.
    run: Option<u64>,
    /// Its repository.
    repository: Option<String>,
    /// Its workflow's name.
    workflow: Option<String>,
    /// Its own name.
    name: Option<String>,
    /// What its `runs-on` resolved to.
    labels: Vec<String>,
    /// `held` by GitHub, `queued` or `running`; null where no such job is known.
    state: Option<String>,
    /// Since when it has waited, or had waited when it began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    queued: Option<Timestamp>,
    /// The runner that has it.
    runner: Option<String>,
    /// The pool that serves it; null if none does.
    pool: Option<String>,
    /// The kind of reason: `runs`, `starting`, `no_label`, `at_max`, `backoff` and others.
    why: String,
    /// The reason in words.
    text: String,
    /// Until when, where the reason knows.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    until: Option<Timestamp>,
}

impl From<dto::Explanation> for Explained {
    fn from(answer: dto::Explanation) -> Self {
        let dto::Explanation { job, pool, why, text, until, .. } = answer;
        let of = |field: fn(&dto::Job) -> &str| job.as_ref().map(|job| short(field(job)));
        Self {
            id: job.as_ref().and_then(|job| job.id),
            run: job.as_ref().map(|job| job.run),
            repository: of(|job| &job.repo),
            workflow: of(|job| &job.workflow),
            name: of(|job| &job.name),
            labels: job.as_ref().map(|job| few(&job.labels)).unwrap_or_default(),
            state: of(|job| &job.state),
            queued: job.as_ref().map(|job| job.queued),
            runner: job.as_ref().and_then(|job| job.runner.clone()),
            pool,
            why,
            text: short(&text),
            until,
        }
    }
}

/// The one question.
pub(super) struct ExplainJob;

impl Tool for ExplainJob {
    const NAME: &'static str = "explain_job";
    const TITLE: &'static str = "Why a job waits";
    const DESCRIPTION: &'static str = "Says of one job, or of all jobs of a workflow run, whether it runs and on which runner, or \
        the one reason why it waits and what would change that. With labels instead: which pool would serve a job that asks for \
        them, and whether it would wait.";
    type Ask = Ask;
    type Answer = Answers;
}

impl Looks for ExplainJob {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Answers> {
        let about = About { job: ask.job, run: ask.run, labels: ask.labels, repository: ask.repository };
        let found = about.ask(&api).await?;
        let part = Part { limit: ask.limit, after: ask.after };
        let keyed = found.into_iter().enumerate().collect();
        let (answers, next) = part.of(keyed, |(at, _): &(usize, dto::Explanation)| at.to_string())?;
        Ok(Answers { answers: answers.into_iter().map(|(_, answer)| answer.into()).collect(), next })
    }
}

/// The job or jobs that a question is about.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) job: Option<u64>,
    pub(super) run: Option<u64>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) repository: Option<String>,
}

impl About {
    /// What the API says of them.
    pub(super) async fn ask(self, api: &Looker<'_>) -> Told<Vec<dto::Explanation>> {
        let given = [self.job.is_some(), self.run.is_some(), self.labels.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(Trouble::bad_call("give exactly one of job, run and labels"));
        }
        let labels = self.labels.map(|labels| labels.join(","));
        if labels.as_ref().is_some_and(|labels| labels.trim().is_empty()) {
            return Err(Trouble::bad_call("labels is empty: give what the job's runs-on would say"));
        }
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let target = asking(
            "/api/v1/explain",
            &[
                ("job", number(self.job)),
                ("run", number(self.run)),
                ("labels", labels),
                ("repo", self.repository),
            ],
        );
        Ok(api.get(target).await?)
    }
}
