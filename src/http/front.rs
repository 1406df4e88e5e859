//! Taking connections: how many there may be, of whom, and how long each may be silent.
//!
//! The intake of webhooks and the API share it. What a request may cost is for those to say.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Extensions;
use hyper::body::Incoming;
use hyper::rt::Read;
use hyper::rt::Write;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

/// After the system refused a connection, most likely for want of file descriptors.
pub(super) const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// The largest head: GitHub's, and what browsers send, with what proxies add, has some kilobytes.
const HEAD_BYTES: usize = 16 * 1024;

/// What one connection may cost.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// For a request's head, and between two requests.
    pub(super) head: Duration,
    /// After which a connection ends with the request under way; none where answers may go on.
    pub(super) lifetime: Option<Duration>,
    /// How long the request under way may take once the connection is to end.
    pub(super) last: Duration,
}

/// The places for connections, all together and by address.
pub(super) struct Front {
    guests: Arc<Guests>,
    places: Arc<Semaphore>,
    most: usize,
    stop: CancellationToken,
}

/// Connections by address.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// One connection's place.
pub(super) struct Guest {
    guests: Arc<Guests>,
    pub(super) address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Front {
    /// So many places. A quarter is for one address at most.
    pub(super) fn new(connections: usize, stop: CancellationToken) -> Self {
        let places = Arc::new(Semaphore::new(connections));
        Self { guests: Arc::default(), places, most: connections.div_ceil(4), stop }
    }

    /// The next connection that has a place; none at the stop. Addresses that are trusted may have all places.
    pub(super) async fn next(
        &self,
        listener: &TcpListener,
        trusts: impl Fn(IpAddr) -> bool,
    ) -> Option<(TcpStream, Guest)> {
        let admitted = async {
            loop {
                let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        if let Some(guest) = self.admit(peer, place, &trusts) {
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
    fn admit(
        &self,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
        trusts: impl Fn(IpAddr) -> bool,
    ) -> Option<Guest> {
        let address = peer.ip().to_canonical();
        let most = if trusts(address) { usize::MAX } else { self.most };
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

/// Answers one connection's requests until it ends. `knows` tells each request what is known of the other end.
pub(super) async fn converse(
    stream: impl Read + Write + Unpin,
    router: Router,
    knows: impl Fn(&mut Extensions),
    patience: Patience,
    stop: CancellationToken,
) {
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        knows(request.extensions_mut());
        router.clone().call(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(HEAD_BYTES);
    let mut serving = pin!(builder.serve_connection(stream, service));
    let over = async {
        match patience.lifetime {
            Some(lifetime) => tokio::time::sleep(lifetime).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Whoever breaks off or sends nonsense has nothing to be told.
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = over => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(patience.last, serving).await;
}
