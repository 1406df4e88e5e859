//! Runners of an organization, a repository or an enterprise.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::Effects;
use super::context::number;
use super::page;
use super::reply::Reply;
use super::shape;
use crate::clock::Moment;
use crate::faults::glob;
use crate::world::AccountKind;
use crate::world::Credential;
use crate::world::Level;
use crate::world::Refusal;
use crate::world::RunnerRequest;
use crate::world::Scope;
use crate::world::World;

/// The place a path names.
pub(crate) enum Place<'a> {
    Organization(&'a str),
    Enterprise(&'a str),
    Repository(&'a str, &'a str),
}

/// A request about runners; `rest` is what follows `…/actions/runners`.
pub(crate) struct Request<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) rest: Vec<&'a str>,
    pub(crate) who: &'a Credential,
    pub(crate) call: &'a Call,
    pub(crate) effects: &'a Effects,
}

impl Request<'_> {
    /// The scope, if the caller may do this there.
    fn scope(&self, world: &World, level: Level) -> Result<Scope, Refusal> {
        match self.place {
            Place::Organization(login) => {
                let org = world.account(login, AccountKind::Organization)?;
                world.may_manage(self.who, org, level)?;
                Ok(Scope::Organization(org.id))
            }
            Place::Enterprise(slug) => {
                let enterprise = world.account(slug, AccountKind::Enterprise)?;
                world.may_manage_enterprise(self.who, enterprise)?;
                Ok(Scope::Enterprise(enterprise.id))
            }
            Place::Repository(owner, name) => {
                let repository = world.repository(owner, name)?;
                world.may_administer(self.who, repository, level)?;
                Ok(Scope::Repository(repository.id))
            }
        }
    }
}

pub(crate) fn route(world: &mut World, request: &Request<'_>, now: Moment) -> Result<Reply, Refusal> {
    match (request.call.method.as_str(), request.rest.as_slice()) {
        ("GET", []) => list(world, request, now),
        ("GET", ["downloads"]) => downloads(world, request),
        ("POST", ["generate-jitconfig"]) => generate(world, request, now),
        ("POST", ["registration-token"]) => token(world, request, false, now),
        ("POST", ["remove-token"]) => token(world, request, true, now),
        ("GET", [id]) => {
            let scope = request.scope(world, Level::Read)?;
            let runner = world.runner_in(scope, number(id)?)?;
            Ok(Reply::ok(shape::runner(world, runner, request.effects, now)))
        }
        ("DELETE", [id]) => {
            let scope = request.scope(world, Level::Write)?;
            world.delete_runner(scope, number(id)?, request.effects.delete_busy, now)?;
            Ok(Reply::empty(204))
        }
        (method, [id, "labels", rest @ ..]) => labels(world, request, method, id, rest),
        _ => Err(Refusal::NotFound),
    }
}

fn list(world: &World, request: &Request<'_>, now: Moment) -> Result<Reply, Refusal> {
    let scope = request.scope(world, Level::Read)?;
    let mut runners = world.runners_in(scope);
    if let Some(name) = request.call.parameter("name") {
        runners.retain(|r| r.name.eq_ignore_ascii_case(name));
    }
    if let Some(omitted) = &request.effects.omit {
        runners.retain(|r| !glob(omitted, &r.name));
    }
    Ok(page::listing(request.call, "runners", &runners, |r| shape::runner(world, r, request.effects, now)))
}

fn downloads(world: &World, request: &Request<'_>) -> Result<Reply, Refusal> {
    request.scope(world, Level::Read)?;
    let file = "actions-runner-linux-x64-2.335.0.tar.gz";
    Ok(Reply::ok(json!([{
        "os": "linux",
        "architecture": "x64",
        "download_url": format!("{}/actions/runner/releases/download/v2.335.0/{file}", request.call.web),
        "filename": file
    }])))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JitBody {
    name: Option<Value>,
    runner_group_id: Option<Value>,
    labels: Option<Value>,
    work_folder: Option<String>,
}

fn generate(world: &mut World, request: &Request<'_>, now: Moment) -> Result<Reply, Refusal> {
    let scope = request.scope(world, Level::Write)?;
    let wanted = wanted(request.call)?;
    let registered = world.register(scope, wanted, now)?;
    let at = crate::world::Addresses { service: request.call.service.clone(), web: request.call.web.clone() };
    let config = world.jit_config(registered.runner_id, &at)?;
    let runner = world.runner_in(scope, registered.runner_id)?;
    let body = json!({
        "runner": shape::runner(world, runner, request.effects, now),
        "encoded_jit_config": config
    });
    Ok(Reply::new(201, body))
}

fn invalid(what: &str) -> Refusal {
    Refusal::Invalid(format!("Invalid input: {what}"))
}

fn wanted(call: &Call) -> Result<RunnerRequest, Refusal> {
    let body: JitBody = call.json()?;
    let missing = |key: &str| invalid(&format!("object is missing required key: {key}"));
    let name = body.name.ok_or_else(|| missing("name"))?;
    let group = body.runner_group_id.ok_or_else(|| missing("runner_group_id"))?;
    let labels = body.labels.ok_or_else(|| missing("labels"))?;
    let name = name.as_str().ok_or_else(|| invalid("name is not a string."))?.to_string();
    let group = group.as_u64().ok_or_else(|| invalid("runner_group_id is not an integer."))?;
    let labels: Vec<String> =
        serde_json::from_value(labels).map_err(|_| invalid("labels is not an array of strings."))?;
    if labels.is_empty() || labels.len() > 100 {
        return Err(invalid("labels must have between 1 and 100 items."));
    }
    Ok(RunnerRequest {
        name,
        group,
        labels,
        work_folder: body.work_folder.unwrap_or_else(|| "_work".into()),
        ephemeral: true,
        disable_update: false,
        replace: false,
    })
}

fn token(world: &mut World, request: &Request<'_>, removes: bool, now: Moment) -> Result<Reply, Refusal> {
    let scope = request.scope(world, Level::Write)?;
    let (maker, _) = request.who.budget();
    let (token, expires) = world.create_registration_token(scope, removes, &maker, now);
    Ok(Reply::new(201, json!({ "token": token, "expires_at": shape::time(expires.wall) })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LabelsBody {
    labels: Vec<String>,
}

fn labels(
    world: &mut World,
    request: &Request<'_>,
    method: &str,
    id: &str,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let level = if method == "GET" { Level::Read } else { Level::Write };
    let scope = request.scope(world, level)?;
    let id = number(id)?;
    let has = world.runner_in(scope, id)?.labels.clone();
    let sent = || request.call.json::<LabelsBody>().map(|b| b.labels);
    let set = match (method, rest) {
        ("GET", []) => None,
        ("PUT", []) => Some(sent()?),
        ("POST", []) => Some([has, sent()?].concat()),
        ("DELETE", []) => Some(Vec::new()),
        ("DELETE", [name]) if has.iter().any(|l| l.eq_ignore_ascii_case(name)) => {
            Some(has.into_iter().filter(|l| !l.eq_ignore_ascii_case(name)).collect())
        }
        _ => return Err(Refusal::NotFound),
    };
    if let Some(set) = set {
        world.relabel(scope, id, &set)?;
    }
    let runner = world.runner_in(scope, id)?;
    let body = json!({ "total_count": runner.labels.len(), "labels": shape::labels(world, runner) });
    Ok(Reply::ok(body))
}
