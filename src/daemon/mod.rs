//! The daemon put together: everything is built, then everything is started.
//!
//! **Knows** every room, as the one place that joins them; nothing uses it but the command line.
//! **Does not know** how anything works. If a line here decides something, it stands in the wrong room.

pub mod api;
mod demand;
mod history;
mod ports;
mod preview;
mod telemetry;
pub mod webhook;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use ports::RegistrySource;
pub use ports::engine;
pub use ports::github;
pub use preview::preview;

use crate::config;
use crate::config::Config;
use crate::control::Apply;
use crate::control::Archive;
use crate::control::Clock;
use crate::control::Control;
use crate::control::Facade;
use crate::control::Inputs;
use crate::control::Loaded;
use crate::control::Loader;
use crate::control::Snapshot;
use crate::control::StateDir;
use crate::control::WatchedFiles;
use crate::execute::LogKeeper;
use crate::execute::Ports;
use crate::github;
use crate::history::History;
use crate::http;
use crate::http::SocketError;
use crate::mcp;
use crate::model::Meter;
use crate::systemd;
use crate::systemd::Notifier;
use crate::systemd::Secrets;
use crate::systemd::Signal;
use crate::systemd::Signals;
use crate::systemd::Sockets;

/// The longest that may pass between two passes when nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// The longest that a pass may take while the start is not over: an engine that hangs costs some calls' time.
const PASS_WITHIN: Duration = Duration::from_secs(120);
/// Commands that may wait for the loop.
const COMMANDS: usize = 64;

/// Where the daemon finds and leaves things.
#[derive(Debug, Clone)]
pub struct Options {
    /// `pools.toml`.
    pub config: PathBuf,
    /// State that is kept across restarts.
    pub state_dir: PathBuf,
    /// Output of runners that are gone.
    pub logs_dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// How much is logged, as the process was told at its start.
    pub log_level: String,
}

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The file is not good, and there is no earlier one to go on with.
    #[error("{report}")]
    Config {
        /// All that is wrong with it.
        report: String,
    },
    /// The control socket cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The system refused something that every process needs.
    #[error("cannot {what}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Runs until a signal says otherwise. Must be called within a tokio runtime.
///
/// # Errors
/// It could not start. What goes wrong later is told, and survived.
pub async fn run(options: &Options) -> Result<(), DaemonError> {
    // Watched before it is read, so that no save falls between the two.
    let files = WatchedFiles::begin(&options.config);
    let load = loader(options.config.clone());
    let loaded = load().map_err(|report| DaemonError::Config { report })?;
    live(options, files, load, loaded).await
}

/// Reads the file for the control loop: a configuration with its warnings, or the report as text.
fn loader(path: PathBuf) -> Loader {
    Arc::new(move || {
        let found = Config::load(&path);
        let warnings = found.report.warning_lines();
        match found.into_result() {
            Ok(config) => Ok(Loaded { config, warnings }),
            Err(report) => Err(report.render_errors(false)),
        }
    })
}

async fn live(
    options: &Options,
    files: WatchedFiles,
    load: Loader,
    loaded: Loaded,
) -> Result<(), DaemonError> {
    let signals =
        Signals::listen().map_err(|source| DaemonError::System { what: "listen to signals", source })?;
    let mut sockets = Sockets::from_env();
    let readers = loaded.config.read_group.as_deref();
    let socket = api::control_socket(&options.socket, readers, &mut sockets)?;
    let notifier = Notifier::from_env();
    let clock = Clock::system();
    let secrets = Arc::new(Secrets::from_env());
    let instance = systemd::instance(loaded.config.host.instance.as_deref());
    let registry = RegistrySource::new(RwLock::new(loaded.config.engine.registry_auth.clone()));
    let meter = Arc::<Meter>::default();
    meter.note(|readings| readings.watchdog = systemd::watchdog_interval());
    let github = Arc::new(ports::github_with(&loaded.config, &secrets, clock, &meter));
    let ports = Ports {
        engine: Arc::new(ports::engine_with(
            &loaded.config,
            Arc::clone(&registry),
            &secrets,
            clock,
            instance.clone(),
            Arc::clone(&meter),
        )),
        github: Arc::clone(&github),
        instance: instance.clone(),
        logs: LogKeeper::new(options.logs_dir.clone()),
    };
    greet(&options.config, &loaded);
    let path = absolute(&options.config).display().to_string();
    let state = StateDir::new(absolute(&options.state_dir));
    let begun_with = loaded.config.clone();
    let state_dir = absolute(&options.state_dir);
    let (deeds, history) = history::prepare(&begun_with, &secrets, &instance, &state_dir, clock);
    let (deeds, traces) = telemetry::prepare(deeds);
    let control = Control::new(ports, clock, seed(clock), state, path, loaded)
        .metered(Arc::clone(&meter))
        .with_deeds(deeds);

    let stop = CancellationToken::new();
    let (ask, commands) = mpsc::channel(COMMANDS);
    let (changed, file_changed) = mpsc::channel(1);
    let snapshots = control.snapshots();
    let history = history.map(|history| history.start(snapshots.clone()));
    let traces = traces.start((&instance, &meter), &secrets, &begun_with, snapshots.clone());
    let facade = door(Facade::new(ask, snapshots.clone()).metered(meter), history.as_ref());
    tokio::spawn(files.tell(Arc::clone(&load), changed, stop.clone()));
    let told: github::Clock = Arc::new(move || clock.now());
    let kept = (&instance, options.state_dir.as_path());
    let sources = demand::start(&begun_with, (&github, &told), &secrets, kept, &mut sockets, &stop)?;
    let api = served(facade.clone(), options, stop.clone());
    let over_tcp = api::start(&begun_with, &secrets, &mut sockets, api.clone(), &stop)?;
    let inputs = Inputs {
        commands,
        file_changed,
        load: bringing(load, sources.settings.clone(), over_tcp, traces.clone()),
        demand: sources.view.clone(),
        wanted: sources.wanted.clone(),
        apply: applying(github, registry, secrets, begun_with),
        stop: stop.clone(),
        heartbeat: heartbeat(),
    };
    tokio::spawn(facade.clone().keep_trend(clock, stop.clone()));
    let mirror = tokio::spawn(mirror(notifier.clone(), snapshots));
    let server = tokio::spawn(http::serve(socket, api, stop.clone()));
    let obey = tokio::spawn(obey(signals, notifier, facade, stop.clone()));
    control.run(inputs).await;
    stop.cancel();
    sources.end().await;
    if let Some(history) = history {
        history.end().await;
    }
    traces.end().await;
    mirror.abort();
    obey.abort();
    if let Ok(Err(error)) = server.await {
        tracing::warn!("The control socket failed: {error}");
    }
    Ok(())
}

/// The door with a record of what was behind it, if one is kept.
fn door(facade: Facade, history: Option<&Arc<History>>) -> Facade {
    match history {
        Some(history) => facade.with_archive(Arc::clone(history) as Arc<dyn Archive>),
        None => facade,
    }
}

/// Reads the file for the control loop, and brings those who listen what it says of them.
fn bringing(
    load: Loader,
    deliveries: demand::Settings,
    over_tcp: api::Settings,
    traces: telemetry::Traces,
) -> Loader {
    Arc::new(move || {
        let loaded = load()?;
        deliveries.bring(&loaded.config);
        over_tcp.bring(&loaded.config);
        traces.bring(&loaded.config);
        Ok(loaded)
    })
}

/// What is served of the fleet: the API, and beside it what answers agents.
fn served(facade: Facade, options: &Options, stop: CancellationToken) -> http::Api {
    http::Api::new(facade).with_level(level(options)).with_agents(move |inside| mcp::over_http(inside, &stop))
}

/// The log's level, as the command line began it.
fn level(options: &Options) -> http::LogLevel {
    let set = |level: &str| systemd::set_log_level(level).map_err(|why| why.to_string());
    http::LogLevel::new(options.log_level.clone(), set)
}

/// Puts into effect what an edit changed outside of the loop.
fn applying(
    github: Arc<github::Client>,
    registry: RegistrySource,
    secrets: Arc<Secrets>,
    begun_with: Config,
) -> Apply {
    Box::new(move |old, new| {
        github.replace(ports::credentials(new, &secrets));
        registry.write().unwrap_or_else(PoisonError::into_inner).clone_from(&new.engine.registry_auth);
        changed_settings(&begun_with, old, new)
    })
}

/// Tells what an edit changed, and gives what waits for a restart: until there is one, or the file says again what it said
/// at the start.
fn changed_settings(begun_with: &Config, old: &Config, new: &Config) -> Vec<String> {
    let changes = config::diff(old, new);
    tracing::info!("{changes}");
    config::diff(begun_with, new).needs_restart.into_iter().map(str::to_owned).collect()
}

/// The path for those who ask the daemon, and stand in another folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Names of runners must not repeat those of an earlier life; without the system's randomness the clock sees to that.
fn seed(clock: Clock) -> u64 {
    SysRng.try_next_u64().unwrap_or_else(|_| clock.now().0)
}

/// A watchdog that is fed by finished passes needs one often enough.
fn heartbeat() -> Duration {
    systemd::watchdog_interval().map_or(HEARTBEAT, |interval| HEARTBEAT.min(interval / 3))
}

fn greet(path: &Path, loaded: &Loaded) {
    let (version, pools) = (env!("CARGO_PKG_VERSION"), loaded.config.pools.len());
    let s = if pools == 1 { "" } else { "s" };
    tracing::info!("ghrunner {version} with {pools} pool{s} from {}", path.display());
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

/// Tells the service manager of each finished pass: readiness once, when the fleet stands, a line, and that the loop
/// lives. Until then each pass asks for more time, since an engine may take its time after boot and nothing is gained by a restart.
async fn mirror(notifier: Notifier, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
    let mut ready = false;
    notifier.starting(&snapshots.borrow().status, PASS_WITHIN);
    while snapshots.changed().await.is_ok() {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        match (snapshot.settled, ready) {
            (false, _) => notifier.starting(&snapshot.status, PASS_WITHIN),
            (true, false) => notifier.ready(&snapshot.status),
            (true, true) => notifier.status(&snapshot.status),
        }
        ready |= snapshot.settled;
        notifier.watchdog();
    }
}

/// Does what signals ask.
async fn obey(mut signals: Signals, notifier: Notifier, facade: Facade, stop: CancellationToken) {
    loop {
        match signals.next().await {
            Signal::Reload => {
                // `READY=1` ends a start as well as a reload, and a start ends with a fleet that stands only.
                let started = facade.snapshot().settled;
                if started {
                    notifier.reloading();
                }
                // A bad file was told already, and leaves the last good one in force: the reload is over either way.
                let _ = facade.reload().await;
                if started {
                    notifier.ready(&facade.snapshot().status);
                }
            }
            Signal::Stop => {
                notifier.stopping();
                tracing::info!("Stopping; runners go on by themselves");
                stop.cancel();
            }
            Signal::StopNow => {
                tracing::warn!("Told twice to stop: ending at once");
                at_once();
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the operator asked for exactly this")]
#[expect(clippy::exit, reason = "the operator asked for exactly this")]
fn at_once() {
    std::process::exit(130);
}
