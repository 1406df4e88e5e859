//! HTTP over a Unix socket, or over TCP and TLS, for `ureq`.
//!
//! `ureq` keeps its transports outside semantic versioning, so all that touches them is in this file.

use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::StreamOwned;
use rustls::pki_types::ServerName;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::Buffers;
use ureq::unversioned::transport::ConnectionDetails;
use ureq::unversioned::transport::Connector;
use ureq::unversioned::transport::LazyBuffers;
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::Transport;

/// Connects to the daemon.
#[derive(Debug)]
pub(super) enum Connect {
    /// At one socket, whatever the address says.
    Socket(PathBuf),
    /// At the address.
    Network(Arc<ClientConfig>),
}

impl Connect {
    pub(super) fn socket(path: &Path) -> Self {
        Self::Socket(path.to_owned())
    }

    pub(super) fn network(tls: ClientConfig) -> Self {
        Self::Network(Arc::new(tls))
    }
}

impl Connector for Connect {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        let line = match self {
            Self::Socket(path) => Line::Socket(UnixStream::connect(path)?),
            Self::Network(tls) => {
                let stream = reach(details)?;
                match details.needs_tls() {
                    false => Line::Plain(stream),
                    true => Line::Tls(Box::new(StreamOwned::new(greeting(details.uri, tls)?, stream))),
                }
            }
        };
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Connection { line, buffers }))
    }
}

/// The host without the brackets that an address of IPv6 has there.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// The first of the host's addresses that answers.
fn reach(details: &ConnectionDetails) -> Result<TcpStream, Error> {
    let port = details.uri.port_u16().unwrap_or(if details.needs_tls() { 443 } else { 80 });
    let mut last = None;
    for address in (host(details.uri), port).to_socket_addrs()? {
        let reached = match wait(details.timeout) {
            Some(limit) => TcpStream::connect_timeout(&address, limit),
            None => TcpStream::connect(address),
        };
        match reached {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(why) => last = Some(why),
        }
    }
    Err(last.map_or(Error::HostNotFound, |why| failed(why, details.timeout)))
}

fn greeting(uri: &Uri, tls: &Arc<ClientConfig>) -> Result<ClientConnection, Error> {
    let name = ServerName::try_from(host(uri).to_owned()).map_err(io::Error::other)?;
    Ok(ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?)
}

/// Answers every name with an address that nobody uses: `ureq` insists on one.
#[derive(Debug)]
pub(super) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addrs = self.empty();
        addrs.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Ok(addrs)
    }
}

/// What bytes go over.
enum Line {
    Socket(UnixStream),
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    fn set_waits(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Socket(stream) => {
                stream.set_read_timeout(read)?;
                stream.set_write_timeout(write)
            }
            Self::Plain(stream) => {
                stream.set_read_timeout(read)?;
                stream.set_write_timeout(write)
            }
            Self::Tls(stream) => {
                stream.sock.set_read_timeout(read)?;
                stream.sock.set_write_timeout(write)
            }
        }
    }

    /// Whether nothing waits to be read: neither an end nor stray bytes.
    fn quiet(&mut self) -> io::Result<bool> {
        fn waits(found: io::Result<usize>) -> bool {
            found.is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock)
        }
        let tcp = match self {
            Self::Socket(stream) => {
                stream.set_nonblocking(true)?;
                let quiet = waits(stream.read(&mut [0]));
                stream.set_nonblocking(false)?;
                return Ok(quiet);
            }
            Self::Plain(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        tcp.set_nonblocking(true)?;
        let quiet = waits(tcp.peek(&mut [0]));
        tcp.set_nonblocking(false)?;
        Ok(quiet)
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.read(buffer),
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.write(bytes),
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Socket(stream) => stream.flush(),
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

pub(super) struct Connection {
    line: Line,
    buffers: LazyBuffers,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.line {
            Line::Socket(_) => "Connection(socket)",
            Line::Plain(_) => "Connection(tcp)",
            Line::Tls(_) => "Connection(tls)",
        })
    }
}

/// `ureq`'s wait as a socket takes it: none is for ever.
fn wait(timeout: NextTimeout) -> Option<Duration> {
    timeout.not_zero().map(|t| *t)
}

fn failed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        // Over TLS writing reads, too, until both sides have agreed on keys.
        self.line.set_waits(wait(timeout), wait(timeout))?;
        let output = &self.buffers.output()[..amount];
        self.line.write_all(output).and_then(|()| self.line.flush()).map_err(|why| failed(why, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.line.set_waits(wait(timeout), wait(timeout))?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.line.read(input) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(|why| failed(why, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // A connection is used once more only if nothing waits on it.
        self.line.quiet().unwrap_or(false)
    }

    fn is_tls(&self) -> bool {
        matches!(self.line, Line::Tls(_))
    }
}
