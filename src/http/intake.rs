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
mod receive;
mod refusal;
mod seen;
mod signature;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::front;
use super::front::Front;
use super::front::Patience;
use crate::demand::Inlet;
use crate::model::Secret;
use receive::Desk;

/// How long requests under way may take to end at a stop.
const GRACE: Duration = Duration::from_secs(2);

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
    front: Front,
    limits: IntakeLimits,
    stop: CancellationToken,
}

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

impl Intake {
    /// An intake that hands deliveries over to `inlet`.
    pub fn new(
        settings: watch::Receiver<Arc<IntakeSettings>>,
        inlet: Inlet,
        limits: IntakeLimits,
        stop: CancellationToken,
    ) -> Self {
        Self {
            front: Front::new(limits.connections, stop.clone()),
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
        let patience = Patience {
            head: self.limits.head_timeout,
            lifetime: Some(self.limits.lifetime),
            last: self.limits.head_timeout + self.limits.body_timeout,
        };
        while let Some((stream, guest)) =
            self.front.next(&listener, |address| self.desk.trusts(address)).await
        {
            let (router, patience, stop) = (router.clone(), patience.clone(), self.stop.clone());
            connections.spawn(async move {
                let peer = Peer(guest.address);
                let knows = |extensions: &mut axum::http::Extensions| {
                    extensions.insert(peer);
                };
                front::converse(TokioIo::new(stream), router, knows, patience, stop).await;
                drop(guest);
            });
        }
        connections.close();
        let _ = tokio::time::timeout(GRACE, connections.wait()).await;
        Ok(())
    }
}
