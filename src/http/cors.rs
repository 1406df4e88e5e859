//! Pages of other origins that may use the API: those that the file names, and none else.

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::sync::watch;

use super::ApiSettings;

/// Answers what browsers ask beforehand, and marks answers for origins that are let in.
pub(super) async fn cors(
    State(settings): State<watch::Receiver<Arc<ApiSettings>>>,
    request: Request,
    next: Next,
) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let known = |origin: &HeaderValue| settings.borrow().origins.iter().any(|known| origin == known.as_str());
    let Some(origin) = origin.filter(known) else { return next.run(request).await };
    let asks_beforehand = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match asks_beforehand {
        true => permits(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    say(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, "link, x-request-id");
    response
}

fn permits() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    say(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE");
    say(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "authorization, content-type, x-request-id, mcp-protocol-version, mcp-method, mcp-name",
    );
    say(headers, header::ACCESS_CONTROL_MAX_AGE, "600");
    response
}

fn say(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
