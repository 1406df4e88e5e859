//! The routes, each a few lines between a request and the facade.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;

use super::Operators;
use super::Problem;
use super::dto;
use super::history;
use super::peer;
use crate::control::Facade;
use crate::control::FacadeError;
use crate::control::Question;
use crate::model::Mode;
use crate::model::PoolName;

/// The largest body that is read: those there are have two short fields.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Lines of a runner's output when the request does not say how many.
const DEFAULT_TAIL: usize = 100;

/// The most lines that one request may ask to look back.
const MAX_TAIL: usize = 100_000;

type Answer<T> = Result<Json<T>, Problem>;

/// All routes below `/v1`, for operators only.
pub fn router(facade: Facade, operators: Operators) -> Router {
    let v1 = Router::new()
        .route("/status", get(status))
        .route("/plan", get(plan))
        .route("/pools", get(pools))
        .route("/pools/{name}", get(pool))
        .route("/pools/{name}/drain", post(drain_pool))
        .route("/pools/{name}/resume", post(resume_pool))
        .route("/pools/{name}/boost", post(boost_pool))
        .route("/drain", post(drain_all))
        .route("/resume", post(resume_all))
        .route("/stop", post(stop_all))
        .route("/obstacles", get(obstacles))
        .route("/jobs", get(jobs))
        .route("/explain", get(explain))
        .route("/runners", get(runners))
        .route("/runners/{name}", get(runner))
        .route("/runners/{name}/logs", get(logs))
        .route("/runners/{name}/stop", post(stop_runner))
        .route("/runners/{name}/drain", post(drain_runner))
        .route("/ended", get(ended))
        .route("/reload", post(reload))
        .route("/mode", post(set_mode))
        .merge(history::routes());
    Router::new()
        .nest("/v1", v1)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(facade.clone(), history::note))
        .layer(middleware::from_fn_with_state(operators, peer::guard))
        .with_state(facade)
}

async fn nowhere(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}

async fn status(State(facade): State<Facade>) -> Json<dto::Status> {
    Json((&*facade.snapshot()).into())
}

async fn plan(State(facade): State<Facade>) -> Answer<dto::Plan> {
    Ok(Json((&facade.plan().await?).into()))
}

async fn pools(State(facade): State<Facade>) -> Json<Vec<dto::Pool>> {
    Json(facade.snapshot().pools.iter().map(dto::Pool::from).collect())
}

async fn pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Pool> {
    let snapshot = facade.snapshot();
    let found = snapshot.pools.iter().find(|p| p.report.pool.as_str() == name);
    found.map(|p| Json(p.into())).ok_or_else(|| no_such_pool(&facade, name))
}

async fn drain_pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Done> {
    mark_pool(facade, name, true).await
}

async fn resume_pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Done> {
    mark_pool(facade, name, false).await
}

async fn mark_pool(facade: Facade, name: String, drain: bool) -> Answer<dto::Done> {
    // A text that is no pool name is a pool that does not exist, not a malformed request.
    let Ok(pool) = PoolName::parse(&name) else { return Err(no_such_pool(&facade, name)) };
    facade.drain_pool(pool, drain).await?;
    let done = match drain {
        true => format!("pool {name} is being drained: idle runners go, busy ones finish, none is started"),
        false => format!("pool {name} is served again"),
    };
    Ok(Json(dto::Done { done }))
}

async fn drain_all(State(facade): State<Facade>) -> Answer<dto::Done> {
    let pools = counted(facade.drain_all(true).await?, "pool");
    let done = format!("{pools} drained: idle runners go, busy ones finish, none is started");
    Ok(Json(dto::Done { done }))
}

async fn resume_all(State(facade): State<Facade>) -> Answer<dto::Done> {
    let pools = counted(facade.drain_all(false).await?, "pool");
    Ok(Json(dto::Done { done: format!("{pools} served again") }))
}

/// `1 pool is`, `all 2 pools are`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what} is") } else { format!("all {count} {what}s are") }
}

async fn stop_all(
    State(facade): State<Facade>,
    query: Result<Query<StopQuery>, QueryRejection>,
) -> Answer<dto::Done> {
    let Query(StopQuery { force }) = query.map_err(bad_query)?;
    let done = match (facade.stop_all(force).await?.len(), force) {
        (0, _) => "there is no runner".to_owned(),
        (1, true) => "1 runner is being stopped, busy or not".to_owned(),
        (1, false) => "1 runner goes as soon as it is surely idle".to_owned(),
        (n, true) => format!("all {n} runners are being stopped, busy or not"),
        (n, false) => format!("all {n} runners go as soon as they are surely idle"),
    };
    Ok(Json(dto::Done { done }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObstaclesQuery {
    mode: Mode,
}

async fn obstacles(
    State(facade): State<Facade>,
    query: Result<Query<ObstaclesQuery>, QueryRejection>,
) -> Answer<Vec<dto::Obstacle>> {
    let Query(ObstaclesQuery { mode }) = query.map_err(bad_query)?;
    Ok(Json(facade.obstacles(mode).await?.iter().map(dto::Obstacle::from).collect()))
}

async fn boost_pool(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    body: Result<Json<dto::Boost>, JsonRejection>,
) -> Answer<dto::Done> {
    let Json(boost) = body.map_err(|e| Problem::new(e.status(), "bad_body", e.body_text()))?;
    let Ok(pool) = PoolName::parse(&name) else { return Err(no_such_pool(&facade, name)) };
    let until = facade.boost_pool(pool, boost.count, Duration::from_secs(boost.seconds)).await?;
    let done = match boost.count {
        0 => format!("pool {name} has what the file says"),
        count => format!("pool {name} has {count} more than the file says, within max, until {until}"),
    };
    Ok(Json(dto::Done { done }))
}

async fn jobs(State(facade): State<Facade>) -> Json<Vec<dto::Explanation>> {
    Json(facade.snapshot().jobs.iter().map(dto::Explanation::from).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    repo: Option<String>,
    run: Option<u64>,
    job: Option<u64>,
    #[serde(default)]
    labels: String,
}

async fn explain(
    State(facade): State<Facade>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<Vec<dto::Explanation>> {
    let Query(ExplainQuery { repo, run, job, labels }) = query.map_err(bad_query)?;
    let repo = repo.map(|repo| repo.parse()).transpose();
    let repo = repo.map_err(|e: crate::model::InvalidScope| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", e.to_string())
    })?;
    let labels = labels.split(',').map(str::trim).filter(|l| !l.is_empty()).map(str::to_lowercase).collect();
    let answers = facade.explain(Question { repo, run, job, labels }).await?;
    Ok(Json(answers.iter().map(dto::Explanation::from).collect()))
}

fn no_such_pool(facade: &Facade, name: String) -> Problem {
    let snapshot = facade.snapshot();
    let names = snapshot.pools.iter().map(|p| p.report.pool.to_string());
    let distance = |other: &String| strsim::damerau_levenshtein(&name, other);
    // Two slips of the finger; more is another name.
    let nearest = names.filter(|n| distance(n) <= 2).min_by_key(distance);
    FacadeError::NoSuchPool { name, nearest }.into()
}

async fn runners(State(facade): State<Facade>) -> Json<Vec<dto::Runner>> {
    Json(facade.snapshot().runners.iter().map(dto::Runner::from).collect())
}

async fn runner(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Runner> {
    let snapshot = facade.snapshot();
    let found = snapshot.runners.iter().find(|r| {
        r.runner.name.as_str() == name || r.runner.container.as_ref().is_some_and(|c| c.name == name)
    });
    found.map(|r| Json(r.into())).ok_or_else(|| FacadeError::NoSuchRunner { name }.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    tail: Option<usize>,
    #[serde(default)]
    follow: bool,
}

async fn logs(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    query: Result<Query<LogsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(bad_query)?;
    let tail = query.tail.unwrap_or(DEFAULT_TAIL).min(MAX_TAIL);
    let stream = facade.logs(name, tail, query.follow).await?;
    let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((plain, Body::from_stream(stream.0)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopQuery {
    #[serde(default)]
    force: bool,
}

async fn stop_runner(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    query: Result<Query<StopQuery>, QueryRejection>,
) -> Answer<dto::Done> {
    let Query(StopQuery { force }) = query.map_err(bad_query)?;
    let name = facade.stop_runner(name, force).await?;
    let done = match force {
        true => format!("runner {name} is being stopped, busy or not"),
        false => format!("runner {name} goes as soon as it is surely idle"),
    };
    Ok(Json(dto::Done { done }))
}

async fn drain_runner(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Done> {
    let name = facade.stop_runner(name, false).await?;
    Ok(Json(dto::Done { done: format!("runner {name} goes as soon as it is surely idle") }))
}

async fn ended(State(facade): State<Facade>) -> Json<Vec<dto::Ended>> {
    Json(facade.snapshot().ended.iter().map(dto::Ended::from).collect())
}

async fn reload(State(facade): State<Facade>) -> Answer<dto::Done> {
    facade.reload().await?;
    Ok(Json(dto::Done { done: "the configuration was read again and is in force".to_owned() }))
}

async fn set_mode(
    State(facade): State<Facade>,
    body: Result<Json<dto::SetMode>, JsonRejection>,
) -> Answer<dto::Plan> {
    let Json(body) = body.map_err(|e| Problem::new(e.status(), "bad_body", e.body_text()))?;
    Ok(Json((&facade.set_mode(body.mode, body.dry_run).await?).into()))
}

fn bad_query(rejection: QueryRejection) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", rejection.body_text())
}
