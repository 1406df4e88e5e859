//! The real sources of demand, wired as the service wires them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::demand::HookSettings;
use ghrunner::demand::HookSource;
use ghrunner::demand::Hub;
use ghrunner::demand::Poll;
use ghrunner::demand::SetDemand;
use ghrunner::github::Clock;
use ghrunner::model::DemandView;
use ghrunner::model::Wanted;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::World;
use super::daemon;
use super::hooks;

/// How long sources may take to end.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How often queues are read.
const PACE: Duration = Duration::from_secs(15);

/// All sources of one daemon.
pub(super) struct Sources {
    pub(super) view: watch::Receiver<Arc<DemandView>>,
    pub(super) wanted: watch::Sender<Arc<Wanted>>,
    tasks: JoinSet<()>,
}

impl Sources {
    /// Nothing to listen to, where nobody tells of jobs.
    pub(super) fn none() -> Self {
        Self {
            view: watch::Sender::default().subscribe(),
            wanted: watch::Sender::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Starts all sources. The first daemon has a state directory, and deliveries come to it.
    pub(super) fn start(world: &World, state_dir: Option<&Path>, stop: &CancellationToken) -> Self {
        let github = Arc::new(world.clone());
        let wall = world.clock();
        let clock: Clock = Arc::new(move || wall.now());
        let (wanted, listens) = watch::channel(Arc::<Wanted>::default());
        let (polled, heard, sets) =
            (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
        let (view, joined) = watch::channel(Arc::<DemandView>::default());
        let hub = Hub { polled: polled.subscribe(), heard: heard.subscribe(), sets: sets.subscribe() };
        let settings = HookSettings { url: Some(hooks::URL.to_owned()), only_github: false };
        let (hooks, inlet) = HookSource::new(
            Arc::clone(&github),
            Arc::clone(&clock),
            listens.clone(),
            watch::Sender::new(Arc::new(settings)).subscribe(),
            None,
            stop.clone(),
            heard,
        );
        if state_dir.is_some() {
            world.with(|state| {
                state.services.hook.inlet = Some(inlet);
                state.services.began = Some(Instant::now());
            });
        }
        let poll = Poll::new(Arc::clone(&github), Arc::clone(&clock), listens.clone(), stop.clone(), polled);
        let owner = (daemon::instance().to_string(), state_dir);
        let sets = SetDemand::new(github, clock, owner, listens, stop.clone(), sets);
        let mut tasks = JoinSet::new();
        tasks.spawn(poll.paced(Arc::new(|_| PACE)).run());
        tasks.spawn(hooks.run());
        tasks.spawn(sets.run());
        tasks.spawn(hub.run(view, stop.clone()));
        Self { view: joined, wanted, tasks }
    }

    /// Ends them as `kill -9` does.
    pub(super) async fn crash(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until all have ended, for a moment. They were told to stop.
    pub(super) async fn end(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_GRACE, all).await;
        self.tasks.shutdown().await;
    }

    /// Whether one ended although nobody told it to.
    pub(super) fn died(&mut self) -> Option<String> {
        let ended = self.tasks.try_join_next()?;
        Some(format!("a source of demand ended: {ended:?}"))
    }
}
