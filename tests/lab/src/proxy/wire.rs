//! Streams, heads and bodies: as much of HTTP/1.1 as tells where a message ends.

use std::io;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use super::Address;

const CHUNK: usize = 64 * 1024;
/// No head is larger.
const MAX_HEAD: usize = 256 * 1024;

/// A connection of either kind, in two halves.
pub(super) struct Stream {
    pub(super) input: Input,
    pub(super) output: Box<dyn AsyncWrite + Send + Unpin>,
}

/// The reading half, with what was read too far.
pub(super) struct Input {
    from: Box<dyn AsyncRead + Send + Unpin>,
    ahead: Vec<u8>,
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        let (input, output) = stream.into_split();
        Self { input: Input { from: Box::new(input), ahead: Vec::new() }, output: Box::new(output) }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        // Without it a small answer waits for the other side's acknowledgement; it is no worse than slow.
        let _ = stream.set_nodelay(true);
        let (input, output) = stream.into_split();
        Self { input: Input { from: Box::new(input), ahead: Vec::new() }, output: Box::new(output) }
    }
}

impl Stream {
    pub(super) async fn connect(to: &Address) -> io::Result<Self> {
        Ok(match to {
            Address::Unix(path) => UnixStream::connect(path).await?.into(),
            Address::Tcp(address) => TcpStream::connect(address).await?.into(),
        })
    }
}

impl Input {
    /// Reads more; false at the end. Loses nothing when it is cancelled.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        let read = self.from.read(&mut buffer).await?;
        self.ahead.extend_from_slice(&buffer[..read]);
        Ok(read > 0)
    }

    /// The next head with its empty line; none at a clean end.
    pub(super) async fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(Some(self.ahead.drain(..at + 4).collect()));
            }
            if self.ahead.len() > MAX_HEAD {
                return Err(io::Error::other("a head without end"));
            }
            if !self.fill().await? {
                return if self.ahead.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Passes a body on.
    pub(super) async fn body(&mut self, body: Body, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        match body {
            Body::Length(length) => self.exactly(length, to).await,
            Body::Chunked => self.chunks(to).await,
            Body::UntilEnd => self.all(to).await,
        }
    }

    /// Passes everything on until the end.
    pub(super) async fn all(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        loop {
            to.write_all(&std::mem::take(&mut self.ahead)).await?;
            to.flush().await?;
            if !self.fill().await? {
                return to.shutdown().await;
            }
        }
    }

    async fn exactly(&mut self, mut left: u64, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while left > 0 {
            if self.ahead.is_empty() && !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(self.ahead.len());
            to.write_all(&self.ahead[..now]).await?;
            self.ahead.drain(..now);
            left -= now as u64;
        }
        to.flush().await
    }

    async fn chunks(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            to.write_all(&line).await?;
            let size = String::from_utf8_lossy(&line);
            let size = size.trim().split(';').next().unwrap_or_default().to_owned();
            let size = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
            if size == 0 {
                break;
            }
            self.exactly(size + 2, to).await?;
        }
        // Trailers, and the empty line.
        loop {
            let line = self.line().await?;
            to.write_all(&line).await?;
            if line == b"\r\n" {
                return to.flush().await;
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.iter().position(|byte| *byte == b'\n') {
                return Ok(self.ahead.drain(..=at).collect());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Length(u64),
    Chunked,
    UntilEnd,
}

/// The words of a head's first line, and the value of a header.
pub(super) struct Head(String);

impl Head {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn word(&self, n: usize) -> &str {
        self.0.lines().next().and_then(|line| line.split(' ').nth(n)).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The body's kind; `otherwise` where the head does not say.
    pub(super) fn body(&self, otherwise: Body) -> Body {
        if self.header("transfer-encoding").is_some_and(|value| value.to_lowercase().contains("chunked")) {
            return Body::Chunked;
        }
        self.header("content-length").and_then(|n| n.parse().ok()).map_or(otherwise, Body::Length)
    }
}
