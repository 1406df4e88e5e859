//! Queues of jobs, as GitHub lists them.

use ghrunner::github::AccountRepo;
use ghrunner::github::GitHubError;
use ghrunner::github::Look;
use ghrunner::github::Queue;
use ghrunner::model::CredentialName;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::Repo;
use tokio::time::Instant;

use super::World;
use super::draw;
use super::state::Plant;

impl Queue for World {
    async fn open_jobs(&self, _credentials: &CredentialName, repo: &Repo) -> Result<Look, GitHubError> {
        let repo = repo.clone();
        let fate = self.with(|state| state.service_fate("list the jobs of a repository"));
        self.call(fate, move |state| {
            let now = Instant::now();
            let shown =
                state.jobs.iter().filter(|(_, j)| j.repo.is(&repo) && j.visible.is_none_or(|at| at <= now));
            let mut jobs: Vec<Job> = shown.map(|(n, job)| job.told(JobId::Job(*n), *n)).collect();
            if state.plant == Some(Plant::EmptyQueue) {
                jobs.clear();
            }
            Ok(Look { jobs, requests: 2, full: 2 })
        })
        .await
    }

    async fn repositories(
        &self,
        _credentials: &CredentialName,
        owner: &str,
    ) -> Result<Vec<AccountRepo>, GitHubError> {
        let owner = owner.to_owned();
        let fate = self.with(|state| state.service_fate("list the repositories of an account"));
        self.call(fate, move |state| {
            let all = draw::REPOS.iter().chain(&draw::OWN_REPOS);
            let all = all.map(|name| name.parse::<Repo>().expect("a repository"));
            let pushed = Some(state.now());
            let of_owner = all.filter(|repo| repo.owner() == owner);
            Ok(of_owner.map(|repo| AccountRepo { repo, pushed, archived: false }).collect())
        })
        .await
    }
}
