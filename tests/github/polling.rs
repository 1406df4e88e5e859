//! The poller with the real client against the simulator, for an hour of which the clock is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use ghrunner::demand::Poll;
use ghrunner::github::Access;
use ghrunner::github::AccessList;
use ghrunner::github::AccountRepo;
use ghrunner::github::Auth;
use ghrunner::github::Client;
use ghrunner::github::CredentialState;
use ghrunner::github::GitHub;
use ghrunner::github::GitHubError;
use ghrunner::github::Jit;
use ghrunner::github::JitRequest;
use ghrunner::github::Look;
use ghrunner::github::Queue;
use ghrunner::github::Removal;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::GroupName;
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
use githubsim::JobSpec;
use githubsim::Sim;
use githubsim::State;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::server::Source;
use crate::server::name;
use crate::server::patient;
use crate::server::spec;

const REPOS: usize = 20;

/// The client, living in real time. Whoever asks in made time stands still until the answer is there.
struct Bridge {
    real: tokio::runtime::Runtime,
    client: Arc<Client>,
    start: Instant,
    base: Time,
    /// The made clock, for the client.
    shown: Arc<Mutex<Time>>,
}

impl Bridge {
    fn now(&self) -> Time {
        let now = self.base + self.start.elapsed();
        *self.shown.lock().unwrap() = now;
        now
    }

    fn wait<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> T {
        self.now();
        let (sender, receiver) = mpsc::channel();
        self.real.spawn(async move { sender.send(call.await) });
        receiver.recv().unwrap()
    }
}

impl Queue for Bridge {
    async fn open_jobs(&self, credentials: &CredentialName, repo: &Repo) -> Result<Look, GitHubError> {
        let (client, credentials, repo) = (self.client.clone(), credentials.clone(), repo.clone());
        self.wait(async move { client.open_jobs(&credentials, &repo).await })
    }

    async fn repositories(
        &self,
        credentials: &CredentialName,
        owner: &str,
    ) -> Result<Vec<AccountRepo>, GitHubError> {
        let (client, credentials, owner) = (self.client.clone(), credentials.clone(), owner.to_owned());
        self.wait(async move { client.repositories(&credentials, &owner).await })
    }
}

/// A poller asks for nothing else.
const NOTHING_ELSE: &str = "a poller only reads queues";

impl GitHub for Bridge {
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

    fn url(&self, credentials: &CredentialName) -> String {
        self.client.url(credentials)
    }

    fn states(&self) -> Vec<CredentialState> {
        self.client.states()
    }
}

fn repositories() -> Vec<Repo> {
    (0..REPOS).map(|n| format!("acme/r{n}").parse().unwrap()).collect()
}

#[allow(clippy::disallowed_methods, reason = "the simulator lives by the machine's clock")]
fn machine_time() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    Time(u64::try_from(since.as_millis()).unwrap())
}

#[test]
fn an_idle_hour_takes_nothing_of_the_budget_and_a_job_is_heard_of_in_it() {
    let real = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let made = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let state = repositories()
        .iter()
        .fold(State::default().organization("acme"), |state, repo| state.repository(&repo.to_string()));
    let state = state.classic_token("ghp_test", &["admin:org", "repo"]);
    let sim = real.block_on(Sim::builder().state(state).start()).unwrap();
    let shown = Arc::new(Mutex::new(machine_time()));
    let clock = {
        let shown = shown.clone();
        Arc::new(move || *shown.lock().unwrap())
    };
    let token = Auth::Token(Source::new("ghp_test").loader());
    let client = Arc::new(Client::tuned(vec![spec(sim.base_url(), token)], clock, patient()));

    let bridge = made.block_on(async {
        let base = *shown.lock().unwrap();
        let bridge = Arc::new(Bridge { real, client, start: Instant::now(), base, shown });
        let pool = WantedPool {
            demand: Demand::Poll,
            credentials: name(),
            repos: repositories(),
            accounts: Vec::new(),
            active_within: Duration::from_secs(86_400),
            group: None,
            labels: vec!["x64".into()],
            set: None,
            capacity: BTreeMap::new(),
            nudge: 0,
        };
        let pools = BTreeMap::from([(PoolName::parse("a").unwrap(), pool)]);
        let (_wanted, wanted) = watch::channel(Arc::new(Wanted { pools }));
        let (sender, polled) = watch::channel(Arc::default());
        let clock = {
            let bridge = bridge.clone();
            Arc::new(move || bridge.now())
        };
        let cancel = CancellationToken::new();
        // At the usual pace it would be four times as many requests, and as many minutes on a slow machine.
        let poll = Poll::new(bridge.clone(), clock, wanted, cancel.clone(), sender);
        tokio::spawn(poll.paced(Arc::new(|_| Duration::from_secs(60))).run());

        tokio::time::sleep(Duration::from_secs(10)).await;
        let first = bridge.states().remove(0);
        assert_eq!((first.requests, first.not_modified), (2 * REPOS as u64, 0));
        let left = first.quota.unwrap().remaining;
        tokio::time::sleep(Duration::from_secs(3580)).await;
        let state = bridge.states().remove(0);
        assert_eq!(state.requests - state.not_modified, 2 * REPOS as u64, "every further answer was a 304");
        assert!(state.not_modified > 2 * REPOS as u64 * 3580 / 61, "{state:?}");
        assert_eq!(state.quota.unwrap().remaining, left, "and GitHub counted none of them");

        let job = JobSpec { repository: "acme/r7".into(), labels: vec!["X64".into()], ..JobSpec::default() };
        let job = sim.queue_job(&job).unwrap()[0];
        tokio::time::sleep(Duration::from_secs(61)).await;
        let read = polled.borrow().repos[&repositories()[7]].clone();
        assert_eq!(read.jobs.len(), 1, "{read:?}");
        assert_eq!(read.jobs[0].id, ghrunner::model::JobId::Job(job));
        assert_eq!(
            (&read.jobs[0].state, read.jobs[0].labels.as_slice()),
            (&JobState::Queued, &["x64".to_owned()][..])
        );
        cancel.cancel();
        bridge
    });
    drop(made);
    drop(sim);
    Arc::into_inner(bridge).unwrap().real.shutdown_background();
}
