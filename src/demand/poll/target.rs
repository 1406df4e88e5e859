//! What is looked at: a repository's queue, or an account's list of repositories.

use std::collections::BTreeSet;
use std::time::Duration;

use super::RepoRead;
use super::pace;
use super::pace::Attention;
use super::pace::Lively;
use super::pace::Load;
use super::pace::Price;
use super::pace::Stake;
use crate::github::AccountRepo;
use crate::github::GitHubError;
use crate::github::Look;
use crate::model::AccountView;
use crate::model::CredentialName;
use crate::model::ErrorClass;
use crate::model::PoolName;
use crate::model::Repo;
use crate::model::Time;

/// How much of an average is the latest value.
const LATEST: f64 = 0.3;
/// Requests that a look at a quiet repository takes: runs in the queue, and runs in progress.
const QUIET_REQUESTS: f64 = 2.0;
/// Full answers for each look below which it counts as one that costs nothing.
const STILL: f64 = 0.1;

/// When something is asked for, and how that went.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// Whose credentials may ask, the first one first. Another one has its turn after one was refused.
    pub(super) credentials: Vec<CredentialName>,
    pub(super) due: Time,
    pub(super) asked: Option<Time>,
    /// Whether it is being asked for.
    pub(super) under_way: bool,
    failures: u32,
    refusals: usize,
}

impl Turn {
    pub(super) fn new(now: Time) -> Self {
        let credentials = Vec::new();
        Self { credentials, due: now, asked: None, under_way: false, failures: 0, refusals: 0 }
    }

    /// Whose turn it is.
    pub(super) fn credential(&self) -> Option<&CredentialName> {
        self.credentials.get(self.refusals % self.credentials.len().max(1))
    }

    pub(super) fn failing(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        !self.under_way && self.due <= now
    }

    pub(super) fn begin(&mut self, now: Time) {
        (self.under_way, self.asked) = (true, Some(now));
    }

    /// Lets further credentials ask, too.
    pub(super) fn admit(&mut self, name: &CredentialName) {
        if !self.credentials.contains(name) {
            self.credentials.push(name.clone());
        }
    }

    fn succeeded(&mut self) {
        (self.under_way, self.failures) = (false, 0);
    }

    fn failed(&mut self, class: ErrorClass, now: Time) {
        self.under_way = false;
        // A limit is nobody's failure: it ends when it says.
        if !matches!(class, ErrorClass::Limited(_)) {
            self.failures = self.failures.saturating_add(1);
        }
        self.due = now + pace::backoff(self.failures, class, now);
        if matches!(class, ErrorClass::Auth | ErrorClass::Terminal) && !self.credentials.is_empty() {
            self.refusals = (self.refusals + 1) % self.credentials.len();
            if self.refusals > 0 {
                self.due = now;
            }
        }
    }

    /// After the clock was set back.
    pub(super) fn set_back(&mut self, now: Time) {
        self.due = now;
        self.asked = self.asked.map(|asked| asked.min(now));
    }
}

/// A repository whose queue is read.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) turn: Turn,
    attention: Attention,
    /// The most attention that a pool wants for it, while that is found out.
    aimed: Attention,
    /// Pools that it is read for.
    pub(super) pools: BTreeSet<PoolName>,
    /// Something happened while it was being read.
    pub(super) again: bool,
    pub(super) read: RepoRead,
    /// When jobs were last seen, or something was pushed; at first when it was first looked at.
    lively: Time,
    requests: f64,
    full: f64,
    looks: u64,
}

impl Target {
    pub(super) fn new(now: Time) -> Self {
        Self {
            turn: Turn::new(now),
            attention: Attention::Slow,
            aimed: Attention::Slow,
            pools: BTreeSet::new(),
            again: false,
            read: RepoRead::default(),
            lively: now,
            requests: QUIET_REQUESTS,
            full: 0.0,
            looks: 0,
        }
    }

    /// The same, before it is known which pools want it.
    pub(super) fn unaimed(mut self) -> Self {
        self.aimed = Attention::Slow;
        self.pools.clear();
        self.turn.credentials.clear();
        self
    }

    /// A pool wants it.
    pub(super) fn aim(&mut self, pool: &PoolName, credentials: &CredentialName, attention: Attention) {
        self.aimed = self.aimed.max(attention);
        self.pools.insert(pool.clone());
        self.turn.admit(credentials);
    }

    /// All pools that want it are known. If it gets more attention than before, that begins now.
    pub(super) fn aimed(&mut self, now: Time) {
        if self.aimed > self.attention && !self.turn.failing() {
            self.turn.due = self.turn.due.min(now);
        }
        self.attention = self.aimed;
    }

    /// How long it rests by itself.
    pub(super) fn rest(&self, usual: Duration, now: Time) -> Duration {
        let lively =
            if self.read.jobs.is_empty() { Lively::Quiet(now.since(self.lively)) } else { Lively::Working };
        pace::rest(self.attention, lively, usual)
    }

    pub(super) fn load(&self, usual: Duration, now: Time) -> Load {
        Load { rest: self.rest(usual, now), requests: self.requests, full: self.full }
    }

    /// What a look is expected to cost. At first everything is new.
    pub(super) fn expected(&self) -> Price {
        let full = if self.looks == 0 { QUIET_REQUESTS } else { self.full };
        Price { requests: self.requests, full }
    }

    pub(super) fn stake(&self) -> Stake {
        match self.full {
            _ if self.looks == 0 => Stake::First,
            full if full < STILL => Stake::Still,
            _ => Stake::Changing,
        }
    }

    pub(super) fn saw(&mut self, look: Look) {
        self.turn.succeeded();
        let asked = self.turn.asked;
        let average = |old: f64, new: u32| old + LATEST * (f64::from(new) - old);
        if self.looks == 0 {
            // The first look reads everything in full, and says nothing of the next ones.
            self.requests = f64::from(look.requests).max(QUIET_REQUESTS);
        } else {
            self.requests = average(self.requests, look.requests);
            self.full = average(self.full, look.full);
        }
        self.looks += 1;
        if !look.jobs.is_empty() || look.jobs != self.read.jobs {
            self.lively = self.lively.max(asked.unwrap_or_default());
        }
        self.read = RepoRead { as_of: asked, error: None, jobs: look.jobs };
    }

    /// What was seen last stays, and the error beside it.
    pub(super) fn failed(&mut self, error: &GitHubError, now: Time) {
        self.again = false;
        self.read.error = Some(error.to_string());
        self.turn.failed(error.class(), now);
    }

    /// Something was pushed to it then. Until it was read that is all that is known of how lively it is.
    pub(super) fn pushed(&mut self, at: Option<Time>) {
        let Some(at) = at else { return };
        self.lively = if self.looks == 0 { at } else { self.lively.max(at) };
    }

    /// A number that tells this rest from the ones before.
    pub(super) fn looks(&self) -> u64 {
        self.looks
    }
}

/// An account whose repositories are listed.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) turn: Turn,
    /// How long after its last push a repository counts as active.
    pub(super) within: Duration,
    pub(super) repos: Vec<AccountRepo>,
    as_of: Option<Time>,
    error: Option<String>,
}

impl Account {
    pub(super) fn new(now: Time) -> Self {
        let (turn, within) = (Turn::new(now), Duration::ZERO);
        Self { turn, within, repos: Vec::new(), as_of: None, error: None }
    }

    /// The same, before it is known which pools want it.
    pub(super) fn unaimed(mut self) -> Self {
        self.within = Duration::ZERO;
        self.turn.credentials.clear();
        self
    }

    /// The repositories that something was pushed to lately, and those that `open` says have open jobs.
    pub(super) fn active<'a>(
        &'a self,
        within: Duration,
        now: Time,
        open: impl Fn(&Repo) -> bool + 'a,
    ) -> impl Iterator<Item = &'a AccountRepo> {
        let fresh = move |repo: &AccountRepo| repo.pushed.is_some_and(|at| now.since(at) <= within);
        self.repos.iter().filter(move |repo| !repo.archived && (fresh(repo) || open(&repo.repo)))
    }

    pub(super) fn saw(&mut self, repos: Vec<AccountRepo>) {
        self.turn.succeeded();
        (self.repos, self.as_of, self.error) = (repos, self.turn.asked, None);
    }

    pub(super) fn failed(&mut self, error: &GitHubError, now: Time) {
        self.error = Some(error.to_string());
        self.turn.failed(error.class(), now);
    }

    /// Says why it is not asked for.
    pub(super) fn held(&mut self, why: &str) {
        self.error = Some(why.to_owned());
    }

    pub(super) fn view(&self, now: Time, open: impl Fn(&Repo) -> bool) -> AccountView {
        let mut repos: Vec<Repo> = self.active(self.within, now, open).map(|r| r.repo.clone()).collect();
        repos.sort();
        AccountView { repos, as_of: self.as_of, error: self.error.clone() }
    }
}
