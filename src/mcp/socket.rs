//! The door of a process beside the daemon: its control socket. All that touches HTTP there is in this file.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Extensions;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::HOST;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::door::Answer;
use super::door::Call;
use super::door::Door;
use super::door::settle;
use crate::http::Problem;

/// The most that an answer may hold: ten thousand runners need about 10 MB.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How long the daemon may take. It answers from memory; only a plan waits for a pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon's socket. Each call has a connection of its own: calls are rare, and the daemon may be restarted between two.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    read_only: bool,
}

impl Socket {
    /// The daemon at this socket; with `read_only` it is only looked at.
    pub(super) fn new(path: &Path, read_only: bool) -> Self {
        Self { path: path.to_owned(), read_only }
    }

    async fn ask(&self, call: Call) -> Result<Answer, Problem> {
        if self.read_only && call.method != Method::GET {
            let detail = "this server was started with --read-only: its tools look and do not steer";
            return Err(Problem::new(StatusCode::FORBIDDEN, "read_only", detail));
        }
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.unreached(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let request = request(call)?;
        let asked = async {
            let (head, body) = sender.send_request(request).await.map_err(|e| broken(&e))?.into_parts();
            let body =
                Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|e| broken(e.as_ref()))?;
            settle(&head, body.to_bytes())
        };
        tokio::select! {
            biased;
            answer = asked => answer,
            // It lasts as long as there is something to ask, unless it breaks.
            Err(error) = connection => Err(broken(&error)),
        }
    }

    /// What a failed connection means.
    fn unreached(&self, error: &io::Error) -> Problem {
        let path = self.path.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                let detail = format!(
                    "ghrunner is not running: nothing answers at {path}. `systemctl status ghrunner` says why; \
                     `--socket` names another socket"
                );
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_running", detail)
            }
            io::ErrorKind::PermissionDenied => {
                let detail = format!(
                    "this process may not open {path}: it is for root and for members of the socket's group"
                );
                Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            _ => broken(error),
        }
    }
}

fn request(call: Call) -> Result<Request<Full<Bytes>>, Problem> {
    // Any host does: the socket leads to one place.
    let mut request = Request::builder().method(call.method).uri(call.target).header(HOST, "ghrunner");
    let body = call.body.map(|body| body.to_string());
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    request.body(Full::from(body.unwrap_or_default())).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", format!("that cannot be asked: {error}"))
    })
}

fn broken(error: &dyn std::error::Error) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "broken", format!("the daemon did not answer: {error}"))
}

impl Door for Socket {
    fn may_steer(&self, _: &Extensions) -> bool {
        !self.read_only
    }

    fn call<'a>(&'a self, _: &'a Extensions, call: Call) -> BoxFuture<'a, Result<Answer, Problem>> {
        Box::pin(async move {
            tokio::time::timeout(PATIENCE, self.ask(call)).await.unwrap_or_else(|_| {
                let detail = format!("the daemon did not answer within {} s", PATIENCE.as_secs());
                Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", detail))
            })
        })
    }
}
