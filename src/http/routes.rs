//! The routes of the API put together, each subject's from its own file, and what is around all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use tokio::sync::watch;

use super::Api;
use super::ApiSettings;
use super::Operators;
use super::Problem;
use super::access;
use super::access::Gate;
use super::cors;
use super::dashboard;
use super::dto;
use super::envelope;
use super::events;
use super::history;
use super::inside::Inside;
use super::jobs;
use super::log_level;
use super::metrics;
use super::openapi;
use super::origin;
use super::pools;
use super::probes;
use super::runners;
use super::service;
use super::trend;
use crate::control::Facade;

/// The longest that a boost or a level may be for.
pub(super) const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// All routes, for processes of this host.
pub(super) fn over_socket(api: Api, operators: Operators) -> Router {
    around(api, Gate::Socket(operators)).layer(middleware::from_fn(origin::guard))
}

/// All routes, for whoever has a credential.
pub(super) fn over_tcp(api: Api, settings: watch::Receiver<Arc<ApiSettings>>) -> Router {
    around(api, Gate::Tcp(settings.clone(), Arc::default()))
        .layer(middleware::from_fn_with_state(settings, cors::cors))
}

/// What is below `/api/v1`.
fn v1() -> Router<Facade> {
    let v1 = Router::new()
        .merge(service::routes())
        .merge(pools::routes())
        .merge(runners::routes())
        .merge(jobs::routes())
        .merge(log_level::routes())
        .merge(events::routes())
        .merge(trend::routes())
        .merge(history::routes());
    Router::new().nest("/api/v1", v1)
}

/// The same for a part of this program that asks on behalf of whoever asked it.
fn inside(api: &Api) -> Inside {
    let routes = v1()
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(api.level.clone()))
        .layer(Extension(Arc::clone(&api.hub)))
        .layer(middleware::from_fn_with_state((Gate::Inside, api.facade.clone()), access::guard))
        .layer(middleware::from_fn(envelope::envelope));
    Inside::new(routes.with_state(api.facade.clone()))
}

fn around(api: Api, gate: Gate) -> Router {
    let agents = api.agents.as_ref().map(|agents| agents.routes(inside(&api), gate.clone()));
    v1().merge(agents.unwrap_or_default())
        .merge(probes::routes())
        .merge(openapi::routes())
        .merge(metrics::routes())
        .merge(dashboard::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(api.level))
        .layer(Extension(api.hub))
        .layer(middleware::from_fn_with_state((gate, api.facade.clone()), access::guard))
        .layer(middleware::from_fn(envelope::envelope))
        .layer(middleware::from_fn_with_state(api.facade.clone(), metrics::count))
        .with_state(api.facade)
}

async fn nowhere(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}

/// An answer in words.
pub(super) fn done(done: String) -> Answer<dto::Done> {
    Ok(Json(dto::Done { done }))
}

/// A span of time as people write it, from a second up.
pub(super) fn span(text: &str, longest: Duration) -> Result<Duration, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail);
    match humantime::parse_duration(text) {
        Ok(span) if (Duration::from_secs(1)..=longest).contains(&span) => Ok(span),
        Ok(_) => Err(bad(format!("for is from a second to {}", humantime::format_duration(longest)))),
        Err(why) => Err(bad(format!("for is no span of time such as \"30m\": {why}"))),
    }
}
