//! A `ghrunner` process with files of its own.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::process::Command;

/// How long a start may take until the control socket answers.
const START: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// A daemon that can be started and ended again and again over the same files. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    binary: PathBuf,
    dir: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Daemon {
    /// A daemon of this binary, not started, with empty folders.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn new(binary: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("ghrunner-lab-").tempdir()?;
        for folder in ["state", "logs", "run"] {
            std::fs::create_dir(dir.path().join(folder))?;
        }
        let arguments = vec!["--log-level".to_owned(), "debug".to_owned()];
        Ok(Self { binary: binary.into(), dir, environment: Vec::new(), arguments, child: None })
    }

    /// Further arguments of `ghrunner run`, in place of `--log-level debug`.
    pub fn arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
    }

    /// A variable of its environment from the next start on.
    pub fn env(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A path in its own folder: `pools.toml`, `state`, `logs`, `run`, `daemon.log`, or any further file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `pools.toml` as an editor does: beside it, then renamed over it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn configure(&self, text: &str) -> io::Result<()> {
        let beside = self.path("pools.toml~");
        std::fs::write(&beside, text)?;
        std::fs::rename(beside, self.path("pools.toml"))
    }

    /// Writes a file that only its owner reads.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn secret(&self, name: &str, text: &str) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600).open(self.path(name))?;
        io::Write::write_all(&mut &file, text.as_bytes())
    }

    /// Starts it, and waits until its control socket answers.
    ///
    /// # Errors
    /// It cannot be started, or ends at once; the text has the end of its log.
    pub async fn start(&mut self) -> io::Result<()> {
        self.launch()?;
        let deadline = tokio::time::Instant::now() + START;
        while self.status().await.is_err() {
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || tokio::time::Instant::now() >= deadline {
                return Err(io::Error::other(format!("the daemon does not come up:\n{}", self.log_end())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts it and does not wait.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(&mut self) -> io::Result<()> {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.path("daemon.log"))?;
        let mut command = self.bare();
        command.arg("run").arg("--config").arg(self.path("pools.toml"));
        for (option, folder) in [("--state-dir", "state"), ("--logs-dir", "logs"), ("--runtime-dir", "run")] {
            command.arg(option).arg(self.path(folder));
        }
        command.args(["--log-format", "text"]).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Sends a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // One that has just ended needs none.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Asks it to end (`SIGTERM`) and waits.
    ///
    /// # Errors
    /// It does not run.
    pub async fn stop(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.ended().await
    }

    /// `kill -9`, and waits.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        self.ended().await
    }

    /// Waits until it ends by itself or by somebody else's signal.
    ///
    /// # Errors
    /// It does not run.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let child = self.child.as_mut().ok_or_else(|| io::Error::other("the daemon does not run"))?;
        let status = child.wait().await;
        self.child = None;
        status
    }

    /// Runs `ghrunner` with these arguments against its socket and its file.
    ///
    /// # Errors
    /// The program cannot be run.
    pub async fn cli(&self, arguments: &[&str]) -> io::Result<Output> {
        let mut command = self.bare();
        command.args(arguments).env("GHRUNNER_SOCKET", self.socket());
        command.env("GHRUNNER_CONFIG", self.path("pools.toml")).stdin(Stdio::null()).kill_on_drop(true);
        command.output().await
    }

    /// `GET /api/v1/status`.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> io::Result<Value> {
        self.get("/api/v1/status").await
    }

    /// The answer to a `GET`.
    ///
    /// # Errors
    /// It does not answer, or not well.
    pub async fn get(&self, path: &str) -> io::Result<Value> {
        self.ask("GET", path, "").await
    }

    /// The answer to a `POST` of JSON text.
    ///
    /// # Errors
    /// It does not answer, or not well.
    pub async fn post(&self, path: &str, body: &str) -> io::Result<Value> {
        self.ask("POST", path, body).await
    }

    /// Waits until the status is as wanted, and gives it.
    ///
    /// # Errors
    /// It was not so within `limit`; the text holds the last status and the end of the log.
    pub async fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> io::Result<Value> {
        let mut last = Value::Null;
        let found = crate::until(what, limit, async || {
            last = self.status().await.ok()?;
            wanted(&last).then(|| last.clone())
        });
        let found = found.await;
        found.map_err(|error| {
            io::Error::other(format!("{error}\n{last:#}\n--- end of the log\n{}", self.log_end()))
        })
    }

    /// All that it has logged so far, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.path("run/ghrunner.sock")
    }

    /// The program, without what the environment says of other daemons.
    fn bare(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for name in ["GHRUNNER_LOG", "GHRUNNER_CONFIG", "GHRUNNER_SOCKET", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Value> {
        let socket = self.socket();
        let answer = tokio::time::timeout(ANSWER, exchange(&socket, method, path, body));
        let answer = answer.await.map_err(|_| io::Error::other("the daemon does not answer"))??;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("half an answer"))?;
        if head.split(' ').nth(1).is_none_or(|status| !status.starts_with('2')) {
            return Err(io::Error::other(format!("{method} {path}: {}", body.trim())));
        }
        serde_json::from_str(body).map_err(io::Error::other)
    }
}

/// HTTP/1.0, whose answers end with the connection.
async fn exchange(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
