//! `GET /trend`, what the fleet was like over the last hours, and `GET /whoami`, what the one who asks may do.

use axum::Json;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::routing::get;
use nix::unistd::Uid;
use nix::unistd::User;
use serde::Deserialize;

use super::Peer;
use super::Problem;
use super::dto;
use crate::control::Facade;
use crate::control::TREND_EVERY;
use crate::control::TREND_KEPT;

/// The two routes.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/trend", get(trend)).route("/whoami", get(whoami))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrendQuery {
    /// Only what was taken after this moment.
    since: Option<dto::Timestamp>,
}

/// Samples of the last hours, or those since a moment.
async fn trend(
    State(facade): State<Facade>,
    query: Result<Query<TrendQuery>, QueryRejection>,
) -> Result<Json<dto::Trend>, Problem> {
    let Query(TrendQuery { since }) = query
        .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, "bad_query", rejection.body_text()))?;
    let samples = facade.trend(since.map(|since| since.0).unwrap_or_default());
    Ok(Json(dto::Trend {
        every_s: TREND_EVERY.as_secs(),
        kept: TREND_KEPT,
        samples: samples.iter().map(dto::Sample::from).collect(),
    }))
}

/// Whoever is let through to the socket may operate.
async fn whoami(ConnectInfo(peer): ConnectInfo<Peer>) -> Json<dto::WhoAmI> {
    let name = |uid| User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or(uid.to_string(), |u| u.name);
    let who = peer.uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("user {}", name(uid)));
    Json(dto::WhoAmI { role: "operate".to_owned(), who })
}
