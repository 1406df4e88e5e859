//! A daemon without a fleet: a control loop that answers from a made-up snapshot, behind the real socket.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary takes its own part of this module"
)]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command as Process;
use std::process::Output;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use ghrunner::control::Command;
use ghrunner::control::ConfigState;
use ghrunner::control::Explanation;
use ghrunner::control::Facade;
use ghrunner::control::FacadeError;
use ghrunner::control::LogStream;
use ghrunner::control::Obstacle;
use ghrunner::control::PoolState;
use ghrunner::control::RunnerState;
use ghrunner::control::Snapshot;
use ghrunner::control::Why;
use ghrunner::decide::Unserved;
use ghrunner::engine::EngineInfo;
use ghrunner::github::CredentialState;
use ghrunner::github::Quota;
use ghrunner::http::ControlSocket;
use ghrunner::model::Action;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::CredentialName;
use ghrunner::model::DemandView;
use ghrunner::model::Held;
use ghrunner::model::HeldReason;
use ghrunner::model::ImageId;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Meter;
use ghrunner::model::Mode;
use ghrunner::model::Phase;
use ghrunner::model::PlaceReport;
use ghrunner::model::Plan;
use ghrunner::model::PoolName;
use ghrunner::model::PoolReport;
use ghrunner::model::PostMortem;
use ghrunner::model::Registration;
use ghrunner::model::Report;
use ghrunner::model::Role;
use ghrunner::model::Runner;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Size;
use ghrunner::model::Slot;
use ghrunner::model::SpecHash;
use ghrunner::model::Time;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A moment long past, so that ages in tests are stable words.
pub const THEN: Time = Time(1_700_000_000_000);

/// How a made-up control loop takes what it is asked.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// What speaks against a change of mode.
    pub obstacles: Vec<Obstacle>,
    /// When it is drained: how long an idle runner and a busy one take to go; none for one that never does.
    pub idle_goes: Option<Duration>,
    pub busy_goes: Option<Duration>,
    /// After a change of mode: where its one pool's runners come up, and after how long.
    pub places: Vec<(String, Option<Duration>)>,
    /// What it has counted.
    pub meter: Arc<Meter>,
}

/// A daemon on a socket of its own; it ends when this is dropped.
pub struct FakeDaemon {
    pub socket: PathBuf,
    /// What was asked of the control loop, one line each.
    pub asked: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl FakeDaemon {
    pub fn start() -> Self {
        Self::with(snapshot())
    }

    pub fn with(snapshot: Snapshot) -> Self {
        Self::of(snapshot, Manner::default())
    }

    pub fn of(snapshot: Snapshot, manner: Manner) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/ghrunner.sock");
        let stop = CancellationToken::new();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (ready, wait) = std::sync::mpsc::channel();
        let (path, token, log) = (socket.clone(), stop.clone(), asked.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = ControlSocket::bind(&path).unwrap();
                let facade = control_loop(snapshot, log, manner);
                ready.send(()).unwrap();
                ghrunner::http::serve(socket, facade, token).await.unwrap();
            });
        });
        wait.recv().unwrap();
        Self { socket, asked, stop, thread: Some(thread), _dir: dir }
    }

    /// Runs the real binary against this daemon.
    pub fn ghrunner(&self, arguments: &[&str]) -> Output {
        ghrunner(&self.socket, arguments)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The real binary, with nothing of this environment that would change its answers.
pub fn command(socket: &Path) -> Process {
    let mut command = Process::new(env!("CARGO_BIN_EXE_ghrunner"));
    for variable in ["GHRUNNER_SOCKET", "GHRUNNER_CONFIG", "GHRUNNER_LOG", "RUNTIME_DIRECTORY", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command.arg("--socket").arg(socket);
    command
}

pub fn ghrunner(socket: &Path, arguments: &[&str]) -> Output {
    command(socket).args(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Answers commands as a control loop would, and writes down what was asked.
pub fn control_loop(snapshot: Snapshot, asked: Arc<Mutex<Vec<String>>>, manner: Manner) -> Facade {
    let (commands, mut inbox) = mpsc::channel(8);
    let (publish, snapshots) = watch::channel(Arc::new(snapshot));
    let meter = Arc::clone(&manner.meter);
    tokio::spawn(async move {
        while let Some(command) = inbox.recv().await {
            answer(command, &publish, &asked, &manner);
        }
    });
    Facade::new(commands, snapshots).metered(meter)
}

/// Changes the snapshot later.
fn later(
    publish: &watch::Sender<Arc<Snapshot>>,
    when: Option<Duration>,
    change: impl FnOnce(&mut Snapshot) + Send + 'static,
) {
    let publish = publish.clone();
    if let Some(when) = when {
        tokio::spawn(async move {
            tokio::time::sleep(when).await;
            publish.send_modify(|s| change(Arc::make_mut(s)));
        });
    }
}

/// All pools drained, and their runners gone when the manner says.
fn drain_all(publish: &watch::Sender<Arc<Snapshot>>, manner: &Manner) {
    publish.send_modify(|s| Arc::make_mut(s).pools.iter_mut().for_each(|pool| pool.drained = true));
    for (phase, when) in [(Phase::Idle, manner.idle_goes), (Phase::Busy, manner.busy_goes)] {
        later(publish, when, move |s| {
            s.runners.retain(|r| r.phase != phase);
            for pool in &mut s.pools {
                pool.report.phases.retain(|(of, _)| *of != phase);
            }
        });
    }
}

/// In the other mode, with a runner in each place when the manner says.
fn move_to(mode: Mode, publish: &watch::Sender<Arc<Snapshot>>, manner: &Manner) {
    let scopes: Vec<Scope> = manner.places.iter().map(|(scope, _)| scope.parse().unwrap()).collect();
    publish.send_modify(|s| {
        let s = Arc::make_mut(s);
        s.mode = mode;
        let place = |scope: &Scope| PlaceReport { scope: scope.clone(), target: 1 };
        for pool in &mut s.pools {
            pool.report.places = scopes.iter().map(place).collect();
        }
        if !scopes.is_empty() {
            s.runners.retain(|r| r.phase == Phase::Busy);
        }
    });
    for (slot, (scope, (_, when))) in (10..).zip(scopes.iter().zip(&manner.places)) {
        let mut new = runner(slot, Phase::Idle);
        new.runner.scope = scope.clone();
        later(publish, *when, move |s| s.runners.push(new));
    }
}

fn answer(
    command: Command,
    publish: &watch::Sender<Arc<Snapshot>>,
    asked: &Mutex<Vec<String>>,
    manner: &Manner,
) {
    let note = |text: String| asked.lock().unwrap().push(text);
    let plan = publish.borrow().plan.clone();
    match command {
        Command::Plan(answer) => drop(answer.send(plan)),
        Command::Reload(answer) => {
            note("reload".to_owned());
            let report = "pools.toml:3:1: unknown key `maxx`; did you mean `max`?".to_owned();
            drop(answer.send(Err(FacadeError::BadConfig { report })));
        }
        Command::DrainPool { pool, drain, answer } => {
            note(format!("drain {pool} {drain}"));
            let known = publish.borrow().pools.iter().any(|p| p.report.pool == pool);
            let missing =
                FacadeError::NoSuchPool { name: pool.to_string(), nearest: Some("build".to_owned()) };
            drop(answer.send(if known { Ok(()) } else { Err(missing) }));
        }
        Command::DrainAll { drain, answer } => {
            note(format!("drain all {drain}"));
            if drain {
                drain_all(publish, manner);
            }
            drop(answer.send(Ok(publish.borrow().pools.len())));
        }
        Command::StopAll { force, answer } => {
            note(format!("stop all {force}"));
            let names = publish.borrow().runners.iter().map(|r| r.runner.name.clone()).collect();
            drop(answer.send(names));
        }
        Command::Obstacles { mode, answer } => {
            note(format!("obstacles {mode:?}"));
            drop(answer.send(manner.obstacles.clone()));
        }
        Command::BoostPool { pool, count, time, answer } => {
            note(format!("boost {pool} {count} {}", time.as_secs()));
            drop(answer.send(Ok(THEN + time)));
        }
        Command::LowerBoost { pool, count, answer } => {
            note(format!("lower {pool} {count:?}"));
            drop(answer.send(Ok(None)));
        }
        Command::Explain { question, answer } => {
            let repo = question.repo.as_ref().map(ToString::to_string).unwrap_or_default();
            note(format!("explain {repo} {:?} {:?} {:?}", question.run, question.job, question.labels));
            drop(answer.send(publish.borrow().jobs.clone()));
        }
        Command::StopRunner { runner, force, answer } => {
            note(format!("stop {runner} {force}"));
            let known = runner.starts_with("ghrunner-build-");
            let missing = FacadeError::NoSuchRunner { name: runner.clone() };
            drop(answer.send(if known { Ok(RunnerName::new(runner)) } else { Err(missing) }));
        }
        Command::SetMode { mode, dry_run, answer } => {
            note(format!("mode {mode:?} dry_run={dry_run}"));
            if !dry_run {
                move_to(mode, publish, manner);
            }
            drop(answer.send(Ok(plan)));
        }
        Command::Logs { runner, tail, follow, answer } => {
            note(format!("logs {runner} {tail} {follow}"));
            let lines = ["√ Connected to GitHub\n", "Listening for Jobs\n"];
            let lines = stream::iter(lines).map(|line| Ok(bytes::Bytes::from_static(line.as_bytes())));
            let stream = match runner.as_str() {
                "endless" => lines.chain(stream::pending()).boxed(),
                _ => lines.boxed(),
            };
            drop(answer.send(Ok(LogStream(stream))));
        }
    }
}

/// One pool at its limit with a busy and an idle runner, and one runner that ran out of memory.
pub fn snapshot() -> Snapshot {
    let build = PoolName::parse("build").unwrap();
    let report = PoolReport {
        pool: build.clone(),
        target: 3,
        places: Vec::new(),
        why: "1 busy, 1 waiting, min_idle 1".to_owned(),
        phases: vec![(Phase::Idle, 1), (Phase::Busy, 1), (Phase::Failed, 0)],
        held: vec![Held { what: "1 start".to_owned(), reason: HeldReason::AtMax { max: 2 } }],
    };
    let plan = Plan {
        actions: vec![Action::Pull { image: "ghcr.io/actions/actions-runner:latest".to_owned() }],
        report: Report { pools: vec![report.clone()], ..Report::default() },
    };
    Snapshot {
        version: "0.1.0".to_owned(),
        instance: "k7x2p".to_owned(),
        started: THEN,
        ready: true,
        settled: true,
        mode: Mode::Organization,
        passes: 412,
        as_of: THEN,
        took_ms: 8,
        status: "2 of 3 runners, 1 busy".to_owned(),
        config: ConfigState {
            path: "/etc/ghrunner/pools.toml".to_owned(),
            loaded: THEN,
            error: Some("/etc/ghrunner/pools.toml:3:1: unknown key `maxx`".to_owned()),
            error_since: Some(THEN),
            warnings: Vec::new(),
            needs_restart: vec!["engine.endpoint".to_owned()],
        },
        history: None,
        state_dir: None,
        engine: Some(engine()),
        engine_error: None,
        credentials: vec![credential()],
        pools: vec![PoolState { pool: None, drained: false, boost: None, report }],
        runners: vec![runner(0, Phase::Busy), runner(1, Phase::Idle)],
        jobs: vec![job()],
        demand: DemandView::default(),
        images: std::collections::BTreeMap::new(),
        ended: Arc::new(vec![ended()]),
        plan,
    }
}

/// A job that waits for want of a label.
fn job() -> Explanation {
    let job = Job {
        id: JobId::Job(456),
        run: 123,
        repo: "acme/app".parse().unwrap(),
        workflow: "CI".to_owned(),
        name: "test".to_owned(),
        labels: vec!["self-hosted".to_owned(), "gpu".to_owned()],
        event: "push".to_owned(),
        branch: "main".to_owned(),
        state: JobState::Queued,
        queued: THEN,
    };
    let why = Why::Unserved(Unserved::NoLabel { label: "gpu".to_owned(), nearest: None });
    Explanation { job: Some(job), pool: None, scope: None, why }
}

fn engine() -> EngineInfo {
    EngineInfo {
        product: "Docker".to_owned(),
        version: "20.10.24".to_owned(),
        api_version: "1.41".to_owned(),
        cpus: Some(2.0),
        memory: Some(Size(24 << 30)),
        root_dir: Some("/var/lib/docker".to_owned()),
        disk_free: Some(Size(100 << 30)),
        storage_driver: "overlay2".to_owned(),
        cgroup_driver: "systemd".to_owned(),
        runtimes: vec!["runc".to_owned()],
    }
}

fn credential() -> CredentialState {
    CredentialState {
        name: "default".to_owned(),
        url: "https://github.com".to_owned(),
        quota: Some(Quota { limit: 5000, remaining: 4980, reset: THEN }),
        limited: None,
        refused: None,
        requests: 312,
        not_modified: 200,
    }
}

pub fn runner(slot: u32, phase: Phase) -> RunnerState {
    let pool = PoolName::parse("build").unwrap();
    let name = RunnerName::new(format!("ghrunner-build-{slot}-k7x2p-a1b2c3"));
    let scope = Scope::organization("acme").unwrap();
    let container = Container {
        id: ContainerId::new("0123456789abcdef"),
        name: pool.container_name(Slot(slot)),
        role: Role::Runner,
        pool: pool.clone(),
        slot: Slot(slot),
        runner_name: name.clone(),
        runner_id: Some(RunnerId(40 + u64::from(slot))),
        scope: scope.clone(),
        credentials: CredentialName::default_name(),
        spec_hash: SpecHash::new("5pec"),
        image_id: ImageId::new("sha256:abc"),
        created: THEN,
        state: ContainerState::Running,
    };
    let registration = Registration {
        id: RunnerId(40 + u64::from(slot)),
        name: name.clone(),
        online: true,
        busy: phase == Phase::Busy,
        labels: vec!["self-hosted".to_owned(), "docker".to_owned()],
    };
    RunnerState {
        runner: Runner {
            pool,
            slot: Slot(slot),
            name,
            scope,
            credentials: CredentialName::default_name(),
            container: Some(container),
            registration: Some(registration),
        },
        phase,
        since: Some(THEN),
        drained: false,
    }
}

fn ended() -> PostMortem {
    PostMortem {
        pool: PoolName::parse("build").unwrap(),
        runner: RunnerName::new("ghrunner-build-0-k7x2p-zzzzzz"),
        created: THEN,
        ended: THEN,
        exit_code: Some(137),
        oom_killed: true,
        ran_job: true,
        job: Some("test".to_owned()),
        verdict: "the kernel killed it: its job needed more than 4GiB of memory".to_owned(),
        last_lines: vec!["Killed".to_owned()],
    }
}
