//! A TCP port in front of the control socket, for a browser knows no Unix sockets. It can be shut and opened again.

use std::path::Path;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

pub(crate) struct Door {
    port: u16,
    socket: PathBuf,
    passing: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { port, socket: socket.to_owned(), passing: tokio::spawn(pass(listener, socket.to_owned())) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Ends all connections, and takes no more.
    pub(crate) fn shut(&self) {
        self.passing.abort();
    }

    pub(crate) async fn open_again(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.passing = tokio::spawn(pass(listener, self.socket.clone()));
    }
}

async fn pass(listener: TcpListener, socket: PathBuf) {
    // Its tasks end with it.
    let mut passing = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        passing.spawn(join(stream, socket.clone()));
        while passing.try_join_next().is_some() {}
    }
}

async fn join(mut stream: TcpStream, socket: PathBuf) {
    if let Ok(mut inner) = UnixStream::connect(socket).await {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut inner).await;
    }
}
