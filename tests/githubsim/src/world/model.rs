//! The things that exist: accounts, repositories, groups, runners, jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::Moment;
use crate::human;
use crate::state::Visibility;

/// What kind of account a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountKind {
    Organization,
    User,
    Enterprise,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) kind: AccountKind,
    /// Of an enterprise: its organizations' ids.
    pub(crate) members: Vec<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    /// Account id.
    pub(crate) owner: u64,
    pub(crate) owner_login: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) archived: bool,
    /// Names it had before, in lower case.
    pub(crate) former: Vec<String>,
    /// When something was last pushed to it; `None`: long ago.
    pub(crate) pushed: Option<Moment>,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner_login, self.name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: u64,
    /// Account id of the organization or enterprise.
    pub(crate) owner: u64,
    pub(crate) name: String,
    pub(crate) visibility: Visibility,
    /// Ids of an organization's repositories, or of an enterprise's organizations.
    pub(crate) selected: Vec<u64>,
    pub(crate) default: bool,
    pub(crate) allows_public: bool,
}

impl Group {
    /// Whether a repository of the same organization, or of the same enterprise, may use this group's runners.
    pub(crate) fn admits(&self, repository: &Repository) -> bool {
        let visible = match self.visibility {
            Visibility::All => true,
            Visibility::Private => repository.private,
            Visibility::Selected if self.owner == repository.owner => self.selected.contains(&repository.id),
            Visibility::Selected => self.selected.contains(&repository.owner),
        };
        visible && (repository.private || self.allows_public)
    }
}

/// Where a runner is registered; the number is the account's or the repository's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An organization.
    Organization(u64),
    /// A repository.
    Repository(u64),
    /// An enterprise.
    Enterprise(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) group: u64,
    pub(crate) labels: Vec<String>,
    pub(crate) work_folder: String,
    pub(crate) ephemeral: bool,
    /// The scale set it was registered in; only that set's jobs are for it.
    pub(crate) scale_set: Option<u64>,
    pub(crate) disable_update: bool,
    /// The secret that opens its session.
    pub(crate) secret: String,
    /// Whether the secret has been used.
    pub(crate) used: bool,
    pub(crate) os: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) job: Option<u64>,
    pub(crate) registered: Moment,
    pub(crate) last_seen: Moment,
}

/// One session of a runner. It survives its registration, as the job in it does.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) runner: u64,
    pub(crate) last_contact: Duration,
    pub(crate) polling: u32,
    pub(crate) job: Option<u64>,
}

/// What a job's steps come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps pass.
    #[default]
    Success,
    /// A step fails.
    Failure,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waiting for a runner.
    Queued,
    /// Given to a runner.
    InProgress,
    /// Over.
    Completed,
    /// Held by a deployment gate or a concurrency group, not by missing runners.
    Waiting,
}

impl JobStatus {
    /// GitHub's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Waiting => "waiting",
        }
    }
}

/// A job to queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobSpec {
    /// `owner/name`.
    pub repository: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Name of the job.
    pub name: String,
    /// What set the workflow off: `push`, `pull_request`, `schedule`, ….
    pub event: String,
    /// The branch it runs for.
    pub branch: String,
    /// What its `runs-on` resolved to.
    pub labels: Vec<String>,
    /// The runner group its `runs-on` asks for.
    pub group: Option<String>,
    /// How long its steps take.
    #[serde(with = "human")]
    pub duration: Duration,
    /// What they come to.
    pub outcome: Outcome,
    /// How the runner misbehaves in it: `crash`, `hang`, `leak`, `exit:N`, `deprecated`.
    pub behaviour: Option<String>,
    /// Whether its steps need a container engine (the runner asks the engine at `DOCKER_HOST`).
    pub docker: bool,
    /// The run it belongs to; absent makes a new one.
    pub run: Option<u64>,
    /// Released by `needs:` while others of its run were going: the run stays `in_progress`.
    pub needs: bool,
    /// Held by a gate until released.
    pub waiting: bool,
    /// How many alike, all in one run (a matrix).
    pub count: u32,
}

impl Default for JobSpec {
    fn default() -> Self {
        Self {
            repository: String::new(),
            workflow: "CI".into(),
            name: "build".into(),
            event: "push".into(),
            branch: "main".into(),
            labels: vec!["self-hosted".into()],
            group: None,
            duration: Duration::from_secs(1),
            outcome: Outcome::Success,
            behaviour: None,
            docker: false,
            run: None,
            needs: false,
            waiting: false,
            count: 1,
        }
    }
}

impl JobSpec {
    /// A job of one second that succeeds.
    #[must_use]
    pub fn new(repository: &str, labels: &[&str]) -> Self {
        Self {
            repository: repository.into(),
            labels: labels.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Sets how long its steps take.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Sets how the runner misbehaves in it.
    #[must_use]
    pub fn behaving(mut self, behaviour: &str) -> Self {
        self.behaviour = Some(behaviour.into());
        self
    }

    /// Sets what set the workflow off.
    #[must_use]
    pub fn on(mut self, event: &str, branch: &str) -> Self {
        self.event = event.into();
        self.branch = branch.into();
        self
    }

    /// Sets the runner group.
    #[must_use]
    pub fn in_group(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }
}

/// Which runner has, or had, a job.
#[derive(Debug, Clone, Serialize)]
pub struct Holder {
    /// Runner id.
    pub runner_id: u64,
    /// Runner name.
    pub runner_name: String,
    /// Its group's id.
    pub group_id: u64,
    /// Its group's name.
    pub group_name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) run: u64,
    pub(crate) repository: u64,
    pub(crate) spec: JobSpec,
    pub(crate) status: JobStatus,
    pub(crate) conclusion: Option<&'static str>,
    pub(crate) lost: bool,
    pub(crate) holder: Option<Holder>,
    /// The scale set that has it.
    pub(crate) placement: Option<super::scaleset::Placement>,
    /// Whether that set was told of its end.
    pub(crate) completion_told: bool,
    /// How often it was taken back from a scale set.
    pub(crate) withdrawn: u32,
    /// From when on a scale set may have it.
    pub(crate) eligible: Duration,
    pub(crate) queued: Moment,
    pub(crate) assigned: Option<Moment>,
    pub(crate) started: Option<Moment>,
    pub(crate) completed: Option<Moment>,
}

#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) repository: u64,
    pub(crate) workflow: String,
    pub(crate) event: String,
    pub(crate) branch: String,
    pub(crate) number: u64,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    pub(crate) jobs: Vec<u64>,
    /// Whether hooks were told that it is in progress.
    pub(crate) progress_told: bool,
}

impl Run {
    /// The file of the workflow.
    pub(crate) fn path(&self) -> String {
        format!(".github/workflows/{}.yml", self.workflow.to_lowercase().replace(' ', "-"))
    }
}

/// Permissions by name, as fine-grained tokens and Apps have them.
pub(crate) type Permissions = BTreeMap<String, String>;
