//! A proxy that records, breaks and calls hooks.
//!
//! It understands as much of HTTP/1.1 as it needs to tell one request from the next, and passes every byte on as it
//! came: streams, chunks and hijacked connections included.

mod relay;
mod watch;
mod wire;

use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

pub use watch::Record;
pub use watch::Verdict;
pub use watch::When;

use watch::Watch;
use wire::Stream;

/// Where to listen, or whom to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

/// A running proxy. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    listen: Address,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<AbortHandle>>,
}

/// What connections share.
#[derive(Debug)]
struct Shared {
    upstream: Address,
    watch: Mutex<Watch>,
}

impl Shared {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// A proxy at the Unix socket `listen`, before the engine's socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub async fn engine(listen: impl Into<PathBuf>, engine: impl Into<PathBuf>) -> io::Result<Self> {
        Self::start(Address::Unix(listen.into()), Address::Unix(engine.into())).await
    }

    /// A proxy at a free port of `host`, before the server at `upstream` (host and port).
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn tcp(host: &str, upstream: &str) -> io::Result<Self> {
        Self::start(Address::Tcp(format!("{host}:0")), Address::Tcp(upstream.to_owned())).await
    }

    /// A proxy between any two addresses.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start(listen: Address, upstream: Address) -> io::Result<Self> {
        let shared = Arc::new(Shared { upstream, watch: Mutex::default() });
        let mut proxy = Self { listen, shared, acceptor: Mutex::default() };
        let (acceptor, address) = accept(&proxy.listen, &proxy.shared).await?;
        if let Some(address) = address {
            proxy.listen = Address::Tcp(address.to_string());
        }
        proxy.acceptor = Mutex::new(Some(acceptor));
        Ok(proxy)
    }

    /// Where it listens: a path, or host and port.
    pub fn address(&self) -> String {
        match &self.listen {
            Address::Unix(path) => path.display().to_string(),
            Address::Tcp(address) => address.clone(),
        }
    }

    /// Cuts all connections and refuses new ones.
    pub fn down(&self) {
        if let Some(acceptor) = self.acceptor().take() {
            acceptor.abort();
        }
        if let Address::Unix(path) = &self.listen {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Serves again.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn up(&self) -> io::Result<()> {
        self.down();
        let (acceptor, _) = accept(&self.listen, &self.shared).await?;
        *self.acceptor() = Some(acceptor);
        Ok(())
    }

    /// Has `hook` be called once, at the `nth` request from now (1 is the next) that fits. In `path`, `*` stands for
    /// anything within a segment; the engine's version prefix and the query are left out. With [`When::Before`] the
    /// server has not heard of the request, with [`When::After`] it has answered, and the client has not heard of that.
    pub fn at(
        &self,
        when: When,
        method: &str,
        path: &str,
        nth: u32,
        hook: impl FnOnce(&Record) -> Verdict + Send + 'static,
    ) {
        self.shared.watch().add(when, method, path, nth, Box::new(hook));
    }

    /// Forgets all hooks.
    pub fn clear(&self) {
        self.shared.watch().clear();
    }

    /// All requests so far, in the order in which they came.
    pub fn records(&self) -> Vec<Record> {
        self.shared.watch().records().to_vec()
    }

    /// How many requests fit; see [`Proxy::at`].
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.shared.watch().records().iter().filter(|record| record.fits(method, path)).count()
    }

    /// Writes each further request as a line of JSON, too.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn log_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut file = std::fs::File::create(path)?;
        self.shared.watch().tell(Box::new(move |record| {
            // A log that cannot be written must not stop what is logged.
            let _ = writeln!(file, "{}", record.json());
        }));
        Ok(())
    }

    fn acceptor(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.down();
    }
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Listens, and serves each connection until the task is aborted; its connections end with it.
async fn accept(listen: &Address, shared: &Arc<Shared>) -> io::Result<(AbortHandle, Option<SocketAddr>)> {
    let listener = match listen {
        Address::Unix(path) => {
            // What an earlier process left.
            let _ = std::fs::remove_file(path);
            Listener::Unix(UnixListener::bind(path)?)
        }
        Address::Tcp(address) => Listener::Tcp(TcpListener::bind(address).await?),
    };
    let address = match &listener {
        Listener::Tcp(listener) => Some(listener.local_addr()?),
        Listener::Unix(_) => None,
    };
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let stream = match &listener {
                Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| Stream::from(stream)),
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::from(stream)),
            };
            let Ok(stream) = stream else { continue };
            connections.spawn(relay::serve(Arc::clone(&shared), stream));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((task.abort_handle(), address))
}
