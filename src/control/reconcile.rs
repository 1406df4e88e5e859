//! The control loop: triggers wake it, a pass looks at everything, plans, and begins what was planned.
//!
//! No trigger carries an instruction: a file that changed, an engine event, a listing, an action that ended and a
//! timer all lead to the same pass. Actions run beside it; what is under way is part of the world of the next one.

mod ask;
mod moving;
mod pass;
mod preview;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Clock;
use super::Command;
use super::ConfigState;
use super::Deeds;
use super::FacadeError;
use super::Snapshot;
use super::StateDir;
use super::listings::Listed;
use super::measure::Measure;
use super::memory::Memory;
use super::samples::Samples;
use super::settle;
use super::state::Marks;
use super::tell;
use crate::config::Config;
use crate::decide::Policy;
use crate::engine::Engine;
use crate::engine::EngineEvent;
use crate::execute::Done;
use crate::execute::Outcome;
use crate::execute::Ports;
use crate::github::AccessList;
use crate::github::GitHub;
use crate::model::Action;
use crate::model::DemandView;
use crate::model::Meter;
use crate::model::Mode;
use crate::model::Plan;
use crate::model::PoolName;
use crate::model::RunnerName;
use crate::model::Time;
use crate::model::Usage;
use crate::model::Wanted;

/// Between a trigger and its pass, so that triggers which come together lead to one. A job waits for it; those that follow
/// each other for longer are held together by the rest after a pass.
const DEBOUNCE: Duration = Duration::from_millis(2);
/// A pass may take at most this part of the time: each one asks the engine for a listing.
const PASS_SHARE: u32 = 20;
/// The longest rest after a pass: an engine that is slow because it works must not make us deaf.
const LONGEST_REST: Duration = Duration::from_millis(500);
/// How long after an engine event passes follow each other closely: the engine tells of a container's end before its
/// own listing shows it (`die` precedes the state's checkpoint in dockerd).
const ECHO: Duration = Duration::from_secs(2);
/// How long actions under way may go on after the daemon is told to stop. What is cut off is found by the next one.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A configuration that was read and is good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is legal and unwise.
    pub warnings: Vec<String>,
}

/// Reads the file: a good configuration, or all that is wrong with it.
pub type Loader = Arc<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// Brings a new configuration to where the loop does not reach (old one first), and names what needs a restart.
pub type Apply = Box<dyn FnMut(&Config, &Config) -> Vec<String> + Send>;

/// What wakes the control loop, and how it reads the file.
pub struct Inputs {
    /// What people ask.
    pub commands: mpsc::Receiver<Command>,
    /// The file may have changed.
    pub file_changed: mpsc::Receiver<()>,
    /// Reads the file.
    pub load: Loader,
    /// Hears of each configuration that comes into force after the first.
    pub apply: Apply,
    /// What the sources of demand say.
    pub demand: watch::Receiver<Arc<DemandView>>,
    /// Tells the sources what to listen to.
    pub wanted: watch::Sender<Arc<Wanted>>,
    /// Ends the loop.
    pub stop: CancellationToken,
    /// The longest that may pass between two passes.
    pub heartbeat: Duration,
}

impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inputs")
    }
}

/// What happened beside the loop.
enum Event {
    Done { action: Box<Action>, outcome: Box<Outcome>, pass: u64 },
    Listed(Listed),
    Engine(EngineEvent),
    Admitted { lists: Admitted, then: Option<ModeChange> },
    Sampled { runner: RunnerName, found: Option<Usage>, took: Duration },
}

type Admitted = BTreeMap<PoolName, Result<AccessList, String>>;

/// A change of mode that waits for access lists.
struct ModeChange {
    mode: Mode,
    dry_run: bool,
    answer: oneshot::Sender<Result<Plan, FacadeError>>,
}

/// The control loop.
pub struct Control<E: Engine, G: GitHub> {
    ports: Ports<E, G>,
    clock: Clock,
    rng: StdRng,
    state: StateDir,
    policy: Policy,
    config: ConfigState,
    memory: Memory,
    marks: Marks,
    /// Why the marks could not be written, if they could not.
    unkept: Option<String>,
    told: tell::Told,
    measure: Measure,
    samples: Samples,
    deeds: Deeds,
    passes: u64,
    started: Time,
    /// Since when a first complete look was had.
    looked: Option<Time>,
    settled: bool,
    last: Arc<Snapshot>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    next: Instant,
    resting_until: Instant,
    echo_until: Instant,
    heartbeat: Duration,
    wanted: watch::Sender<Arc<Wanted>>,
    access_asked: Option<Time>,
    logs_expired: Option<Time>,
    events: mpsc::UnboundedSender<Event>,
    inbox: Option<mpsc::UnboundedReceiver<Event>>,
    tasks: JoinSet<()>,
    makers: Arc<Semaphore>,
    removers: Arc<Semaphore>,
}

impl<E: Engine, G: GitHub> Control<E, G> {
    /// A loop over `ports` with a configuration that was read already. Nothing happens until [`Control::run`].
    /// `seed` feeds names and jitter.
    pub fn new(
        ports: Ports<E, G>,
        clock: Clock,
        seed: u64,
        state: StateDir,
        path: String,
        loaded: Loaded,
    ) -> Self {
        let started = clock.now();
        let marks = state.marks();
        let memory = Memory::recall(state.mode(), &marks);
        let config = ConfigState { warnings: loaded.warnings, ..ConfigState::new(path, started) };
        let policy = Policy::new(Arc::new(loaded.config));
        let snapshot = Arc::new(Snapshot::before_first_pass(&ports.instance, &config, memory.mode, started));
        let (events, inbox) = mpsc::unbounded_channel();
        let (makers, removers) = permits(&policy.config);
        Self {
            ports,
            clock,
            rng: StdRng::seed_from_u64(seed),
            state,
            policy,
            config,
            memory,
            marks,
            unkept: None,
            told: tell::Told::default(),
            measure: Measure::new(Arc::default()),
            samples: Samples::default(),
            deeds: Deeds::default(),
            passes: 0,
            started,
            looked: None,
            settled: false,
            snapshots: watch::Sender::new(Arc::clone(&snapshot)),
            last: snapshot,
            next: Instant::now(),
            resting_until: Instant::now(),
            echo_until: Instant::now(),
            heartbeat: Duration::from_secs(30),
            wanted: watch::Sender::default(),
            access_asked: None,
            logs_expired: None,
            events,
            inbox: Some(inbox),
            tasks: JoinSet::new(),
            makers,
            removers,
        }
    }

    /// The same loop, which writes what it counts into this meter.
    pub fn metered(self, meter: Arc<Meter>) -> Self {
        Self { measure: Measure::new(meter), ..self }
    }

    /// Leaves what it has done with `deeds`, which never holds it up.
    #[must_use]
    pub fn with_deeds(mut self, deeds: Deeds) -> Self {
        self.deeds = deeds;
        self
    }

    /// A receiver of the snapshot of each pass.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// Runs until it is told to stop. Runners go on: the next daemon adopts them.
    pub async fn run(mut self, mut inputs: Inputs) {
        let Some(mut inbox) = self.inbox.take() else { return };
        self.heartbeat = inputs.heartbeat;
        self.wanted = inputs.wanted.clone();
        self.listen_to_engine();
        let stop = inputs.stop.clone();
        // A look at an engine that hangs takes its time, and nobody who stops the daemon waits for that. Cut off can only
        // be a look: what follows from it, and what is heard, is taken in without waiting.
        while stop.run_until_cancelled(self.step(&mut inputs, &mut inbox)).await.is_some() {}
        self.wind_down(inbox).await;
    }

    /// Waits for the next thing to happen, and does what it asks for.
    async fn step(&mut self, inputs: &mut Inputs, inbox: &mut mpsc::UnboundedReceiver<Event>) {
        // In a fixed order, so that the same happenings always lead to the same passes. None can crowd out another: a pass
        // puts the next one off, and what is heard here is little.
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(self.next) => self.pass().await,
            Some(command) = inputs.commands.recv() => self.answer(command, &mut inputs.apply, &inputs.load).await,
            Some(()) = inputs.file_changed.recv() => {
                // Who saved the file reads the journal; there is nobody to answer.
                let _ = self.reload(&inputs.load, &mut inputs.apply);
            }
            Ok(()) = inputs.demand.changed() => {
                self.memory.demand = (**inputs.demand.borrow_and_update()).clone();
                self.wake();
            }
            Some(event) = inbox.recv() => {
                self.hear(event).await;
                // Whatever else has happened by now belongs to the same pass.
                while let Ok(event) = inbox.try_recv() {
                    self.hear(event).await;
                }
            }
        }
    }

    /// Has a pass begin soon, but not before the last one's rest is over.
    fn wake(&mut self) {
        self.next = self.next.min((Instant::now() + DEBOUNCE).max(self.resting_until));
    }

    /// Has a pass begin at once: somebody waits for it.
    fn wake_now(&mut self) {
        self.next = Instant::now();
    }

    fn listen_to_engine(&mut self) {
        let engine_events = self.ports.engine.events();
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let mut engine_events = std::pin::pin!(engine_events);
            while let Some(event) = engine_events.next().await {
                if events.send(Event::Engine(event)).is_err() {
                    break;
                }
            }
        });
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Done { action, outcome, pass } => self.settle(&action, &outcome, pass),
            Event::Listed(listed) => {
                if self.memory.listings.settle(&self.ports.instance, listed) {
                    self.wake();
                }
            }
            Event::Engine(EngineEvent::Connected) => {
                tracing::debug!("Listening to the engine's events");
                self.memory.survey.expire();
                self.wake();
            }
            Event::Engine(EngineEvent::Container { action, id }) => {
                tracing::trace!(%id, "The engine tells of a container: {action}");
                self.echo_until = Instant::now() + ECHO;
                self.wake();
            }
            Event::Sampled { runner, found, took } => {
                self.samples.take_in(&runner, found, took, self.clock.now());
            }
            Event::Admitted { lists, then } => {
                self.admit(lists);
                match then {
                    Some(change) => self.change_mode(change).await,
                    None => self.wake(),
                }
            }
        }
    }

    /// Takes in access lists; one that could not be read leaves the last one in force.
    fn admit(&mut self, lists: Admitted) {
        for (pool, list) in lists {
            match list {
                Ok(list) => {
                    self.memory.admitted.insert(pool.clone(), list.repos);
                    self.memory.closed_to.insert(pool, list.closed_to);
                }
                Err(error) => {
                    tracing::warn!(%pool, "The runner group's access list of pool {pool} cannot be read: {error}")
                }
            }
        }
    }

    /// Enters an outcome in the book.
    fn settle(&mut self, action: &Action, outcome: &Outcome, pass: u64) {
        let now = self.clock.now();
        let jitter = rand::RngExt::random(&mut self.rng);
        let same = self.scopes_sharing_credential(action);
        let began = settle::began(&self.memory.book, action, now);
        self.measure.settled(&self.memory.book, action, outcome, now);
        settle::settle(&mut self.memory.book, action, outcome, now, jitter, &same);
        self.told.outcome(action, outcome, pass);
        let used = match outcome {
            Ok(Done::Gone(gone)) => self.samples.hand_over(&gone.runner).filter(|_| gone.ran_job),
            _ => None,
        };
        self.measure.used(action, used);
        self.deeds.leave(action, outcome, (began, now), pass, used);
        match (action, outcome) {
            (Action::Pull { image }, _) => self.memory.survey.pulled(image, outcome, now, jitter),
            (Action::Create(new), Ok(_)) => self.memory.listings.refresh(&new.scope),
            (Action::Retire { container, .. } | Action::Reap { container, .. }, Ok(Done::Gone(gone))) => {
                self.memory.listings.forget(&container.scope, &container.runner_name, now);
                self.memory.survey.removed(container);
                self.memory.bury((**gone).clone());
            }
            (Action::Deregister(reg), Ok(_)) => self.memory.listings.forget(&reg.scope, &reg.name, now),
            (Action::RemoveCompanion { container }, Ok(_)) => self.memory.survey.removed(container),
            (Action::Collect(leftover), Ok(_)) => self.memory.survey.collected(leftover),
            _ => {}
        }
        self.wake();
    }

    fn scopes_sharing_credential(&self, action: &Action) -> Vec<crate::model::Scope> {
        let Action::Create(new) = action else { return Vec::new() };
        let speaks = self.memory.listings.speaks();
        speaks.into_iter().filter(|(_, c)| *c == new.credentials).map(|(scope, _)| scope).collect()
    }

    /// Lets what is under way end for a moment, so that little is left for the next daemon to mend.
    async fn wind_down(&mut self, mut inbox: mpsc::UnboundedReceiver<Event>) {
        let deadline = Instant::now() + STOP_GRACE;
        while !self.memory.book.in_flight.is_empty() {
            match tokio::time::timeout_at(deadline, inbox.recv()).await {
                Ok(Some(Event::Done { action, outcome, pass })) => self.settle(&action, &outcome, pass),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let left = self.memory.book.in_flight.len();
        if left > 0 {
            tracing::info!(
                left,
                "Stopping with actions under way; the next start finds out what became of them"
            );
        }
        self.tasks.abort_all();
    }
}

/// Permits for making and for removing runners; apart, so that neither waits for the other.
fn permits(config: &Config) -> (Arc<Semaphore>, Arc<Semaphore>) {
    let concurrency = (config.engine.concurrency as usize).max(1);
    (Arc::new(Semaphore::new(concurrency)), Arc::new(Semaphore::new(concurrency)))
}
