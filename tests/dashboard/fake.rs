//! A made-up fleet of any size behind the real socket, whose names are what ill-meaning people would choose.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::control::Archive;
use ghrunner::control::Clock;
use ghrunner::control::Command;
use ghrunner::control::Explanation;
use ghrunner::control::Facade;
use ghrunner::control::LogStream;
use ghrunner::control::PoolState;
use ghrunner::control::RunnerState;
use ghrunner::control::Snapshot;
use ghrunner::control::Why;
use ghrunner::http::ApiSettings;
use ghrunner::http::ControlSocket;
use ghrunner::model::Held;
use ghrunner::model::HeldReason;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Phase;
use ghrunner::model::PoolName;
use ghrunner::model::PoolReport;
use ghrunner::model::PostMortem;
use ghrunner::model::RunnerName;
use ghrunner::model::Slot;
use ghrunner::model::Time;
use ghrunner::model::history::HistoryHealth;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli_fleet;

/// Markup that would run if it ever became any.
pub(crate) const MARKUP: &str =
    "<img src=x onerror=\"document.title='owned';window.owned=1\"><script>window.owned=2</script>";

const POOLS: [(&str, &str, u32); 4] = [
    ("linux", "[\"x64\"]", 8),
    ("linux-large", "[\"x64\", \"large\"]", 4),
    ("gpu", "[\"gpu\"]", 2),
    ("release", "[\"deploy\"]", 2),
];

/// The fleet's server, on a socket of its own.
pub(crate) struct Fake {
    pub(crate) socket: PathBuf,
    pub(crate) publish: watch::Sender<Arc<Snapshot>>,
    asked: Arc<Mutex<Vec<String>>>,
    facade: Facade,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Fake {
    /// With so many runners, and six hours of a past; without a history.
    pub(crate) fn start(runners: u32) -> Self {
        Self::with(runners, None)
    }

    /// With so many runners and that history.
    pub(crate) fn with(runners: u32, archive: Option<Arc<dyn Archive>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/ghrunner.sock");
        let bound = ControlSocket::bind(&socket).unwrap();
        let now = Clock::system().now();
        let (publish, snapshots) = watch::channel(Arc::new(snapshot(runners, 0, now)));
        let (commands, inbox) = mpsc::channel(8);
        let mut facade = Facade::new(commands, snapshots);
        past(&facade, &publish, runners, now);
        if let Some(archive) = archive {
            facade = facade.with_archive(archive);
            let health = HistoryHealth { place: "a file".into(), ..HistoryHealth::default() };
            publish.send_modify(|s| Arc::make_mut(s).history = Some(health));
        }
        let asked = Arc::default();
        tokio::spawn(obey(inbox, publish.clone(), Arc::clone(&asked)));
        let stop = CancellationToken::new();
        tokio::spawn(ghrunner::http::serve(bound, facade.clone(), stop.clone()));
        Self { socket, publish, asked, facade, stop, _dir: dir }
    }

    /// The same over TCP, for whoever has a credential; gives the page's address.
    pub(crate) fn over_tcp(&self, settings: ApiSettings) -> (String, watch::Sender<Arc<ApiSettings>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (settings, follows) = watch::channel(Arc::new(settings));
        let (facade, stop) = (self.facade.clone(), self.stop.clone());
        tokio::spawn(ghrunner::http::serve_tcp(listener, 64, facade, follows, stop));
        (url, settings)
    }

    /// What was asked of the control loop that changes something.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.publish.send_modify(|s| {
            let s = Arc::make_mut(s);
            s.passes += 1;
            s.as_of = Clock::system().now();
            change(s);
        });
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A day's shape: quiet, then more and more, then quiet again.
fn past(facade: &Facade, publish: &watch::Sender<Arc<Snapshot>>, runners: u32, now: Time) {
    let last = publish.borrow().clone();
    for n in 0..2160_u32 {
        let at = now - Duration::from_secs(u64::from(2160 - n) * 10);
        let wave = (f64::from(n) / 300.0).sin().mul_add(0.5, 0.5) * (0.8 + 0.2 * (f64::from(n) / 17.0).sin());
        let busy = (wave * f64::from(runners)) as usize;
        publish.send_modify(|s| {
            let s = Arc::make_mut(s);
            s.runners = last.runners.clone();
            for (at, runner) in s.runners.iter_mut().enumerate() {
                runner.phase = if at < busy { Phase::Busy } else { Phase::Idle };
            }
            s.runners.truncate((busy + 2).max(runners as usize / 4));
            s.jobs = last.jobs.iter().take((wave * 14.0) as usize).cloned().collect();
            for job in s.jobs.iter_mut().filter_map(|e| e.job.as_mut()) {
                (job.state, job.queued) = (JobState::Queued, at - Duration::from_secs((wave * 500.0) as u64));
            }
        });
        facade.sample(at);
    }
    publish.send_replace(last);
}

async fn obey(
    mut inbox: mpsc::Receiver<Command>,
    publish: watch::Sender<Arc<Snapshot>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let note = |words: String| asked.lock().unwrap().push(words);
    while let Some(command) = inbox.recv().await {
        match command {
            Command::DrainPool { pool, drain, answer } => {
                note(format!("drain {pool} {drain}"));
                publish.send_modify(|s| {
                    let pools = &mut Arc::make_mut(s).pools;
                    pools.iter_mut().filter(|p| p.report.pool == pool).for_each(|p| p.drained = drain);
                });
                drop(answer.send(Ok(())));
            }
            Command::Logs { answer, .. } => {
                let lines = format!("√ Connected to GitHub\n\u{1b}[32mRunning job: {MARKUP}\u{1b}[0m\n");
                let stream = futures_util::stream::iter([Ok(bytes::Bytes::from(lines))]);
                let stream = futures_util::StreamExt::chain(stream, futures_util::stream::pending());
                drop(answer.send(Ok(LogStream(Box::pin(stream)))));
            }
            Command::StopRunner { runner, answer, .. } => {
                note(format!("stop {runner}"));
                drop(answer.send(Ok(RunnerName::new(runner))));
            }
            Command::BoostPool { pool, count, time, answer } => {
                note(format!("boost {pool} {count}"));
                let until = Clock::system().now() + time;
                set_boost(&publish, &pool, Some((count, until)));
                drop(answer.send(Ok(until)));
            }
            Command::LowerBoost { pool, answer, .. } => {
                note(format!("lower {pool}"));
                set_boost(&publish, &pool, None);
                drop(answer.send(Ok(None)));
            }
            _ => {}
        }
    }
}

fn set_boost(publish: &watch::Sender<Arc<Snapshot>>, pool: &PoolName, boost: Option<(u32, Time)>) {
    publish.send_modify(|s| {
        let pools = &mut Arc::make_mut(s).pools;
        pools.iter_mut().filter(|p| p.report.pool == *pool).for_each(|p| p.boost = boost);
    });
}

/// A fleet of so many runners. `turn` moves each of them on by one phase.
pub(crate) fn snapshot(runners: u32, turn: u32, now: Time) -> Snapshot {
    let mut s = cli_fleet::snapshot();
    s.started = now - Duration::from_secs(90_000);
    s.as_of = now;
    (s.config.error, s.config.error_since) = (None, None);
    s.config.needs_restart.clear();
    s.status =
        format!("4 pools, {runners} runners: most of them busy; linux: 3 starts: the pool is at its maximum");
    if let Some(quota) = s.credentials.first_mut().and_then(|c| c.quota.as_mut()) {
        quota.reset = now + Duration::from_secs(1800);
    }
    let names: Vec<PoolName> = POOLS.iter().map(|(name, ..)| PoolName::parse(name).unwrap()).collect();
    let weights: u32 = POOLS.iter().map(|(.., weight)| weight).sum();
    let mut counts = POOLS.map(|(.., weight)| (runners * weight / weights).max(1));
    counts[0] += runners.saturating_sub(counts.iter().sum());
    let mut states = Vec::new();
    for (name, count) in names.iter().zip(counts) {
        states.extend((0..count).map(|slot| runner(name, slot, turn, now)));
    }
    s.jobs = jobs(&states, now);
    s.pools = pools(&names, &states, runners);
    // As of the last full hour, so that they stay the same from one turn to the next.
    let hour = Time(now.0 / 3_600_000 * 3_600_000);
    s.ended = Arc::new((0..30).map(|n| ended(&names[n as usize % 4], n, hour)).collect());
    s.config.loaded = hour;
    s.plan.report.advice = vec!["the token of the credential default ends in 6 days: renew it".to_owned()];
    s.runners = states;
    s
}

fn runner(pool: &PoolName, slot: u32, turn: u32, now: Time) -> RunnerState {
    let phases = [
        Phase::Busy,
        Phase::Busy,
        Phase::Idle,
        Phase::Busy,
        Phase::Starting,
        Phase::Busy,
        Phase::Idle,
        Phase::Busy,
        Phase::Draining,
        Phase::Busy,
        Phase::Creating,
        Phase::Busy,
        Phase::Busy,
    ];
    let phase = if (slot + turn) % 61 == 37 { Phase::Failed } else { phases[((slot + turn) % 13) as usize] };
    let mut state = cli_fleet::runner(slot, phase);
    let name = RunnerName::new(format!("ghrunner-{pool}-{slot}-k7x2p-{:06x}", slot * 7919 + 1_193_046));
    (state.runner.pool, state.runner.slot, state.runner.name) = (pool.clone(), Slot(slot), name.clone());
    state.since = Some(now - Duration::from_secs(u64::from(slot % 17) * 67 + 4));
    if let Some(container) = &mut state.runner.container {
        (container.name, container.pool) = (pool.container_name(Slot(slot)), pool.clone());
        (container.runner_name, container.created) = (name, now - Duration::from_secs(2000));
    }
    if let Some(registration) = &mut state.runner.registration {
        registration.labels.push(MARKUP.to_owned());
    }
    state
}

fn jobs(runners: &[RunnerState], now: Time) -> Vec<Explanation> {
    let busy = runners.iter().filter(|r| r.phase == Phase::Busy);
    let running = busy.enumerate().map(|(n, r)| {
        let runner = Some(r.runner.name.clone());
        let state = JobState::Running { runner: runner.clone() };
        explanation(n as u64, state, Some(&r.runner.pool), Why::Runs { runner }, now)
    });
    let pool = PoolName::parse("linux").unwrap();
    let waits = (0..12_u64).map(|n| {
        let why = match n % 3 {
            0 => Why::AtMax {
                max: 8,
                running: 8,
                before: n as usize,
                first: vec![format!("acme/app {MARKUP}")],
            },
            1 => Why::Held(HeldReason::Backoff {
                until: now + Duration::from_secs(90),
                reason: format!("a runner ended with 1: {MARKUP}"),
            }),
            _ => Why::InLine,
        };
        explanation(10_000 + n, JobState::Queued, Some(&pool), why, now)
    });
    running.chain(waits).collect()
}

fn explanation(id: u64, state: JobState, pool: Option<&PoolName>, why: Why, now: Time) -> Explanation {
    let names = ["build (ubuntu, stable)", "test", "lint", MARKUP, "integration / postgres-15"];
    let job = Job {
        id: JobId::Job(id),
        run: id,
        repo: ["acme/app", "acme/web", "acme/a-repository-with-a-rather-long-name"][id as usize % 3]
            .parse()
            .unwrap(),
        workflow: if id % 5 == 4 { MARKUP.to_owned() } else { "CI".to_owned() },
        name: names[id as usize % 5].to_owned(),
        labels: vec!["self-hosted".to_owned(), "x64".to_owned()],
        event: "push".to_owned(),
        branch: if id.is_multiple_of(7) { MARKUP.to_owned() } else { "main".to_owned() },
        state,
        queued: now - Duration::from_secs(id % 11 * 40 + 12),
    };
    Explanation { job: Some(job), pool: pool.cloned(), scope: None, why }
}

fn pools(names: &[PoolName], runners: &[RunnerState], count: u32) -> Vec<PoolState> {
    let mut text = "[github]\nurl = \"http://127.0.0.1:1\"\ntoken = { file = \"/etc/hostname\" }\n\
                    [host]\nmax_runners = 900\n"
        .to_owned();
    for (name, labels, weight) in POOLS {
        let max = (count * weight / 10).max(2);
        text += &format!("[pools.{name}]\norg = \"acme\"\nimage = \"r:1\"\nlabels = {labels}\nmax = {max}\n");
    }
    let loaded = Config::from_text("pools.toml", &text);
    let config = loaded.into_result().unwrap_or_else(|report| panic!("{}", report.render_errors(false)));
    let state = |(at, name): (usize, &PoolName)| {
        let mine = || runners.iter().filter(|r| r.runner.pool == *name);
        let all =
            [Phase::Busy, Phase::Idle, Phase::Starting, Phase::Creating, Phase::Draining, Phase::Failed];
        let phases = all.map(|phase| (phase, mine().filter(|r| r.phase == phase).count() as u32));
        let busy = phases[0].1;
        let held = Held { what: "3 starts".to_owned(), reason: HeldReason::AtMax { max: 8 } };
        let report = PoolReport {
            pool: name.clone(),
            target: mine().count() as u32,
            places: Vec::new(),
            why: format!("{busy} busy, 12 waiting, min_idle 2"),
            phases: phases.to_vec(),
            held: if at == 0 { vec![held] } else { Vec::new() },
        };
        PoolState { pool: config.pools.get(name).cloned(), drained: at == 3, boost: None, report }
    };
    names.iter().enumerate().map(state).collect()
}

fn ended(pool: &PoolName, n: u32, now: Time) -> PostMortem {
    let bad = n % 6 == 2;
    PostMortem {
        pool: pool.clone(),
        runner: RunnerName::new(format!("ghrunner-{pool}-{n}-k7x2p-{:06x}", n * 104_729 + 11_259_375)),
        created: now - Duration::from_secs(u64::from(n) * 41 + 400),
        ended: now - Duration::from_secs(u64::from(n) * 41),
        exit_code: Some(if bad { 137 } else { 0 }),
        oom_killed: bad,
        ran_job: true,
        job: Some(if n == 1 { MARKUP.to_owned() } else { "test".to_owned() }),
        verdict: match bad {
            true => "the kernel killed it: its job needed more than 4GiB of memory".to_owned(),
            false => "its job ended".to_owned(),
        },
        last_lines: vec!["Running job: test".to_owned(), MARKUP.to_owned()],
    }
}
