//! The tests' side over HTTP, under `/_sim/`.
//!
//! | request | does |
//! |---|---|
//! | `GET state` | counters, jobs, runners |
//! | `GET counters`, `GET jobs/ID`, `GET history` | parts of it |
//! | `POST jobs` (a [`JobSpec`]) | queues; gives `{"jobs": [ids], "run": id}` |
//! | `POST jobs/ID/{cancel,release}` | ends it, or opens its gate |
//! | `GET`, `POST`, `DELETE faults` | lists; adds (text of the body); ends all |
//! | `POST tokens` (a [`TokenState`]), `POST tokens/revoke` `{"token"}` | credentials |
//! | `POST groups`, `POST repositories` | adds or changes, as in the state file |
//! | `POST rename` `{"repository", "name"}` | renames a repository |
//! | `POST transfer` `{"repository", "owner"}` | gives it to another owner |
//! | `POST archive` `{"repository", "archived": true}` | archives it, or not any more |
//! | `POST push` `{"repository"}` | notes a push that starts nothing |
//! | `POST runs/ID/cancel` | cancels what is left of a run |
//! | `POST rename-organization` `{"organization", "login"}` | renames an organization |
//! | `POST apps/ID/installations` | installs an App, as in the state file |
//! | `POST installations/ID/{suspend,unsuspend,delete}` | does that to an App's installation |
//! | `POST scalesets/ID/{expire,evict,drop}` | ends its session, forgets it, or takes the set away |
//! | `POST service-tokens/expire` | makes all tokens of the Actions service worthless |
//! | `GET`, `POST hooks` | hooks with their deliveries' outcomes; adds one, as in the state file |
//! | `POST clock` `{"advance": "1h"}` | moves the wall clock |
//! | `GET`, `POST settings` | shows; changes those given |

use axum::body::Body;
use axum::http::Response;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Shared;
use super::own;
use super::own_refusal;
use super::plain;
use crate::human;
use crate::rest::Call;
use crate::state::GroupState;
use crate::state::HookState;
use crate::state::InstallationState;
use crate::state::RepositoryState;
use crate::state::TokenState;
use crate::world::JobSpec;
use crate::world::Refusal;

pub(super) fn handle(shared: &Shared, call: &Call, rest: &str) -> Response<Body> {
    let segments: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    let answer = match call.method.as_str() {
        "GET" => show(shared, &segments),
        _ => change(shared, call, &segments),
    };
    answer.unwrap_or_else(|no| own_refusal(call, &no))
}

fn show(shared: &Shared, segments: &[&str]) -> Result<Response<Body>, Refusal> {
    let now = shared.now();
    match segments {
        ["state"] => Ok(own(200, shared.world().snapshot(now))),
        ["counters"] => Ok(own(200, shared.world().counters())),
        ["history"] => Ok(own(200, shared.world().history())),
        ["settings"] => Ok(own(200, shared.world().settings_mut())),
        ["faults"] => Ok(own(200, shared.faults().list())),
        ["hooks"] => Ok(own(200, shared.world().hook_views())),
        ["jobs", id] => {
            let id = id.parse().map_err(|_| Refusal::NotFound)?;
            Ok(own(200, shared.world().job(id).ok_or(Refusal::NotFound)?))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn change(shared: &Shared, call: &Call, segments: &[&str]) -> Result<Response<Body>, Refusal> {
    let answer = match (call.method.as_str(), segments) {
        ("POST", ["jobs"]) => queue(shared, call),
        ("POST", ["jobs", id, action]) => act(shared, id, action).map(|()| done()),
        ("POST", ["groups"]) => {
            let made = shared.world().put_group(&body::<GroupState>(call)?);
            Ok(own(200, json!({ "id": made.map_err(|e| Refusal::Invalid(e.to_string()))? })))
        }
        ("POST" | "DELETE", _) => set(shared, call, segments).map(|()| done()),
        _ => Err(Refusal::NotFound),
    };
    shared.bump();
    answer
}

fn done() -> Response<Body> {
    plain(StatusCode::NO_CONTENT)
}

fn queue(shared: &Shared, call: &Call) -> Result<Response<Body>, Refusal> {
    let now = shared.now();
    let mut world = shared.world();
    let jobs = world.queue_job(&body::<JobSpec>(call)?, now)?;
    let run = jobs.first().and_then(|id| world.job(*id)).map(|j| j.run);
    Ok(own(201, json!({ "jobs": jobs, "run": run })))
}

/// Changes that have nothing to tell.
fn set(shared: &Shared, call: &Call, segments: &[&str]) -> Result<(), Refusal> {
    let now = shared.now();
    match (call.method.as_str(), segments) {
        ("POST", ["faults"]) => {
            let text = String::from_utf8_lossy(&call.body);
            shared.faults().add(&text, now.up).map_err(|e| Refusal::Invalid(e.to_string()))?;
        }
        ("DELETE", ["faults"]) => shared.faults().clear(),
        ("POST", ["tokens"]) => shared.world().add_token(&body::<TokenState>(call)?, now),
        ("POST", ["tokens", "revoke"]) => {
            if !shared.world().revoke_token(&body::<Named>(call)?.token) {
                return Err(Refusal::NotFound);
            }
        }
        ("POST", ["hooks"]) => {
            let made = shared.world().add_hook(&body::<HookState>(call)?, now);
            made.map_err(|e| Refusal::Invalid(e.to_string()))?;
        }
        ("POST", ["repositories"]) => shared.world().add_repository(&body::<RepositoryState>(call)?),
        ("POST", ["rename"]) => {
            let to = body::<Rename>(call)?;
            shared.world().rename_repository(&to.repository, &to.name)?;
        }
        ("POST", ["transfer"]) => {
            let to = body::<Transfer>(call)?;
            shared.world().transfer_repository(&to.repository, &to.owner)?;
        }
        ("POST", ["archive"]) => {
            let to = body::<Archive>(call)?;
            shared.world().archive_repository(&to.repository, to.archived)?;
        }
        ("POST", ["push"]) => shared.world().push_to_repository(&body::<Pushed>(call)?.repository, now)?,
        ("POST", ["runs", id, "cancel"]) => {
            shared.world().cancel_run(id.parse().map_err(|_| Refusal::NotFound)?, now)?;
        }
        ("POST", ["rename-organization"]) => {
            let to = body::<RenameOrganization>(call)?;
            shared.world().rename_organization(&to.organization, &to.login)?;
        }
        ("POST", ["apps", app, "installations"]) => {
            let app = app.parse().map_err(|_| Refusal::NotFound)?;
            shared.world().install(app, body::<InstallationState>(call)?)?;
        }
        ("POST", ["installations", id, action]) => {
            let id = id.parse().map_err(|_| Refusal::NotFound)?;
            match *action {
                "suspend" => shared.world().suspend_installation(id, true)?,
                "unsuspend" => shared.world().suspend_installation(id, false)?,
                "delete" => shared.world().delete_installation(id)?,
                _ => return Err(Refusal::NotFound),
            }
        }
        ("POST", ["scalesets", id, action]) => scale_set(shared, id, action)?,
        ("POST", ["service-tokens", "expire"]) => shared.world().expire_service_tokens(),
        ("POST", ["clock"]) => shared.clock().advance(body::<Advance>(call)?.advance),
        ("POST", ["settings"]) => settings(shared, call)?,
        _ => return Err(Refusal::NotFound),
    }
    Ok(())
}

#[derive(Deserialize)]
struct Named {
    token: String,
}

#[derive(Deserialize)]
struct Rename {
    repository: String,
    name: String,
}

/// What incidents of the service do to scale sets.
fn scale_set(shared: &Shared, id: &str, action: &str) -> Result<(), Refusal> {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let now = shared.now();
    let mut world = shared.world();
    if !world.scale_sets.contains_key(&id) {
        return Err(Refusal::NotFound);
    }
    match action {
        "drop" => world.drop_set(id, now),
        "expire" | "evict" => {
            world.end_queue(id, action == "evict");
        }
        _ => return Err(Refusal::NotFound),
    }
    Ok(())
}

#[derive(Deserialize)]
struct RenameOrganization {
    organization: String,
    login: String,
}

#[derive(Deserialize)]
struct Transfer {
    repository: String,
    owner: String,
}

#[derive(Deserialize)]
struct Archive {
    repository: String,
    archived: bool,
}

#[derive(Deserialize)]
struct Pushed {
    repository: String,
}

#[derive(Deserialize)]
struct Advance {
    #[serde(with = "human")]
    advance: std::time::Duration,
}

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    serde_json::from_slice(&call.body).map_err(|e| Refusal::Invalid(e.to_string()))
}

fn act(shared: &Shared, id: &str, action: &str) -> Result<(), Refusal> {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let now = shared.now();
    match action {
        "cancel" => shared.world().cancel_job(id, now)?,
        "release" => shared.world().release_job(id, now)?,
        _ => return Err(Refusal::NotFound),
    }
    Ok(())
}

/// Lays the given settings over those in force.
fn settings(shared: &Shared, call: &Call) -> Result<(), Refusal> {
    let given: serde_json::Map<String, Value> = body(call)?;
    let mut world = shared.world();
    let wrong = |e: serde_json::Error| Refusal::Invalid(e.to_string());
    let mut all = serde_json::to_value(world.settings_mut()).map_err(wrong)?;
    if let Value::Object(all) = &mut all {
        all.extend(given);
    }
    *world.settings_mut() = serde_json::from_value(all).map_err(wrong)?;
    Ok(())
}
