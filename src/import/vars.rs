//! The variables of one set-up: taken one by one, so that what nobody took can be told.

use super::env::Var;
use super::place::Notes;
use super::unit::Shape;

/// The orchestrators' prefix, with which each of their keys may be written.
const PREFIX: &str = "ORCHESTRATOR_";

/// Keys of the Python autoscaler, which are in lower case.
const AUTOSCALER: [&str; 11] = [
    "owner",
    "poll_interval",
    "since_days",
    "max_runners",
    "filter_by_arch",
    "runner_image",
    "runner_work_dir",
    "token_file",
    "network_mode",
    "memory_limit",
    "cpu_limit",
];

/// Keys that only the webhook orchestrator has.
const WEBHOOK: [&str; 6] = [
    "MAX_CONCURRENT_JOBS",
    "CONTAINER_POOL_SIZE",
    "HEALTH_CHECK_INTERVAL",
    "METRICS_INTERVAL",
    "WEBHOOK_BASE_URL",
    "GITHUB_WEBHOOK_SECRET",
];

/// Keys of something that makes runners as jobs wait.
const ORCHESTRATOR: [&str; 4] = ["MIN_RUNNERS", "MAX_RUNNERS", "SCALE_UP_THRESHOLD", "SCALE_DOWN_THRESHOLD"];

/// Keys that say whom a runner serves.
pub(super) const SCOPES: [&str; 15] = [
    "GITHUB_ORGANIZATION",
    "GITHUB_ORG",
    "ORG_NAME",
    "ORGANIZATION",
    "GITHUB_OWNER",
    "GITHUB_REPOSITORY",
    "GITHUB_REPO",
    "REPOSITORY",
    "REPO",
    "REPO_URL",
    "GITHUB_URL",
    "RUNNER_URL",
    "GITHUB_REPO_URL",
    "ENTERPRISE_NAME",
    "RUNNER_SCOPE",
];

/// Keys with which a set-up asks GitHub for registrations.
const CREDENTIALS: [&str; 7] =
    ["GITHUB_TOKEN", "ACCESS_TOKEN", "GH_TOKEN", "GITHUB_PAT", "GH_PAT", "APP_ID", "GITHUB_APP_ID"];

/// The key as it is known: in upper case and without the prefix.
pub(super) fn name(key: &str) -> String {
    let upper = key.to_ascii_uppercase();
    upper.strip_prefix(PREFIX).map(str::to_owned).unwrap_or(upper)
}

/// The variables of one set-up.
#[derive(Debug, Clone)]
pub(super) struct Vars(Vec<Var>);

impl Vars {
    /// Where a key is given twice, the later one holds, and one with the prefix before one without.
    pub(super) fn new(all: Vec<Var>, notes: &mut Notes) -> Self {
        let mut kept: Vec<Var> = Vec::new();
        for var in all {
            let Some(first) = kept.iter_mut().find(|other| name(&other.key) == name(&var.key)) else {
                kept.push(var);
                continue;
            };
            let weaker = first.key.starts_with(PREFIX) && !var.key.starts_with(PREFIX);
            let (holds, gone) = if weaker { (first.clone(), var) } else { (var, first.clone()) };
            if holds.value != gone.value {
                notes.left(&gone.at, &gone.key, format!("{} in {} holds", holds.key, holds.at.brief()));
            }
            *first = holds;
        }
        Self(kept)
    }

    pub(super) fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|var| name(&var.key) == wanted)
    }

    /// Whether it has a value, or one that stands somewhere else.
    pub(super) fn says_something(var: &Var) -> bool {
        var.open.is_some() || !var.value.trim().is_empty()
    }

    /// Of which kind the set-up is; none where nothing in it is known.
    pub(super) fn shape(&self) -> Option<Shape> {
        let said =
            |wanted: &str| self.0.iter().any(|var| name(&var.key) == wanted && Self::says_something(var));
        let any = |names: &[&str]| names.iter().any(|name| said(name));
        let lower = self.0.iter().filter(|var| AUTOSCALER.contains(&var.key.as_str())).count();
        let prefixed = self.0.iter().any(|var| var.key.starts_with(PREFIX));
        if lower >= 2 {
            Some(Shape::Autoscaler)
        } else if any(&WEBHOOK) && (prefixed || any(&SCOPES)) {
            Some(Shape::Webhook)
        } else if (any(&ORCHESTRATOR) || prefixed) && (any(&SCOPES) || any(&CREDENTIALS)) {
            Some(Shape::Orchestrator)
        } else if any(&["RUNNER_TOKEN"]) || any(&SCOPES) && !any(&CREDENTIALS) && any(&["RUNNER_NAME"]) {
            Some(Shape::Static)
        } else {
            any(&SCOPES).then_some(Shape::Runner)
        }
    }

    /// Takes the variable out, whatever its value.
    pub(super) fn take(&mut self, wanted: &str) -> Option<Var> {
        let at = self.0.iter().position(|var| name(&var.key) == wanted)?;
        Some(self.0.remove(at))
    }

    /// Takes the variable out; where its value is known and not empty, that is the answer.
    pub(super) fn value(&mut self, wanted: &str, notes: &mut Notes) -> Option<Var> {
        let var = self.take(wanted)?;
        match &var.open {
            Some(open) => {
                let text = format!(
                    "its value comes from {open}, which none of the files says: set it here, or name that file, too"
                );
                notes.todo(&var.at, &var.key, text);
                None
            }
            None => Some(var).filter(|var| !var.value.trim().is_empty()),
        }
    }

    /// The first of these with a value; the others are told of.
    pub(super) fn first(&mut self, wanted: &[&str], notes: &mut Notes) -> Option<Var> {
        let mut found: Option<Var> = None;
        for name in wanted {
            let Some(var) = self.value(name, notes) else { continue };
            match &found {
                Some(first) if first.value != var.value => {
                    notes.left(&var.at, &var.key, format!("{} in {} holds", first.key, first.at.brief()));
                }
                Some(_) => {}
                None => found = Some(var),
            }
        }
        found
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Vec<Var> {
        self.0
    }
}
