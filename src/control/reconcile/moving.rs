//! What speaks against a change of mode: asked of GitHub beside the loop, since every place costs a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::oneshot;

use super::Control;
use super::pass::access_list;
use super::pass::asks_access;
use crate::decide;
use crate::decide::Obstacle;
use crate::decide::Probe;
use crate::decide::Seen;
use crate::engine::Engine;
use crate::github::GitHub;
use crate::github::GitHubError;
use crate::model::ErrorClass;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::Scope;

/// How many places are asked about at the same time: who asked waits, and GitHub wants no more than a few at once.
const AT_ONCE: usize = 6;

/// Up to so many places it is tried whether a token to register by can be had, which is the very right that is needed. Beyond
/// that only whether runners can be listed: GitHub allows 80 requests a minute that make something
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
const TRIED: usize = 50;

impl<E: Engine, G: GitHub> Control<E, G> {
    /// Looks where organization pools would register in `mode`, and whether they may.
    pub(super) fn look_for_obstacles(&mut self, mode: Mode, answer: oneshot::Sender<Vec<Obstacle>>) {
        let (config, github) = (Arc::clone(&self.policy.config), Arc::clone(&self.ports.github));
        let drained = self.memory.book.drained_pools.clone();
        let refused = self.config.error.as_ref().and_then(|error| error.lines().next()).map(str::to_owned);
        self.tasks.spawn(async move {
            let mut seen = BTreeMap::new();
            for pool in config.pools.values().filter(|pool| pool.scope.organization().is_some()) {
                seen.insert(pool.name.clone(), places(&*github, pool, mode).await);
            }
            let seen = probe(&*github, &config.pools, seen).await;
            let _ = answer.send(decide::obstacles(&config, mode, &seen, refused.as_deref(), &drained));
        });
    }
}

/// Where the pool would register.
async fn places<G: GitHub>(github: &G, pool: &Pool, mode: Mode) -> Result<Vec<Scope>, String> {
    let asked = mode == Mode::Repository && asks_access(pool, mode) && pool.rollback.is_empty();
    let admitted = if asked { access_list(github, pool).await?.repos } else { Vec::new() };
    Ok(decide::places(pool, mode, Some(&admitted)))
}

/// Asks GitHub in each place once for each credential.
async fn probe<G: GitHub>(
    github: &G,
    pools: &BTreeMap<PoolName, Pool>,
    places: BTreeMap<PoolName, Result<Vec<Scope>, String>>,
) -> BTreeMap<PoolName, Result<Vec<Seen>, String>> {
    let mut questions: Vec<_> = places
        .iter()
        .filter_map(|(name, places)| Some((&pools.get(name)?.credentials, places.as_ref().ok()?)))
        .flat_map(|(credentials, places)| {
            places.iter().map(move |scope| (credentials.clone(), scope.clone()))
        })
        .collect();
    questions.sort_unstable();
    questions.dedup();
    let few = questions.len() <= TRIED;
    let answers = stream::iter(questions).map(async |(credentials, scope)| {
        let probe = match few {
            true => judged(github.registration_token(&credentials, &scope).await.map(drop), None),
            false => {
                let access = github.access(&credentials, &scope, None).await;
                judged(access.list, lacks(&scope, access.classic_scopes.as_deref()))
            }
        };
        ((credentials, scope), probe)
    });
    let answers: BTreeMap<_, Probe> = answers.buffer_unordered(AT_ONCE).collect().await;
    let all = places.into_iter().filter_map(|(name, places)| {
        let credentials = &pools.get(&name)?.credentials;
        let seen = |scope: Scope| {
            let probe = answers.get(&(credentials.clone(), scope.clone())).cloned().unwrap_or(Probe::Good);
            Seen { scope, probe }
        };
        Some((name, places.map(|places| places.into_iter().map(seen).collect())))
    });
    all.collect()
}

/// What a classic token lacks to register there, although it may list.
fn lacks(scope: &Scope, classic: Option<&str>) -> Option<String> {
    let needed = match scope {
        Scope::Repository(_) => "repo",
        Scope::Organization(_) => "admin:org",
        Scope::Enterprise(_) => return None,
    };
    // Tokens that are not classic have none at all.
    let has =
        classic.filter(|scopes| !scopes.trim().is_empty())?.split(',').any(|scope| scope.trim() == needed);
    (!has).then(|| format!("the token may list the runners of {scope} and not register any"))
}

fn judged(list: Result<(), GitHubError>, lacks: Option<String>) -> Probe {
    match (list, lacks) {
        (Ok(()), None) => Probe::Good,
        (Ok(()), Some(lacks)) => Probe::Refused(lacks),
        (Err(error), _) => match error.class() {
            ErrorClass::Auth | ErrorClass::Terminal => Probe::Refused(error.to_string()),
            ErrorClass::Retry | ErrorClass::Limited(_) => Probe::Unanswered(error.to_string()),
        },
    }
}
