//! What needs nobody behind it: limits, versions, addresses.

use serde_json::json;

use super::VERSIONS;
use super::context::Call;
use super::context::Who;
use super::reply::Reply;
use crate::clock::Moment;
use crate::world::Refusal;
use crate::world::World;

/// Whether a request is answered without credentials too.
pub(crate) fn is_public(call: &Call) -> bool {
    matches!(call.segments().as_slice(), [] | ["meta" | "versions" | "rate_limit"])
}

pub(crate) fn route(
    world: &mut World,
    who: &Who,
    call: &Call,
    now: Moment,
) -> Result<Option<Reply>, Refusal> {
    let segments = call.segments();
    if !is_public(call) {
        return Ok(None);
    }
    if call.method != "GET" {
        return Err(Refusal::NotFound);
    }
    match segments.as_slice() {
        ["meta"] => Ok(Some(meta(&world.settings.hook_addresses))),
        ["versions"] => Ok(Some(Reply::ok(json!(VERSIONS)))),
        ["rate_limit"] => Ok(Some(limits(world, who, now))),
        _ => Err(Refusal::NotFound),
    }
}

fn meta(hooks: &[String]) -> Reply {
    Reply::ok(json!({
        "verifiable_password_authentication": false,
        "hooks": hooks, "web": ["192.0.2.0/24"], "api": ["192.0.2.0/24"], "git": ["192.0.2.0/24"],
        "packages": ["192.0.2.0/24"], "pages": ["192.0.2.0/24"], "importer": ["192.0.2.0/24"],
        "actions": ["192.0.2.0/24"], "dependabot": ["192.0.2.0/24"]
    }))
}

fn limits(world: &mut World, who: &Who, now: Moment) -> Reply {
    let name = who.budget_name();
    let limit = if name.is_some() { world.settings.rate_limit } else { 60 };
    let core = world.bucket(name.as_deref().unwrap_or("nobody"), now);
    let rate = |limit: u64, used: u64| json!({ "limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": core.reset });
    Reply::ok(json!({
        "resources": {
            "core": rate(limit, core.used),
            "search": rate(30, 0),
            "graphql": rate(5000, 0),
            "actions_runner_registration": rate(10_000, 0)
        },
        "rate": rate(limit, core.used)
    }))
}
