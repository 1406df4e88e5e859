//! The process that a job's steps run in. Its name, to `ps` and to the engine's `top`, is that of
//! the real one, and so are its exit codes: 100 and the result's number.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde::Serialize;

use crate::behaviour;
use crate::behaviour::Behaviour;
use crate::config::Environment;
use crate::config::JIT_VARIABLE;
use crate::engine;
use crate::say;

const NAME: &str = "Runner.Worker";
/// Exit codes of a worker.
pub(crate) const SUCCEEDED: i32 = 100;
pub(crate) const CANCELED: i32 = 103;
const FAILED: u8 = 102;

/// What the worker is to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    pub(crate) job_id: u64,
    pub(crate) name: String,
    pub(crate) duration_ms: u64,
    pub(crate) conclusion: String,
    pub(crate) behaviour: Option<String>,
    pub(crate) docker: bool,
}

/// Whether this process is a worker.
pub(crate) fn is_wanted() -> bool {
    std::env::args().next().is_some_and(|name| name.ends_with(NAME))
}

/// Starts a worker. The secrets of the listener's environment stay with the listener.
pub(crate) fn start(task: &Task) -> std::io::Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg0(crate::config::home().join("bin").join(NAME))
        .args(["spawnclient", "3", "5"])
        .env_remove(JIT_VARIABLE)
        .env_remove("RUNNER_TOKEN")
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&serde_json::to_vec(task)?)?;
    }
    Ok(child)
}

/// A worker's life.
pub(crate) fn run() -> ExitCode {
    // What `ps` shows as the command's name; without it the program's file name would stand there.
    let _ = std::fs::write("/proc/self/comm", NAME);
    let cancelled = watch();
    let Ok(task) = serde_json::from_reader::<_, Task>(std::io::stdin()) else {
        return ExitCode::from(FAILED);
    };
    let how = task.behaviour.as_deref().map_or(Behaviour::Good, Behaviour::parse);
    if how == Behaviour::LeakWorker {
        behaviour::leak();
    }
    let time = match how {
        Behaviour::Hang => Duration::MAX,
        _ => Duration::from_millis(task.duration_ms),
    };
    if !matches!(cancelled.recv_timeout(time), Err(RecvTimeoutError::Timeout)) {
        return ExitCode::from(u8::try_from(CANCELED).unwrap_or(FAILED));
    }
    if task.docker {
        match engine::version(Environment::read().get("DOCKER_HOST").as_deref()) {
            Ok(version) => say(&format!("Container engine {version} answers")),
            Err(why) => {
                say(&format!("##[error]Cannot connect to the container engine: {why}"));
                return ExitCode::from(FAILED);
            }
        }
    }
    match task.conclusion.as_str() {
        "failure" => ExitCode::from(FAILED),
        _ => ExitCode::from(u8::try_from(SUCCEEDED).unwrap_or(FAILED)),
    }
}

/// Tells when the listener wants the job cancelled.
fn watch() -> mpsc::Receiver<()> {
    let (told, cancelled) = mpsc::channel();
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set.add(Signal::SIGTERM);
    if set.thread_block().is_ok() {
        std::thread::spawn(move || {
            if set.wait().is_ok() {
                // The worker may have come to its end meanwhile.
                let _ = told.send(());
            }
        });
    }
    cancelled
}
