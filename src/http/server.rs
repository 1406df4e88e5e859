//! Serving the socket until the daemon stops.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::Extensions;
use axum::response::IntoResponse;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::ControlSocket;
use super::Inside;
use super::LogLevel;
use super::Peer;
use super::Role;
use super::agents::Agents;
use super::events::Hub;
use super::front;
use super::front::Patience;
use super::routes;
use crate::control::Facade;

/// How long requests under way may take to end at a stop. Someone following a log would otherwise hold the daemon.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// Connections of the socket at the same time; further ones wait. More than may listen to events, so that whoever steers
/// always has a place.
const CONNECTIONS: usize = 768;

/// How many connections of the socket those may have together who only look, and those who are nobody and are to be told so.
/// The others are for whoever steers.
const READERS: usize = 512;
const STRANGERS: usize = 16;

/// An answer may go on for as long as a job does.
pub(super) const PATIENCE: Patience = Patience { head: Duration::from_secs(30), lifetime: None, last: GRACE };

/// What the API speaks of.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) facade: Facade,
    pub(super) level: LogLevel,
    /// One for all doors, so that a change is worked out once.
    pub(super) hub: Arc<Hub>,
    pub(super) agents: Option<Agents>,
}

impl From<Facade> for Api {
    fn from(facade: Facade) -> Self {
        Self { facade, level: LogLevel::default(), hub: Arc::default(), agents: None }
    }
}

impl Api {
    /// The fleet through this door.
    pub fn new(facade: Facade) -> Self {
        facade.into()
    }

    /// With a log whose level can be changed.
    #[must_use]
    pub fn with_level(self, level: LogLevel) -> Self {
        Self { level, ..self }
    }

    /// With a service that answers agents at `/mcp`. It is made anew for each listener, with the API that it may ask.
    #[must_use]
    pub fn with_agents<S>(self, make: impl Fn(Inside) -> S + Send + Sync + 'static) -> Self
    where
        S: Service<Request, Error = Infallible, Response: IntoResponse, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self { agents: Some(Agents::new(make)), ..self }
    }
}

/// Answers on the socket until `stop`, then removes it.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    mut socket: ControlSocket,
    api: impl Into<Api>,
    stop: CancellationToken,
) -> io::Result<()> {
    let Some(listener) = socket.take_listener() else { return Ok(()) };
    let router = routes::over_socket(api.into(), socket.operators().clone());
    let operators = socket.operators().clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (readers, strangers) = (Arc::new(Semaphore::new(READERS)), Arc::new(Semaphore::new(STRANGERS)));
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => (place, stream),
                Err(error) => {
                    tracing::debug!(%error, "Cannot take a connection");
                    tokio::time::sleep(front::ACCEPT_AGAIN).await;
                    continue;
                }
            },
        };
        let peer = Peer::of(&stream);
        let apart = match operators.role(&peer) {
            Some(Role::Operate) => None,
            Some(Role::Read) => Some(&readers),
            None => Some(&strangers),
        };
        let Ok(apart) = apart.map(|places| Arc::clone(places).try_acquire_owned()).transpose() else {
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            let knows = |extensions: &mut Extensions| {
                extensions.insert(peer);
            };
            front::converse(TokioIo::new(stream), router, knows, PATIENCE, stop).await;
            drop((place, apart));
        });
    }
    tasks.close();
    let _ = tokio::time::timeout(GRACE, tasks.wait()).await;
    Ok(())
}
