//! Scale sets, groups, and the opening and closing of sessions.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Reply;
use super::Request;
use super::Trouble;
use super::World;
use super::body;
use super::list;
use super::number;
use super::shape;
use crate::world::Addresses;
use crate::world::Scope;
use crate::world::SetLabel;
use crate::world::SetRequest;

pub(super) fn route(world: &mut World, request: &Request<'_>, rest: &[&str]) -> Result<Reply, Trouble> {
    let (scope, now) = (request.scope, request.now);
    match (request.call.method.as_str(), rest) {
        ("GET", []) => Ok(find(world, request)),
        ("POST", []) => {
            let id = world.create_set(scope, wanted(request)?, now)?;
            shown(world, request, id)
        }
        (_, [id, rest @ ..]) => of_set(world, request, number(id)?, rest),
        _ => Err(Trouble::text(405, "Method Not Allowed")),
    }
}

fn of_set(world: &mut World, request: &Request<'_>, id: u64, rest: &[&str]) -> Result<Reply, Trouble> {
    let (scope, now) = (request.scope, request.now);
    if request.effects.drop_set {
        world.drop_set(id, now);
    }
    if let Some(evicted) = request.effects.end_session {
        world.end_queue(id, evicted);
    }
    world.set_in(scope, id)?;
    match (request.call.method.as_str(), rest) {
        ("GET", []) => shown(world, request, id),
        ("PATCH", []) => {
            world.change_set(scope, id, wanted(request)?)?;
            shown(world, request, id)
        }
        ("DELETE", []) => {
            world.delete_set(scope, id, now)?;
            Ok(Reply::empty(204))
        }
        ("POST", ["generatejitconfig"]) => generate(world, request, id),
        ("GET", ["acquirablejobs"]) => acquirable(world, request, id),
        ("POST", ["sessions"]) => {
            let owner = body::<Owner>(request.call)?.owner_name;
            if owner.is_empty() {
                return Err(Trouble::argument("ownerName"));
            }
            let (_, token) = world.open_queue(scope, id, &owner, &request.maker(world), now)?;
            Ok(Reply::ok(shape::session(world, request, world.set_in(scope, id)?, &token)))
        }
        ("PATCH", ["sessions", session]) => {
            let token = world.refresh_queue(scope, id, session, &request.maker(world), now)?;
            Ok(Reply::ok(shape::session(world, request, world.set_in(scope, id)?, &token)))
        }
        ("DELETE", ["sessions", session]) => {
            world.close_queue(scope, id, session)?;
            Ok(Reply::empty(204))
        }
        _ => Err(Trouble::text(404, "Not Found")),
    }
}

fn shown(world: &World, request: &Request<'_>, id: u64) -> Result<Reply, Trouble> {
    let set = world.set_in(request.scope, id)?;
    Ok(Reply::ok(shape::set(world, request.call, set, request.effects, request.now)))
}

fn find(world: &World, request: &Request<'_>) -> Reply {
    let mut sets = world.sets_in(request.scope);
    if let Some(name) = request.call.parameter("name") {
        sets.retain(|s| s.name.eq_ignore_ascii_case(name));
    }
    if let Some(group) = request.call.parameter("runnerGroupId") {
        sets.retain(|s| s.group.to_string() == group);
    }
    list(sets.iter().map(|s| shape::set(world, request.call, s, request.effects, request.now)).collect())
}

pub(super) fn groups(world: &World, request: &Request<'_>) -> Reply {
    let mut groups: Vec<Value> = match request.scope {
        scope @ (Scope::Organization(owner) | Scope::Enterprise(owner)) => {
            let groups = world.groups_of(owner, None);
            groups.iter().map(|g| shape::group(world, g.id, &g.name, scope)).collect()
        }
        scope @ Scope::Repository(_) => vec![shape::group(world, 1, "Default", scope)],
    };
    if let Some(name) = request.call.parameter("groupName") {
        groups.retain(|g| g["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    }
    list(groups)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Owner {
    owner_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SetBody {
    name: Option<String>,
    runner_group_id: Option<u64>,
    labels: Option<Vec<LabelBody>>,
    #[serde(alias = "RunnerSetting")]
    runner_setting: Option<SettingBody>,
}

#[derive(Deserialize)]
struct LabelBody {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SettingBody {
    disable_update: Option<bool>,
}

fn wanted(request: &Request<'_>) -> Result<SetRequest, Trouble> {
    let body: SetBody = body(request.call)?;
    let labels = body.labels.map(|labels| {
        let kept = |l: LabelBody| SetLabel { name: l.name, kind: l.kind.unwrap_or_else(|| "System".into()) };
        labels.into_iter().map(kept).collect::<Vec<_>>()
    });
    if labels.iter().flatten().any(|l| l.name.trim().is_empty()) {
        return Err(Trouble::argument("labels"));
    }
    Ok(SetRequest {
        name: body.name,
        // 0 is how clients write that they do not say.
        group: body.runner_group_id.filter(|id| *id != 0),
        labels,
        disable_update: body.runner_setting.and_then(|s| s.disable_update),
    })
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JitBody {
    name: String,
    work_folder: String,
}

fn generate(world: &mut World, request: &Request<'_>, id: u64) -> Result<Reply, Trouble> {
    let call = request.call;
    let body: JitBody = body(call)?;
    let runner = world.register_in_set(request.scope, id, &body.name, &body.work_folder, request.now)?;
    let at = Addresses { service: call.service.clone(), web: call.web.clone() };
    let config = world.jit_config(runner, &at).map_err(|_| Trouble::no_agent(runner))?;
    let found = world.runner_in(request.scope, runner).map_err(|_| Trouble::no_agent(runner))?;
    Ok(Reply::ok(json!({ "runner": shape::agent(world, request, found), "encodedJITConfig": config })))
}

fn acquirable(world: &World, request: &Request<'_>, id: u64) -> Result<Reply, Trouble> {
    let url = shape::acquire_url(request.call, world.set_in(request.scope, id)?);
    let jobs = world.acquirable(request.scope, id)?;
    if jobs.is_empty() {
        return Ok(Reply::empty(204));
    }
    Ok(list(
        jobs.into_iter().map(|j| shape::offer(world.job_message(j, "JobAvailable", None), &url)).collect(),
    ))
}
