//! The connection: made when it is first needed, made anew after it broke.

use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use bollard::Docker;
use bollard::errors::Error;
use tokio::time::Instant;

use super::EngineError;
use super::body::HostFacts;
use super::body::Privilege;
use super::error::meaning;
use super::info;
use super::network::KnownNetworks;
use crate::model::Meter;

/// Questions that need no work: lists, looks.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// Create, start and remove: a host under load has been seen to take the better part of a minute.
pub(super) const WORK: Duration = Duration::from_secs(120);

/// The client library's own limit, in seconds, is put out of the way: each call here has one of its own.
const NO_LIMIT_SECS: u64 = 24 * 3600;
/// The oldest API that has all we use: `docker` 20.10, Podman 4.
const OLDEST_API: (usize, usize) = (1, 41);

/// One engine, reachable or not.
pub(super) struct Link {
    endpoint: String,
    journal_socket: std::path::PathBuf,
    current: Mutex<Option<Arc<Session>>>,
    opening: tokio::sync::Mutex<()>,
    meter: Arc<Meter>,
}

/// What holds as long as the engine is the same process.
pub(super) struct Session {
    pub(super) docker: Docker,
    pub(super) facts: HostFacts,
    /// Podman's service speaks the same API with small differences.
    pub(super) is_podman: bool,
    pub(super) networks: KnownNetworks,
    /// Set once the engine refused to limit a container's disk.
    pub(super) no_disk_limit: AtomicBool,
    /// How far it lets inner engines go, once one was asked for.
    pub(super) privilege: tokio::sync::OnceCell<Privilege>,
}

impl Link {
    pub(super) fn new(endpoint: String, journal_socket: std::path::PathBuf, meter: Arc<Meter>) -> Self {
        let (current, opening) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Self { endpoint, journal_socket, current, opening, meter }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The session that stands, or a new one.
    pub(super) async fn session(&self) -> Result<Arc<Session>, EngineError> {
        if let Some(session) = self.standing() {
            return Ok(session);
        }
        let _one_at_a_time = self.opening.lock().await;
        if let Some(session) = self.standing() {
            return Ok(session);
        }
        let session = Arc::new(self.open().await?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(session)
    }

    fn standing(&self) -> Option<Arc<Session>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn open(&self) -> Result<Session, EngineError> {
        let call = "tell its version";
        let docker = self.client().map_err(|err| self.told(call, LOOK, err))?;
        let docker = self.limit(call, LOOK, docker.negotiate_version()).await?;
        let version = docker.client_version();
        if (version.major_version, version.minor_version) < OLDEST_API {
            let (major, minor) = OLDEST_API;
            let message = format!("it speaks API {version}, and {major}.{minor} is the oldest that will do");
            return Err(EngineError::Refused { call, status: 400, message });
        }
        let told = self.limit("describe itself", LOOK, docker.info()).await?;
        let is_podman = info::is_podman(&self.limit(call, LOOK, docker.version()).await?);
        Ok(Session {
            is_podman,
            facts: info::facts(&told, &self.endpoint, &self.journal_socket),
            docker,
            networks: KnownNetworks::default(),
            no_disk_limit: AtomicBool::new(false),
            privilege: tokio::sync::OnceCell::new(),
        })
    }

    fn client(&self) -> Result<Docker, Error> {
        let docker = match self.endpoint.split_once("://") {
            Some(("tcp" | "http", _)) => {
                Docker::connect_with_http(&self.endpoint, NO_LIMIT_SECS, API_DEFAULT_VERSION)?
            }
            Some(("unix", _)) | None => {
                Docker::connect_with_unix(&self.endpoint, NO_LIMIT_SECS, API_DEFAULT_VERSION)?
            }
            Some(_) => return Err(Error::UnsupportedURISchemeError { uri: self.endpoint.clone() }),
        };
        Ok(docker.with_request_modifier(super::registry_auth::url_safe))
    }

    /// Makes one call within its time; a broken connection is not used again.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        within: Duration,
        ask: impl AsyncFnOnce(&Session) -> Result<T, Error>,
    ) -> Result<T, EngineError> {
        let session = self.session().await?;
        self.limit(what, within, ask(&session)).await
    }

    async fn limit<T>(
        &self,
        call: &'static str,
        within: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        let begun = Instant::now();
        let result = match tokio::time::timeout(within, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(err)) => Err(self.told(call, within, err)),
            Err(_) => Err(EngineError::TimedOut { call, within }),
        };
        self.took(call, result.as_ref().err(), begun);
        result
    }

    /// Writes down what came of a call.
    pub(super) fn took(&self, call: &'static str, error: Option<&EngineError>, begun: Instant) {
        let (result, took) = (error.map_or("ok", EngineError::word), begun.elapsed());
        self.meter.note(|readings| readings.engine.took(call, result, took));
    }

    /// What an error means; one that says that the engine went away ends the session.
    pub(super) fn told(&self, call: &'static str, within: Duration, err: Error) -> EngineError {
        let err = meaning(call, &self.endpoint, within, err);
        if matches!(err, EngineError::Unreachable { .. }) {
            self.forget();
        }
        err
    }

    /// The next call connects anew, as after a restart of the engine (which may be another version then).
    pub(super) fn forget(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
