//! A GitHub of which only queues and budgets are there, and a poller beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::demand::Poll;
use ghrunner::demand::Polled;
use ghrunner::github::Access;
use ghrunner::github::AccessList;
use ghrunner::github::AccountRepo;
use ghrunner::github::CredentialState;
use ghrunner::github::GitHub;
use ghrunner::github::GitHubError;
use ghrunner::github::Jit;
use ghrunner::github::JitRequest;
use ghrunner::github::Look;
use ghrunner::github::Queue;
use ghrunner::github::Quota;
use ghrunner::github::Removal;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::GroupName;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::PoolName;
use ghrunner::model::Registration;
use ghrunner::model::Repo;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use ghrunner::model::Wanted;
use ghrunner::model::WantedPool;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const START: Time = Time(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// One repository.
#[derive(Default)]
pub(crate) struct There {
    pub(crate) jobs: Vec<Job>,
    /// Whether each look finds something else.
    pub(crate) restless: bool,
    pub(crate) error: Option<GitHubError>,
    /// What the last look told.
    told: Option<Vec<Job>>,
    /// When it was looked at, since the start.
    pub(crate) looks: Vec<Duration>,
}

/// One credential.
pub(crate) struct Account {
    pub(crate) limit: u64,
    pub(crate) spent: u64,
    /// What others spend of the same budget each second.
    pub(crate) drain: u64,
    pub(crate) limited: Option<(Time, String)>,
    pub(crate) hangs: bool,
    hour: u64,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) repos: BTreeMap<Repo, There>,
    pub(crate) lists: BTreeMap<String, Result<Vec<AccountRepo>, GitHubError>>,
    pub(crate) listed: Vec<Duration>,
    pub(crate) accounts: BTreeMap<CredentialName, Account>,
    pub(crate) under_way: usize,
    pub(crate) busiest: usize,
}

pub(crate) struct Fake {
    start: Instant,
    pub(crate) world: Mutex<World>,
    pub(crate) set_back: Mutex<Duration>,
}

impl Fake {
    pub(crate) fn up(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn now(&self) -> Time {
        START + self.up() - *self.set_back.lock().unwrap()
    }

    fn quota(&self, account: &mut Account) -> Quota {
        let up = self.up().as_secs();
        if up / 3600 != account.hour {
            (account.hour, account.spent) = (up / 3600, 0);
        }
        let used = account.spent + account.drain * (up % 3600);
        let reset = START + HOUR * u32::try_from(account.hour + 1).unwrap();
        Quota { limit: account.limit, remaining: account.limit.saturating_sub(used), reset }
    }

    pub(crate) fn looks(&self, at: &str) -> Vec<Duration> {
        self.world.lock().unwrap().repos[&repo(at)].looks.clone()
    }

    pub(crate) fn spent(&self, name: &CredentialName) -> u64 {
        self.world.lock().unwrap().accounts[name].spent
    }

    pub(crate) fn with<T>(&self, at: &str, change: impl FnOnce(&mut There) -> T) -> T {
        change(self.world.lock().unwrap().repos.entry(repo(at)).or_default())
    }

    pub(crate) fn account<T>(&self, name: &CredentialName, change: impl FnOnce(&mut Account) -> T) -> T {
        change(self.world.lock().unwrap().accounts.get_mut(name).unwrap())
    }
}

impl Queue for Fake {
    async fn open_jobs(&self, credentials: &CredentialName, repo: &Repo) -> Result<Look, GitHubError> {
        let up = self.up();
        let hangs = {
            let mut world = self.world.lock().unwrap();
            world.under_way += 1;
            world.busiest = world.busiest.max(world.under_way);
            world.repos.entry(repo.clone()).or_default().looks.push(up);
            world.accounts[credentials].hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut world = self.world.lock().unwrap();
        world.under_way -= 1;
        let World { repos, accounts, .. } = &mut *world;
        let (there, account) = (repos.get_mut(repo).unwrap(), accounts.get_mut(credentials).unwrap());
        self.quota(account);
        if let Some((until, message)) = account.limited.clone().filter(|(until, _)| *until > self.now()) {
            return Err(GitHubError::Limited { credential: credentials.clone(), until, message });
        }
        if let Some(error) = there.error.clone() {
            account.spent += 1;
            return Err(error);
        }
        let full = if there.restless || there.told.as_ref() != Some(&there.jobs) { 2 } else { 0 };
        account.spent += u64::from(full);
        there.told = Some(there.jobs.clone());
        Ok(Look { jobs: there.jobs.clone(), requests: 2, full })
    }

    async fn repositories(&self, _: &CredentialName, owner: &str) -> Result<Vec<AccountRepo>, GitHubError> {
        let up = self.up();
        let mut world = self.world.lock().unwrap();
        world.listed.push(up);
        world.lists[owner].clone()
    }
}

/// A poller asks for nothing else.
const NOTHING_ELSE: &str = "a poller only reads queues";

impl GitHub for Fake {
    async fn register(&self, _: &CredentialName, _: &JitRequest) -> Result<Jit, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn cancel_run(&self, _: &CredentialName, _: &Repo, _: u64) -> Result<(), GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn registration_token(&self, _: &CredentialName, _: &Scope) -> Result<Secret, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn list(&self, _: &CredentialName, _: &Scope) -> Result<Vec<Registration>, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn find(
        &self,
        _: &CredentialName,
        _: &Scope,
        _: &RunnerName,
    ) -> Result<Option<Registration>, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn delete(&self, _: &CredentialName, _: &Scope, _: RunnerId) -> Result<Removal, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn admitted(
        &self,
        _: &CredentialName,
        _: &str,
        _: Option<&GroupName>,
    ) -> Result<AccessList, GitHubError> {
        panic!("{NOTHING_ELSE}")
    }

    async fn access(&self, _: &CredentialName, _: &Scope, _: Option<&GroupName>) -> Access {
        panic!("{NOTHING_ELSE}")
    }

    fn url(&self, _: &CredentialName) -> String {
        panic!("{NOTHING_ELSE}")
    }

    fn states(&self) -> Vec<CredentialState> {
        let now = self.now();
        let mut world = self.world.lock().unwrap();
        let accounts = world.accounts.iter_mut();
        accounts
            .map(|(name, account)| CredentialState {
                name: name.to_string(),
                url: "https://github.com".into(),
                quota: (account.limit > 0).then(|| self.quota(account)),
                limited: account.limited.clone().filter(|(until, _)| *until > now),
                refused: None,
                requests: 0,
                not_modified: 0,
            })
            .collect()
    }
}

/// A poller under way.
pub(crate) struct Stand {
    pub(crate) github: Arc<Fake>,
    pub(crate) wanted: watch::Sender<Arc<Wanted>>,
    pub(crate) polled: watch::Receiver<Arc<Polled>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Stand {
    /// A poller for these pools. Credentials have 5,000 requests an hour each.
    pub(crate) fn new(pools: impl IntoIterator<Item = (&'static str, WantedPool)>) -> Self {
        let pools: BTreeMap<PoolName, WantedPool> =
            pools.into_iter().map(|(name, pool)| (PoolName::parse(name).unwrap(), pool)).collect();
        let mut world = World::default();
        for pool in pools.values() {
            let account = Account { limit: 5000, spent: 0, drain: 0, limited: None, hangs: false, hour: 0 };
            world.accounts.insert(pool.credentials.clone(), account);
        }
        let github = Arc::new(Fake {
            start: Instant::now(),
            world: Mutex::new(world),
            set_back: Mutex::new(Duration::ZERO),
        });
        let (wanted, wanted_in) = watch::channel(Arc::new(Wanted { pools }));
        let (polled_out, polled) = watch::channel(Arc::default());
        let clock = github.clone();
        let cancel = CancellationToken::new();
        let clock = Arc::new(move || clock.now());
        let poll = Poll::new(github.clone(), clock, wanted_in, cancel.clone(), polled_out);
        let task = tokio::spawn(poll.run());
        Self { github, wanted, polled, cancel, task }
    }

    pub(crate) fn polled(&self) -> Arc<Polled> {
        self.polled.borrow().clone()
    }

    pub(crate) fn want(&self, name: &str, change: impl FnOnce(&mut WantedPool)) {
        self.wanted.send_modify(|wanted| {
            change(Arc::make_mut(wanted).pools.get_mut(&PoolName::parse(name).unwrap()).unwrap());
        });
    }

    /// The ids of the jobs that are known of a repository.
    pub(crate) fn jobs(&self, at: &str) -> Vec<u64> {
        let polled = self.polled();
        let jobs = polled.repos.get(&repo(at)).into_iter().flat_map(|read| &read.jobs);
        jobs.map(|job| match job.id {
            JobId::Job(id) => id,
            JobId::Request(_) => panic!("no scale set is asked"),
        })
        .collect()
    }

    pub(crate) fn error(&self, at: &str) -> Option<String> {
        self.polled().repos[&repo(at)].error.clone()
    }
}

pub(crate) async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

pub(crate) fn repo(text: &str) -> Repo {
    text.parse().unwrap()
}

pub(crate) fn named(name: &str) -> CredentialName {
    CredentialName::new(name)
}

pub(crate) fn pool(demand: Demand, repos: &[&str]) -> WantedPool {
    WantedPool {
        demand,
        credentials: CredentialName::default_name(),
        repos: repos.iter().map(|text| repo(text)).collect(),
        accounts: Vec::new(),
        active_within: Duration::from_secs(30 * 86_400),
        group: None,
        labels: vec!["self-hosted".into()],
        set: None,
        capacity: BTreeMap::new(),
        nudge: 0,
    }
}

pub(crate) fn job(id: u64, at: &str) -> Job {
    Job {
        id: JobId::Job(id),
        run: id,
        repo: repo(at),
        workflow: "build".into(),
        name: "test".into(),
        labels: vec!["self-hosted".into()],
        event: "push".into(),
        branch: "main".into(),
        state: JobState::Queued,
        queued: START,
    }
}

pub(crate) fn retry() -> GitHubError {
    GitHubError::Failed { call: "list the runs".into(), status: 502 }
}

pub(crate) fn gone() -> GitHubError {
    GitHubError::NotFound {
        credential: CredentialName::default_name(),
        what: "repos/acme/app".into(),
        needs: None,
    }
}

/// The times between two looks.
pub(crate) fn gaps(looks: &[Duration]) -> Vec<Duration> {
    looks.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
