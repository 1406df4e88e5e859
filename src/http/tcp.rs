//! The API over TCP: off unless the file says where, and then for whoever has a credential.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Extensions;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Api;
use super::Bearers;
use super::Certificate;
use super::Role;
use super::access::CameFrom;
use super::front;
use super::front::Front;
use super::routes;
use super::server::GRACE;
use super::server::PATIENCE;

/// How long the two sides may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the file says about the API over TCP. It may change while it is served.
#[derive(Debug, Default)]
pub struct ApiSettings {
    /// Who may do what.
    pub bearers: Bearers,
    /// Origins of pages that may use it.
    pub origins: Vec<String>,
    /// How it is spoken.
    pub transport: Transport,
}

/// How the API is spoken over TCP.
#[derive(Debug, Default)]
pub enum Transport {
    /// As plain HTTP.
    #[default]
    Plain,
    /// Over TLS, with this certificate.
    Tls(Certificate),
    /// Over TLS, and there is no good certificate: nobody is answered, since plain HTTP would tell what was to be hidden.
    Broken,
}

impl ApiSettings {
    pub(super) fn recognize(&self, header: &[u8]) -> Option<(Arc<str>, Role)> {
        self.bearers.recognize(header)
    }
}

/// Answers on a listener, which must not block, until `stop`.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve_tcp(
    listener: std::net::TcpListener,
    connections: usize,
    api: impl Into<Api>,
    settings: watch::Receiver<Arc<ApiSettings>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let router = routes::over_tcp(api.into(), settings.clone());
    let front = Front::new(connections, stop.clone());
    let tasks = TaskTracker::new();
    while let Some((stream, guest)) = front.next(&listener, |_| false).await {
        let (router, settings, stop) = (router.clone(), settings.clone(), stop.clone());
        tasks.spawn(async move {
            connection(stream, CameFrom(guest.address), router, &settings, stop).await;
            drop(guest);
        });
    }
    tasks.close();
    let _ = tokio::time::timeout(GRACE, tasks.wait()).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    from: CameFrom,
    router: Router,
    settings: &watch::Receiver<Arc<ApiSettings>>,
    stop: CancellationToken,
) {
    let knows = |extensions: &mut Extensions| {
        extensions.insert(from);
    };
    let settings = Arc::clone(&settings.borrow());
    match &settings.transport {
        Transport::Broken => {}
        Transport::Plain => {
            front::converse(TokioIo::new(stream), router, knows, PATIENCE, stop).await;
        }
        Transport::Tls(certificate) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&certificate.0));
            // Whoever does not get as far has nothing to be told.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                front::converse(TokioIo::new(stream), router, knows, PATIENCE, stop).await;
            }
        }
    }
}
