//! The door within the daemon: the API's own routes, asked as whoever sent the request that the tool was called by.

use futures_util::future::BoxFuture;
use http::Extensions;
use http::Request;
use http::header::CONTENT_TYPE;

use super::door::Answer;
use super::door::Call;
use super::door::Door;
use super::door::problem;
use crate::client::settled;
use crate::http::Inside;
use crate::http::Problem;
use crate::http::Role;

impl Door for Inside {
    fn may_steer(&self, from: &Extensions) -> bool {
        Self::role(from) == Some(Role::Operate)
    }

    fn call<'a>(&'a self, from: &'a Extensions, call: Call) -> BoxFuture<'a, Result<Answer, Problem>> {
        Box::pin(async move {
            let mut request = Request::builder().method(call.method).uri(call.target);
            let body = call.body.map(|body| body.to_string());
            if body.is_some() {
                request = request.header(CONTENT_TYPE, "application/json");
            }
            let request = request.body(body.unwrap_or_default().into()).map_err(|error| {
                Problem::new(
                    http::StatusCode::BAD_REQUEST,
                    "bad_request",
                    format!("that cannot be asked: {error}"),
                )
            })?;
            let (head, body) = Self::call(self, from, request).await.into_parts();
            let (body, next) = settled(&head, body).map_err(problem)?;
            Ok(Answer { body, next })
        })
    }
}
