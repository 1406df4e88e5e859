//! One test's daemon, simulator, proxies and fleet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::http::dto;
use ghrunner::http::dto::Phase;
use githubsim::JobSpec;
use githubsim::JobStatus;
use githubsim::Sim;
use githubsim::Snapshot;
use githubsim::State;
use lab::Daemon;
use lab::Fleet;
use lab::Proxy;
use lab::Verdict;
use lab::When;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;

/// The daemon's token, a text that must show up nowhere.
pub(crate) const TOKEN: &str = "ghp_canary7Kx2pQ9vTokenOfTheDaemon";
/// The token of a second credential.
pub(crate) const PARTNER: &str = "ghp_canary3Wz8mPartnersOwnToken";

/// Long enough for anything that should happen soon, on a machine with much to do.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// Everything that one test needs. The daemon goes first, its fleet last.
pub(crate) struct Bench {
    pub(crate) daemon: Daemon,
    pub(crate) api: Proxy,
    pub(crate) engine: Proxy,
    pub(crate) sim: Arc<Sim>,
    pub(crate) fleet: Fleet,
    pub(crate) image: String,
    /// Further keys of `[engine]`.
    pub(crate) auth: String,
    /// Further keys of `[github]`.
    pub(crate) github: String,
    /// Further sections.
    pub(crate) sections: String,
}

/// An organization with two repositories and a group, and the daemon's two tokens.
pub(crate) fn state() -> State {
    let scopes = ["repo", "admin:org"];
    let mut state = State::default()
        .organization("acme")
        .repository("acme/app")
        .repository("acme/web")
        .repository("alice/tool")
        .group("acme", 3, "ci", &["app"])
        .classic_token(TOKEN, &scopes)
        .classic_token(PARTNER, &scopes);
    state.settings.offline_after = Duration::from_secs(2);
    state
}

impl Bench {
    /// A bench with the usual state and a good image.
    pub(crate) async fn new(test: &str) -> Self {
        Self::with(test, state()).await
    }

    pub(crate) async fn with(test: &str, state: State) -> Self {
        let fleet = Fleet::new(&lab::unique("e")).await.unwrap();
        let address = lab::host_address(fleet.docker()).await.unwrap();
        Self::at(test, state, fleet, lab::ENGINE, &address).await
    }

    /// One at the engine behind `socket`, whose containers reach the simulator at `address`.
    pub(crate) async fn at(test: &str, state: State, fleet: Fleet, socket: &str, address: &str) -> Self {
        let image = fleet.image("ok", &[]).await.unwrap();
        let sim = simulator(test, state, address).await;
        let api = Proxy::tcp("127.0.0.1", &sim.address().to_string()).await.unwrap();
        let daemon = Daemon::new(env!("CARGO_BIN_EXE_ghrunner")).unwrap();
        let engine = Proxy::engine(daemon.path("engine.sock"), socket).await.unwrap();
        daemon.secret("token", TOKEN).unwrap();
        daemon.secret("partner", PARTNER).unwrap();
        Self {
            daemon,
            api,
            engine,
            sim,
            fleet,
            image,
            auth: String::new(),
            github: String::new(),
            sections: String::new(),
        }
    }

    /// Writes the file: the head that every test shares, and `pools`, in which `{P}` becomes this fleet's instance.
    pub(crate) fn configure(&self, pools: &str) {
        self.configure_with("", pools);
    }

    /// The same, with further keys of `[host]`.
    pub(crate) fn configure_with(&self, host: &str, pools: &str) {
        let (url, api) = (self.sim.base_url(), self.api.address());
        let text = format!(
            r#"
[github]
url = "{url}"
api_url = "http://{api}"
token = {{ file = "{token}" }}
{github}

{sections}

[credentials.partner]
url = "{url}"
api_url = "http://{api}"
token = {{ file = "{partner}" }}

[engine]
endpoint = "unix://{engine}"
concurrency = 4
{auth}

[host]
name = "{instance}"
reserve = {{ disk = "1MiB" }}
{host}

[defaults]
image = "{image}"
pull = "never"
cpus = 0
memory = "256MiB"
log_driver = "json-file"

{pools}
"#,
            token = self.daemon.path("token").display(),
            partner = self.daemon.path("partner").display(),
            engine = self.engine.address(),
            instance = self.fleet.instance(),
            auth = self.auth,
            github = self.github,
            sections = self.sections,
            image = self.image,
            pools = pools.replace("{P}", self.fleet.instance()),
        );
        self.daemon.configure(&text).unwrap();
    }

    /// Writes the file and starts the daemon.
    pub(crate) async fn start(&mut self, pools: &str) {
        self.configure(pools);
        self.daemon.start().await.unwrap();
    }

    pub(crate) async fn status(&self) -> dto::Status {
        typed(self.daemon.status().await.unwrap())
    }

    /// Waits until the status is as wanted, and gives it.
    pub(crate) async fn wait(&self, what: &str, wanted: impl Fn(&dto::Status) -> bool) -> dto::Status {
        self.wait_long(what, SOON, wanted).await
    }

    pub(crate) async fn wait_long(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&dto::Status) -> bool,
    ) -> dto::Status {
        let seen = self.daemon.wait_for(what, limit, |status| wanted(&typed(status.clone()))).await;
        typed(seen.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Waits until the pool `name` has exactly `count` runners, all idle and all registered at the simulator.
    pub(crate) async fn idle(&self, name: &str, count: u32) -> dto::Status {
        let pool = self.fleet.pool(name);
        let status =
            self.wait(&format!("{count} idle runners of {pool}"), |s| phases(s, &pool) == idle(count)).await;
        assert_eq!(self.of_pool(name).await.len() as u32, count, "containers of {pool}");
        status
    }

    /// Waits until the world at the simulator is as wanted.
    pub(crate) async fn sim_until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        match self.sim.wait_until(SOON, wanted).await {
            Ok(snapshot) => snapshot,
            Err(last) => panic!("not so: {what}\n{last:#?}\n{}", tail(&self.daemon.log(), 60)),
        }
    }

    /// Names of the containers of a pool.
    pub(crate) async fn of_pool(&self, name: &str) -> Vec<String> {
        let prefix = format!("ghrunner-{}-", self.fleet.pool(name));
        let mut names = self.fleet.names().await.unwrap();
        names.retain(|name| name.starts_with(&prefix));
        names
    }

    /// A job for the pool `name`, which must have its own name among its labels.
    pub(crate) fn job(&self, repository: &str, name: &str) -> JobSpec {
        JobSpec::new(repository, &["self-hosted", &self.fleet.pool(name)])
    }

    /// Queues a job of so many seconds for the pool `name`, and waits until it runs; gives its id.
    pub(crate) async fn busy(&self, repository: &str, name: &str, seconds: u64) -> u64 {
        let job = self.job(repository, name).lasting(lab::secs(seconds));
        let id = self.sim.queue_job(&job).unwrap()[0];
        self.sim_until("the job runs", |s| s.jobs.iter().any(|j| j.id == id && j.started_ms.is_some())).await;
        id
    }

    /// Waits until a job is over; gives what it came to.
    pub(crate) async fn outcome(&self, job: u64) -> &'static str {
        let of = |s: &Snapshot| s.jobs.iter().find(|j| j.id == job).and_then(|j| j.conclusion);
        let seen = self.sim_until("the job is over", |s| of(s).is_some()).await;
        of(&seen).unwrap_or_default()
    }

    /// Checks that each registration has a container and each container a registration.
    pub(crate) async fn paired(&self) {
        let registered = |s: &Snapshot| s.runners.iter().map(|r| r.name.clone()).collect::<BTreeSet<_>>();
        let paired = lab::until("registrations and containers fit", SOON, async || {
            let containers = self.fleet.containers().await.unwrap().into_iter();
            let runners: BTreeSet<String> = containers
                .filter_map(|c| c.labels.unwrap_or_default().remove("io.ghrunner.runner"))
                .collect();
            (registered(&self.sim.snapshot()) == runners).then_some(())
        });
        if let Err(error) = paired.await {
            let seen = (registered(&self.sim.snapshot()), self.fleet.names().await);
            panic!("{error}: {seen:#?}\n{}", tail(&self.daemon.log(), 60));
        }
    }

    /// Has the daemon die by `kill -9` at a request that passes one of the proxies. The request, or its answer, does
    /// not get through.
    pub(crate) fn kill_at(&self, proxy: &Proxy, when: When, method: &str, path: &str, nth: u32) {
        let pid = i32::try_from(self.daemon.pid().unwrap()).unwrap();
        proxy.at(when, method, path, nth, move |_| {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            Verdict::Cut
        });
    }

    /// `ghrunner` with these arguments: exit code, output, errors.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> (i32, String, String) {
        let done = self.daemon.cli(arguments).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
    }

    /// Empties the fleet by taking all pools out of the file, and checks that nothing is left of it anywhere.
    pub(crate) async fn empty(&self) {
        self.configure("");
        let gone = lab::until("nothing is left at the engine", SOON, async || {
            let left = self.fleet.ids().await.unwrap().len()
                + self.fleet.networks().await.unwrap().len()
                + self.fleet.volumes().await.unwrap().len();
            (left == 0).then_some(())
        });
        if let Err(error) = gone.await {
            let left = (
                self.fleet.names().await.unwrap(),
                self.fleet.networks().await.unwrap(),
                self.fleet.volumes().await.unwrap(),
            );
            // A network that the engine cannot remove is no fault of the daemon's.
            let miscounted = self.fleet.remove_networks().await.unwrap();
            let only_that = left.0.is_empty() && left.2.is_empty() && left.1.len() == miscounted;
            assert!(only_that, "{error}: {left:?}\n{}", tail(&self.daemon.log(), 60));
        }
        self.sim_until("no registration is left", |s| s.runners.is_empty()).await;
    }

    /// What must hold at the end of each test: no busy runner was deleted, no registration used twice, no secret told.
    pub(crate) async fn finish(self) {
        assert_eq!(self.sim.counters().busy_deleted, 0);
        self.finish_anyhow().await;
    }

    /// The same after a fault that lets GitHub delete busy runners.
    pub(crate) async fn finish_anyhow(mut self) {
        assert_eq!(self.used_twice(), BTreeSet::new());
        self.no_secret_in("the log", &self.daemon.log());
        if self.daemon.pid().is_some() {
            self.no_secret_in("the status", &self.daemon.status().await.unwrap().to_string());
            assert!(self.daemon.stop().await.unwrap().success());
        }
    }

    /// Runners whose registration was used a second time. One that was deleted before its container came up may be
    /// tried once, in vain: a start that the engine was told of goes on when who told it is killed.
    fn used_twice(&self) -> BTreeSet<String> {
        let history = self.sim.with_world(|world, _| world.history().to_vec());
        let whose = |what: &str| -> BTreeSet<String> {
            history.iter().filter(|event| event.what == what).map(|event| event.runner.clone()).collect()
        };
        whose("reused").intersection(&whose("connected")).cloned().collect()
    }

    pub(crate) fn no_secret_in(&self, place: &str, text: &str) {
        for secret in ["canary7Kx2pQ9v", "canary3Wz8m"] {
            assert!(!text.contains(secret), "{place} tells a secret");
        }
    }
}

async fn simulator(test: &str, state: State, address: &str) -> Arc<Sim> {
    let mut builder = Sim::builder().state(state);
    // Runners keep to the simulator itself: only the daemon's calls pass the proxy.
    let port = std::net::TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
    builder = builder.listen(&format!("{address}:{port}")).advertise(&format!("http://{address}:{port}"));
    if let Some(folder) = std::env::var_os("GHRUNNER_EXCHANGE_LOG_DIR") {
        std::fs::create_dir_all(&folder).unwrap();
        builder = builder.exchange_log(PathBuf::from(folder).join(format!("{test}.jsonl")));
    }
    Arc::new(builder.start().await.unwrap())
}

pub(crate) fn typed(status: Value) -> dto::Status {
    serde_json::from_value(status).unwrap()
}

/// How many runners a pool has, by phase.
pub(crate) fn phases(status: &dto::Status, pool: &str) -> BTreeMap<Phase, u32> {
    status.pools.iter().find(|p| p.name == pool).map(|p| p.phases.clone()).unwrap_or_default()
}

/// Idle runners only.
pub(crate) fn idle(count: u32) -> BTreeMap<Phase, u32> {
    BTreeMap::from([(Phase::Idle, count)]).into_iter().filter(|(_, n)| *n > 0).collect()
}

pub(crate) fn completed(snapshot: &Snapshot) -> usize {
    snapshot.jobs.iter().filter(|job| job.status == JobStatus::Completed).count()
}

pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
