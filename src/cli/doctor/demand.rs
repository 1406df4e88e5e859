//! Whether the jobs of a pool can be heard of: its queues can be read, failed deliveries can be asked for again.

use super::Finding;
use crate::config::Config;
use crate::github::GitHub;
use crate::github::GitHubError;
use crate::github::Hooks;
use crate::github::Queue;
use crate::model::Demand;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::Scope;
use crate::model::Time;

/// What a pool hears of its jobs by.
#[derive(Debug, Clone)]
pub struct DemandFacts {
    /// The pool.
    pub pool: PoolName,
    /// What was tried.
    pub source: Heard,
}

/// One way in which jobs are heard of.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Which repositories there are, and the queue of the first.
    Queues {
        /// Of what they are: a runner group, an account, the file.
        whose: String,
        /// The repositories.
        repos: Result<Vec<Repo>, GitHubError>,
        /// Whether the first one's queue could be read.
        queue: Result<(), GitHubError>,
    },
    /// The deliveries that GitHub made, which are to be had again where they failed.
    Deliveries {
        /// The hook's address.
        url: String,
        /// Where the hook is.
        scope: Scope,
        /// Whether they could be listed.
        list: Result<(), GitHubError>,
    },
}

/// Asks for as little as tells whether the pools' sources may ask.
pub(super) async fn look<G: GitHub + Queue + Hooks>(
    config: &Config,
    github: &G,
    now: Time,
) -> Vec<DemandFacts> {
    let mut seen = Vec::new();
    for pool in config.pools.values() {
        if !matches!(pool.demand, Demand::Poll | Demand::Webhook) {
            continue;
        }
        let (whose, repos) = repositories(pool, github).await;
        let first = repos.as_ref().ok().and_then(|repos| repos.first().cloned());
        let queue = match &first {
            Some(repo) => github.open_jobs(&pool.credentials, repo).await.map(drop),
            None => Ok(()),
        };
        let mut add = |source| seen.push(DemandFacts { pool: pool.name.clone(), source });
        add(Heard::Queues { whose, repos, queue });
        let url = config.webhook.as_ref().and_then(|webhook| webhook.url.clone());
        if let (Demand::Webhook, Some(url)) = (pool.demand, url)
            && let Some(scope) = place_of_hook(pool, first)
        {
            let list = github.deliveries(&pool.credentials, &scope, &url, now).await.map(drop);
            add(Heard::Deliveries { url, scope, list });
        }
    }
    seen
}

async fn repositories<G: GitHub + Queue>(
    pool: &Pool,
    github: &G,
) -> (String, Result<Vec<Repo>, GitHubError>) {
    let patterns = match &pool.scope {
        PoolScope::Organization { org, group } => {
            let whose = group.as_ref().map_or_else(
                || format!("what the default runner group of {org} admits"),
                |group| format!("what runner group {group} of {org} admits"),
            );
            return (
                whose,
                github.admitted(&pool.credentials, org, group.as_ref()).await.map(|list| list.repos),
            );
        }
        PoolScope::Repositories(patterns) => patterns.as_slice(),
        PoolScope::Enterprise { .. } => &[],
    };
    let mut all = Vec::new();
    for pattern in patterns {
        match pattern {
            RepoPattern::One(repo) => all.push(repo.clone()),
            RepoPattern::AllOf(owner) => match github.repositories(&pool.credentials, owner).await {
                Ok(found) => all.extend(found.into_iter().filter(|r| !r.archived).map(|r| r.repo)),
                Err(error) => return (format!("the repositories of {owner}"), Err(error)),
            },
        }
    }
    ("the pool's repositories".to_owned(), Ok(all))
}

fn place_of_hook(pool: &Pool, first: Option<Repo>) -> Option<Scope> {
    match &pool.scope {
        PoolScope::Organization { org, .. } => Scope::organization(org).ok(),
        PoolScope::Enterprise { .. } | PoolScope::Repositories(_) => first.map(Scope::Repository),
    }
}

/// What is told of it.
pub(super) fn judge(facts: &DemandFacts) -> Vec<Finding> {
    let about = format!("pool {}", facts.pool);
    let read = "to hear of jobs the token needs: fine-grained or App, repository permissions \"Actions\" read and \
                \"Metadata\" read; classic, repo";
    match &facts.source {
        Heard::Queues { whose, repos: Err(error), .. } => {
            vec![Finding::fail(about, format!("{whose}: {error}"), read)]
        }
        Heard::Queues { whose, repos: Ok(repos), .. } if repos.is_empty() => {
            let advice = "no job can reach the pool: add repositories, or let the group admit some (public ones have to be \
                          allowed on their own)";
            vec![Finding::warn(about, format!("{whose}: none"), advice)]
        }
        Heard::Queues { repos: Ok(repos), queue, .. } => match queue {
            Ok(()) => {
                let found = format!("the queue of {} can be read (repositories: {})", repos[0], repos.len());
                vec![Finding::ok(about, found)]
            }
            Err(error) => vec![Finding::fail(about, error.to_string(), read)],
        },
        Heard::Deliveries { url, scope, list: Ok(()) } => {
            vec![Finding::ok(about, format!("the deliveries of {scope} to {url} can be asked for again"))]
        }
        Heard::Deliveries { url, scope, list: Err(error) } => {
            let advice = format!(
                "is there a webhook with that address? To have failed deliveries again the token needs: fine-grained, \
                 \"Webhooks\" read and write; classic, {}; the queues are read all the same, every five minutes",
                if matches!(scope, Scope::Organization(_)) { "admin:org_hook" } else { "admin:repo_hook" }
            );
            vec![Finding::warn(about, format!("deliveries to {url} that fail are lost: {error}"), advice)]
        }
    }
}
