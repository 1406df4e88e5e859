//! The daemon as a whole: its status, its plan, its file and its mode.

use axum::Json;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::dto;
use super::routes::Answer;
use super::routes::done;
use crate::control::Facade;
use crate::model::Mode;

/// `/status`, `/plan`, `/reload`, `/mode` and `/obstacles`.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/status", get(status))
        .route("/plan", get(plan))
        .route("/reload", post(reload))
        .route("/mode", post(set_mode))
        .route("/obstacles", get(obstacles))
}

/// The daemon and its fleet, as of the end of the last pass.
#[utoipa::path(get, path = "/api/v1/status", tag = "daemon", responses((status = 200, body = dto::Status)))]
pub(super) async fn status(State(facade): State<Facade>) -> Json<dto::Status> {
    Json((&*facade.snapshot()).into())
}

/// What a pass would do now, and what it would hold back and why.
#[utoipa::path(get, path = "/api/v1/plan", tag = "daemon", responses((status = 200, body = dto::Plan)))]
pub(super) async fn plan(State(facade): State<Facade>) -> Answer<dto::Plan> {
    Ok(Json((&facade.plan().await?).into()))
}

/// Read the configuration file again.
#[utoipa::path(post, path = "/api/v1/reload", tag = "daemon", responses(
    (status = 200, body = dto::Done),
    (status = 422, body = Problem, content_type = "application/problem+json",
        description = "The file is not good; the last good one stays in force")))]
pub(super) async fn reload(State(facade): State<Facade>) -> Answer<dto::Done> {
    facade.reload().await?;
    done("the configuration was read again and is in force".to_owned())
}

/// Change between organization and repository mode, or say what that would do.
#[utoipa::path(post, path = "/api/v1/mode", tag = "daemon", request_body = dto::SetMode, responses(
    (status = 200, body = dto::Plan),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn set_mode(
    State(facade): State<Facade>,
    Json(body): Json<dto::SetMode>,
) -> Answer<dto::Plan> {
    Ok(Json((&facade.set_mode(body.mode, body.dry_run).await?).into()))
}

/// The mode that is asked about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ObstaclesQuery {
    /// The mode to change to.
    #[param(value_type = dto::ModeWord)]
    mode: Mode,
}

/// What speaks against a change of mode. GitHub is asked, which may take minutes.
#[utoipa::path(get, path = "/api/v1/obstacles", tag = "daemon", params(ObstaclesQuery),
    responses((status = 200, body = Vec<dto::Obstacle>)))]
pub(super) async fn obstacles(
    State(facade): State<Facade>,
    Query(ObstaclesQuery { mode }): Query<ObstaclesQuery>,
) -> Answer<Vec<dto::Obstacle>> {
    Ok(Json(facade.obstacles(mode).await?.iter().map(dto::Obstacle::from).collect()))
}
