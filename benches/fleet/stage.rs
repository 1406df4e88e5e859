//! A daemon before a real engine and a simulated GitHub.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::time::Duration;

use githubsim::JobSpec;
use githubsim::Sim;
use githubsim::State;
use lab::Daemon;
use lab::Fleet;
use lab::Proxy;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::Instant;

use crate::bare::unmake;

const TOKEN: &str = "ghp_bench";
const HOOK_SECRET: &str = "signs deliveries";
/// How long GitHub must have been left alone for the daemon to have asked all that it wants to know.
const ASKED: Duration = Duration::from_millis(1500);

/// The daemon goes first, its fleet last.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) proxy: Option<Proxy>,
    sim: Sim,
    pub(crate) fleet: Fleet,
    image: String,
    /// Where the webhook's deliveries arrive.
    hook: Option<SocketAddr>,
}

impl Stage {
    /// A daemon without pools. Its runners find `environment`; `recorded` puts a proxy before the engine.
    pub(crate) async fn new(environment: &[&str], recorded: bool) -> Self {
        Self::with(environment, recorded, None).await
    }

    /// The same, and it can hear of jobs by webhooks and scale sets.
    pub(crate) async fn hearing(environment: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::with(environment, false, Some(free)).await
    }

    async fn with(environment: &[&str], recorded: bool, hook: Option<SocketAddr>) -> Self {
        let fleet = Fleet::new(&lab::unique("b")).await.unwrap();
        let image = fleet.image("bench", environment).await.unwrap();
        let address = lab::host_address(fleet.docker()).await.unwrap();
        let mut state = State::default()
            .organization("acme")
            .repository("acme/app")
            .classic_token(TOKEN, &["repo", "admin:org", "admin:org_hook"]);
        if let Some(hook) = hook {
            state = state.hook("acme", &format!("http://{hook}/webhook"), HOOK_SECRET, &["workflow_job"]);
        }
        let sim = Sim::builder().state(state).listen(&format!("{address}:0")).start().await.unwrap();
        let mut daemon = Daemon::new(env!("CARGO_BIN_EXE_ghrunner")).unwrap();
        // As in service: what is logged costs, too.
        daemon.arguments(&["--log-level", "info"]);
        daemon.secret("token", TOKEN).unwrap();
        daemon.secret("hook-secret", HOOK_SECRET).unwrap();
        let proxy = match recorded {
            true => Some(Proxy::engine(daemon.path("engine.sock"), lab::ENGINE).await.unwrap()),
            false => None,
        };
        let mut stage = Self { daemon, proxy, sim, fleet, image, hook };
        stage.configure("");
        stage.daemon.start().await.unwrap();
        stage.until("a first look", 30, |status| status["ready"] == true).await;
        stage
    }

    /// Saves the file: a head, and these pools.
    pub(crate) fn configure(&self, pools: &str) {
        let endpoint = self.proxy.as_ref().map_or_else(|| lab::ENGINE.to_owned(), Proxy::address);
        let text = format!(
            r#"
[github]
url = "{url}"
token = {{ file = "{token}" }}

[engine]
endpoint = "unix://{endpoint}"

[host]
name = "{instance}"
max_runners = 1000
reserve = {{ disk = "256MiB" }}

[defaults]
image = "{image}"
pull = "never"
cpus = 1.0
memory = "128MiB"
start_timeout = "30m"

{hook}
{pools}"#,
            hook = self.hook_keys(),
            url = self.sim.base_url(),
            token = self.daemon.path("token").display(),
            instance = self.fleet.instance(),
            image = self.image,
        );
        self.daemon.configure(&text).unwrap();
    }

    fn hook_keys(&self) -> String {
        let Some(hook) = self.hook else { return String::new() };
        let secret = self.daemon.path("hook-secret");
        format!(
            "[http]\nlisten = \"{hook}\"\n\n[webhook]\nsecret = {{ file = \"{}\" }}\nurl = \"http://{hook}/webhook\"\n",
            secret.display()
        )
    }

    /// Puts a pool into the file that hears of its jobs by `demand`, and waits until it does. Gives its label.
    pub(crate) async fn listen(&self, demand: &str, max: u32) -> String {
        let name = self.fleet.pool("fleet");
        self.configure(&format!(
            "[pools.{name}]\norg = \"acme\"\nlabels = [\"{name}\"]\ndemand = \"{demand}\"\nmax = {max}\n"
        ));
        let (mut requests, mut since) = (0, Instant::now());
        lab::until("the daemon listens", Duration::from_secs(60), async || {
            let listens = |set: &githubsim::ScaleSetView| set.capacity.is_some_and(|room| room > 0);
            let listens = demand == "webhook" || self.sim.snapshot().scale_sets.iter().any(listens);
            let now = self.sim.counters().requests;
            if !listens || now != requests {
                (requests, since) = (now, Instant::now());
            }
            (since.elapsed() >= ASKED).then_some(())
        })
        .await
        .unwrap();
        name
    }

    /// Queues so many jobs in one run; gives their ids.
    pub(crate) fn queue(&self, label: &str, count: u32, lasting: Duration) -> Vec<u64> {
        let spec = JobSpec::new("acme/app", &["self-hosted", label]).lasting(lasting);
        self.sim.queue_job(&JobSpec { count, ..spec }).unwrap()
    }

    /// Cancels jobs.
    pub(crate) fn cancel(&self, jobs: &[u64]) {
        jobs.iter().for_each(|job| self.sim.with_world(|world, now| world.cancel_job(*job, now)).unwrap());
    }

    /// Waits until no runner is left, here and at GitHub.
    pub(crate) async fn until_gone(&self) {
        lab::until("nothing left of the fleet", Duration::from_secs(180), async || {
            let left = self.fleet.ids().await.ok()?.len();
            (left == 0 && self.sim.snapshot().runners.is_empty()).then_some(())
        })
        .await
        .unwrap();
    }

    /// A pool of the organization with so many runners, and further keys.
    pub(crate) fn pool(&self, name: &str, runners: u32, more: &str) -> String {
        let name = self.fleet.pool(name);
        format!(
            "[pools.{name}]\norg = \"acme\"\nlabels = [\"{name}\"]\nmin = {runners}\nmax = {runners}\n{more}\n"
        )
    }

    /// Waits until the daemon's status is as wanted.
    pub(crate) async fn until(&self, what: &str, limit: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        self.daemon.wait_for(what, Duration::from_secs(limit), wanted).await.unwrap()
    }

    /// Takes away everything at once, under the daemon's hands: it takes some seconds to be sure that a runner is idle.
    /// Its part is to see that they are gone, and to delete their registrations.
    pub(crate) async fn empty(&self) {
        self.configure("");
        self.daemon.signal(Signal::SIGSTOP);
        unmake(&self.fleet).await;
        self.daemon.signal(Signal::SIGCONT);
        lab::until("nothing left of the fleet", Duration::from_secs(180), async || {
            let left = self.fleet.ids().await.ok()?.len() + self.sim.snapshot().runners.len();
            (left == 0).then_some(())
        })
        .await
        .unwrap();
        // A network that the engine itself cannot remove serves again.
        let _ = lab::until("no network is left", Duration::from_secs(20), async || {
            self.fleet.networks().await.ok()?.is_empty().then_some(())
        })
        .await;
    }

    /// Waits until what the daemon has asked of GitHub counts no more: it sends what costs 850 points in a minute, and
    /// registering a runner costs five, deleting the registration as much.
    pub(crate) async fn replenish(&self) {
        tokio::time::sleep(Duration::from_secs(61)).await;
    }

    /// Ends the daemon in good order; what is left goes with the fleet.
    pub(crate) async fn end(mut self) {
        self.empty().await;
        assert!(self.daemon.stop().await.unwrap().success());
        self.sim.stop().await;
    }
}

/// How many runners are in that phase, over all pools.
pub(crate) fn in_phase(status: &Value, phase: &str) -> u64 {
    status["pools"].as_array().into_iter().flatten().filter_map(|pool| pool["phases"][phase].as_u64()).sum()
}
