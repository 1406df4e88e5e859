//! The intake of webhooks: the one thing that listens on the network.
//!
//! **Knows** whose deliveries are taken, and what one request may cost.
//! **Does not know** what a delivery means, or who waits for it.
//!
//! Whatever can be decided from the address and the head is decided before a byte of the body is read; what is kept is
//! bounded for one request, one address and all together; a body is neither logged nor parsed before its signature is
//! good. The order is the safety: see [`receive`].

mod body;
mod client;
mod gate;
mod receive;
mod refusal;
mod seen;
mod signature;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use crate::demand::Inlet;
use crate::model::Secret;
use receive::Desk;

/// How long requests under way may take to end at a stop.
const GRACE: Duration = Duration::from_secs(2);
/// After the system refused a connection, most likely for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// The largest head: GitHub's, with what proxies add, has about two kilobytes.
const HEAD_BYTES: usize = 16 * 1024;

/// What the file says about deliveries. It may change while the intake runs.
#[derive(Debug, Clone, Default)]
pub struct IntakeSettings {
    /// The path of the hook's address.
    pub path: String,
    /// What may sign deliveries, each as good as the other. With none nothing is taken.
    pub secrets: Vec<Secret>,
    /// Whether only the networks that GitHub names may deliver.
    pub only_github: bool,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest body that is read.
    pub max_body: usize,
    /// Requests a second of one address that may turn out bad.
    pub rate: u32,
}

/// What all requests together may cost.
#[derive(Debug, Clone)]
pub struct IntakeLimits {
    /// Connections at the same time. A quarter is for one address at most.
    pub connections: usize,
    /// For a request's head, and between two requests.
    pub head_timeout: Duration,
    /// For a body. GitHub itself gives up after ten seconds.
    pub body_timeout: Duration,
    /// After which a connection ends with the request under way.
    pub lifetime: Duration,
    /// Bytes of all bodies that are being read.
    pub bodies: usize,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            lifetime: Duration::from_secs(5 * 60),
            bodies: 32 << 20,
        }
    }
}

/// The intake, ready to serve.
pub struct Intake {
    desk: Arc<Desk>,
    guests: Arc<Guests>,
    connections: Arc<Semaphore>,
    limits: IntakeLimits,
    stop: CancellationToken,
}

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

/// Connections by address.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// One connection's places.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Intake {
    /// An intake that hands deliveries over to `inlet`.
    pub fn new(
        settings: watch::Receiver<Arc<IntakeSettings>>,
        inlet: Inlet,
        limits: IntakeLimits,
        stop: CancellationToken,
    ) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            guests: Arc::default(),
            desk: Arc::new(Desk::new(settings, inlet, &limits)),
            limits,
            stop,
        }
    }

    /// Takes deliveries until it is stopped. The listener must not block.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub async fn serve(self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let router = Router::new().fallback(receive::receive).with_state(Arc::clone(&self.desk));
        let connections = TaskTracker::new();
        while let Some((stream, guest)) = self.next(&listener).await {
            connections.spawn(connection(
                stream,
                guest,
                router.clone(),
                self.limits.clone(),
                self.stop.clone(),
            ));
        }
        connections.close();
        let _ = tokio::time::timeout(GRACE, connections.wait()).await;
        Ok(())
    }

    /// The next connection that has a place; none at the stop.
    async fn next(&self, listener: &TcpListener) -> Option<(TcpStream, Guest)> {
        let admitted = async {
            loop {
                let place = Arc::clone(&self.connections).acquire_owned().await.ok()?;
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        if let Some(guest) = self.admit(peer, place) {
                            return Some((stream, guest));
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "Cannot take a connection");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            next = admitted => next,
        }
    }

    /// Whether this address may have one more connection. A proxy has those of all who come through it.
    fn admit(&self, peer: SocketAddr, place: OwnedSemaphorePermit) -> Option<Guest> {
        let address = peer.ip().to_canonical();
        let most = if self.desk.trusts(address) { usize::MAX } else { self.limits.connections.div_ceil(4) };
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = guests.entry(address).or_default();
        if *has >= most {
            return None;
        }
        *has += 1;
        Some(Guest { guests: Arc::clone(&self.guests), address, _place: place })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = guests.get_mut(&self.address) {
            *has -= 1;
            if *has == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    guest: Guest,
    router: Router,
    limits: IntakeLimits,
    stop: CancellationToken,
) {
    let peer = Peer(guest.address);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().call(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(HEAD_BYTES);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Whoever breaks off or sends nonsense has nothing to be told.
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(limits.lifetime) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.head_timeout + limits.body_timeout, serving).await;
}
