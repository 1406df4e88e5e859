//! Jobs that wait and run, and why each does so.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::dto;
use super::page::Page;
use super::page::PageQuery;
use super::page::page;
use super::routes::Answer;
use crate::control::Explanation;
use crate::control::Facade;
use crate::control::Question;
use crate::model::InvalidScope;
use crate::model::JobId;

/// `/jobs` and `/explain`.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/jobs", get(jobs))
        .route("/jobs/{id}/explain", get(explain_job))
        .route("/explain", get(explain))
}

/// All jobs, those that come first first, each with its reason.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(PageQuery), responses(
    (status = 200, body = Vec<dto::Explanation>, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn jobs(
    State(facade): State<Facade>,
    Query(query): Query<PageQuery>,
) -> Result<Page<dto::Explanation>, Problem> {
    let jobs = &facade.snapshot().jobs;
    page("/api/v1/jobs", jobs, &query, key)
}

fn key(explanation: &Explanation) -> String {
    match explanation.job.as_ref().map(|job| &job.id) {
        Some(JobId::Job(id)) => id.to_string(),
        Some(JobId::Request(id)) => format!("request-{id}"),
        None => String::new(),
    }
}

/// Why a job waits, by its number at GitHub.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/explain", tag = "jobs",
    params(("id" = u64, Path, description = "The number at the end of the job's address")), responses(
    (status = 200, body = dto::Explanation),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn explain_job(
    State(facade): State<Facade>,
    Path(id): Path<u64>,
) -> Answer<dto::Explanation> {
    let answers = facade.explain(Question { job: Some(id), ..Question::default() }).await?;
    let found = answers.iter().find(|answer| answer.job.is_some());
    found.map(|answer| Json(answer.into())).ok_or_else(|| {
        let detail = format!("no job {id} waits or runs here, as far as the sources of demand have told");
        Problem::new(StatusCode::NOT_FOUND, "no_such_job", detail)
    })
}

/// Which jobs are asked about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    /// The repository, `owner/name`.
    repo: Option<String>,
    /// All jobs of this run.
    run: Option<u64>,
    /// The job of this number.
    job: Option<u64>,
    /// A job that would ask for these labels, with commas between them, where no run and no job is meant.
    #[serde(default)]
    #[param(required = false)]
    labels: String,
}

/// Why the jobs of a run wait, or why one with these labels would.
#[utoipa::path(get, path = "/api/v1/explain", tag = "jobs", params(ExplainQuery),
    responses((status = 200, body = Vec<dto::Explanation>)))]
pub(super) async fn explain(
    State(facade): State<Facade>,
    Query(query): Query<ExplainQuery>,
) -> Answer<Vec<dto::Explanation>> {
    let ExplainQuery { repo, run, job, labels } = query;
    let repo = repo.map(|repo| repo.parse()).transpose();
    let repo =
        repo.map_err(|e: InvalidScope| Problem::new(StatusCode::BAD_REQUEST, "bad_query", e.to_string()))?;
    let labels = labels.split(',').map(str::trim).filter(|l| !l.is_empty()).map(str::to_lowercase).collect();
    let answers = facade.explain(Question { repo, run, job, labels }).await?;
    Ok(Json(answers.iter().map(dto::Explanation::from).collect()))
}
