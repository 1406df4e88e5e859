//! The real binary as a daemon, with a simulated GitHub and an engine that is made up, all in one folder.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary takes its own part of this module"
)]

pub mod engine;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use engine::FakeEngine;
use githubsim::Sim;
use githubsim::State;
use nix::sys::signal;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::time::Instant;

/// How long something may take on a busy machine before a test gives it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with all that a daemon touches.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub engine: FakeEngine,
    pub url: String,
    sim: Option<Sim>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(Self::state())
    }

    /// An organization with one repository, a group, and two tokens.
    pub fn state() -> State {
        let mut state = State::default()
            .organization("acme")
            .repository("acme/app")
            .group("acme", 5, "ci", &["app"])
            .classic_token("ghp_test", &["admin:org", "repo"])
            .classic_token("ghp_weak", &["repo"]);
        state.settings.seed = 1;
        state
    }

    pub fn with(state: State) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sim = runtime.block_on(async { Sim::builder().state(state).start().await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        let engine = FakeEngine::at(&dir.path().join("engine.sock"));
        let rig = Self { url: sim.base_url(), dir, engine, sim: Some(sim), runtime };
        fs::write(rig.path("token"), "ghp_test\n").unwrap();
        fs::set_permissions(rig.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A good file with these lines in its one pool.
    pub fn good(&self, pool: &str) -> String {
        self.file(&self.url, &format!("file = \"{}\"", self.path("token").display()), pool)
    }

    pub fn file(&self, url: &str, token: &str, pool: &str) -> String {
        format!(
            "[github]\nurl = \"{url}\"\ntoken = {{ {token} }}\n\
             [engine]\nendpoint = \"unix://{}\"\n[host]\nname = \"rig1\"\n\
             [pools.build]\norg = \"acme\"\nimage = \"runner:1\"\npull = \"missing\"\nlabels = [\"x\"]\n{pool}\n",
            self.path("engine.sock").display()
        )
    }

    pub fn write(&self, text: &str) {
        fs::write(self.path("pools.toml"), text).unwrap();
    }

    /// `ghrunner` with this rig's folders, and nothing of this environment that would change its answers.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghrunner"));
        let unwanted =
            ["GHRUNNER_SOCKET", "GHRUNNER_CONFIG", "GHRUNNER_LOG", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"];
        for variable in unwanted.into_iter().chain(["LOGS_DIRECTORY", "CREDENTIALS_DIRECTORY"]) {
            command.env_remove(variable);
        }
        command.env_remove("NOTIFY_SOCKET").env("NO_COLOR", "1").arg("--socket").arg(self.path("run/s"));
        command.args(arguments);
        command
    }

    pub fn run_command(&self) -> Command {
        let mut command = self.command(&["run"]);
        command.arg("--config").arg(self.path("pools.toml"));
        command.arg("--state-dir").arg(self.path("state")).arg("--logs-dir").arg(self.path("logs"));
        command
    }

    /// Starts the daemon; what it prints goes to a file.
    pub fn daemon(&self) -> Daemon {
        self.daemon_with(self.run_command())
    }

    pub fn daemon_with(&self, mut command: Command) -> Daemon {
        command.stdout(Stdio::null()).stdin(Stdio::null());
        self.daemon_as(command)
    }

    /// The same, with input and output as the command has them.
    pub fn daemon_as(&self, mut command: Command) -> Daemon {
        let said = self.path("said");
        let out = fs::OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let child = command.stderr(out).spawn().unwrap();
        Daemon { child, said }
    }

    /// Runs the daemon to its end, which must come by itself.
    pub fn ends(&self) -> (i32, String) {
        self.ends_with(self.run_command())
    }

    pub fn ends_with(&self, command: Command) -> (i32, String) {
        let mut daemon = self.daemon_with(command);
        let status = daemon.ended();
        (status.code().unwrap_or(-1), daemon.said())
    }

    pub fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What `status` shows, as if no line were ever broken.
    pub fn status(&self) -> String {
        let output = self.command(&["status"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until `status` shows all of these.
    pub fn shows(&self, wanted: &[&str]) -> String {
        let mut last = String::new();
        eventually(|| {
            last = self.status();
            wanted.iter().all(|text| last.contains(text))
        })
        .unwrap_or_else(|()| {
            let said = fs::read_to_string(self.path("said")).unwrap_or_default();
            panic!("no {wanted:?} in:\n{last}\nThe daemon said:\n{said}")
        });
        last
    }

    /// A request to the simulator's own side door.
    pub fn side_door(&self, path: &str, body: &str) {
        let answer = ureq::post(format!("{}/_sim/{path}", self.url)).send(body);
        answer.unwrap();
    }

    pub fn sim(&self) -> &Sim {
        self.sim.as_ref().unwrap()
    }

    pub fn stop_github(&mut self) {
        if let Some(sim) = self.sim.take() {
            self.runtime.block_on(sim.stop());
        }
    }
}

/// Waits until that holds.
pub fn eventually(mut holds: impl FnMut() -> bool) -> Result<(), ()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return Err(());
        }
        pause(50);
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "these tests have no runtime whose worker they could block")]
pub fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// A daemon under way. It is stopped when dropped.
pub struct Daemon {
    child: Child,
    said: PathBuf,
}

impl Daemon {
    /// All that it printed so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    pub fn says(&self, wanted: &str) -> String {
        eventually(|| self.said().contains(wanted))
            .unwrap_or_else(|()| panic!("no {wanted:?} in:\n{}", self.said()));
        self.said()
    }

    pub fn count(&self, text: &str) -> usize {
        self.said().matches(text).count()
    }

    pub fn signal(&self, what: Signal) {
        signal::kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), what).unwrap();
    }

    pub fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .unwrap_or_else(|()| panic!("it goes on:\n{}", self.said()));
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.alive() {
            self.signal(Signal::SIGTERM);
            if eventually(|| !self.alive()).is_err() {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}

/// A service manager that only listens.
pub struct Manager {
    socket: UnixDatagram,
    pub path: PathBuf,
}

impl Manager {
    pub fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path: path.to_owned() }
    }

    /// All messages since the last call.
    pub fn heard(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(n) = self.socket.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
        messages
    }

    /// Waits for a message that holds this; gives all that came up to then.
    pub fn hears(&self, wanted: &str) -> Vec<String> {
        let mut all = Vec::new();
        eventually(|| {
            all.extend(self.heard());
            all.iter().any(|message| message.contains(wanted))
        })
        .unwrap_or_else(|()| panic!("no {wanted:?} in {all:?}"));
        all
    }
}
