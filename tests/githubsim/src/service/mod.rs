//! The Actions service: scale sets, their runners, sessions and messages.
//!
//! Beside the REST API it has two planes of its own, each with its own token. All of it lives
//! under one path prefix here; clients learn the addresses from the answers:
//!
//! | plane | at | token |
//! |---|---|---|
//! | entry | `POST /actions/runner-registration` (REST's host) | `RemoteAuth` and a registration token |
//! | admin | `/_services/pipelines/PLACE/_apis/…` | admin token |
//! | messages | `/_services/broker/scalesets/message` | queue token, which `acquirejobs` takes too |

mod agents;
mod entry;
mod messages;
mod sets;
mod shape;

use serde_json::Value;
use serde_json::json;

pub(crate) use messages::Poll;
pub(crate) use messages::look;
pub(crate) use messages::polled;

use crate::clock::Moment;
use crate::faults::Kind;
use crate::rest;
use crate::rest::Call;
use crate::rest::Effects;
use crate::rest::Reply;
use crate::world::Refusal;
use crate::world::Scope;
use crate::world::Trouble;
use crate::world::World;

/// The version that every request has to name.
const VERSION: &str = "6.0-preview";
const ENTRY: &str = "/actions/runner-registration";
const PREFIX: &str = "/_services/";

/// Whether a path is the Actions service's, as opposed to the REST API's.
pub(crate) fn owns(path: &str) -> bool {
    path == ENTRY || path.starts_with(PREFIX)
}

/// One request of the admin plane.
struct Request<'a> {
    call: &'a Call,
    effects: &'a Effects,
    scope: Scope,
    now: Moment,
}

impl Request<'_> {
    /// Who is behind it.
    fn maker(&self, world: &World) -> String {
        world.behind(self.call.header("authorization")).unwrap_or_default().to_string()
    }
}

/// Answers one request, but for the long poll for messages.
pub(crate) fn answer(world: &mut World, call: &Call, effects: &Effects, now: Moment) -> Reply {
    if call.path == ENTRY {
        let reply = entry::open(world, call, now);
        return stamped(world, reply.unwrap_or_else(|no| rest::refused(call, &no)));
    }
    let reply = route(world, call, effects, now);
    stamped(world, reply.unwrap_or_else(|no| troubled(&no)))
}

fn route(world: &mut World, call: &Call, effects: &Effects, now: Moment) -> Result<Reply, Trouble> {
    check_head(call)?;
    let segments = call.segments();
    let rest = match segments.as_slice() {
        ["_services", "broker", "scalesets", "message", id] if call.method == "DELETE" => {
            return messages::delete(world, call, effects, id, now);
        }
        ["_services", "pipelines", _, "_apis", rest @ ..] => rest,
        _ => return Err(Trouble::text(404, "Not Found")),
    };
    if !call.parameter("api-version").is_some_and(|v| v.starts_with(VERSION)) {
        return Err(Trouble::no_version());
    }
    if let ["runtime", "runnerscalesets", id, "acquirejobs"] = rest
        && call.method == "POST"
    {
        return messages::acquire(world, call, number(id)?, now);
    }
    let scope = world.admin(call.header("authorization"), now)?;
    if segments[2] != entry::place(scope) {
        return Err(Trouble::text(401, "Unauthorized"));
    }
    let request = Request { call, effects, scope, now };
    match rest {
        ["runtime", "runnerscalesets", rest @ ..] => sets::route(world, &request, rest),
        ["runtime", "runnergroups"] if call.method == "GET" => Ok(sets::groups(world, &request)),
        ["distributedtask", "pools", "0", "agents", rest @ ..] => agents::route(world, &request, rest),
        _ => Err(Trouble::text(404, "Not Found")),
    }
}

/// What holds for every request of the service.
fn check_head(call: &Call) -> Result<(), Trouble> {
    if call.header("user-agent").is_none_or(str::is_empty) {
        return Err(Trouble::text(403, "Forbidden"));
    }
    let is_json = call.header("content-type").is_some_and(|t| t.starts_with("application/json"));
    if !call.body.is_empty() && !is_json {
        return Err(Trouble::text(415, "Unsupported Media Type"));
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, Trouble> {
    text.parse().map_err(|_| Trouble::text(404, "Not Found"))
}

fn body<T: serde::de::DeserializeOwned + Default>(call: &Call) -> Result<T, Trouble> {
    call.json().map_err(|no: Refusal| Trouble::argument(&no.to_string()))
}

/// A list as the service wraps it.
fn list(value: Vec<Value>) -> Reply {
    Reply::ok(json!({ "count": value.len(), "value": value }))
}

/// A refusal as the service words it.
pub(crate) fn troubled(no: &Trouble) -> Reply {
    if no.kind.is_empty() {
        let reply = Reply::new(no.status, Value::String(no.message.clone()));
        return reply.with("content-type", "text/plain; charset=utf-8");
    }
    Reply::new(
        no.status,
        json!({
            "$id": "1", "innerException": null, "message": no.message, "typeName": no.type_name(),
            "typeKey": no.kind, "errorCode": 0, "eventId": 3000
        }),
    )
}

/// Adds what tells one answer from another.
pub(crate) fn stamped(world: &mut World, reply: Reply) -> Reply {
    let activity = world.random_uuid();
    let request = world.random_uuid();
    reply.with("activityid", activity).with("x-github-request-id", request)
}

/// The answer that an injected fault makes up. `None`: it spoils the real one.
pub(crate) fn faulty(world: &mut World, call: &Call, kind: &Kind, now: Moment) -> Option<Reply> {
    let reply = match kind {
        Kind::Empty(status) => Reply::empty(*status),
        _ if call.path == ENTRY => return rest::faulty(world, call, kind, now),
        Kind::Status(status) => troubled(&Trouble::text(*status, "The service is unavailable.")),
        Kind::Reset => troubled(&Trouble::text(500, "")),
        Kind::Primary(_) => troubled(&Trouble::text(429, "Too Many Requests")).with("retry-after", "60"),
        Kind::Secondary(secs) => {
            troubled(&Trouble::text(429, "Too Many Requests")).with("retry-after", secs.to_string())
        }
        Kind::SessionConflict => troubled(&Trouble::session_conflict("of this name", "another-host")),
        _ => return None,
    };
    Some(stamped(world, reply))
}
