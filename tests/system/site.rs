//! A booted machine, a simulated GitHub that it reaches, and what an admin does there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use githubsim::Image;
use githubsim::JobSpec;
use githubsim::Sim;
use githubsim::Snapshot;
use githubsim::State;

use crate::machine::Machine;
use crate::machine::SOON;

/// Secrets, texts that must show up nowhere but where they belong.
pub(crate) const TOKEN: &str = "ghp_canary7Kx2pQ9vTokenOfTheDaemon";
pub(crate) const HOOK_SECRET: &str = "canary5Tr1WebhooksOwnSecret";

/// The runner's image in the machine's engine.
pub(crate) const IMAGE: &str = "localhost/standin:1";
/// Where the unit looks for the token.
pub(crate) const TOKEN_FILE: &str = "/etc/ghrunner/credentials/github-token";
/// The configuration.
pub(crate) const FILE: &str = "/etc/ghrunner/pools.toml";

/// One pool of an organization with two runners that stand.
pub(crate) const BUILD: &str = "[pools.build]\norg = \"acme\"\ngroup = \"ci\"\nlabels = [\"build\"]\nmin = 2\nmax = 6\nidle_timeout = \"2s\"\nrollback = [\"acme/app\", \"acme/web\"]\n";

pub(crate) struct Site {
    pub(crate) machine: Machine,
    pub(crate) sim: Arc<Sim>,
}

/// An organization with a group of its two repositories.
pub(crate) fn state() -> State {
    let mut state = State::default()
        .organization("acme")
        .repository("acme/app")
        .repository("acme/web")
        .group("acme", 3, "ci", &["app", "web"])
        .classic_token(TOKEN, &["repo", "admin:org"]);
    state.settings.offline_after = Duration::from_secs(2);
    state
}

/// A folder that `scripts/release.sh` filled.
fn dist(variable: &str) -> PathBuf {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    let folder =
        folder.unwrap_or_else(|| panic!("{variable} must name a folder that `scripts/release.sh` filled"));
    folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

impl Site {
    /// A machine with nothing of ours on it yet.
    pub(crate) async fn new() -> Self {
        Self::with(|_| state()).await
    }

    /// The same with another world at GitHub, which may ask for the machine's address.
    pub(crate) async fn with(state: impl FnOnce(&Machine) -> State) -> Self {
        let machine = Machine::boot(&dist("GHRUNNER_DIST"), &dist("GHRUNNER_DIST_NEWER")).await;
        let state = state(&machine);
        let docker = engine().await;
        let address = lab::host_address(&docker).await.unwrap();
        let port = std::net::TcpListener::bind((address.as_str(), 0)).unwrap().local_addr().unwrap().port();
        let builder = Sim::builder().state(state).listen(&format!("{address}:{port}"));
        let sim = builder.advertise(&format!("http://{address}:{port}")).start().await.unwrap();
        Self { machine, sim: Arc::new(sim) }
    }

    /// One with the package installed from the repository, configured and running, its runners idle.
    pub(crate) async fn converged() -> Self {
        let site = Self::new().await;
        site.install();
        site.serve().await;
        site
    }

    /// Gives an installed service what it needs, starts it, and waits until its runners are idle.
    pub(crate) async fn serve(&self) {
        self.give_image();
        self.give_token();
        self.configure(BUILD);
        self.machine.sh("systemctl enable --now ghrunner");
        self.idle(2).await;
    }

    /// As the manual says it: the key, the repository's line, `apt install`.
    pub(crate) fn install(&self) {
        self.trust();
        self.machine.sh("apt-get install -y ghrunner");
    }

    /// Makes the repository of packages known to apt, and no other: what they depend on is there, and Debian's own lists
    /// would only take time.
    pub(crate) fn trust(&self) {
        self.machine.sh("rm -f /etc/apt/sources.list");
        self.add_repository("ghrunner", "/srv/packages/apt");
    }

    /// The same with newer packages, as if the repository had got them now.
    pub(crate) fn trust_newer(&self) {
        self.add_repository("ghrunner-newer", "/srv/newer/apt");
    }

    fn add_repository(&self, name: &str, folder: &str) {
        let key = format!("/usr/share/keyrings/{name}.gpg");
        self.machine.sh(&format!("install -D -m 0644 {folder}/ghrunner.gpg {key}"));
        let line = format!("deb [signed-by={key}] file:{folder} stable main\n");
        self.machine.write(&format!("/etc/apt/sources.list.d/{name}.list"), "0644", &line);
        self.machine.sh("apt-get update");
    }

    /// Loads the stand-in runner into the machine's engine.
    pub(crate) fn give_image(&self) {
        let program = std::fs::read(lab::standin_program().unwrap()).unwrap();
        self.machine.load(&Image { program, environment: Vec::new() }.archive(IMAGE));
    }

    pub(crate) fn give_token(&self) {
        self.machine.write(TOKEN_FILE, "0600", &format!("{TOKEN}\n"));
    }

    /// Writes pools.toml: the head, and `rest`.
    pub(crate) fn configure(&self, rest: &str) {
        self.machine.write(FILE, "0644", &self.file(rest));
    }

    pub(crate) fn file(&self, rest: &str) -> String {
        format!(
            "[github]\nurl = \"{}\"\ntoken = {{ credential = \"github-token\" }}\n\n[host]\nreserve = {{ disk = \"1MiB\" }}\n\n\
             [defaults]\nimage = \"{IMAGE}\"\npull = \"never\"\ncpus = 0\nmemory = \"256MiB\"\n\n{rest}",
            self.sim.base_url()
        )
    }

    /// Waits until GitHub has so many runners, all online and none in a job.
    pub(crate) async fn idle(&self, count: usize) -> Snapshot {
        let idle = |s: &Snapshot| s.runners.len() == count && s.runners.iter().all(|r| r.online && !r.busy);
        self.until(&format!("{count} idle runners"), idle).await
    }

    /// Queues a job of so many seconds and waits until it runs; gives its number.
    pub(crate) async fn busy(&self, repository: &str, seconds: u64) -> u64 {
        let job = JobSpec::new(repository, &["self-hosted", "build"]).lasting(Duration::from_secs(seconds));
        let id = self.sim.queue_job(&job).unwrap()[0];
        self.until("the job runs", |s| s.jobs.iter().any(|j| j.id == id && j.started_ms.is_some())).await;
        id
    }

    /// Waits until a job has succeeded.
    pub(crate) async fn succeeds(&self, job: u64) {
        let over = |s: &Snapshot| s.jobs.iter().any(|j| j.id == job && j.conclusion.is_some());
        let seen = self.until("the job is over", over).await;
        let job = seen.jobs.iter().find(|j| j.id == job).unwrap();
        assert_eq!(job.conclusion, Some("success"), "{job:?}\n{}", self.machine.told());
    }

    /// Whether a job still runs, undisturbed.
    pub(crate) fn runs(&self, job: u64) -> bool {
        self.sim
            .snapshot()
            .jobs
            .iter()
            .any(|j| j.id == job && j.started_ms.is_some() && j.conclusion.is_none())
    }

    /// Waits until the world at GitHub is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        match self.sim.wait_until(SOON, wanted).await {
            Ok(snapshot) => snapshot,
            Err(last) => panic!("not so: {what}\n{last:#?}\n{}", self.machine.told()),
        }
    }
}

async fn engine() -> bollard::Docker {
    let docker = bollard::Docker::connect_with_unix(lab::ENGINE, 60, bollard::API_DEFAULT_VERSION).unwrap();
    docker.negotiate_version().await.unwrap()
}
