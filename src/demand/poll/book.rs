//! Which repository is read next: everything that the poller decides, as a value.
//!
//! **Knows** what is wanted, when each repository is due, and what its credential can afford.
//! **Does not know** how GitHub is asked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Paces;
use super::Polled;
use super::pace;
use super::pace::Attention;
use super::pace::Price;
use super::pace::Purse;
use super::pace::Short;
use super::pace::Stake;
use super::target::Account;
use super::target::Target;
use super::target::Turn;
use crate::github::AccountRepo;
use crate::github::CredentialState;
use crate::github::GitHubError;
use crate::github::Look;
use crate::model::CredentialName;
use crate::model::Demand;
use crate::model::PoolName;
use crate::model::Repo;
use crate::model::Time;
use crate::model::Wanted;

/// Looks at the same time for each credential, so that one pool's many repositories leave room for registrations.
const AT_A_TIME: usize = 4;
/// How often an account's repositories are listed.
const LIST_AGAIN: Duration = Duration::from_secs(5 * 60);
/// A repository that waits for its credential longer than this says so.
const LATE: Duration = Duration::from_secs(60);
/// The clock may run a little differently from the one by which we wait.
const SET_BACK: Duration = Duration::from_secs(2);

/// Something to ask GitHub for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Queue(CredentialName, Repo),
    Account(CredentialName, String),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Queue(CredentialName, Repo, Result<Look, GitHubError>),
    Account(CredentialName, String, Result<Vec<AccountRepo>, GitHubError>),
}

/// What is known and planned.
pub(super) struct Book {
    paces: Paces,
    wanted: Arc<Wanted>,
    nudges: BTreeMap<PoolName, u64>,
    targets: BTreeMap<Repo, Target>,
    accounts: BTreeMap<String, Account>,
    purses: BTreeMap<CredentialName, Purse>,
    states: HashMap<String, CredentialState>,
    now: Time,
    /// When something has to be begun that waits for its time.
    next: Option<Time>,
    /// Whether the view is another than when it was last taken.
    changed: bool,
}

impl Book {
    pub(super) fn new(paces: Paces) -> Self {
        Self {
            paces,
            wanted: Arc::default(),
            nudges: BTreeMap::new(),
            targets: BTreeMap::new(),
            accounts: BTreeMap::new(),
            purses: BTreeMap::new(),
            states: HashMap::new(),
            now: Time::default(),
            next: None,
            changed: true,
        }
    }

    /// Takes in the time and how the credentials stand.
    pub(super) fn tick(&mut self, now: Time, states: Vec<CredentialState>) {
        if now + SET_BACK < self.now {
            self.turns().for_each(|turn| turn.set_back(now));
        }
        self.now = now;
        self.states = states.into_iter().map(|state| (state.name.clone(), state)).collect();
        for (name, purse) in &mut self.purses {
            purse.fill(self.states.get(name.as_str()).and_then(|state| state.quota.as_ref()), now);
        }
    }

    fn turns(&mut self) -> impl Iterator<Item = &mut Turn> {
        let targets = self.targets.values_mut().map(|target| &mut target.turn);
        targets.chain(self.accounts.values_mut().map(|account| &mut account.turn))
    }

    /// Takes in what is wanted, and reads soon what was nudged. Where deliveries tell of jobs they tell of this, too.
    pub(super) fn aim(&mut self, wanted: Arc<Wanted>) {
        self.wanted = wanted;
        self.retarget();
        let polled = self.wanted.pools.iter().filter(|(_, pool)| pool.demand == Demand::Poll);
        let nudges = polled.map(|(name, pool)| (name.clone(), pool.nudge)).collect();
        let before = std::mem::replace(&mut self.nudges, nudges);
        let changed = |(name, nudge): &(&PoolName, &u64)| before.get(*name).is_some_and(|old| old != *nudge);
        let nudged: BTreeSet<PoolName> =
            self.nudges.iter().filter(changed).map(|(name, _)| name.clone()).collect();
        self.nudge(&nudged);
    }

    fn nudge(&mut self, pools: &BTreeSet<PoolName>) {
        let hit = |target: &Target| !target.pools.is_disjoint(pools);
        let requests =
            self.targets.values().filter(|target| hit(target)).map(|target| target.expected().requests).sum();
        let soon = pace::soon(requests);
        for target in self.targets.values_mut().filter(|target| hit(target) && !target.turn.failing()) {
            target.again = target.turn.under_way;
            let at = target.turn.asked.map_or(self.now, |asked| asked + soon);
            target.turn.due = target.turn.due.min(at.max(self.now));
        }
    }

    /// Brings targets and accounts to what is wanted; what is known of those that stay is kept.
    fn retarget(&mut self) {
        let (now, wanted) = (self.now, self.wanted.clone());
        let open: BTreeSet<Repo> = self.open().cloned().collect();
        let mut old = std::mem::take(&mut self.targets);
        let mut old_accounts = std::mem::take(&mut self.accounts);
        // Pools that poll come first: their credentials are the ones to ask with.
        let mut pools: Vec<_> = wanted
            .pools
            .iter()
            .filter_map(|(name, pool)| Some((attention(pool.demand)?, name, pool)))
            .collect();
        pools.sort_by_key(|(attention, name, _)| (std::cmp::Reverse(*attention), *name));
        for (attention, name, pool) in pools {
            let mut aim = |repo: &Repo, pushed: Option<Time>| {
                let known = |repo: &Repo| old.remove(repo).map_or_else(|| Target::new(now), Target::unaimed);
                let target = self.targets.entry(repo.clone()).or_insert_with_key(known);
                target.pushed(pushed);
                target.aim(name, &pool.credentials, attention);
            };
            pool.repos.iter().for_each(|repo| aim(repo, None));
            for owner in &pool.accounts {
                let known = |owner: &String| {
                    old_accounts.remove(owner).map_or_else(|| Account::new(now), Account::unaimed)
                };
                let account = self.accounts.entry(owner.clone()).or_insert_with_key(known);
                account.within = account.within.max(pool.active_within);
                account.turn.admit(&pool.credentials);
                let active = account.active(pool.active_within, now, |repo| open.contains(repo));
                active.for_each(|found| aim(&found.repo, found.pushed));
            }
        }
        self.targets.values_mut().for_each(|target| target.aimed(now));
        let named: BTreeSet<CredentialName> =
            self.turns().flat_map(|turn| turn.credentials.clone()).collect();
        self.purses.retain(|name, _| named.contains(name));
        for name in named {
            self.purses.entry(name).or_default();
        }
        self.changed = true;
    }

    /// Repositories with open jobs.
    fn open(&self) -> impl Iterator<Item = &Repo> {
        self.targets.iter().filter(|(_, target)| !target.read.jobs.is_empty()).map(|(repo, _)| repo)
    }

    /// What to ask for now, as far as credentials can afford it: what was never read first, then what waits longest.
    pub(super) fn begin(&mut self) -> Vec<Ask> {
        let now = self.now;
        self.next = self.turns().filter(|turn| !turn.under_way && turn.due > now).map(|turn| turn.due).min();
        let mut asks = self.begin_accounts();
        let mut busy = Busy::default();
        for target in self.targets.values().filter(|target| target.turn.under_way) {
            target.turn.credential().into_iter().for_each(|name| busy.take(name, target.expected()));
        }
        let mut due: Vec<(bool, Time, Repo)> = self
            .targets
            .iter()
            .filter(|(_, target)| target.turn.is_due(now))
            .map(|(repo, target)| (target.turn.asked.is_some(), target.turn.due, repo.clone()))
            .collect();
        due.sort();
        for (.., repo) in due {
            let Some(target) = self.targets.get(&repo) else { continue };
            let Some(name) = target.turn.credential().cloned() else { continue };
            let held = self.held(&name, target.stake(), busy.promised(&name));
            let Some(target) = self.targets.get_mut(&repo) else { continue };
            if let Some((until, why)) = held {
                // It stays due, and is the first to be read then; but that it is late must be seen.
                self.next = self.next.into_iter().chain([until]).min();
                let late = target.turn.asked.is_none() || now.since(target.turn.due) >= LATE;
                if let Some(why) = why.filter(|_| late) {
                    self.changed |= target.read.error.as_ref() != Some(&why);
                    target.read.error = Some(why);
                }
            } else if busy.has_place(&name) {
                busy.take(&name, target.expected());
                target.turn.begin(now);
                asks.push(Ask::Queue(name, repo));
            }
        }
        asks
    }

    fn begin_accounts(&mut self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (owner, account) in self.accounts.iter_mut().filter(|(_, account)| account.turn.is_due(self.now))
        {
            let Some(name) = account.turn.credential().cloned() else { continue };
            let state = self.states.get(name.as_str());
            if let Some((until, why)) = state.and_then(|state| state.limited.clone()) {
                account.turn.due = until;
                account.held(&why);
                self.next = self.next.into_iter().chain([until]).min();
                self.changed = true;
            } else {
                account.turn.begin(self.now);
                asks.push(Ask::Account(name, owner.clone()));
            }
        }
        asks
    }

    /// Until when nothing more can be asked with a credential, and why, unless it is nothing but pace.
    fn held(&self, name: &CredentialName, stake: Stake, promised: Price) -> Option<(Time, Option<String>)> {
        let state = self.states.get(name.as_str())?;
        if let Some((until, why)) = &state.limited {
            return Some((*until, Some(format!("credential {name} is limited until {until}: {why}"))));
        }
        match self.purses.get(name)?.short(stake, promised, self.now)? {
            Short::Minute(wait) => Some((self.now + wait, None)),
            Short::Hour(wait) => {
                let why = format!(
                    "polling has used its part of the requests that credential {name} has left this hour"
                );
                Some((self.now + wait, Some(why)))
            }
        }
    }

    /// Takes in an answer. What is not wanted any more is forgotten.
    pub(super) fn settle(&mut self, answer: Answer) {
        self.changed = true;
        match answer {
            Answer::Queue(name, repo, result) => self.settle_queue(&name, &repo, result),
            Answer::Account(name, owner, result) => self.settle_account(&name, &owner, result),
        }
    }

    fn settle_queue(&mut self, name: &CredentialName, repo: &Repo, result: Result<Look, GitHubError>) {
        if let Some(purse) = self.purses.get_mut(name) {
            let (requests, full) = result.as_ref().map_or((1, 1), |look| (look.requests, look.full));
            purse.spend(Price { requests: requests.into(), full: full.into() });
        }
        let Some(target) = self.targets.get_mut(repo).filter(|target| target.turn.under_way) else { return };
        let failing = target.turn.failing();
        match result {
            Ok(look) => {
                target.saw(look);
                if failing {
                    tracing::info!(%repo, "the repository's queue can be read again");
                }
                self.rest(name, repo);
            }
            Err(error) => {
                target.failed(&error, self.now);
                if !failing && target.turn.failing() {
                    tracing::warn!(%repo, %error, "the repository's queue cannot be read");
                }
            }
        }
    }

    fn settle_account(
        &mut self,
        name: &CredentialName,
        owner: &str,
        result: Result<Vec<AccountRepo>, GitHubError>,
    ) {
        let Some(account) = self.accounts.get_mut(owner).filter(|account| account.turn.under_way) else {
            return;
        };
        let failing = account.turn.failing();
        match result {
            Ok(repos) => {
                account.saw(repos);
                account.turn.due = self.now + LIST_AGAIN.mul_f64(pace::jitter((name, owner, self.now)));
                if failing {
                    tracing::info!(owner, "the account's repositories can be listed again");
                }
                self.retarget();
            }
            Err(error) => {
                account.failed(&error, self.now);
                if !failing && account.turn.failing() {
                    tracing::warn!(owner, %error, "the account's repositories cannot be listed");
                }
            }
        }
    }

    /// Says when a repository is due that was just read.
    fn rest(&mut self, name: &CredentialName, repo: &Repo) {
        let (usual, now) = ((self.paces)(name), self.now);
        let of_credential = self.targets.values().filter(|target| target.turn.credential() == Some(name));
        let loads: Vec<_> = of_credential.map(|target| target.load(usual, now)).collect();
        let quota = self.states.get(name.as_str()).and_then(|state| state.quota.as_ref());
        let purse = self.purses.get(name).cloned().unwrap_or_default();
        let stretch = pace::stretch(&loads, &purse, quota, now);
        let Some(target) = self.targets.get_mut(repo) else { return };
        let jitter = pace::jitter((repo, target.looks()));
        let rest = pace::stretched(target.rest(usual, now), stretch).mul_f64(jitter);
        let rest = if target.again { rest.min(pace::soon(target.expected().requests)) } else { rest };
        target.again = false;
        target.turn.due = (target.turn.asked.unwrap_or(now) + rest).max(now);
    }

    /// How long nothing has to be begun, unless something happens.
    pub(super) fn idle(&self) -> Duration {
        self.next.map_or(LATE, |next| next.since(self.now)).clamp(Duration::from_millis(50), LATE)
    }

    /// The view, if it has changed.
    pub(super) fn view(&mut self) -> Option<Polled> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let open: BTreeSet<&Repo> = self.open().collect();
        let accounts = self.accounts.iter();
        Some(Polled {
            repos: self.targets.iter().map(|(repo, target)| (repo.clone(), target.read.clone())).collect(),
            accounts: accounts
                .map(|(owner, account)| (owner.clone(), account.view(self.now, |repo| open.contains(repo))))
                .collect(),
        })
    }
}

/// What is under way for each credential: how many looks, and what they are expected to cost.
#[derive(Default)]
struct Busy(HashMap<CredentialName, (usize, Price)>);

impl Busy {
    fn take(&mut self, name: &CredentialName, expected: Price) {
        let (places, promised) = self.0.entry(name.clone()).or_default();
        *places += 1;
        promised.requests += expected.requests;
        promised.full += expected.full;
    }

    fn promised(&self, name: &CredentialName) -> Price {
        self.0.get(name).map_or_else(Price::default, |(_, promised)| *promised)
    }

    fn has_place(&self, name: &CredentialName) -> bool {
        self.0.get(name).is_none_or(|(places, _)| *places < AT_A_TIME)
    }
}

/// How the repositories of a pool are looked after; not at all where something else tells of its jobs.
fn attention(demand: Demand) -> Option<Attention> {
    match demand {
        Demand::Poll => Some(Attention::Quick),
        Demand::Webhook => Some(Attention::Slow),
        Demand::Fixed | Demand::ScaleSet => None,
    }
}
