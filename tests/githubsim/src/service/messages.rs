//! The messages of a scale set: read, deleted, and the jobs in them acquired.

use super::Call;
use super::Effects;
use super::Reply;
use super::Trouble;
use super::VERSION;
use super::World;
use super::check_head;
use super::list;
use super::number;
use super::shape;
use crate::clock::Moment;

/// A poll for a message, taken apart.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) set: u64,
    pub(crate) session: String,
    capacity: u64,
    last: u64,
}

/// Whether a request is a poll, and then what it asks. What faults do to the set is done here.
pub(crate) fn polled(
    world: &mut World,
    call: &Call,
    effects: &Effects,
    now: Moment,
) -> Option<Result<Poll, Trouble>> {
    let is_poll = call.method == "GET" && call.segments() == ["_services", "broker", "scalesets", "message"];
    is_poll.then(|| poll(world, call, effects, now))
}

fn poll(world: &mut World, call: &Call, effects: &Effects, now: Moment) -> Result<Poll, Trouble> {
    check_head(call)?;
    let (set, session) = holder(world, call, effects, now)?;
    let accepted = call.header("accept").unwrap_or_default();
    if !accepted.contains(&format!("api-version={VERSION}")) {
        return Err(Trouble::no_version());
    }
    let capacity = call.header("x-scalesetmaxcapacity").and_then(|v| v.parse().ok());
    let capacity = capacity
        .ok_or_else(|| Trouble::text(400, "X-ScaleSetMaxCapacity must be a whole number of 0 or more."))?;
    let last = match call.parameter("lastMessageId") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Trouble::argument("lastMessageId"))?,
    };
    if effects.early_completed {
        world.tell_completed_early(set, now);
    }
    Ok(Poll { set, session, capacity, last })
}

/// Whose messages they are: the token says it, and the address says the same.
fn holder(world: &mut World, call: &Call, effects: &Effects, now: Moment) -> Result<(u64, String), Trouble> {
    let (_, set, session) = world.queue_holder(call.header("authorization"), now)?;
    if call.parameter("sessionId") != Some(&session) {
        return Err(Trouble::session_evicted(call.parameter("sessionId").unwrap_or_default()));
    }
    if effects.drop_set {
        world.drop_set(set, now);
    }
    if let Some(evicted) = effects.end_session {
        world.end_queue(set, evicted);
    }
    Ok((set, session))
}

/// One look for a message. `None`: none yet.
pub(crate) fn look(
    world: &mut World,
    call: &Call,
    poll: &Poll,
    effects: &Effects,
    now: Moment,
) -> Result<Option<Reply>, Trouble> {
    world.hear_poll(poll.set, &poll.session, poll.capacity, now)?;
    let message = match () {
        () if effects.withhold => None,
        () if effects.duplicate => world.last_message(poll.set),
        () => world.next_message(poll.set, poll.last),
    };
    let (Some(message), Some(set)) = (message, world.scale_sets.get(&poll.set)) else {
        return Ok(None);
    };
    let statistics = shape::statistics(world, set, effects, now);
    Ok(Some(Reply::ok(shape::message(&message, &shape::acquire_url(call, set), statistics))))
}

pub(super) fn delete(
    world: &mut World,
    call: &Call,
    effects: &Effects,
    id: &str,
    now: Moment,
) -> Result<Reply, Trouble> {
    let (set, session) = holder(world, call, effects, now)?;
    world.delete_message(set, &session, number(id)?)?;
    Ok(Reply::empty(204))
}

pub(super) fn acquire(world: &mut World, call: &Call, set: u64, now: Moment) -> Result<Reply, Trouble> {
    let (scope, own, _) = world.queue_holder(call.header("authorization"), now)?;
    if own != set {
        return Err(Trouble::text(401, "Unauthorized"));
    }
    let wanted: Vec<u64> = serde_json::from_slice(&call.body).map_err(|_| Trouble::argument("requestIds"))?;
    let got = world.acquire(scope, set, &wanted, now)?;
    Ok(list(got.into_iter().map(Into::into).collect()))
}
