//! Runners, as the service knows them.

use super::Reply;
use super::Request;
use super::Trouble;
use super::World;
use super::list;
use super::number;
use super::shape;
use crate::faults::glob;
use crate::world::Refusal;

pub(super) fn route(world: &mut World, request: &Request<'_>, rest: &[&str]) -> Result<Reply, Trouble> {
    match (request.call.method.as_str(), rest) {
        ("GET", []) => {
            let mut runners = world.runners_in(request.scope);
            if let Some(name) = request.call.parameter("agentName") {
                runners.retain(|r| r.name.eq_ignore_ascii_case(name));
            }
            if let Some(omitted) = &request.effects.omit {
                runners.retain(|r| !glob(omitted, &r.name));
            }
            Ok(list(runners.iter().map(|r| shape::agent(world, request, r)).collect()))
        }
        ("GET", [id]) => {
            let id = number(id)?;
            let runner = world.runner_in(request.scope, id).map_err(|_| Trouble::no_agent(id))?;
            Ok(Reply::ok(shape::agent(world, request, runner)))
        }
        ("DELETE", [id]) => delete(world, request, number(id)?),
        _ => Err(Trouble::text(404, "Not Found")),
    }
}

fn delete(world: &mut World, request: &Request<'_>, id: u64) -> Result<Reply, Trouble> {
    let name = world.runner_in(request.scope, id).map_or_else(|_| String::new(), |r| r.name.clone());
    match world.delete_runner(request.scope, id, request.effects.delete_busy, request.now) {
        // What is not there is as good as deleted.
        Ok(()) | Err(Refusal::NotFound) => Ok(Reply::empty(204)),
        Err(_) => Err(Trouble::still_running(&name)),
    }
}
