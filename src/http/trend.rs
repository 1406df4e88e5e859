//! `GET /trend`, what the fleet was like over the last hours, and `GET /whoami`, what the one who asks may do.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::Role;
use super::access::Caller;
use super::dto;
use crate::control::Facade;
use crate::control::TREND_EVERY;
use crate::control::TREND_KEPT;

/// The two routes.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/trend", get(trend)).route("/whoami", get(whoami))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TrendQuery {
    /// Only what was taken after this moment.
    since: Option<dto::Timestamp>,
}

/// Samples of the last hours, or those since a moment.
#[utoipa::path(get, path = "/api/v1/trend", tag = "service", params(TrendQuery),
    responses((status = 200, body = dto::Trend)))]
pub(super) async fn trend(
    State(facade): State<Facade>,
    Query(TrendQuery { since }): Query<TrendQuery>,
) -> Result<Json<dto::Trend>, Problem> {
    let samples = facade.trend(since.map(|since| since.0).unwrap_or_default());
    Ok(Json(dto::Trend {
        every_s: TREND_EVERY.as_secs(),
        kept: TREND_KEPT,
        samples: samples.iter().map(dto::Sample::from).collect(),
    }))
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "service", responses((status = 200, body = dto::WhoAmI)))]
pub(super) async fn whoami(Extension(caller): Extension<Caller>) -> Json<dto::WhoAmI> {
    let role = match caller.role() {
        Some(Role::Operate) => "operate",
        Some(Role::Read) => "read",
        None => "none",
    };
    Json(dto::WhoAmI { role: role.to_owned(), who: caller.name() })
}
