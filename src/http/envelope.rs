//! What is around every answer: a request's id, a bound of time, and one form for whatever went wrong.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_LENGTH;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;

use super::Problem;

/// The header that carries a request's id, both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over.
const LONGEST: usize = 64;

/// How long an answer may take to begin: asking GitHub about each repository of an organization takes minutes.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// As much of a library's own words as is told.
const WORDS: usize = 4096;

/// What tells a request from all others, in answers and in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// The one that the client chose, if it is plain; else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let plain = |text: &&str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
        Self(given.map_or_else(made, str::to_owned))
    }
}

/// Sixteen digits by chance. Without the system's randomness all would be the same, and nothing else would work either.
fn made() -> String {
    let mut bytes = [0; 8];
    let _ = SystemRandom::new().fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Marks an answer that says in another protocol's form what went wrong. It stays as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnForm;

/// Gives a request its id, bounds its time, and makes every refusal a problem that names it.
pub(super) async fn envelope(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| {
        let detail = "the answer took too long; what was asked for may happen all the same";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", detail).into_response()
    });
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if failed && response.extensions().get::<OwnForm>().is_none() {
        response = as_problem(response, &id).await;
    }
    tracing::debug!(request = %id, status = response.status().as_u16(), "{method} {path}");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The refusal as a problem with the request's id, whoever made it.
async fn as_problem(mut response: Response, id: &RequestId) -> Response {
    let known = response.extensions_mut().remove::<Problem>();
    let (head, body) = response.into_parts();
    let problem = match known {
        Some(problem) => problem,
        None => {
            let bytes = axum::body::to_bytes(body, WORDS).await.unwrap_or_default();
            Problem::new(head.status, word(head.status), said(&bytes, head.status))
        }
    };
    let mut told = Problem { request_id: Some(id.0.clone()), ..problem }.into_response();
    for (name, value) in &head.headers {
        if ![CONTENT_TYPE, CONTENT_LENGTH].contains(name) {
            told.headers_mut().insert(name, value.clone());
        }
    }
    let (mut fresh, body) = told.into_parts();
    fresh.extensions = head.extensions;
    Response::from_parts(fresh, Body::new(body))
}

fn said(bytes: &[u8], status: StatusCode) -> String {
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    if text.is_empty() { status.canonical_reason().unwrap_or("refused").to_lowercase() } else { text }
}

/// The word for programs, where a library refused.
fn word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => "bad_body",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, given.parse().unwrap());
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn a_plain_id_is_taken_over_and_any_other_replaced() {
        assert_eq!(id("deploy-17_a.b"), "deploy-17_a.b");
        for bad in ["", "a b", "a\"b", "a/b", &"x".repeat(LONGEST + 1)] {
            let made = id(bad);
            assert!(made.len() == 16 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{bad}: {made}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
