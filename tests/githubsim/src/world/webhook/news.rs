//! What happens, as it was at that moment.

use serde_json::Value;
use serde_json::json;

use crate::world::Job;
use crate::world::JobStatus;
use crate::world::Refusal;
use crate::world::Repository;
use crate::world::Run;
use crate::world::World;

/// Something that hooks may be told of.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// A hook was made, or its ping asked for.
    Ping(u64),
    /// A job became queued, waiting, in progress or completed.
    Job { action: &'static str, job: Box<Job>, repository: Box<Repository> },
    /// A run was requested, went into progress or was completed.
    Run { action: &'static str, run: Box<Run>, repository: Box<Repository>, so: RunState },
    /// A repository was renamed, transferred, archived or unarchived.
    Repository { action: &'static str, repository: Box<Repository>, changes: Change },
    /// An organization was renamed.
    Organization { action: &'static str, id: u64, from: String },
    /// An installation was made, suspended, unsuspended or deleted.
    Installation {
        action: &'static str,
        app: u64,
        id: u64,
        installation: Box<crate::state::InstallationState>,
    },
}

/// A run's state at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunState {
    pub(crate) status: JobStatus,
    pub(crate) conclusion: Option<&'static str>,
}

/// What about a repository has changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Nothing,
    /// It had this name.
    Name(String),
    /// It belonged to this account.
    Owner(u64),
}

/// News with the guid that all its deliveries share.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) news: News,
    pub(crate) guid: String,
}

impl News {
    /// GitHub's name of the event.
    pub(crate) fn event(&self) -> &'static str {
        match self {
            Self::Ping(_) => "ping",
            Self::Job { .. } => "workflow_job",
            Self::Run { .. } => "workflow_run",
            Self::Repository { .. } => "repository",
            Self::Organization { .. } => "organization",
            Self::Installation { .. } => "installation",
        }
    }

    pub(crate) fn action(&self) -> Option<&'static str> {
        match self {
            Self::Ping(_) => None,
            Self::Job { action, .. }
            | Self::Run { action, .. }
            | Self::Repository { action, .. }
            | Self::Organization { action, .. }
            | Self::Installation { action, .. } => Some(action),
        }
    }

    pub(crate) fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Job { repository, .. }
            | Self::Run { repository, .. }
            | Self::Repository { repository, .. } => Some(repository),
            _ => None,
        }
    }
}

impl Change {
    /// As payloads have it; `account` shows an account.
    pub(crate) fn shape(&self, account: impl Fn(u64) -> Value) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Name(from) => Some(json!({ "repository": { "name": { "from": from } } })),
            Self::Owner(id) => Some(json!({ "owner": { "from": { "user": account(*id) } } })),
        }
    }
}

impl World {
    /// Notes what hooks may be told of; nothing where there is no hook.
    pub(crate) fn announce(&mut self, news: News) {
        if self.hooks.is_empty() {
            return;
        }
        let guid = self.random_uuid();
        self.news.push(Noted { news, guid });
    }

    /// Takes what happened since the last time.
    pub(crate) fn take_news(&mut self) -> Vec<Noted> {
        std::mem::take(&mut self.news)
    }

    /// Notes that a job has come to what `action` says, and its run with it.
    pub(crate) fn announce_job(&mut self, id: u64, action: &'static str) {
        if self.hooks.is_empty() {
            return;
        }
        let Some(job) = self.jobs.get(&id).cloned() else {
            return;
        };
        let Some(repository) = self.repository_by_id(job.repository).cloned() else {
            return;
        };
        let run = job.run;
        self.announce(News::Job { action, job: job.into(), repository: repository.into() });
        self.announce_progress(run, action);
    }

    fn announce_progress(&mut self, id: u64, of_job: &str) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let over = self.run_status(run) == JobStatus::Completed;
        if of_job == "in_progress" && !run.progress_told {
            self.announce_run(id, "in_progress");
            if let Some(run) = self.runs.get_mut(&id) {
                run.progress_told = true;
            }
        } else if of_job == "completed" && over {
            self.announce_run(id, "completed");
        }
    }

    /// Notes what happened to a run.
    pub(crate) fn announce_run(&mut self, id: u64, action: &'static str) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let so = RunState { status: self.run_status(run), conclusion: self.run_conclusion(run) };
        let (run, repository) = (run.clone(), self.repository_by_id(run.repository).cloned());
        if let Some(repository) = repository {
            self.announce(News::Run { action, run: run.into(), repository: repository.into(), so });
        }
    }

    /// Notes what happened to a repository.
    pub(crate) fn announce_repository(&mut self, id: u64, action: &'static str, changes: Change) {
        if let Some(repository) = self.repository_by_id(id).cloned() {
            self.announce(News::Repository { action, repository: repository.into(), changes });
        }
    }

    /// Renames an organization. What it owns goes with it; the old names redirect.
    ///
    /// # Errors
    /// When there is no such organization.
    pub fn rename_organization(&mut self, login: &str, new: &str) -> Result<(), Refusal> {
        let id = self.account(login, super::super::AccountKind::Organization)?.id;
        for account in self.accounts.iter_mut().filter(|a| a.id == id) {
            account.login = new.to_string();
        }
        for repository in self.repositories.iter_mut().filter(|r| r.owner == id) {
            repository.former.push(repository.full_name().to_ascii_lowercase());
            repository.owner_login = new.to_string();
        }
        self.announce(News::Organization { action: "renamed", id, from: login.to_string() });
        Ok(())
    }

    /// Installs an App somewhere.
    ///
    /// # Errors
    /// When there is no such App.
    pub fn install(
        &mut self,
        app: u64,
        installation: crate::state::InstallationState,
    ) -> Result<(), Refusal> {
        let found = self.apps.iter_mut().find(|a| a.id == app).ok_or(Refusal::NotFound)?;
        let id = installation.id;
        found.installations.push(installation);
        self.tell_installation(app, id, "created");
        Ok(())
    }

    /// Suspends an installation, or ends its suspension. Its tokens are refused meanwhile.
    ///
    /// # Errors
    /// When there is no such installation.
    pub fn suspend_installation(&mut self, id: u64, suspended: bool) -> Result<(), Refusal> {
        let app = self.app_of(id)?;
        for found in self.apps.iter_mut().flat_map(|a| &mut a.installations).filter(|i| i.id == id) {
            found.suspended = suspended;
        }
        self.tell_installation(app, id, if suspended { "suspend" } else { "unsuspend" });
        Ok(())
    }

    /// Deletes an installation; its tokens are worth nothing any more.
    ///
    /// # Errors
    /// When there is no such installation.
    pub fn delete_installation(&mut self, id: u64) -> Result<(), Refusal> {
        let app = self.app_of(id)?;
        self.tell_installation(app, id, "deleted");
        for app in &mut self.apps {
            app.installations.retain(|i| i.id != id);
        }
        self.tokens.retain(|_, grant| !grant.credential.is_of(id));
        Ok(())
    }

    fn app_of(&self, installation: u64) -> Result<u64, Refusal> {
        let has = |a: &&super::super::App| a.installations.iter().any(|i| i.id == installation);
        self.apps.iter().find(has).map(|a| a.id).ok_or(Refusal::NotFound)
    }

    fn tell_installation(&mut self, app: u64, id: u64, action: &'static str) {
        let mut all = self.apps.iter().flat_map(|a| &a.installations);
        if let Some(installation) = all.find(|i| i.id == id).cloned() {
            self.announce(News::Installation { action, app, id, installation: installation.into() });
        }
    }
}
