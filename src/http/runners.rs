//! Runners: those that live, those that are gone, what they print, and how they are sent away.

use std::convert::Infallible;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::dto;
use super::page::Page;
use super::page::PageQuery;
use super::page::page;
use super::routes::Answer;
use super::routes::done;
use crate::control::Facade;
use crate::control::FacadeError;
use crate::control::LogStream;
use crate::control::RunnerState;
use crate::control::Snapshot;
use crate::model::Job;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::RunnerName;

/// Lines of a runner's output when the request does not say how many.
const DEFAULT_TAIL: usize = 100;

/// The most lines that one request may ask to look back.
const MAX_TAIL: usize = 100_000;

/// `/runners` and `/ended`.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/runners", get(runners).delete(remove_all_runners))
        .route("/runners/{name}", get(runner).delete(remove_runner))
        .route("/runners/{name}/logs", get(logs))
        .route("/ended", get(ended))
}

/// All runners.
#[utoipa::path(get, path = "/api/v1/runners", tag = "runners", params(PageQuery), responses(
    (status = 200, body = Vec<dto::Runner>, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn runners(
    State(facade): State<Facade>,
    Query(query): Query<PageQuery>,
) -> Result<Page<dto::Runner>, Problem> {
    let runners = &facade.snapshot().runners;
    page("/api/v1/runners", runners, &query, |r| r.runner.name.to_string())
}

/// Runners that are gone, the latest first, so many as are kept in memory.
#[utoipa::path(get, path = "/api/v1/ended", tag = "runners", params(PageQuery), responses(
    (status = 200, body = Vec<dto::Ended>, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn ended(
    State(facade): State<Facade>,
    Query(query): Query<PageQuery>,
) -> Result<Page<dto::Ended>, Problem> {
    let ended = &facade.snapshot().ended;
    page("/api/v1/ended", ended, &query, |p| p.runner.to_string())
}

/// One runner, by its name at GitHub or its container's.
#[utoipa::path(get, path = "/api/v1/runners/{name}", tag = "runners", params(("name" = String, Path)), responses(
    (status = 200, body = dto::Runner),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn runner(State(facade): State<Facade>, Path(name): Path<String>) -> Answer<dto::Runner> {
    let snapshot = facade.snapshot();
    let found = find(&snapshot, &name);
    found.map(|r| Json(r.into())).ok_or_else(|| FacadeError::NoSuchRunner { name }.into())
}

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a RunnerState> {
    let fits = |r: &&RunnerState| {
        r.runner.name.as_str() == name || r.runner.container.as_ref().is_some_and(|c| c.name == name)
    };
    snapshot.runners.iter().find(fits)
}

/// How output is read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    /// How many lines back to begin; 100 unless said otherwise, and 100000 at most.
    tail: Option<usize>,
    /// Whether to go on until the runner ends.
    #[serde(default)]
    #[param(required = false)]
    follow: bool,
}

/// What a runner prints. It may hold whatever its job prints.
#[utoipa::path(get, path = "/api/v1/runners/{name}/logs", tag = "runners",
    params(("name" = String, Path), LogsQuery), responses(
    (status = 200, body = String, content_type = "text/plain", description = "The output as it comes"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 502, body = Problem, content_type = "application/problem+json", description = "The engine did not answer")))]
pub(super) async fn logs(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Problem> {
    let tail = query.tail.unwrap_or(DEFAULT_TAIL).min(MAX_TAIL);
    let stream = facade.logs(name, tail, query.follow).await?;
    let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((plain, Body::from_stream(to_the_end(stream))).into_response())
}

/// The output up to where the engine breaks off, which it does when the container goes, with a line that says so: an answer
/// that ends in its middle would look like a fault of the connection.
fn to_the_end(output: LogStream) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    output.0.scan(false, |broken, part| {
        let part = match part {
            _ if *broken => None,
            Ok(part) => Some(part),
            Err(error) => {
                *broken = true;
                Some(Bytes::from(format!("\nghrunner: the output breaks off here: {error}\n")))
            }
        };
        std::future::ready(part.map(Ok))
    })
}

/// How runners are sent away.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveQuery {
    /// At once, even in a job, which then fails.
    #[serde(default)]
    #[param(required = false)]
    force: bool,
}

/// Let a runner go as soon as it is surely idle; with `force`, at once.
#[utoipa::path(delete, path = "/api/v1/runners/{name}", tag = "runners",
    params(("name" = String, Path), RemoveQuery), responses(
    (status = 200, body = dto::Removed),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn remove_runner(
    State(facade): State<Facade>,
    Path(name): Path<String>,
    Query(RemoveQuery { force }): Query<RemoveQuery>,
) -> Answer<dto::Removed> {
    let before = facade.snapshot();
    let runner = facade.stop_runner(name, force).await?;
    let job = job_of(&before, &runner).filter(|_| force);
    let busy = find(&before, runner.as_str()).is_some_and(|r| r.phase == Phase::Busy);
    let kills = force && (busy || job.is_some());
    let done = match (force, job) {
        (false, _) => format!("runner {runner} goes as soon as it is surely idle"),
        (true, Some(job)) => format!(
            "runner {runner} is being stopped, busy or not: job {} / {} of {} (run {}) fails with it",
            job.workflow, job.name, job.repo, job.run
        ),
        (true, None) if kills => {
            format!(
                "runner {runner} is being stopped, busy or not: the job that it was seen in fails with it"
            )
        }
        (true, None) => format!("runner {runner} is being stopped, busy or not; it was seen in no job"),
    };
    Ok(Json(dto::Removed { done, runner: runner.to_string(), kills, job: job.map(dto::Job::from) }))
}

/// The job that a runner is known to have.
fn job_of<'a>(snapshot: &'a Snapshot, name: &RunnerName) -> Option<&'a Job> {
    let jobs = snapshot.jobs.iter().filter_map(|explanation| explanation.job.as_ref());
    let mut jobs = jobs.filter(|job| match &job.state {
        JobState::Running { runner } => runner.as_ref() == Some(name),
        JobState::Held | JobState::Queued => false,
    });
    jobs.next()
}

/// Let all runners go as soon as they are surely idle; with `force`, at once. Pools that are not drained replace them.
#[utoipa::path(delete, path = "/api/v1/runners", tag = "fleet", params(RemoveQuery),
    responses((status = 200, body = dto::Done)))]
pub(super) async fn remove_all_runners(
    State(facade): State<Facade>,
    Query(RemoveQuery { force }): Query<RemoveQuery>,
) -> Answer<dto::Done> {
    let busy = facade.snapshot().runners.iter().filter(|r| r.phase == Phase::Busy).count();
    let cut =
        if busy == 0 { String::new() } else { format!("; {busy} of them were seen in a job, which fails") };
    match (facade.stop_all(force).await?.len(), force) {
        (0, _) => done("there is no runner".to_owned()),
        (1, true) => done(format!("1 runner is being stopped, busy or not{cut}")),
        (1, false) => done("1 runner goes as soon as it is surely idle".to_owned()),
        (n, true) => done(format!("all {n} runners are being stopped, busy or not{cut}")),
        (n, false) => done(format!("all {n} runners go as soon as they are surely idle")),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::engine::EngineError;

    #[tokio::test]
    async fn output_that_breaks_off_says_so_and_ends() {
        let gone = || Err(EngineError::Unreachable { endpoint: "x".into(), why: "y".into() });
        let parts = stream::iter([Ok(Bytes::from_static(b"a\n")), gone(), gone()]);
        let told: Vec<_> = to_the_end(LogStream(Box::pin(parts))).collect().await;
        let told: Vec<String> =
            told.into_iter().map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap()).collect();
        assert_eq!(told.len(), 2);
        assert!(told[1].contains("breaks off here: "), "{told:?}");
    }
}
