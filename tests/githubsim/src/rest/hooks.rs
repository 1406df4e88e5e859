//! Hooks of organizations, repositories and Apps, and their deliveries.

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::number;
use super::page;
use super::reply::Reply;
use super::shape::time;
use crate::clock::Moment;
use crate::world::AccountKind;
use crate::world::Credential;
use crate::world::Delivery;
use crate::world::Hook;
use crate::world::HookOwner;
use crate::world::HookRequest;
use crate::world::Level;
use crate::world::Refusal;
use crate::world::World;

/// What a secret is shown as.
const MASK: &str = "********";

/// The hooks of an organization or a repository.
pub(crate) fn route(world: &mut World, who: &Credential, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    let level = if call.method == "GET" { Level::Read } else { Level::Write };
    let segments = call.segments();
    let (owner, rest) = match segments.as_slice() {
        ["orgs", login, "hooks", rest @ ..] => {
            let org = world.account(login, AccountKind::Organization)?;
            world.may_hook_organization(who, org, level)?;
            (HookOwner::Organization(org.id), rest)
        }
        ["repos", owner, name, "hooks", rest @ ..] => {
            let repository = world.repository(owner, name)?;
            world.may_hook_repository(who, repository, level)?;
            (HookOwner::Repository(repository.id), rest)
        }
        _ => return Err(Refusal::NotFound),
    };
    let Some((id, rest)) = rest.split_first() else {
        return match call.method.as_str() {
            "GET" => Ok(page::array(call, &world.hooks_of(owner), |h| shape(call, h))),
            "POST" => {
                let id = world.create_hook(owner, wanted(call, true)?, now)?;
                Ok(Reply::new(201, shape(call, world.hook(owner, id)?)))
            }
            _ => Err(Refusal::NotFound),
        };
    };
    let id = world.hook(owner, number(id)?)?.id;
    one(world, call, (owner, id), rest, now)
}

/// An App's own hook.
pub(crate) fn of_app(
    world: &mut World,
    call: &Call,
    app: u64,
    rest: &[&str],
    now: Moment,
) -> Result<Reply, Refusal> {
    let owner = HookOwner::App(app);
    let hook = world.hooks_of(owner).first().map(|h| h.id).ok_or(Refusal::NotFound)?;
    match rest {
        ["config"] | ["deliveries", ..] => one(world, call, (owner, hook), rest, now),
        _ => Err(Refusal::NotFound),
    }
}

fn one(
    world: &mut World,
    call: &Call,
    (owner, id): (HookOwner, u64),
    rest: &[&str],
    now: Moment,
) -> Result<Reply, Refusal> {
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::ok(shape(call, world.hook(owner, id)?))),
        ("PATCH", []) => {
            world.change_hook(id, wanted(call, false)?, now)?;
            Ok(Reply::ok(shape(call, world.hook(owner, id)?)))
        }
        ("DELETE", []) => {
            world.delete_hook(id);
            Ok(Reply::empty(204))
        }
        ("GET", ["config"]) => Ok(Reply::ok(config(world.hook(owner, id)?))),
        ("PATCH", ["config"]) => {
            let sent: ConfigBody = call.json()?;
            world.change_hook(id, requested(Some(sent), None, None), now)?;
            Ok(Reply::ok(config(world.hook(owner, id)?)))
        }
        ("POST", ["pings"]) => {
            world.announce(crate::world::News::Ping(id));
            Ok(Reply::empty(204))
        }
        ("GET", ["deliveries"]) => deliveries(call, world.hook(owner, id)?),
        ("GET", ["deliveries", delivery]) => {
            let found = find(world.hook(owner, id)?, delivery)?;
            Ok(Reply::ok(whole(found)))
        }
        ("POST", ["deliveries", delivery, "attempts"]) => {
            let parcel = find(world.hook(owner, id)?, delivery)?.parcel.clone();
            world.redeliver(id, parcel);
            Ok(Reply::new(202, json!({})))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn find<'a>(hook: &'a Hook, id: &str) -> Result<&'a Delivery, Refusal> {
    let id = number(id)?;
    hook.deliveries.iter().find(|d| d.id == id).ok_or(Refusal::NotFound)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    name: Option<String>,
    config: Option<ConfigBody>,
    events: Option<Vec<String>>,
    active: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigBody {
    url: Option<String>,
    content_type: Option<String>,
    secret: Option<String>,
    insecure_ssl: Option<Value>,
}

fn wanted(call: &Call, new: bool) -> Result<HookRequest, Refusal> {
    let body: Body = call.json()?;
    let invalid = |what: &str| Err(Refusal::Invalid(format!("Validation Failed: {what}")));
    let nameless = new && call.segments().first() == Some(&"orgs") && body.name.is_none();
    if nameless || body.name.as_ref().is_some_and(|n| n != "web") {
        return invalid("name must be web");
    }
    if new && body.config.as_ref().is_none_or(|c| c.url.is_none()) {
        return invalid("config must contain url");
    }
    let kind = body.config.as_ref().and_then(|c| c.content_type.as_deref());
    if kind.is_some_and(|k| k != "json" && k != "form") {
        return invalid("content_type must be json or form");
    }
    Ok(requested(body.config, body.events, body.active))
}

fn requested(config: Option<ConfigBody>, events: Option<Vec<String>>, active: Option<bool>) -> HookRequest {
    let config = config.unwrap_or_default();
    let loose = |v: Value| v == json!("1") || v == json!(1);
    HookRequest {
        url: config.url,
        secret: config.secret,
        form: config.content_type.map(|t| t == "form"),
        insecure_ssl: config.insecure_ssl.map(loose),
        events,
        active,
    }
}

fn config(hook: &Hook) -> Value {
    let mut out = json!({
        "content_type": if hook.form { "form" } else { "json" },
        "insecure_ssl": if hook.insecure_ssl { "1" } else { "0" },
        "url": hook.url
    });
    if let (Some(_), Value::Object(out)) = (&hook.secret, &mut out) {
        out.insert("secret".into(), MASK.into());
    }
    out
}

/// A `hook` or `org-hook`: what differs is in which of them a last response and tests are.
pub(super) fn shape(call: &Call, hook: &Hook) -> Value {
    let base = call.path.split("/hooks").next().unwrap_or_default();
    let url = format!("{}{base}/hooks/{}", call.api, hook.id);
    let mut out = json!({
        "type": hook.owner.words().0, "id": hook.id, "name": "web", "active": hook.active, "events": hook.events,
        "config": config(hook), "updated_at": time(hook.updated.wall), "created_at": time(hook.created.wall),
        "url": url, "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries")
    });
    if let (HookOwner::Repository(_), Value::Object(out)) = (hook.owner, &mut out) {
        let last = hook.deliveries.last();
        let status = match last {
            None => "unused",
            Some(d) if (200..400).contains(&d.code) => "active",
            Some(_) => "misconfigured",
        };
        out.insert("test_url".into(), format!("{url}/tests").into());
        let message = last.map(|d| d.status.clone());
        let last = json!({ "code": last.map(|d| d.code), "status": status, "message": message });
        out.insert("last_response".into(), last);
    }
    out
}

/// One page of the deliveries, the newest first; a cursor names the one to start from.
fn deliveries(call: &Call, hook: &Hook) -> Result<Reply, Refusal> {
    let size = call.parameter("per_page").and_then(|v| v.parse().ok()).unwrap_or(30).clamp(1, 100);
    let from = match call.parameter("cursor") {
        None => u64::MAX,
        Some(text) => {
            let id = text.strip_prefix("v1_").and_then(|t| t.parse().ok());
            id.ok_or_else(|| Refusal::Invalid("Invalid cursor".into()))?
        }
    };
    let outcome = |d: &&Delivery| match call.parameter("status") {
        Some("success") => (200..400).contains(&d.code),
        Some("failure") => d.code >= 400,
        _ => true,
    };
    let mut rest = hook.deliveries.iter().rev().filter(|d| d.id <= from).filter(outcome);
    let page: Vec<Value> = rest.by_ref().take(size).map(|d| Value::Object(item(d))).collect();
    let reply = Reply::ok(Value::Array(page));
    Ok(match rest.next() {
        None => reply,
        Some(next) => {
            let kept = call.query.iter().filter(|(k, _)| k != "cursor");
            let kept: String = kept.map(|(k, v)| format!("{k}={v}&")).collect();
            let url = format!("{}{}?{kept}cursor=v1_{}", call.api, call.path, next.id);
            reply.with("link", format!("<{url}>; rel=\"next\""))
        }
    })
}

fn item(d: &Delivery) -> Map<String, Value> {
    let out = json!({
        "id": d.id, "guid": d.parcel.guid, "delivered_at": time(d.at.wall), "redelivery": d.redelivery,
        "duration": d.duration_secs, "status": d.status, "status_code": d.code, "event": d.parcel.event,
        "action": d.parcel.action, "installation_id": d.parcel.installation,
        "repository_id": d.parcel.repository, "throttled_at": null
    });
    match out {
        Value::Object(out) => out,
        _ => Map::new(),
    }
}

fn whole(d: &Delivery) -> Value {
    let mut out = item(d);
    out.insert("url".into(), d.url.clone().into());
    out.insert("request".into(), json!({ "headers": d.request_headers, "payload": d.parcel.payload }));
    out.insert("response".into(), json!({ "headers": d.response_headers, "payload": d.response_body }));
    Value::Object(out)
}
