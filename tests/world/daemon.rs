//! The real control loop in the world, with the ways in which it begins and ends.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::control::Command;
use ghrunner::control::Control;
use ghrunner::control::Facade;
use ghrunner::control::Inputs;
use ghrunner::control::Loaded;
use ghrunner::control::StateDir;
use ghrunner::execute::LogKeeper;
use ghrunner::execute::Ports;
use ghrunner::model::InstanceId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::World;
use super::sources::Sources;

/// Which installation the daemons of this world are.
pub(super) fn instance() -> InstanceId {
    InstanceId::new("k7x2p")
}

/// A daemon that runs.
pub(super) struct Daemon {
    task: JoinHandle<()>,
    pub(super) facade: Facade,
    file_changed: mpsc::Sender<()>,
    stop: CancellationToken,
    sources: Sources,
    /// Where deliveries come from, if they come to this one.
    hears: Option<World>,
}

impl Daemon {
    /// Begins with what the file says now and what was kept in `state_dir`.
    pub(super) fn start(world: &World, state_dir: Option<&Path>) -> Self {
        let (config, seed) = world.with(|state| (state.config.clone(), state.dice.roll()));
        let ports = Ports {
            engine: Arc::new(world.clone()),
            github: Arc::new(world.clone()),
            instance: instance(),
            logs: LogKeeper::none(),
        };
        let state = state_dir.map_or_else(StateDir::none, |dir| StateDir::new(PathBuf::from(dir)));
        let loaded = Loaded { config, warnings: Vec::new() };
        let control = Control::new(ports, world.clock(), seed, state, "pools.toml".into(), loaded);
        let (commands, asked) = mpsc::channel::<Command>(16);
        let (file_changed, changed) = mpsc::channel(1);
        let facade = Facade::new(commands, control.snapshots());
        let stop = CancellationToken::new();
        let sources = match world.with(|state| state.services.told) {
            true => Sources::start(world, state_dir, &stop),
            false => Sources::none(),
        };
        let file = world.clone();
        let inputs = Inputs {
            commands: asked,
            file_changed: changed,
            load: Arc::new(move || file.with(|state| state.read_file())),
            apply: Box::new(|_, _| Vec::new()),
            demand: sources.view.clone(),
            wanted: sources.wanted.clone(),
            stop: stop.clone(),
            heartbeat: Duration::from_secs(30),
        };
        let hears = state_dir.is_some().then(|| world.clone());
        Self { task: tokio::spawn(control.run(inputs)), facade, file_changed, stop, sources, hears }
    }

    /// The file was saved.
    pub(super) fn file_saved(&self) {
        // A full channel holds a wake-up already.
        let _ = self.file_changed.try_send(());
    }

    /// Ends it as `kill -9` does, wherever it is.
    pub(super) async fn crash(mut self) {
        self.deafen();
        self.task.abort();
        self.sources.crash().await;
        let _ = self.task.await;
    }

    /// Ends it as systemd does.
    pub(super) async fn stop(mut self) {
        self.deafen();
        self.stop.cancel();
        let _ = self.task.await;
        self.sources.end().await;
    }

    /// Deliveries reach nobody from now on.
    fn deafen(&self) {
        if let Some(world) = &self.hears {
            world.with(|state| state.services.hook.inlet = None);
        }
    }

    /// Why it ended although nobody told it to.
    pub(super) async fn died(&mut self) -> Option<String> {
        if !self.task.is_finished() {
            return self.sources.died();
        }
        let words = match (&mut self.task).await {
            Ok(()) => "it just ended".to_owned(),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default(),
                Err(error) => error.to_string(),
            },
        };
        Some(format!("the control loop died: {words}"))
    }
}
