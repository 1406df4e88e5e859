//! The way in: a registration token for the service's address and an admin token.

use serde::Deserialize;
use serde_json::json;

use super::Call;
use super::Refusal;
use super::Reply;
use super::World;
use crate::clock::Moment;
use crate::world::Scope;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    url: String,
    runner_event: String,
}

/// The part of the service's path that stands for a place.
pub(super) fn place(scope: Scope) -> String {
    match scope {
        Scope::Organization(id) => format!("o{id}"),
        Scope::Repository(id) => format!("r{id}"),
        Scope::Enterprise(id) => format!("e{id}"),
    }
}

pub(super) fn open(world: &mut World, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    if call.method != "POST" {
        return Err(Refusal::NotFound);
    }
    if call.header("user-agent").is_none_or(str::is_empty) {
        return Err(Refusal::Forbidden("Request forbidden by administrative rules.".into()));
    }
    let token = call.header("authorization").and_then(|h| h.strip_prefix("RemoteAuth "));
    let token = token.ok_or(Refusal::BAD_CREDENTIALS)?.to_string();
    let body: Body = call.json()?;
    if body.runner_event != "register" {
        return Err(Refusal::BadRequest("runner_event must be register".into()));
    }
    let (scope, admin) = world.open_service(&token, &body.url, now)?;
    let url = format!("{}/_services/pipelines/{}/", call.web, place(scope));
    Ok(Reply::new(201, json!({ "url": url, "token": admin, "token_schema": "OAuthAccessToken" })))
}
