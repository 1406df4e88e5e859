//! Errors as `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::ArchiveError;
use crate::control::FacadeError;

/// The media type of [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// A stable word for programs: `no_such_pool`, `forbidden`, ….
    pub code: String,
    /// What happened, and where it is known, what to do.
    pub detail: String,
    /// The request, as `X-Request-Id` and the journal name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status: status.as_u16(), code: code.to_owned(), detail: detail.into(), request_id: None }
    }
}

impl From<FacadeError> for Problem {
    fn from(error: FacadeError) -> Self {
        let (status, code) = match &error {
            FacadeError::NoSuchPool { .. } => (StatusCode::NOT_FOUND, "no_such_pool"),
            FacadeError::NoSuchRunner { .. } => (StatusCode::NOT_FOUND, "no_such_runner"),
            FacadeError::BadConfig { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "bad_config"),
            FacadeError::State { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "state"),
            FacadeError::Engine(_) => (StatusCode::BAD_GATEWAY, "engine"),
            FacadeError::Archive(ArchiveError::Off) => (StatusCode::NOT_FOUND, "no_history"),
            FacadeError::Archive(ArchiveError::Unable(_)) => (StatusCode::CONFLICT, "history"),
            FacadeError::Archive(ArchiveError::Unreadable(_)) => (StatusCode::SERVICE_UNAVAILABLE, "history"),
            FacadeError::Closing => (StatusCode::SERVICE_UNAVAILABLE, "closing"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        // For whoever adds the request's id.
        response.extensions_mut().insert(self);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}
