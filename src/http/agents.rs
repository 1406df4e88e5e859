//! `/mcp`, where agents meet the fleet. What they speak there is not this room's business: a service that the composition
//! root brings answers, and asks the API by [`Inside`].
//!
//! All that arrives is read as [`super::access`] reads any other request, and takes the role to look: what a tool then asks
//! goes through the same gate once more, as the call of the API that it is, and there takes the role that this call takes.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::HOST;
use axum::http::header::ORIGIN;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::any_service;
use tower_service::Service;

use super::Problem;
use super::access::Gate;
use super::envelope::OwnForm;
use super::inside::Inside;
use crate::control::Facade;

/// Where it is served.
pub(super) const PATH: &str = "/mcp";

/// How agents are answered, once there is an API to ask.
#[derive(Clone)]
pub(super) struct Agents(Arc<dyn Fn(Inside) -> MethodRouter<Facade> + Send + Sync>);

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agents")
    }
}

impl Agents {
    /// Answered by such a service.
    pub(super) fn new<S>(make: impl Fn(Inside) -> S + Send + Sync + 'static) -> Self
    where
        S: Service<Request, Error = Infallible, Response: IntoResponse, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self(Arc::new(move |inside| any_service(make(inside))))
    }

    /// The one route.
    pub(super) fn routes(&self, inside: Inside, gate: Gate) -> Router<Facade> {
        Router::new().route(PATH, (self.0)(inside)).layer(middleware::from_fn_with_state(gate, around))
    }
}

/// Lets no page of another site through, keeps the credential from whoever is not to see it, and leaves the protocol's own
/// errors as they are.
async fn around(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if gate.knows_origins().is_some_and(|origins| is_foreign(request.headers(), &origins)) {
        let detail = "it was sent by the page of an origin that api.cors_origins does not name";
        return Problem::new(StatusCode::FORBIDDEN, "cross_site", detail).into_response();
    }
    // The request's head goes along with each message from here on, and may be logged with it.
    request.headers_mut().remove(AUTHORIZATION);
    let mut response = next.run(request).await;
    let is_json = |value: &axum::http::HeaderValue| value.as_bytes().starts_with(b"application/json");
    if response.headers().get(CONTENT_TYPE).is_some_and(is_json) {
        response.extensions_mut().insert(OwnForm);
    }
    response
}

/// Whether a page of another origin sent it, and none that the file names. A name that was made to lead here passes as the
/// page's own, and has no credential.
fn is_foreign(headers: &HeaderMap, known: &[String]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let own = host.is_some() && host == text(HOST);
    !own && !known.iter().any(|known| origin == known.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_known_origins_may_ask() {
        let foreign = |headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                let name: axum::http::HeaderName = name.parse().unwrap();
                (name, value.parse().unwrap())
            });
            is_foreign(&headers.collect(), &["https://ops.example".to_owned()])
        };
        let host = ("host", "runner.example:9184");
        assert!(!foreign(&[host]), "a program");
        assert!(!foreign(&[host, ("origin", "https://ops.example")]));
        assert!(!foreign(&[host, ("origin", "https://runner.example:9184")]));
        for origin in
            ["https://evil.example", "null", "https://ops.example.evil.example", "http://runner.example"]
        {
            assert!(foreign(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(foreign(&[("origin", "null")]));
    }
}
