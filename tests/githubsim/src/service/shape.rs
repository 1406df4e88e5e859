//! JSON in the shapes of the service.

use std::time::SystemTime;

use serde_json::Value;
use serde_json::json;

use super::Call;
use super::Request;
use super::World;
use super::entry::place;
use crate::clock::rfc3339;
use crate::rest::Effects;
use crate::world::Message;
use crate::world::Runner;
use crate::world::ScaleSet;

fn time(at: SystemTime) -> String {
    rfc3339(at).replace('Z', ".0000000Z")
}

fn base(call: &Call, set: &ScaleSet) -> String {
    let place = place(set.scope);
    format!("{}/_services/pipelines/{place}/_apis/runtime/runnerscalesets/{}", call.web, set.id)
}

/// Numbers about a set, as they are or as a fault has them.
pub(super) fn statistics(
    world: &World,
    set: &ScaleSet,
    effects: &Effects,
    now: crate::clock::Moment,
) -> Value {
    let mut numbers = world.statistics(set, now);
    if let Some(stuck) = effects.statistics {
        numbers.total_assigned_jobs = stuck;
    }
    json!(numbers)
}

pub(super) fn set(
    world: &World,
    call: &Call,
    set: &ScaleSet,
    effects: &Effects,
    now: crate::clock::Moment,
) -> Value {
    let base = base(call, set);
    let labels: Vec<Value> = set
        .labels
        .iter()
        .enumerate()
        .map(|(at, l)| json!({ "id": at + 1, "name": l.name, "type": l.kind }))
        .collect();
    json!({
        "id": set.id, "name": set.name, "runnerGroupId": set.group,
        "runnerGroupName": world.group_name(set.scope, set.group), "labels": labels,
        "RunnerSetting": { "ephemeral": true, "isElastic": true, "disableUpdate": set.disable_update },
        "createdOn": time(set.created.wall), "runnerJitConfigUrl": format!("{base}/generatejitconfig"),
        "getAcquirableJobsUrl": format!("{base}/acquirablejobs"), "acquireJobsUrl": acquire_url(call, set),
        "enabled": true, "status": if set.session.is_some() { "online" } else { "offline" },
        "statistics": statistics(world, set, effects, now)
    })
}

pub(super) fn agent(world: &World, request: &Request<'_>, r: &Runner) -> Value {
    let labels: Vec<Value> =
        r.labels.iter().map(|l| json!({ "id": world.label_id(l), "name": l, "type": "System" })).collect();
    json!({
        "id": r.id, "name": r.name, "runnerScaleSetId": r.scale_set, "createdOn": time(r.registered.wall),
        "runnerGroupId": r.group, "runnerGroupName": world.group_name(r.scope, r.group),
        "version": r.version.clone().unwrap_or_default(), "osDescription": r.os, "enabled": true,
        "ephemeral": r.ephemeral, "disableUpdate": r.disable_update, "provisioningState": "Provisioned",
        "status": if world.is_online(r, request.now) { "online" } else { "offline" },
        "busy": r.job.is_some() && !request.effects.hide_busy, "labels": labels
    })
}

pub(super) fn group(world: &World, id: u64, name: &str, scope: crate::world::Scope) -> Value {
    let size = world.runners_in(scope).iter().filter(|r| r.group == id).count();
    json!({ "id": id, "name": name, "size": size, "isDefaultGroup": id == 1 })
}

pub(super) fn session(world: &World, request: &Request<'_>, found: &ScaleSet, token: &str) -> Value {
    let (call, effects, now) = (request.call, request.effects, request.now);
    let (id, owner) = found.session.as_ref().map_or(("", ""), |s| (s.id.as_str(), s.owner.as_str()));
    let url = format!("{}/_services/broker/scalesets/message?sessionId={id}", call.web);
    json!({
        "sessionId": id, "ownerName": owner, "runnerScaleSet": set(world, call, found, effects, now),
        "messageQueueUrl": if effects.no_queue_url { String::new() } else { url },
        "messageQueueAccessToken": token, "statistics": statistics(world, found, effects, now)
    })
}

/// Where jobs that are offered to a set are acquired.
pub(super) fn acquire_url(call: &Call, set: &ScaleSet) -> String {
    format!("{}/acquirejobs", base(call, set))
}

/// A job that is offered says where it is acquired.
pub(super) fn offer(mut job: Value, acquire_url: &str) -> Value {
    if job["messageType"] == "JobAvailable" {
        job["acquireJobUrl"] = acquire_url.into();
    }
    job
}

pub(super) fn message(message: &Message, acquire_url: &str, statistics: Value) -> Value {
    let jobs = message.jobs.iter().map(|j| offer(j.clone(), acquire_url)).collect();
    json!({
        "messageId": message.id, "messageType": "RunnerScaleSetJobMessages",
        "body": Value::Array(jobs).to_string(), "statistics": statistics
    })
}
