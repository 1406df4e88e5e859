//! The listener: one session, jobs one after the other, and `run.sh`'s exit codes.

use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;

use crate::behaviour;
use crate::behaviour::Behaviour;
use crate::behaviour::DEPRECATED;
use crate::client::Failure;
use crate::client::Session;
use crate::client::VERSION;
use crate::config;
use crate::config::Environment;
use crate::config::Identity;
use crate::engine;
use crate::events;
use crate::events::Event;
use crate::pause;
use crate::say;
use crate::worker;
use crate::worker::Task;

/// How often a running job is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How long to wait before asking a server again that is away.
const RETRY: Duration = Duration::from_millis(500);
/// How often a session that exists already is asked for again.
const CONFLICT_TRIES: u32 = 8;

struct Listener {
    environment: Environment,
    identity: Identity,
    /// How to misbehave in the first job.
    in_job: Behaviour,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

/// How a job ended for the listener.
enum After {
    Next,
    Exit(u8),
}

/// Runs until there is nothing more to do; gives the exit code.
pub(crate) fn run() -> u8 {
    let (sender, events) = mpsc::channel();
    if events::watch(sender.clone()).is_err() {
        return 1;
    }
    let environment = Environment::read();
    let (at_start, in_job) = behaviour::from_environment(environment.get("STANDIN_BEHAVIOUR"));
    match at_start {
        Behaviour::Exit(code) => return code,
        Behaviour::Leak | Behaviour::LeakWorker => behaviour::leak(),
        Behaviour::Deprecated => {
            say(&format!("An error occurred: {DEPRECATED}"));
            return 7;
        }
        Behaviour::NeverConnect => return wait_for_stop(&events),
        Behaviour::Good | Behaviour::Crash | Behaviour::Hang => {}
    }
    wait_for_engine(&environment);
    let identity = match config::find(&environment) {
        Ok(identity) => identity,
        Err(error) => {
            // `run.sh` makes 0 of a listener that ends in an error.
            say(&format!("An error occurred: {error}"));
            return 0;
        }
    };
    let listener = Listener { environment, identity, in_job, events, sender };
    match listener.connect() {
        Ok(session) if at_start == Behaviour::Hang => {
            drop(session);
            wait_for_stop(&listener.events)
        }
        Ok(session) => listener.listen(&session),
        Err(code) => code,
    }
}

fn stopped_by(signal: Signal) -> u8 {
    if signal == Signal::SIGINT { 130 } else { 143 }
}

fn wait_for_stop(events: &Receiver<Event>) -> u8 {
    loop {
        match events.recv() {
            Ok(Event::Stop(signal)) => return stopped_by(signal),
            Ok(_) => {}
            Err(_) => return 1,
        }
    }
}

/// Waits for the engine as long as the variable of the official image says, then goes on anyway.
fn wait_for_engine(environment: &Environment) {
    let variable = environment.get("RUNNER_WAIT_FOR_DOCKER_IN_SECONDS");
    let seconds: u64 = variable.and_then(|v| v.parse().ok()).unwrap_or(0);
    let host = environment.get("DOCKER_HOST");
    for _ in 0..seconds {
        if engine::version(host.as_deref()).is_ok() {
            return;
        }
        pause(Duration::from_secs(1));
    }
}

impl Listener {
    /// The signal that arrived meanwhile, if any.
    fn told_to_stop(&self, within: Duration) -> Option<Signal> {
        match self.events.recv_timeout(within) {
            Ok(Event::Stop(signal)) => Some(signal),
            _ => None,
        }
    }

    fn connect(&self) -> Result<Session, u8> {
        let mut conflicts = 0;
        loop {
            let failure = match Session::open(&self.identity.server, &self.identity.secret) {
                Ok(session) => {
                    say("\n√ Connected to GitHub\n");
                    say(&format!("Current runner version: '{VERSION}'"));
                    return Ok(session);
                }
                Err(failure) => failure,
            };
            let wait = match &failure {
                f if f.passes() => RETRY,
                Failure::Status(409, message) if conflicts < CONFLICT_TRIES => {
                    conflicts += 1;
                    say(message);
                    self.conflict_wait()
                }
                _ => return Err(self.ended(&failure)),
            };
            if let Some(signal) = self.told_to_stop(wait) {
                return Err(stopped_by(signal));
            }
        }
    }

    fn conflict_wait(&self) -> Duration {
        let variable = self.environment.get("STANDIN_CONFLICT_SECS");
        Duration::from_secs(variable.and_then(|v| v.parse().ok()).unwrap_or(30))
    }

    /// The exit code of a listener that the server will not have.
    fn ended(&self, failure: &Failure) -> u8 {
        let name = &self.identity.name;
        match failure {
            Failure::Status(403, message) if message.contains("deprecated") => {
                say(&format!("An error occurred: {message}"));
                let told = self.environment.is_set("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE");
                if told { 7 } else { 0 }
            }
            Failure::Status(404, _) => {
                say(&format!("An error occurred: Registration {name} was not found."));
                0
            }
            other => {
                say(&format!("An error occurred: {other}"));
                0
            }
        }
    }

    fn listen(&self, session: &Session) -> u8 {
        say("Listening for Jobs");
        self.poll(session);
        loop {
            match self.events.recv() {
                Ok(Event::Stop(signal)) => {
                    say("Exiting...");
                    session.close();
                    return stopped_by(signal);
                }
                Ok(Event::Poll(Ok(Value::Null))) => self.poll(session),
                Ok(Event::Poll(Ok(message))) => {
                    let task = serde_json::from_value(message).unwrap_or_default();
                    match self.run_job(session, task) {
                        After::Exit(code) => return code,
                        After::Next if self.identity.ephemeral => return 0,
                        After::Next => self.poll(session),
                    }
                }
                Ok(Event::Poll(Err(failure))) if failure.passes() => {
                    if let Some(signal) = self.told_to_stop(RETRY) {
                        session.close();
                        return stopped_by(signal);
                    }
                    self.poll(session);
                }
                Ok(Event::Poll(Err(failure))) => return self.ended(&failure),
                Ok(Event::Child(..)) => {}
                Err(_) => return 1,
            }
        }
    }

    /// Asks for a job, beside the waiting for signals.
    fn poll(&self, session: &Session) {
        let (session, to) = (session.clone(), self.sender.clone());
        std::thread::spawn(move || {
            // Nobody there to take the answer: the listener is ending.
            let _ = to.send(Event::Poll(session.poll()));
        });
    }

    fn run_job(&self, session: &Session, mut task: Task) -> After {
        say(&format!("Running job: {}", task.name));
        if self.in_job != Behaviour::Good {
            task.behaviour = self.environment.get("STANDIN_BEHAVIOUR").map(|b| b.replace("job:", ""));
        }
        let how = task.behaviour.as_deref().map_or(Behaviour::Good, Behaviour::parse);
        let started = persist(|| session.report(task.job_id, "started", ""));
        if started.is_err() {
            say(&format!("Skipping message Job. Job message not found '{}'.", task.job_id));
            return After::Next;
        }
        let worker = match worker::start(&task) {
            Ok(worker) => i32::try_from(worker.id()).unwrap_or_default(),
            Err(error) => {
                say(&format!("An error occurred: {error}"));
                return After::Exit(0);
            }
        };
        match how {
            Behaviour::Exit(code) => return After::Exit(self.abandon(worker, &task, code)),
            Behaviour::Crash => return After::Exit(self.abandon(worker, &task, 137)),
            Behaviour::Leak => behaviour::leak(),
            Behaviour::Deprecated => {
                say(&format!("An error occurred: {DEPRECATED}"));
                return After::Exit(self.abandon(worker, &task, 7));
            }
            _ => {}
        }
        self.attend(session, &task, worker)
    }

    /// Half-way through the job, ends without a word to anybody.
    fn abandon(&self, worker: i32, task: &Task, code: u8) -> u8 {
        pause(Duration::from_millis(task.duration_ms / 2));
        let _ = kill(Pid::from_raw(worker), Signal::SIGKILL);
        code
    }

    /// Renews the job until its worker ends, and tells how it ended.
    fn attend(&self, session: &Session, task: &Task, worker: i32) -> After {
        let mut stop = None;
        let cancel = || {
            // The worker may just have ended by itself.
            let _ = kill(Pid::from_raw(worker), Signal::SIGINT);
        };
        let code = loop {
            match self.events.recv_timeout(RENEW) {
                Ok(Event::Child(pid, code)) if pid == worker => break code,
                Ok(Event::Stop(signal)) => {
                    stop = Some(signal);
                    cancel();
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let renewed = session.report(task.job_id, "renewed", "");
                    if renewed.is_err_and(|f| f.status() == 404) {
                        cancel();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return After::Exit(1),
            }
        };
        let (result, conclusion) = match code {
            worker::SUCCEEDED => ("Succeeded", "success"),
            worker::CANCELED => ("Canceled", "cancelled"),
            _ => ("Failed", "failure"),
        };
        say(&format!("Job {} completed with result: {result}", task.name));
        if persist(|| session.report(task.job_id, "finished", conclusion)).is_err() {
            say("The job is not known any more.");
        }
        if self.identity.ephemeral || stop.is_some() {
            session.close();
        }
        match stop {
            Some(signal) => After::Exit(stopped_by(signal)),
            None => After::Next,
        }
    }
}

/// Tries for half a minute while the server is away.
fn persist(call: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
    let mut last = call();
    for _ in 0..60 {
        match &last {
            Err(failure) if failure.passes() => pause(RETRY),
            _ => break,
        }
        last = call();
    }
    last
}
