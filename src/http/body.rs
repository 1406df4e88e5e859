//! Reading the body of a call to the API: small, soon, or not at all.

use std::error::Error as _;
use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use axum::http::StatusCode;
use http_body_util::LengthLimitError;

use super::Problem;

/// The largest body that is read: those there are have two short fields.
const MAX_BYTES: usize = 16 * 1024;

/// How long a body may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The whole body.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    match tokio::time::timeout(WITHIN, axum::body::to_bytes(body, MAX_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => {
            let detail = format!("the body is larger than {MAX_BYTES} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail))
        }
        Ok(Err(_)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad_request", "the body broke off, or is no good HTTP"))
        }
        Err(_) => {
            let detail = format!("the body did not come within {} s", WITHIN.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail))
        }
    }
}
