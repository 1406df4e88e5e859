//! Reading the body of a call to the API: small, soon, or not at all.

use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;

use super::Problem;

/// The largest body that is kept: those there are have two short fields.
const MAX_BYTES: usize = 16 * 1024;

/// As much of a larger one is read and thrown away: closing on a body that is still being sent cuts off the answer too.
const MAX_THROWN_AWAY: usize = 256 * 1024;

/// How long a body may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The whole body.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    tokio::time::timeout(WITHIN, gather(body)).await.unwrap_or_else(|_| {
        let detail = format!("the body did not come within {} s", WITHIN.as_secs());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail))
    })
}

async fn gather(mut body: Body) -> Result<Bytes, Problem> {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "bad_request", "the body broke off, or is no good HTTP")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > MAX_THROWN_AWAY {
            break;
        }
        if seen <= MAX_BYTES {
            kept.extend_from_slice(&data);
        }
    }
    match seen {
        0..=MAX_BYTES => Ok(kept.into()),
        _ => {
            let detail = format!("the body is larger than {MAX_BYTES} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail))
        }
    }
}
