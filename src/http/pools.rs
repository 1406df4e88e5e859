//! Pools: what they are, and how they are steered, one by one or all together.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;

use super::Problem;
use super::dto;
use super::page::Page;
use super::page::PageQuery;
use super::page::page;
use super::routes::Answer;
use super::routes::LONGEST;
use super::routes::done;
use super::routes::span;
use crate::control::Facade;
use crate::control::FacadeError;
use crate::model::PoolName;

/// The most that a boost may add.
const MOST: u32 = 100_000;

/// `/pools`, and what concerns all of them.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/pools", get(pools))
        .route("/pools/{name}", get(pool))
        .route("/pools/{name}/scale-up", post(scale_up_pool))
        .route("/pools/{name}/scale-down", post(scale_down_pool))
        .route("/pools/{name}/drain", post(drain_pool))
        .route("/pools/{name}/resume", post(resume_pool))
        .route("/runners/scale-up", post(scale_up_all))
        .route("/runners/scale-down", post(scale_down_all))
        .route("/drain", post(drain_all))
        .route("/resume", post(resume_all))
}

/// All pools.
#[utoipa::path(get, path = "/api/v1/pools", tag = "pools", params(PageQuery), responses(
    (status = 200, body = Vec<dto::Pool>, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn pools(
    State(facade): State<Facade>,
    Query(query): Query<PageQuery>,
) -> Result<Page<dto::Pool>, Problem> {
    let pools = &facade.snapshot().pools;
    page("/api/v1/pools", pools, &query, |p| p.report.pool.to_string())
}

/// One pool.
#[utoipa::path(get, path = "/api/v1/pools/{name}", tag = "pools", params(("name" = String, Path)), responses(
    (status = 200, body = dto::Pool),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Pool> {
    let snapshot = facade.snapshot();
    let found = snapshot.pools.iter().find(|p| p.report.pool.as_str() == name);
    found.map(|p| Json(p.into())).ok_or_else(|| no_such_pool(&facade, name))
}

/// Keep more runners of a pool than the file says, for a time.
#[utoipa::path(post, path = "/api/v1/pools/{name}/scale-up", tag = "pools", params(("name" = String, Path)),
    request_body = dto::Boost, responses((status = 200, body = dto::Done),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn scale_up_pool(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    Json(boost): Json<dto::Boost>,
) -> Answer<dto::Done> {
    let time = checked(&boost)?;
    let pool = named(&facade, name)?;
    let until = facade.boost_pool(pool.clone(), boost.count, time).await?;
    let count = boost.count;
    done(format!("pool {pool} has {count} more than the file says, within max, until {until}"))
}

/// Take a pool's boost back, or a part of it.
#[utoipa::path(post, path = "/api/v1/pools/{name}/scale-down", tag = "pools", params(("name" = String, Path)),
    request_body = Option<dto::Lower>, responses((status = 200, body = dto::Done),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn scale_down_pool(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    lower: Option<Json<dto::Lower>>,
) -> Answer<dto::Done> {
    let pool = named(&facade, name)?;
    let count = lower.and_then(|Json(lower)| lower.count);
    match facade.lower_boost(pool.clone(), count).await? {
        None => done(format!("pool {pool} has what the file says")),
        Some((left, until)) => {
            done(format!("pool {pool} has {left} more than the file says, within max, until {until}"))
        }
    }
}

/// Let a pool's runners finish and start no more.
#[utoipa::path(post, path = "/api/v1/pools/{name}/drain", tag = "pools", params(("name" = String, Path)), responses(
    (status = 200, body = dto::Done),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn drain_pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Done> {
    let pool = named(&facade, name)?;
    facade.drain_pool(pool.clone(), true).await?;
    done(format!("pool {pool} is being drained: idle runners go, busy ones finish, none is started"))
}

/// Serve a drained pool again.
#[utoipa::path(post, path = "/api/v1/pools/{name}/resume", tag = "pools", params(("name" = String, Path)), responses(
    (status = 200, body = dto::Done),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume_pool(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Done> {
    let pool = named(&facade, name)?;
    facade.drain_pool(pool.clone(), false).await?;
    done(format!("pool {pool} is served again"))
}

/// Keep more runners of every pool than the file says, for a time.
#[utoipa::path(post, path = "/api/v1/runners/scale-up", tag = "fleet", request_body = dto::Boost, responses(
    (status = 200, body = dto::Done),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn scale_up_all(
    State(facade): State<Facade>,
    Json(boost): Json<dto::Boost>,
) -> Answer<dto::Done> {
    let time = checked(&boost)?;
    let (mut count, mut until) = (0, None);
    for pool in declared(&facade) {
        // One that the file has just lost needs nothing.
        match facade.boost_pool(pool, boost.count, time).await {
            Err(FacadeError::NoSuchPool { .. }) => {}
            answer => (count, until) = (count + 1, Some(answer?)),
        }
    }
    let more = boost.count;
    match until {
        None => done("there is no pool".to_owned()),
        Some(until) => done(format!(
            "{} boosted: each has {more} more than the file says, within max, until {until}",
            counted(count, "pool")
        )),
    }
}

/// Take the boosts of all pools back, or so many of each.
#[utoipa::path(post, path = "/api/v1/runners/scale-down", tag = "fleet", request_body = Option<dto::Lower>, responses(
    (status = 200, body = dto::Done),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn scale_down_all(
    State(facade): State<Facade>,
    lower: Option<Json<dto::Lower>>,
) -> Answer<dto::Done> {
    let fewer = lower.and_then(|Json(lower)| lower.count);
    let mut boosted = 0;
    for pool in declared(&facade) {
        match facade.lower_boost(pool, fewer).await {
            Err(FacadeError::NoSuchPool { .. }) => {}
            left => boosted += usize::from(left?.is_some()),
        }
    }
    match boosted {
        0 => done("every pool has what the file says".to_owned()),
        n => done(format!("{n} pools have still more than the file says")),
    }
}

/// Let the runners of all pools finish and start no more.
#[utoipa::path(post, path = "/api/v1/drain", tag = "fleet", responses((status = 200, body = dto::Done),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn drain_all(State(facade): State<Facade>) -> Answer<dto::Done> {
    let pools = counted(facade.drain_all(true).await?, "pool");
    done(format!("{pools} drained: idle runners go, busy ones finish, none is started"))
}

/// Serve all drained pools again.
#[utoipa::path(post, path = "/api/v1/resume", tag = "fleet", responses((status = 200, body = dto::Done),
    (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume_all(State(facade): State<Facade>) -> Answer<dto::Done> {
    let pools = counted(facade.drain_all(false).await?, "pool");
    done(format!("{pools} served again"))
}

/// `1 pool is`, `all 2 pools are`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what} is") } else { format!("all {count} {what}s are") }
}

/// The pools of the file.
fn declared(facade: &Facade) -> Vec<PoolName> {
    let snapshot = facade.snapshot();
    snapshot.pools.iter().filter(|p| p.pool.is_some()).map(|p| p.report.pool.clone()).collect()
}

fn checked(boost: &dto::Boost) -> Result<std::time::Duration, Problem> {
    if !(1..=MOST).contains(&boost.count) {
        let detail = format!("count is a number from 1 to {MOST}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail));
    }
    span(&boost.time, LONGEST)
}

/// A text that is no pool's name is a pool that does not exist, not a malformed request.
fn named(facade: &Facade, name: String) -> Result<PoolName, Problem> {
    PoolName::parse(&name).map_err(|_| no_such_pool(facade, name))
}

fn no_such_pool(facade: &Facade, name: String) -> Problem {
    let snapshot = facade.snapshot();
    let names = snapshot.pools.iter().map(|p| p.report.pool.to_string());
    let distance = |other: &String| strsim::damerau_levenshtein(&name, other);
    // Two slips of the finger; more is another name.
    let nearest = names.filter(|n| distance(n) <= 2).min_by_key(distance);
    FacadeError::NoSuchPool { name, nearest }.into()
}
