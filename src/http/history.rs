//! What was, over HTTP; and the note of every call that changes something.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;

use super::Peer;
use super::Problem;
use super::dto;
use crate::control::Clock;
use crate::control::Facade;
use crate::model::Time;
use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::AuditVerdict;
use crate::model::history::HistoryQuery;
use crate::model::history::StatsQuery;

/// How far back statistics go where nobody says.
const USUAL: Duration = Duration::from_secs(7 * 24 * 3600);
/// The largest body of a call that is noted; what is larger is refused.
const MAX_BODY: usize = 16 * 1024;
/// How much of a body is noted.
const NOTED: usize = 500;

/// `/history`, `/audit`, `/stats` and what is below them.
pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/history", get(jobs))
        .route("/history/runners", get(runners))
        .route("/history/decisions", get(decisions))
        .route("/history/copy", post(copy))
        .route("/audit", get(audit))
        .route("/audit/verify", get(verify))
        .route("/audit/entries/{seq}", get(entry))
        .route("/stats", get(stats))
}

/// What may be asked. Moments are RFC 3339, or a time back from now such as `7d`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
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
type Questions = Result<Query<Asked>, QueryRejection>;

fn asked(query: Questions) -> Result<HistoryQuery, Problem> {
    query.map_err(|rejection| bad(rejection.body_text()))?.0.query()
}

/// Jobs that ended, the latest first.
async fn jobs(State(facade): State<Facade>, query: Questions) -> Found<dto::PastJob> {
    Ok(Json(dto::Page::of(facade.history(asked(query)?).await?, dto::PastJob::from)))
}

/// Runners that are gone, the latest first.
async fn runners(State(facade): State<Facade>, query: Questions) -> Found<dto::PastRunner> {
    let page = facade.archive()?.runners(asked(query)?).await;
    Ok(Json(dto::Page::of(page.map_err(crate::control::FacadeError::from)?, dto::PastRunner::from)))
}

/// Changes of what pools want, the latest first.
async fn decisions(State(facade): State<Facade>, query: Questions) -> Found<dto::Decision> {
    let page = facade.archive()?.decisions(asked(query)?).await;
    Ok(Json(dto::Page::of(page.map_err(crate::control::FacadeError::from)?, dto::Decision::from)))
}

/// The audit trail, the latest first.
async fn audit(State(facade): State<Facade>, query: Questions) -> Found<dto::AuditEntry> {
    Ok(Json(dto::Page::of(facade.audit(asked(query)?).await?, dto::AuditEntry::from)))
}

/// The digest of one entry of the audit trail, by its number.
async fn entry(State(facade): State<Facade>, Path(seq): Path<u64>) -> Result<Json<AuditHead>, Problem> {
    let found = facade.archive()?.entry(seq).await.map_err(crate::control::FacadeError::from)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_entry", format!("there is no entry {seq}"));
    found.map(Json).ok_or_else(missing)
}

/// Looks through the whole audit trail.
async fn verify(State(facade): State<Facade>) -> Result<Json<AuditVerdict>, Problem> {
    let verdict = facade.archive()?.verify().await;
    Ok(Json(verdict.map_err(crate::control::FacadeError::from)?))
}

/// What the history comes to.
async fn stats(State(facade): State<Facade>, query: Questions) -> Result<Json<dto::Stats>, Problem> {
    let HistoryQuery { pool, repo, since, .. } = asked(query)?;
    let since = since.unwrap_or_else(|| Clock::system().now() - USUAL);
    Ok(Json(facade.stats(StatsQuery { since, pool, repo }).await?.into()))
}

/// A copy of the database, as a file.
async fn copy(State(facade): State<Facade>) -> Result<Response, Problem> {
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

/// Notes every call that may change something: who, what, and what came of it. Stands behind the guard, so that strangers
/// cannot fill the trail.
pub(super) async fn note(State(facade): State<Facade>, request: Request, next: Next) -> Response {
    let Some(archive) = facade.archive().ok().cloned().filter(|_| changes(request.method())) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        let detail = format!("the body is larger than {MAX_BODY} bytes, or broke off");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_body", detail).into_response();
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let said: String = String::from_utf8_lossy(&body).chars().take(NOTED).collect();
    let said = if said.is_empty() { said } else { format!(" {said}") };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    archive.note(AuditEntry {
        at: Clock::system().now(),
        who: who(peer),
        kind: "call".to_owned(),
        text: format!("{method} {path}{query}{said}"),
        subject: path,
        outcome: match response.status() {
            status if status.is_success() => "done".to_owned(),
            status => format!("refused with {status}"),
        },
    });
    response
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn who(peer: Option<Peer>) -> String {
    let Some(uid) = peer.and_then(|peer| peer.uid) else { return "an unknown operator".to_owned() };
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    match user {
        Some(user) => format!("{} (user {uid})", user.name),
        None => format!("user {uid}"),
    }
}
