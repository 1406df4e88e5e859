//! A pool as the file declares it, checked and with all defaults filled in.

use std::time::Duration;

use serde::Serialize;

use super::CredentialName;
use super::GroupName;
use super::PoolName;
use super::Repo;
use super::RepoPattern;
use super::RunnerSpec;
use super::Scaling;

/// Runners of one kind for one organization, one repository, or a set of repositories.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pool {
    /// Its name in the file.
    pub name: PoolName,
    /// Whose credentials register its runners.
    pub credentials: CredentialName,
    /// Who may use it.
    pub scope: PoolScope,
    /// All labels of its runners, lower-cased, the implied ones among them, in the order given.
    pub labels: Vec<String>,
    /// Where its demand comes from.
    pub demand: Demand,
    /// Its runner scale set's name, where that is not the pool's own.
    pub scale_set: Option<String>,
    /// How its runners register.
    pub registration: RegistrationKind,
    /// Runners that always stand.
    pub min: u32,
    /// Runners that never are exceeded.
    pub max: u32,
    /// Spare ones beyond the busy.
    pub min_idle: u32,
    /// How long a surplus runner may stand idle.
    pub idle_timeout: Duration,
    /// How long a started runner may take to come online.
    pub start_timeout: Duration,
    /// How long a job may run before its runner is stopped; none for GitHub's own limit.
    pub job_timeout: Option<Duration>,
    /// Starts without a job within an hour after which no more are made.
    pub failed_starts_per_hour: u32,
    /// Who comes first when the host is short.
    pub priority: Priority,
    /// How its numbers follow what waits.
    pub scaling: Scaling,
    /// When to ask the registry for the image.
    pub pull: PullPolicy,
    /// Repositories that it serves in repository mode.
    pub rollback: Vec<Repo>,
    /// How long after its last push a repository that `"owner/*"` stands for counts as active.
    pub active_within: Duration,
    /// What its containers are made of.
    pub spec: RunnerSpec,
}

/// Who may use a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolScope {
    /// An enterprise, by what the runner group admits (none for the default group).
    Enterprise {
        /// Its slug.
        slug: String,
        /// The runner group's name.
        group: Option<GroupName>,
    },
    /// An organization, by what the runner group admits (none for the default group).
    Organization {
        /// The organization's login.
        org: String,
        /// The runner group's name.
        group: Option<GroupName>,
    },
    /// Repositories, each with runners of its own.
    Repositories(Vec<RepoPattern>),
}

/// Where a pool's demand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// `min`, and `min_idle` beyond the busy ones.
    Fixed,
    /// Asking GitHub for queued jobs.
    Poll,
    /// GitHub's `workflow_job` deliveries.
    Webhook,
    /// A runner scale set's message queue.
    ScaleSet,
}

/// How a runner becomes known to GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationKind {
    /// A single-use configuration made for it (`generate-jitconfig`).
    Jit,
    /// A registration token that the image exchanges by itself.
    Token,
}

/// Who comes first when the host is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After all others.
    Low,
    /// The default.
    Normal,
    /// Before most.
    High,
    /// Before all others.
    Critical,
}

/// When to ask the registry for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// Before starts, unless it was asked within the last minutes.
    Always,
    /// When the engine does not have it.
    Missing,
    /// Never; somebody else puts it there.
    Never,
}

impl Pool {
    /// The name of its runner scale set, which a job may ask for as by a label.
    pub fn set_name(&self) -> &str {
        self.scale_set.as_deref().unwrap_or_else(|| self.name.as_str())
    }
}

impl PoolScope {
    /// The runner group that the pool names; none stands for the default one, or where there are no others.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Organization { group, .. } | Self::Enterprise { group, .. } => group.as_ref(),
            Self::Repositories(_) => None,
        }
    }

    /// The organization that the pool belongs to, if it belongs to one.
    pub fn organization(&self) -> Option<&str> {
        match self {
            Self::Organization { org, .. } => Some(org),
            Self::Enterprise { .. } | Self::Repositories(_) => None,
        }
    }
}
