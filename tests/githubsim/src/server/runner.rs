//! The runners' side over HTTP, under `/_sim/runner/`.
//!
//! | request | does |
//! |---|---|
//! | `POST register` | registers by a registration token, as `config.sh` does |
//! | `POST sessions` | opens the session of a registration |
//! | `GET sessions/ID/message?hold_ms=N` | waits for a job: 200 with it, or 204 |
//! | `POST sessions/ID/jobs/JOB/{started,renewed,finished}` | tells how the job goes |
//! | `DELETE sessions/ID` | says good-bye |

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::own;
use super::own_refusal;
use super::plain;
use crate::rest::Call;
use crate::world::Addresses;
use crate::world::Assignment;
use crate::world::Refusal;
use crate::world::RunnerRequest;

const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// How often a held poll looks again without being woken: a registration that is deleted wakes
/// nobody.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn handle(shared: &Shared, call: &Call, rest: &str) -> Response<Body> {
    let segments: Vec<&str> = rest.split('/').collect();
    let answer = match (call.method.as_str(), segments.as_slice()) {
        ("POST", ["register"]) => register(shared, call),
        ("POST", ["sessions"]) => open(shared, call),
        ("GET", ["sessions", id, "message"]) => message(shared, call, id).await,
        ("POST", ["sessions", id, "jobs", job, event]) => report(shared, call, id, job, event),
        ("DELETE", ["sessions", id]) => {
            shared.world().close_session(id, shared.now());
            Ok(plain(StatusCode::NO_CONTENT))
        }
        _ => Err(Refusal::NotFound),
    };
    if call.method != "GET" {
        shared.bump();
    }
    answer.unwrap_or_else(|no| own_refusal(call, &no))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Register {
    token: String,
    url: String,
    name: String,
    labels: Vec<String>,
    group: Option<String>,
    work_folder: Option<String>,
    ephemeral: bool,
    disable_update: bool,
    replace: bool,
}

fn register(shared: &Shared, call: &Call) -> Result<Response<Body>, Refusal> {
    let body: Register = call.json()?;
    let wanted = RunnerRequest {
        name: body.name,
        group: 0,
        labels: body.labels,
        work_folder: body.work_folder.unwrap_or_else(|| "_work".into()),
        ephemeral: body.ephemeral,
        disable_update: body.disable_update,
        replace: body.replace,
    };
    let now = shared.now();
    let mut world = shared.world();
    let made = world.register_by_token(&body.token, &body.url, body.group.as_deref(), wanted, now)?;
    let at = Addresses { service: call.service.clone(), web: call.web.clone() };
    let config = world.jit_config(made.runner_id, &at)?;
    Ok(own(201, json!({ "runner_id": made.runner_id, "encoded_jit_config": config })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Open {
    secret: String,
    version: String,
}

fn open(shared: &Shared, call: &Call) -> Result<Response<Body>, Refusal> {
    let body: Open = call.json()?;
    let session = shared.world().open_session(&body.secret, &body.version, shared.now())?;
    Ok(own(201, json!({ "session_id": session })))
}

/// Marks a session as polling, and unmarks it however the poll ends.
struct Held<'a> {
    shared: &'a Shared,
    session: &'a str,
}

impl<'a> Held<'a> {
    fn new(shared: &'a Shared, session: &'a str) -> Self {
        shared.world().set_polling(session, true, shared.now());
        Self { shared, session }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.world().set_polling(self.session, false, self.shared.now());
    }
}

async fn message(shared: &Shared, call: &Call, session: &str) -> Result<Response<Body>, Refusal> {
    let asked =
        call.parameter("hold_ms").and_then(|v| v.parse().ok()).map_or(LONGEST_HOLD, Duration::from_millis);
    let deadline = tokio::time::Instant::now() + asked.min(LONGEST_HOLD);
    let mut work = shared.work();
    let _held = Held::new(shared, session);
    loop {
        work.mark_unchanged();
        let found: Option<Assignment> = shared.world().poll(session, shared.now())?;
        if let Some(job) = found {
            shared.bump();
            return Ok(own(200, job));
        }
        tokio::select! {
            _ = work.changed() => {}
            () = tokio::time::sleep_until(deadline.min(tokio::time::Instant::now() + LOOK)) => {
                if tokio::time::Instant::now() >= deadline {
                    return Ok(plain(StatusCode::NO_CONTENT));
                }
            }
            () = shared.stopped() => return Ok(plain(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Report {
    conclusion: String,
}

fn report(
    shared: &Shared,
    call: &Call,
    session: &str,
    job: &str,
    event: &str,
) -> Result<Response<Body>, Refusal> {
    let job: u64 = job.parse().map_err(|_| Refusal::NotFound)?;
    let now = shared.now();
    let mut world = shared.world();
    match event {
        "started" => world.start_job(session, job, now)?,
        "renewed" => world.renew_job(session, job, now)?,
        "finished" => world.finish_job(session, job, &call.json::<Report>()?.conclusion, now)?,
        _ => return Err(Refusal::NotFound),
    }
    Ok(plain(StatusCode::NO_CONTENT))
}
