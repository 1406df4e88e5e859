//! What was, over HTTP; and the note of every call that changes something.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::dto;
use crate::control::Clock;
use crate::control::Facade;
use crate::model::Time;
use crate::model::history::AuditEntry;
use crate::model::history::HistoryQuery;
use crate::model::history::SeriesQuery;
use crate::model::history::StatsQuery;

/// How far back statistics go where nobody says.
const USUAL: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far back a series goes where nobody says.
const USUAL_SERIES: Duration = Duration::from_secs(24 * 3600);

/// `/history`, `/audit`, `/stats` and what is below them.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/history", get(jobs))
        .route("/history/runners", get(runners))
        .route("/history/runners/{name}", get(runner))
        .route("/history/decisions", get(decisions))
        .route("/history/copy", post(copy))
        .route("/audit", get(audit))
        .route("/audit/verify", get(verify))
        .route("/audit/entries/{seq}", get(entry))
        .route("/stats", get(stats))
        .route("/stats/series", get(series))
}

/// What may be asked. Moments are RFC 3339, or a time back from now such as `7d`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pool: Option<String>,
    repo: Option<String>,
    result: Option<String>,
    since: Option<String>,
    until: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

impl Asked {
    fn query(self) -> Result<HistoryQuery, Problem> {
        let now = Clock::system().now();
        Ok(HistoryQuery {
            pool: self.pool,
            repo: self.repo,
            result: self.result.map(|result| result.parse()).transpose().map_err(bad)?,
            since: self.since.map(|since| moment(&since, now)).transpose()?,
            until: self.until.map(|until| moment(&until, now)).transpose()?,
            after: self.after.map(|after| after.parse()).transpose().map_err(bad)?,
            limit: self.limit.unwrap_or(0),
        })
    }
}

fn bad(why: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", why)
}

fn moment(text: &str, now: Time) -> Result<Time, Problem> {
    if let Ok(back) = humantime::parse_duration(text) {
        return Ok(now - back);
    }
    let found = humantime::parse_rfc3339_weak(text).ok();
    let since = found.and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok());
    let since = since.ok_or_else(|| {
        bad(format!(
            "{text:?} is no moment; 7d is a week ago, 2026-01-31T12:00:00Z the last day of a January"
        ))
    })?;
    Ok(Time::default() + since)
}

type Found<T> = Result<Json<dto::Page<T>>, Problem>;
type Questions = Query<Asked>;

fn asked(Query(query): Questions) -> Result<HistoryQuery, Problem> {
    query.query()
}

/// Jobs that ended, the latest first.
#[utoipa::path(get, path = "/api/v1/history", tag = "history", operation_id = "past_jobs",
    params(Asked),
    responses((status = 200, body = dto::Page<dto::PastJob>)))]
pub(super) async fn jobs(State(facade): State<Facade>, query: Questions) -> Found<dto::PastJob> {
    Ok(Json(dto::Page::of(facade.history(asked(query)?).await?, dto::PastJob::from)))
}

/// Runners that are gone, the latest first.
#[utoipa::path(get, path = "/api/v1/history/runners", tag = "history", operation_id = "past_runners",
    params(Asked),
    responses((status = 200, body = dto::Page<dto::PastRunner>)))]
pub(super) async fn runners(State(facade): State<Facade>, query: Questions) -> Found<dto::PastRunner> {
    let page = facade.archive()?.runners(asked(query)?).await;
    Ok(Json(dto::Page::of(page.map_err(crate::control::FacadeError::from)?, dto::PastRunner::from)))
}

/// A runner that is gone, with its post-mortem, by its name at GitHub.
#[utoipa::path(get, path = "/api/v1/history/runners/{name}", tag = "history", operation_id = "past_runner",
    params(("name" = String, Path)),
    responses((status = 200, body = dto::PastRunner)))]
pub(super) async fn runner(
    State(facade): State<Facade>,
    Path(name): Path<String>,
) -> Result<Json<dto::PastRunner>, Problem> {
    let found = facade.archive()?.runner(name.clone()).await.map_err(crate::control::FacadeError::from)?;
    let missing = || {
        let detail = format!("the history has no runner {name} that is gone");
        Problem::new(StatusCode::NOT_FOUND, "no_such_runner", detail)
    };
    found.map(|runner| Json(runner.into())).ok_or_else(missing)
}

/// Changes of what pools want, the latest first.
#[utoipa::path(get, path = "/api/v1/history/decisions", tag = "history", operation_id = "past_decisions",
    params(Asked),
    responses((status = 200, body = dto::Page<dto::Decision>)))]
pub(super) async fn decisions(State(facade): State<Facade>, query: Questions) -> Found<dto::Decision> {
    let page = facade.archive()?.decisions(asked(query)?).await;
    Ok(Json(dto::Page::of(page.map_err(crate::control::FacadeError::from)?, dto::Decision::from)))
}

/// The audit trail, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "history", params(Asked),
    responses((status = 200, body = dto::Page<dto::AuditEntry>)))]
pub(super) async fn audit(State(facade): State<Facade>, query: Questions) -> Found<dto::AuditEntry> {
    Ok(Json(dto::Page::of(facade.audit(asked(query)?).await?, dto::AuditEntry::from)))
}

/// The digest of one entry of the audit trail, by its number.
#[utoipa::path(get, path = "/api/v1/audit/entries/{seq}", tag = "history", operation_id = "audit_entry",
    params(("seq" = u64, Path)),
    responses((status = 200, body = dto::AuditHead)))]
pub(super) async fn entry(
    State(facade): State<Facade>,
    Path(seq): Path<u64>,
) -> Result<Json<dto::AuditHead>, Problem> {
    let found = facade.archive()?.entry(seq).await.map_err(crate::control::FacadeError::from)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_entry", format!("there is no entry {seq}"));
    found.map(|head| Json(head.into())).ok_or_else(missing)
}

/// Looks through the whole audit trail.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "history", operation_id = "verify_audit",
    responses((status = 200, body = dto::AuditVerdict)))]
pub(super) async fn verify(State(facade): State<Facade>) -> Result<Json<dto::AuditVerdict>, Problem> {
    let verdict = facade.archive()?.verify().await;
    Ok(Json(verdict.map_err(crate::control::FacadeError::from)?.into()))
}

/// What the history comes to.
#[utoipa::path(get, path = "/api/v1/stats", tag = "history", params(Asked),
    responses((status = 200, body = dto::Stats)))]
pub(super) async fn stats(
    State(facade): State<Facade>,
    query: Questions,
) -> Result<Json<dto::Stats>, Problem> {
    let HistoryQuery { pool, repo, since, .. } = asked(query)?;
    let since = since.unwrap_or_else(|| Clock::system().now() - USUAL);
    Ok(Json(facade.stats(StatsQuery { since, pool, repo }).await?.into()))
}

/// Of which time, whom and which steps. Moments are RFC 3339, or a time back from now such as `7d`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedSeries {
    pool: Option<String>,
    repo: Option<String>,
    /// A day back where nobody says.
    since: Option<String>,
    /// Now where nobody says.
    until: Option<String>,
    /// A number of whole hours such as `6h` or `1d`; a step of whole days reaches back further than 35 of them. There are 1,000
    /// steps at most. Where nobody says, an hour up to a week, and a day beyond.
    step: Option<String>,
}

impl AskedSeries {
    fn query(self) -> Result<SeriesQuery, Problem> {
        let now = Clock::system().now();
        let at = |given: Option<String>| given.map(|given| moment(&given, now)).transpose();
        let since = at(self.since)?.unwrap_or(now - USUAL_SERIES);
        let until = at(self.until)?.unwrap_or(now);
        let step = self.step.map(|step| {
            humantime::parse_duration(&step)
                .map_err(|why| bad(format!("step is no span of time such as 6h: {why}")))
        });
        let mut query = SeriesQuery::new(since, until, step.transpose()?, now).map_err(bad)?;
        (query.pool, query.repo) = (self.pool, self.repo);
        Ok(query)
    }
}

/// What the history came to over time, step by step.
#[utoipa::path(get, path = "/api/v1/stats/series", tag = "history", operation_id = "stats_series", params(AskedSeries),
    responses((status = 200, body = dto::Series)))]
pub(super) async fn series(
    State(facade): State<Facade>,
    Query(asked): Query<AskedSeries>,
) -> Result<Json<dto::Series>, Problem> {
    let found = facade.archive()?.series(asked.query()?).await;
    Ok(Json(found.map_err(crate::control::FacadeError::from)?.into()))
}

/// A copy of the database, as a file.
#[utoipa::path(post, path = "/api/v1/history/copy", tag = "history", operation_id = "copy_history",
    responses((status = 200, body = String, content_type = "application/vnd.sqlite3")))]
pub(super) async fn copy(State(facade): State<Facade>) -> Result<Response, Problem> {
    let failed = |error: std::io::Error| {
        let detail = format!("cannot make room for a copy: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "history", detail)
    };
    let archive = facade.archive()?;
    // Beside the database: there is room for it, or for nothing else either.
    let beside = facade.snapshot().state_dir.clone();
    let folder = match &beside {
        Some(dir) => tempfile::Builder::new().prefix("copy-").tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let folder = folder.map_err(failed)?;
    let file = folder.path().join("history.sqlite");
    archive.copy(file.clone()).await.map_err(crate::control::FacadeError::from)?;
    let opened = tokio::fs::File::open(&file).await.map_err(failed)?;
    // An open file outlives its name.
    drop(folder);
    let chunks = futures_util::stream::unfold(opened, |mut file| async {
        use tokio::io::AsyncReadExt as _;
        let mut chunk = bytes::BytesMut::with_capacity(64 * 1024);
        match file.read_buf(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok::<_, std::io::Error>(chunk.freeze()), file)),
            Err(error) => Some((Err(error), file)),
        }
    });
    Ok(([(CONTENT_TYPE, "application/vnd.sqlite3")], Body::from_stream(chunks)).into_response())
}

/// Notes a call that may have changed something: who, what, and what came of it.
pub(super) fn note(facade: &Facade, caller: &str, path: &str, text: String, status: StatusCode) {
    let Ok(archive) = facade.archive() else { return };
    archive.note(AuditEntry {
        at: Clock::system().now(),
        who: caller.to_owned(),
        kind: "call".to_owned(),
        text,
        subject: path.to_owned(),
        outcome: match status {
            status if status.is_success() => "done".to_owned(),
            status => format!("refused with {status}"),
        },
    });
}
