//! A running simulator, as tests hold it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::clock::Moment;
use crate::faults::FaultError;
use crate::faults::Faults;
use crate::server;
use crate::server::ExchangeLog;
use crate::server::Shared;
use crate::state::State;
use crate::state::StateError;
use crate::world::Counters;
use crate::world::JobSpec;
use crate::world::Refusal;
use crate::world::Snapshot;
use crate::world::World;

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state makes no sense.
    #[error("the state cannot be used")]
    State(#[from] StateError),
    /// A fault makes no sense.
    #[error("the faults cannot be used")]
    Faults(#[from] FaultError),
    /// The address or the log cannot be opened.
    #[error("cannot open {what}")]
    Open {
        /// The address or file.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// How to start a simulator.
#[derive(Debug, Default)]
pub struct Builder {
    state: State,
    listen: Option<String>,
    advertise: Option<String>,
    exchange_log: Option<PathBuf>,
    faults: String,
}

impl Builder {
    /// What exists at the start.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// The address to listen at; without it a free port of the loopback.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = Some(address.to_string());
        self
    }

    /// The URL by which runners reach the simulator, where it is not the one its clients use.
    #[must_use]
    pub fn advertise(mut self, url: &str) -> Self {
        self.advertise = Some(url.trim_end_matches('/').to_string());
        self
    }

    /// Where to write each exchange.
    #[must_use]
    pub fn exchange_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.exchange_log = Some(path.into());
        self
    }

    /// Faults in force from the start.
    #[must_use]
    pub fn faults(mut self, spec: &str) -> Self {
        self.faults = spec.to_string();
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the state or the faults make no sense, or the address or the log cannot be opened.
    pub async fn start(self) -> Result<Sim, StartError> {
        let clock = Clock::new();
        let world = World::new(&self.state, clock.now())?;
        let mut faults = Faults::new(self.state.settings.seed);
        faults.add(&self.faults, Duration::ZERO)?;
        let log = match &self.exchange_log {
            Some(path) => ExchangeLog::create(path)
                .map_err(|source| StartError::Open { what: path.display().to_string(), source })?,
            None => ExchangeLog::default(),
        };
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:0".into());
        let unopened = |source| StartError::Open { what: listen.clone(), source };
        let listener = TcpListener::bind(&listen).await.map_err(unopened)?;
        let address = listener.local_addr().map_err(unopened)?;
        let base = format!("http://{address}");
        let shared = Shared::new(world, faults, clock, log, self.advertise, base);
        let server = tokio::spawn(server::serve(listener, shared.clone()));
        let clockwork = tokio::spawn(shared.clone().keep_time());
        tokio::spawn(server::deliver(shared.clone()));
        Ok(Sim { shared, address, server, clockwork })
    }
}

/// A running simulator. It stops when dropped; [`Sim::stop`] waits for it.
#[derive(Debug)]
pub struct Sim {
    shared: Shared,
    address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
    clockwork: JoinHandle<()>,
}

impl Sim {
    /// Starts to say what to start.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The root of its REST API, without a trailing slash. `…/api/v3` works as well.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Queues jobs; gives their ids.
    ///
    /// # Errors
    /// When the repository or the run is not there.
    pub fn queue_job(&self, spec: &JobSpec) -> Result<Vec<u64>, Refusal> {
        self.with_world(|world, now| world.queue_job(spec, now))
    }

    /// Does anything with the world, and wakes whoever waits for it to change.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World, Moment) -> T) -> T {
        let now = self.shared.now();
        let result = work(&mut self.shared.world(), now);
        self.shared.bump();
        result
    }

    /// Everything at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.world().snapshot(self.shared.now())
    }

    /// What has happened so far, in numbers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.world().counters()
    }

    /// Adds faults.
    ///
    /// # Errors
    /// When the text cannot be understood.
    pub fn faults(&self, spec: &str) -> Result<(), FaultError> {
        self.shared.faults().add(spec, self.shared.now().up)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Moves the wall clock forward, so that tokens expire.
    pub fn advance(&self, by: Duration) {
        self.shared.clock().advance(by);
    }

    /// Waits until the world is as wanted; gives the last look at it, as an error if time ran out.
    ///
    /// # Errors
    /// When it was not so within `limit`.
    pub async fn wait_until(
        &self,
        limit: Duration,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Result<Snapshot, Box<Snapshot>> {
        let deadline = tokio::time::Instant::now() + limit;
        let mut changes = self.shared.changes();
        loop {
            changes.mark_unchanged();
            let seen = self.snapshot();
            if wanted(&seen) {
                return Ok(seen);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Box::new(seen));
            }
            // Going offline is no event, so look again from time to time.
            let soon = tokio::time::sleep(Duration::from_millis(100));
            tokio::select! {
                _ = changes.changed() => {}
                () = soon => {}
            }
        }
    }

    /// Ends when somebody else stops the simulator.
    pub async fn stopped(&self) {
        self.shared.stopped().await;
    }

    /// Stops it and waits for the last answers to be sent.
    pub async fn stop(mut self) {
        self.shared.stop();
        if let Err(error) = (&mut self.server).await {
            tracing::warn!(%error, "The server did not end well");
        }
        self.clockwork.abort();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
