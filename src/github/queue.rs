//! Reading a repository's queue of jobs.

use std::future::Future;

use super::Client;
use super::GitHubError;
use crate::model::CredentialName;
use crate::model::Job;
use crate::model::Repo;
use crate::model::Time;

/// A repository of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRepo {
    /// Its name.
    pub repo: Repo,
    /// When something was last pushed to it.
    pub pushed: Option<Time>,
    /// Whether it is archived or disabled, and so runs nothing.
    pub archived: bool,
}

/// A repository's queue as it was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Look {
    /// The jobs that wait, run or are held.
    pub jobs: Vec<Job>,
    /// Requests that it took.
    pub requests: u32,
    /// Of those, the ones that were answered in full, and so counted against the hourly budget.
    pub full: u32,
}

impl From<Vec<Job>> for Look {
    fn from(jobs: Vec<Job>) -> Self {
        Self { jobs, ..Self::default() }
    }
}

/// The queue as REST shows it. Every read is conditional: what did not change costs nothing of the hourly budget.
pub trait Queue: Send + Sync + 'static {
    /// The jobs of a repository that wait, run or are held: complete, or an error. Where more than a hundred runs are open
    /// it takes several looks until all of their jobs are known.
    fn open_jobs(
        &self,
        credentials: &CredentialName,
        repo: &Repo,
    ) -> impl Future<Output = Result<Look, GitHubError>> + Send;

    /// All repositories of a user or an organization that the credential can see.
    fn repositories(
        &self,
        credentials: &CredentialName,
        owner: &str,
    ) -> impl Future<Output = Result<Vec<AccountRepo>, GitHubError>> + Send;
}

impl Queue for Client {
    async fn open_jobs(&self, credentials: &CredentialName, repo: &Repo) -> Result<Look, GitHubError> {
        self.credential(credentials)?.open_jobs(repo).await
    }

    async fn repositories(
        &self,
        credentials: &CredentialName,
        owner: &str,
    ) -> Result<Vec<AccountRepo>, GitHubError> {
        self.credential(credentials)?.repositories(owner).await
    }
}
