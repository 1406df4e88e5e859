//! The door of a process beside the daemon: its control socket.

use std::path::Path;

use futures_util::future::BoxFuture;
use http::Extensions;
use http::Method;
use http::StatusCode;

use super::door::Answer;
use super::door::Call;
use super::door::Door;
use super::door::problem;
use crate::client::Client;
use crate::client::ClientError;
use crate::client::Endpoint;
use crate::http::Problem;

/// A daemon's socket.
#[derive(Debug)]
pub(super) struct Socket {
    client: Client,
    read_only: bool,
}

impl Socket {
    /// The daemon at this socket; with `read_only` it is only looked at.
    ///
    /// # Errors
    /// The path is none that a socket can have.
    pub(super) fn new(path: &Path, read_only: bool) -> Result<Self, ClientError> {
        Ok(Self { client: Client::new(&Endpoint::socket(path))?, read_only })
    }

    async fn ask(&self, call: Call) -> Result<Answer, Problem> {
        if self.read_only && call.method != Method::GET {
            let detail = "this server was started with --read-only: its tools look and do not steer";
            return Err(Problem::new(StatusCode::FORBIDDEN, "read_only", detail));
        }
        let body = call.body.map(|body| body.to_string());
        let (body, next) = self.client.carry(call.method, &call.target, body).await.map_err(problem)?;
        Ok(Answer { body, next })
    }
}

impl Door for Socket {
    fn may_steer(&self, _: &Extensions) -> bool {
        !self.read_only
    }

    fn call<'a>(&'a self, _: &'a Extensions, call: Call) -> BoxFuture<'a, Result<Answer, Problem>> {
        Box::pin(self.ask(call))
    }
}
