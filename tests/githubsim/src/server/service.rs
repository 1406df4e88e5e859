//! The Actions service over HTTP: what is answered at once, and the long poll.

use super::Shared;
use crate::rest::Call;
use crate::rest::Effects;
use crate::rest::Reply;
use crate::service;
use crate::world::Trouble;
use crate::world::World;

/// Marks a session as polling, and unmarks it however the poll ends.
struct Held<'a> {
    shared: &'a Shared,
    set: u64,
    session: &'a str,
}

impl<'a> Held<'a> {
    fn new(shared: &'a Shared, set: u64, session: &'a str) -> Self {
        shared.world().set_queue_polling(set, session, true, shared.now());
        Self { shared, set, session }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.world().set_queue_polling(self.set, self.session, false, now);
    }
}

pub(super) async fn answer(shared: &Shared, call: &Call, effects: &Effects) -> Reply {
    let now = shared.now();
    count(&mut shared.world(), call);
    let polled = service::polled(&mut shared.world(), call, effects, now);
    let reply = match polled {
        Some(poll) => match message(shared, call, poll, effects).await {
            Ok(reply) => reply,
            Err(no) => service::troubled(&no),
        },
        None => service::answer(&mut shared.world(), call, effects, now),
    };
    if call.method != "GET" || reply.status != 202 {
        shared.bump();
    }
    match call.method.as_str() {
        "GET" => service::stamped(&mut shared.world(), reply),
        _ => reply,
    }
}

fn count(world: &mut World, call: &Call) {
    let behind = world.behind(call.header("authorization")).map(ToString::to_string);
    world.count_request(behind);
}

async fn message(
    shared: &Shared,
    call: &Call,
    poll: Result<service::Poll, Trouble>,
    effects: &Effects,
) -> Result<Reply, Trouble> {
    let poll = poll?;
    let hold = shared.world().settings.message_hold;
    let deadline = tokio::time::Instant::now() + hold;
    let mut changes = shared.changes();
    let _held = Held::new(shared, poll.set, &poll.session);
    loop {
        changes.mark_unchanged();
        let found = service::look(&mut shared.world(), call, &poll, effects, shared.now())?;
        if let Some(reply) = found {
            return Ok(reply);
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(deadline) => return Ok(Reply::empty(202)),
            () = shared.stopped() => return Err(Trouble::text(503, "The service is unavailable.")),
        }
    }
}
