//! The REST API: one synchronous function from a request to a reply.

mod accounts;
mod apps;
mod context;
mod groups;
mod hooks;
mod meta;
mod needs;
mod page;
mod payload;
mod reply;
mod runners;
mod runs;
mod shape;

pub(crate) use context::Call;
pub(crate) use context::Effects;
pub(crate) use page::escaped;
pub(crate) use payload::payload;
pub(crate) use reply::Reply;
pub(crate) use reply::faulty;
pub(crate) use reply::refused;

use crate::clock::Moment;
use crate::world::Refusal;
use crate::world::World;

/// The versions of the API that may be asked for.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Answers one request.
pub(crate) fn answer(world: &mut World, call: &Call, effects: &Effects, now: Moment) -> Reply {
    let reply = match admit(world, call, now) {
        Ok(who) => {
            world.count_request(who.budget_name());
            let reply = route(world, &who, call, effects, now).unwrap_or_else(|no| refused(call, &no));
            let reply = reply.tagged(call);
            if let (304, Some(budget)) = (reply.status, who.budget_name()) {
                world.refund(&budget);
            }
            reply.limited(world, &who, now).needing(&who, call)
        }
        Err(stopped) => {
            world.count_request(stopped.1.budget_name());
            refused(call, &stopped.0).limited(world, &stopped.1, now)
        }
    };
    world.count_answer(reply.status);
    reply.stamped(world, call, now)
}

/// What holds for every request: it has a `User-Agent`, a known version, and somebody behind it.
fn admit(world: &mut World, call: &Call, now: Moment) -> Result<context::Who, Box<(Refusal, context::Who)>> {
    let nobody = || context::Who::Nobody;
    if call.header("user-agent").is_none_or(str::is_empty) {
        let no = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check https://developer.github.com for other possible causes.";
        return Err(Box::new((Refusal::Forbidden(no.into()), nobody())));
    }
    if let Some(version) = call.header("x-github-api-version")
        && !VERSIONS.contains(&version)
    {
        let no = Refusal::BadRequest(format!(
            "The version of the API you've requested is not supported: {version}"
        ));
        return Err(Box::new((no, nobody())));
    }
    let who = match world.authenticate(call.header("authorization"), now) {
        Ok(credential) => context::Who::Known(credential),
        Err(_) if call.header("authorization").is_none() && meta::is_public(call) => nobody(),
        Err(no) => return Err(Box::new((no, nobody()))),
    };
    if let context::Who::Known(credential) = &who
        && call.segments() != ["rate_limit"]
    {
        let (name, wording) = credential.budget();
        world.charge(&name, &wording, now).map_err(|no| Box::new((no, who.clone())))?;
    }
    Ok(who)
}

fn route(
    world: &mut World,
    who: &context::Who,
    call: &Call,
    effects: &Effects,
    now: Moment,
) -> Result<Reply, Refusal> {
    if let Some(reply) = meta::route(world, who, call, now)? {
        return Ok(reply);
    }
    let who = who.known()?;
    let segments = call.segments();
    let (place, rest) = match segments.as_slice() {
        ["orgs" | "enterprises", _, "actions", "runner-groups", ..] => {
            return groups::route(world, who, call, now);
        }
        ["orgs", _, "actions", "runners", rest @ ..] => (runners::Place::Organization(segments[1]), rest),
        ["enterprises", _, "actions", "runners", rest @ ..] => {
            (runners::Place::Enterprise(segments[1]), rest)
        }
        ["repos", owner, name, "actions", "runners", rest @ ..] => {
            (runners::Place::Repository(owner, name), rest)
        }
        ["repos", _, _, "actions", ..] => return runs::route(world, who, call, now),
        ["orgs", _, "hooks", ..] | ["repos", _, _, "hooks", ..] => {
            return hooks::route(world, who, call, now);
        }
        ["app", ..] | ["installation", ..] => return apps::route(world, who, call, now),
        ["orgs", _, "installation"] | ["repos", _, _, "installation"] | ["users", _, "installation"] => {
            return apps::route(world, who, call, now);
        }
        ["orgs", ..] | ["repos", ..] | ["user" | "users", ..] => return accounts::route(world, who, call),
        _ => return Err(Refusal::NotFound),
    };
    let request = runners::Request { place, rest: rest.to_vec(), who, call, effects };
    runners::route(world, &request, now)
}
