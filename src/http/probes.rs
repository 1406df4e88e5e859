//! Whether the daemon lives, and whether it does its work: for load balancers and supervisors, without a credential.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Problem;
use super::dto;
use super::routes::Answer;
use crate::control::Facade;

/// `/health` and `/ready`.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

/// The daemon answers.
#[utoipa::path(get, path = "/health", tag = "probes", responses((status = 200, body = dto::Health)))]
pub(super) async fn health() -> Json<dto::Health> {
    Json(dto::Health { status: "ok".to_owned() })
}

/// The daemon has seen engine and GitHub once, and keeps the fleet.
#[utoipa::path(get, path = "/ready", tag = "probes", responses(
    (status = 200, body = dto::Ready),
    (status = 503, body = Problem, description = "Not yet; the detail says why", content_type = "application/problem+json")))]
pub(super) async fn ready(State(facade): State<Facade>) -> Answer<dto::Ready> {
    let snapshot = facade.snapshot();
    // Whoever asks is not known: names of places and files are not for them.
    let why = match (snapshot.ready, snapshot.engine.is_some()) {
        (true, _) => return Ok(Json(dto::Ready { ready: true })),
        (false, false) => "the container engine has not answered yet",
        (false, true) => "not every place at GitHub has been looked at yet",
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why))
}
