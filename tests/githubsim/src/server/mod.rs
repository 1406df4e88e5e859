//! The HTTP side: every request comes in here, is given to the world, and is logged.

mod admin;
mod deliver;
mod exchange;
mod line;
mod runner;
mod service;
mod shared;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::State;
use axum::http::Request;
use axum::http::Response;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use tokio::net::TcpListener;

pub(crate) use deliver::HOOK;
use deliver::Mailbox;
pub(crate) use deliver::deliver;
pub(crate) use exchange::ExchangeLog;
pub(crate) use shared::Shared;

use crate::faults::Kind;
use crate::faults::Plan;
use crate::rest;
use crate::rest::Call;
use crate::rest::Reply;
use line::Line;
use line::Lines;

/// No request of the REST API is larger.
const LARGEST_BODY: usize = 1 << 20;

/// Serves until the simulator stops.
pub(crate) async fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<()> {
    let stop = shared.clone();
    let app = Router::new().fallback(handle).with_state(shared);
    let app = app.into_make_service_with_connect_info::<Line>();
    axum::serve(Lines(listener), app).with_graceful_shutdown(async move { stop.stopped().await }).await
}

async fn handle(
    State(shared): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let call = shared.call(parts, body.to_bytes());
    let path = call.path.clone();
    if let Some(rest) = path.strip_prefix("/_sim/")
        && !rest.starts_with("runner/")
    {
        return admin::handle(&shared, &call, rest);
    }
    let plan = shared.plan(&call);
    tokio::time::sleep(plan.latency).await;
    let before = plan.answer.as_ref().filter(|(_, processed)| !processed);
    if let Some((kind, _)) = before
        && let Some(reply) = shared.faulty(&call, kind)
    {
        if *kind == Kind::Reset {
            line.reset();
        }
        return finish(&shared, &call, reply, &plan, None);
    }
    if let Some(rest) = path.strip_prefix("/_sim/runner/") {
        return runner::handle(&shared, &call, rest).await;
    }
    let reply = if crate::service::owns(&path) {
        service::answer(&shared, &call, &plan.effects).await
    } else {
        shared.answer(&call, &plan.effects)
    };
    spoil(&shared, &line, &call, reply, &plan)
}

/// Sends an answer, or what the plan makes of it.
fn spoil(shared: &Shared, line: &Line, call: &Call, reply: Reply, plan: &Plan) -> Response<Body> {
    match plan.answer.as_ref().map(|(kind, _)| kind) {
        None | Some(Kind::Latency(_)) => finish(shared, call, reply, plan, None),
        Some(Kind::Truncate) => {
            line.halve();
            finish(shared, call, reply, plan, None)
        }
        Some(Kind::Malformed) => {
            let text = reply.body.as_ref().map(ToString::to_string).unwrap_or_default();
            let half = text.chars().take(text.chars().count() / 2).collect();
            finish(shared, call, reply, plan, Some(half))
        }
        Some(kind) => {
            if *kind == Kind::Reset {
                line.reset();
            }
            let reply = shared.faulty(call, kind).unwrap_or(reply);
            finish(shared, call, reply, plan, None)
        }
    }
}

fn finish(shared: &Shared, call: &Call, reply: Reply, plan: &Plan, text: Option<String>) -> Response<Body> {
    if !call.path.starts_with("/_sim/") {
        shared.log(call, &reply, plan.injected);
    }
    let text = text.or_else(|| reply.body.as_ref().map(written));
    let text = text.map(|t| if plan.bom { format!("\u{feff}{t}") } else { t });
    respond(reply.status, &reply.headers, text)
}

/// A body as it is sent: a bare text is no JSON.
fn written(body: &serde_json::Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), ToString::to_string)
}

fn respond(status: u16, headers: &[(&'static str, String)], text: Option<String>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    let typed = headers.iter().any(|(name, _)| *name == "content-type");
    if text.is_some() && !typed {
        response = response.header("content-type", "application/json; charset=utf-8");
    }
    let body = text.map_or_else(Body::empty, |t| Body::from(Bytes::from(t)));
    response.body(body).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A JSON answer of the simulator's own interfaces.
fn own(status: u16, body: impl serde::Serialize) -> Response<Body> {
    respond(status, &[], serde_json::to_string(&body).ok())
}

/// An error of the simulator's own interfaces.
fn own_refusal(call: &Call, no: &crate::world::Refusal) -> Response<Body> {
    let reply = rest::refused(call, no);
    own(reply.status, reply.body)
}
