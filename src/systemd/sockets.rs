//! Sockets that the service manager holds and passes on (sd_listen_fds(3), systemd.socket(5)): it queues who connects
//! while the service restarts.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

/// Sockets that were passed and not taken yet.
pub struct Sockets {
    passed: ListenFd,
    names: Vec<String>,
}

impl Sockets {
    /// Those that were passed to this very process. To be called once, before threads that read the environment are
    /// started, since the variables are taken out of it.
    pub fn from_env() -> Self {
        // Checks `LISTEN_PID`, which a parent may have left behind.
        let names: Vec<String> = match sd_notify::listen_fds_with_names() {
            Ok(passed) => passed.map(|(_, name)| name).collect(),
            Err(error) => {
                tracing::warn!("Cannot take the sockets that were passed: {error}");
                Vec::new()
            }
        };
        let passed = if names.is_empty() { ListenFd::empty() } else { ListenFd::from_env() };
        Self { passed, names }
    }

    /// A listening TCP socket by one of these names (`FileDescriptorName=`), else one that was given none.
    ///
    /// # Errors
    /// The one of that name is no TCP socket, or cannot be used.
    pub fn take_tcp(&mut self, names: &[&str]) -> io::Result<Option<TcpListener>> {
        if let Some(index) = self.names.iter().position(|name| names.contains(&name.as_str())) {
            return self.take(index);
        }
        for index in 0..self.names.len() {
            // Without a name it is that of its unit.
            let nameless = self.names[index].ends_with(".socket") || self.names[index] == "unknown";
            if nameless && let Ok(Some(listener)) = self.take(index) {
                return Ok(Some(listener));
            }
        }
        Ok(None)
    }

    /// A listening TCP socket by this very name.
    ///
    /// # Errors
    /// The one of that name is no TCP socket, or cannot be used.
    pub fn take_named_tcp(&mut self, name: &str) -> io::Result<Option<TcpListener>> {
        self.index(name).map_or(Ok(None), |index| self.take(index))
    }

    /// A listening Unix socket by this very name.
    ///
    /// # Errors
    /// The one of that name is no Unix stream socket, or cannot be used.
    pub fn take_named_unix(&mut self, name: &str) -> io::Result<Option<UnixListener>> {
        let Some(index) = self.index(name) else { return Ok(None) };
        let taken = self.passed.take_unix_listener(index)?;
        taken.map(|listener| listener.set_nonblocking(true).map(|()| listener)).transpose()
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    fn take(&mut self, index: usize) -> io::Result<Option<TcpListener>> {
        let taken = self.passed.take_tcp_listener(index)?;
        taken.map(|listener| listener.set_nonblocking(true).map(|()| listener)).transpose()
    }
}
