//! What the journal is told: each action, and each reason for waiting once when it changes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Explanation;
use super::Why;
use crate::decide::Unserved;
use crate::execute::Done;
use crate::execute::Failure;
use crate::execute::Outcome;
use crate::model::Action;
use crate::model::Held;
use crate::model::HeldReason;
use crate::model::JobId;
use crate::model::Plan;
use crate::model::Scope;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Reasons, by what they hold back: several may hold back the same.
    held: BTreeMap<String, BTreeSet<String>>,
    /// Why jobs wait.
    jobs: BTreeMap<JobId, String>,
    /// Errors, as long as something is held back for them: what follows from one need not repeat it.
    errors: BTreeSet<String>,
}

impl Told {
    /// Tells reasons that are new or changed, and that a wait is over.
    pub(super) fn held(&mut self, plan: &Plan, pass: u64) {
        let mut now: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for report in &plan.report.pools {
            let pool = report.pool.as_str();
            for held in &report.held {
                if self.is_news(&mut now, format!("{pool}: {}", held.what), held) {
                    self.one(held, Some(pool), pass);
                }
            }
        }
        for held in &plan.report.held {
            if self.is_news(&mut now, held.what.clone(), held) {
                self.one(held, None, pass);
            }
        }
        for advice in &plan.report.advice {
            let key = uncounted(advice);
            let told = self.held.contains_key(&key) || now.contains_key(&key);
            now.insert(key, BTreeSet::new());
            if !told {
                tracing::warn!(pass, "{advice}");
            }
        }
        for what in self.held.keys().filter(|what| !now.contains_key(*what)) {
            tracing::debug!(pass, "No longer held back {what}");
        }
        self.held = now;
        self.errors.retain(|error| all(plan).any(|held| held.reason.to_string().contains(error)));
    }

    /// Tells one reason: as a warning where an error stands behind it, and the error once.
    fn one(&mut self, held: &Held, pool: Option<&str>, pass: u64) {
        let text = match error_of(&held.reason) {
            Some(error) if !self.errors.contains(error) => {
                self.errors.insert(error.clone());
                let text = held.to_string();
                return match pool {
                    Some(pool) => tracing::warn!(pool, pass, "Held back {pool}: {text}"),
                    None => tracing::warn!(pass, "Held back {text}"),
                };
            }
            Some(_) => format!("{}: {}", held.what, in_short(&held.reason)),
            None => self.without_errors(held.to_string()),
        };
        match pool {
            Some(pool) => tracing::info!(pool, pass, "Held back {pool}: {text}"),
            None => tracing::info!(pass, "Held back {text}"),
        }
    }

    fn without_errors(&self, text: String) -> String {
        self.errors.iter().fold(text, |text, error| text.replace(&format!(": {error}"), ""))
    }

    /// Tells why jobs wait that will not be served by themselves in a moment, once for each reason.
    pub(super) fn jobs(&mut self, jobs: &[Explanation], pass: u64) {
        let mut now = BTreeMap::new();
        for explanation in jobs {
            let (Some(job), Some(gist)) = (&explanation.job, job_gist(&explanation.why)) else { continue };
            if self.jobs.get(&job.id) != Some(&gist) {
                let pool = explanation.pool.as_ref().map_or("", |pool| pool.as_str());
                let (name, repo, run) = (&job.name, job.repo.to_string(), job.run);
                let why = &explanation.why;
                tracing::info!(pool, repo, run, pass, "Job {name:?} of {repo} (run {run}) waits: {why}");
            }
            now.insert(job.id, gist);
        }
        self.jobs = now;
    }

    /// Tells what became of an action.
    pub(super) fn outcome(&mut self, action: &Action, outcome: &Outcome, pass: u64) {
        if let Err(failure) = outcome {
            self.errors.insert(failure.to_string());
        }
        tell_outcome(action, outcome, pass);
    }

    /// Notes a reason, and says whether it differs from what was told last.
    fn is_news(&self, now: &mut BTreeMap<String, BTreeSet<String>>, what: String, held: &Held) -> bool {
        let gist = gist(&held.reason);
        let news = !self.held.get(&what).is_some_and(|told| told.contains(&gist));
        now.entry(what).or_default().insert(gist);
        news
    }
}

/// Everything that a plan holds back.
fn all(plan: &Plan) -> impl Iterator<Item = &Held> {
    plan.report.pools.iter().flat_map(|pool| &pool.held).chain(&plan.report.held)
}

/// The error that a reason passes on.
fn error_of(reason: &HeldReason) -> Option<&String> {
    match reason {
        HeldReason::Backoff { reason: error, .. }
        | HeldReason::Engine { error }
        | HeldReason::ListingIncomplete { error, .. }
        | HeldReason::DemandFailing { error, .. }
        | HeldReason::GitHub { reason: error, .. } => Some(error),
        _ => None,
    }
}

/// A reason whose error was told already.
fn in_short(reason: &HeldReason) -> String {
    match reason {
        HeldReason::Backoff { until, .. } => format!("backing off until {until} after that failure"),
        HeldReason::ListingIncomplete { scope, .. } => {
            format!("no complete listing of {scope} for the same reason")
        }
        HeldReason::GitHub { scope, until, .. } => {
            format!("nothing is sent for {scope} until {until} for the same reason")
        }
        HeldReason::DemandFailing { source, .. } => {
            format!(
                "{source} cannot be heard for the same reason; the pool keeps to min and what was known last"
            )
        }
        other => other.to_string(),
    }
}

/// What of a job's reason is news; nothing where it runs, is about to, or is none of ours.
fn job_gist(why: &Why) -> Option<String> {
    match why {
        Why::Unserved(Unserved::Hosted { .. })
        | Why::Runs { .. }
        | Why::GitHubHolds
        | Why::Starting { .. }
        | Why::Idle { .. }
        | Why::InLine
        | Why::Taken { .. }
        | Why::BySet => None,
        Why::Held(reason) => Some(gist(reason)),
        Why::AtMax { .. } | Why::Fixed { .. } => Some(why.code().to_owned()),
        other => Some(other.to_string()),
    }
}

/// A reason without the parts that change from one look to the next while it stays the same reason.
fn gist(reason: &HeldReason) -> String {
    match reason {
        HeldReason::Disk { .. } => "disk".to_owned(),
        HeldReason::RetryLater { .. } => "retry later".to_owned(),
        HeldReason::HostBudget { .. } => "host budget".to_owned(),
        // A runner on its way out makes no other reason of it for a job.
        HeldReason::AtMax { .. } => "at_max".to_owned(),
        HeldReason::Image { state } => state
            .split_once(" is being pulled")
            .map_or_else(|| state.clone(), |(image, _)| format!("{image} is pulled")),
        other => other.to_string(),
    }
}

/// An advice without its numbers: days and jobs are counted on while it stays the same advice.
fn uncounted(advice: &str) -> String {
    let text = |word: &&str| word.trim_end_matches([',', ';', '.']).parse::<u64>().is_err();
    advice.split(' ').filter(text).collect::<Vec<_>>().join(" ")
}

/// Tells what became of an action.
fn tell_outcome(action: &Action, outcome: &Outcome, pass: u64) {
    let Whom { pool, runner, repo } = whom(action);
    match outcome {
        Ok(Done::Gone(gone)) => {
            let job = gone.job.as_deref().unwrap_or_default();
            if gone.ran_job || matches!(action, Action::Retire { .. }) {
                tracing::info!(pool, runner, repo, job, pass, "Done: {action}; {}", gone.verdict);
            } else {
                tracing::warn!(pool, runner, repo, pass, "Done: {action}; {}", gone.verdict);
            }
        }
        Ok(Done::Ended) => tracing::debug!(pool, runner, repo, pass, "Ended by itself: {action}"),
        Ok(_) => tracing::info!(pool, runner, repo, pass, "Done: {action}"),
        Err(failure @ Failure::Busy(_)) => {
            tracing::info!(pool, runner, repo, pass, "Left alone: {action}; {failure}")
        }
        Err(failure) => {
            // In the message itself: the journal shows no fields to who does not ask for them.
            tracing::warn!(pool, runner, repo, pass, "Failed: {action}; {failure}");
        }
    }
}

/// Whom an action is about.
#[derive(Default)]
pub(super) struct Whom<'a> {
    pub(super) pool: &'a str,
    pub(super) runner: &'a str,
    /// Empty for an organization's runner: which repository it serves is not known before its job.
    pub(super) repo: String,
}

pub(super) fn whom(action: &Action) -> Whom<'_> {
    let (pool, runner, scope) = match action {
        Action::Create(new) => (&new.pool, &new.name, &new.scope),
        Action::Retire { container, .. }
        | Action::Reap { container, .. }
        | Action::RemoveCompanion { container } => {
            (&container.pool, &container.runner_name, &container.scope)
        }
        Action::Deregister(reg) => (&reg.pool, &reg.name, &reg.scope),
        Action::CancelRun { pool, runner, repo, .. } => {
            return Whom { pool: pool.as_str(), runner: runner.as_str(), repo: repo.to_string() };
        }
        Action::Pull { .. } | Action::Collect(_) => return Whom::default(),
    };
    let repo = match scope {
        Scope::Repository(repo) => repo.to_string(),
        Scope::Enterprise(_) | Scope::Organization(_) => String::new(),
    };
    Whom { pool: pool.as_str(), runner: runner.as_str(), repo }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advice_is_the_same_with_other_numbers_and_another_for_another_thing() {
        let told =
            |minutes, jobs| uncounted(&format!("for {minutes} minutes GitHub has counted {jobs} jobs"));
        assert_eq!(told(5, 40), told(6, 41));
        assert_ne!(uncounted("image runner:1 is 26 days old"), uncounted("image runner:2 is 26 days old"));
    }

    #[test]
    fn several_reasons_that_hold_back_the_same_are_told_once_each() {
        let held = |source: &str| {
            let reason = HeldReason::DemandUnheard { source: source.to_owned() };
            Held { what: "starts".to_owned(), reason }
        };
        let mut told = Told::default();
        let mut pass = |reasons: &[&str]| {
            let mut now = BTreeMap::new();
            let what = "build: starts".to_owned();
            let news = reasons.iter().filter(|r| told.is_news(&mut now, what.clone(), &held(r))).count();
            told.held = now;
            news
        };
        assert_eq!([pass(&["a", "b"]), pass(&["b", "a"]), pass(&["b"]), pass(&["a", "b"])], [2, 0, 0, 1]);
    }
}
