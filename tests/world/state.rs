//! What is there: containers with their processes, registrations, jobs, and the queue of what will happen.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::control::Clock;
use ghrunner::control::Loaded;
use ghrunner::engine::EngineEvent;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::ImageId;
use ghrunner::model::PoolName;
use ghrunner::model::Repo;
use ghrunner::model::Role;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::SetId;
use ghrunner::model::Time;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::dice::Dice;
use super::jobs::Job;
use super::journal::Journal;
use super::ledger::Ledger;
use super::services::Services;
use super::weather::Weather;

/// A mistake planted on purpose, of the kind that a change to ghrunner might bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The look into a container finds nothing, as if it were skipped.
    NoLook,
    /// A listing of containers that was cut off passes for a complete one.
    PartialContainers,
    /// A listing of registrations that was cut off passes for a complete one.
    PartialRegistrations,
    /// A registration whose container failed is handed out again.
    ReusedRegistration,
    /// Containers are named after their runner, not their slot: a name is no lock.
    NoLock,
    /// Deleting a registration claims success and does nothing.
    DeleteForgets,
    /// A runner that registered itself is not found by its name.
    BlindFind,
    /// An error of the engine quotes what it was sent.
    SecretInError,
    /// Whatever ends counts as a job that was done.
    EveryEndIsAJob,
    /// Nobody asks how much of the disk is free.
    DiskUnseen,
    /// That GitHub has dropped a scale set is taken for the end of a session.
    SetGoneUnseen,
    /// A message counts twice.
    BatchTwice,
    /// A queue of which nothing was read passes for an empty one.
    EmptyQueue,
    /// Closing a session claims success and does nothing.
    SessionLeft,
    /// Deleting a scale set claims success and does nothing.
    SetLeft,
}

/// Something that will happen by itself.
type Happening = Box<dyn FnOnce(&mut State) + Send>;

/// A container of ours or somebody else's, with what runs in it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) container: Container,
    /// Somebody else's: it has our name and not our labels.
    pub(super) foreign: bool,
    pub(super) process: Option<Process>,
    pub(super) started: Option<Time>,
    pub(super) finished: Option<Time>,
    pub(super) oom: bool,
    pub(super) output: String,
    /// When somebody last looked for a worker in it.
    pub(super) looked: Option<Instant>,
}

/// A runner's process.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    /// Its registration; a token's is known once it registered itself.
    pub(super) registration: Option<RunnerId>,
    /// The job it was given, and when.
    pub(super) job: Option<(u64, Instant)>,
    /// Whether `Runner.Worker` runs.
    pub(super) worker: bool,
    /// Whether its job is over and it is on its way out.
    pub(super) leaving: bool,
    /// Whether it will never be of use.
    pub(super) doomed: bool,
}

/// A registration at GitHub.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) name: RunnerName,
    pub(super) scope: Scope,
    pub(super) labels: Vec<String>,
    pub(super) online: bool,
    /// The job it was given.
    pub(super) job: Option<u64>,
    /// The container that uses it.
    pub(super) owner: Option<ContainerId>,
    /// Listings show it from here on.
    pub(super) visible: Instant,
    /// It is deleted; listings may show it until then.
    pub(super) gone: Option<Instant>,
    /// Until when the `busy` flag is false whatever it does.
    pub(super) flag_lies: Option<Instant>,
    /// Whether it came to use: a second use is a broken promise.
    pub(super) used: bool,
    /// The scale set that it belongs to.
    pub(super) set: Option<SetId>,
}

/// All of it.
pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) weather: Weather,
    pub(super) plant: Option<Plant>,
    pub(super) containers: BTreeMap<ContainerId, Held>,
    pub(super) volumes: BTreeMap<String, String>,
    pub(super) networks: BTreeMap<String, PoolName>,
    pub(super) images: BTreeMap<String, ImageId>,
    /// What the registry has.
    pub(super) registry: BTreeMap<String, ImageId>,
    pub(super) engine_back: Option<Instant>,
    /// Since when there is no space left.
    pub(super) disk_full: Option<Instant>,
    pub(super) listeners: Vec<mpsc::UnboundedSender<EngineEvent>>,
    pub(super) registered: BTreeMap<RunnerId, Registered>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) admitted: Vec<Repo>,
    pub(super) services: Services,
    pub(super) ledger: Ledger,
    /// The file, and earlier ones with the moment at which each was replaced.
    pub(super) config: Config,
    pub(super) earlier: Vec<(Instant, Config)>,
    /// Since when the file is one that would be refused, if it is.
    pub(super) bad_since: Option<Instant>,
    /// Whether all faults have ended, those that were on their way included.
    pub(super) mended: bool,
    /// When each registration of a pool was made.
    pub(super) enrolled: BTreeMap<PoolName, Vec<Instant>>,
    /// Runners that the operator stopped with force.
    pub(super) condemned: BTreeSet<RunnerName>,
    /// How many daemons there are.
    pub(super) daemons: u32,
    /// When one was killed last.
    pub(super) killed: Option<Instant>,
    /// Calls that were meant to change something.
    pub(super) changes: u64,
    /// The promise that was broken first.
    pub(super) broken: Option<String>,
    /// What happened.
    journal: Journal,
    clock: Clock,
    queue: BTreeMap<(Instant, u64), Happening>,
    last: u64,
}

impl State {
    pub(super) fn new(seed: u64, config: Config, clock: Clock, journal: Journal) -> Self {
        let dice = Dice::new(seed);
        Self {
            dice,
            weather: Weather::default(),
            plant: None,
            containers: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: BTreeMap::new(),
            images: BTreeMap::new(),
            registry: BTreeMap::new(),
            engine_back: None,
            disk_full: None,
            mended: false,
            enrolled: BTreeMap::new(),
            listeners: Vec::new(),
            registered: BTreeMap::new(),
            jobs: BTreeMap::new(),
            admitted: Vec::new(),
            services: Services::default(),
            ledger: Ledger::default(),
            config,
            earlier: Vec::new(),
            bad_since: None,
            condemned: BTreeSet::new(),
            daemons: 0,
            killed: None,
            changes: 0,
            broken: None,
            journal,
            clock,
            queue: BTreeMap::new(),
            last: 0,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// A number that was not given before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Has something happen later.
    pub(super) fn after(&mut self, span: Duration, happening: impl FnOnce(&mut Self) + Send + 'static) {
        let key = (Instant::now() + span, self.fresh());
        self.queue.insert(key, Box::new(happening));
    }

    /// Has all that is due happen.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= now) {
            first.remove()(self);
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    /// Notes that a promise is broken; the first one counts.
    pub(super) fn breaks(&mut self, promise: impl Into<String>) {
        let promise = promise.into();
        self.note(|| format!("BROKEN: {promise}"));
        self.broken.get_or_insert(promise);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Notes what happens, if anybody wants to know.
    pub(super) fn note(&self, words: impl FnOnce() -> String) {
        if self.journal.keeps() {
            self.journal.line(&words());
        }
    }

    /// Notes what the file says.
    pub(super) fn note_config(&self) {
        for pool in self.config.pools.values() {
            self.note(|| {
                format!(
                    "the file: {} {:?} min {} max {} min_idle {} {:?} {:?} {:?}; host {}",
                    pool.name,
                    pool.scope,
                    pool.min,
                    pool.max,
                    pool.min_idle,
                    pool.registration,
                    pool.spec.docker,
                    pool.priority,
                    self.config.host.max_runners
                )
            });
        }
    }

    pub(super) fn tell(&mut self, action: &str, id: &ContainerId) {
        let event = EngineEvent::Container { action: action.to_owned(), id: id.clone() };
        self.listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }

    /// The stream of events stands again.
    pub(super) fn tell_connected(&mut self) {
        self.listeners.retain(|listener| listener.send(EngineEvent::Connected).is_ok());
    }

    /// The file says something else from now on.
    pub(super) fn set_config(&mut self, config: Config) {
        let before = std::mem::replace(&mut self.config, config);
        self.earlier.push((Instant::now(), before));
    }

    /// The file is saved well or badly. While it is bad, what was good last stays in force wherever a daemon runs.
    pub(super) fn save_file(&mut self, bad: bool) {
        let now = Instant::now();
        if let Some(since) = self.bad_since {
            self.earlier.iter_mut().filter(|(until, _)| *until >= since).for_each(|(until, _)| *until = now);
        }
        self.bad_since = bad.then(|| self.bad_since.unwrap_or(now));
    }

    /// What a daemon finds in the file.
    pub(super) fn read_file(&self) -> Result<Loaded, String> {
        if self.bad_since.is_some() {
            return Err("pools.toml:1:1: expected a table".to_owned());
        }
        Ok(Loaded { config: self.config.clone(), warnings: Vec::new() })
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// The container of that name, whoever's it is.
    pub(super) fn named(&self, name: &str) -> Option<&Held> {
        self.containers.values().find(|held| held.container.name == name)
    }

    /// Runners' containers of ours.
    pub(super) fn runners(&self) -> impl Iterator<Item = &Held> {
        self.containers.values().filter(|held| !held.foreign && held.container.role == Role::Runner)
    }

    /// The configuration and those that were in force a moment ago: what was begun under them may still end.
    pub(super) fn recent_configs(&self) -> impl Iterator<Item = &Config> {
        let since = Instant::now() - Duration::from_secs(120);
        // A file that is refused ends none of them.
        let since = self.bad_since.map_or(since, |bad| bad.min(since));
        let earlier = self.earlier.iter().filter(move |(until, _)| *until >= since).map(|(_, config)| config);
        earlier.chain([&self.config])
    }

    /// Every configuration that ever was in force.
    pub(super) fn all_configs(&self) -> impl Iterator<Item = &Config> {
        self.earlier.iter().map(|(_, config)| config).chain([&self.config])
    }
}

impl Held {
    pub(super) fn runs(&self) -> bool {
        self.container.state == ContainerState::Running
    }
}
