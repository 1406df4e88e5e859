//! Runner groups of an organization or an enterprise.

use super::context::Call;
use super::context::Effects;
use super::context::number;
use super::page;
use super::reply::Reply;
use super::shape;
use crate::clock::Moment;
use crate::world::AccountKind;
use crate::world::Credential;
use crate::world::Level;
use crate::world::Refusal;
use crate::world::World;

pub(crate) fn route(world: &World, who: &Credential, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    let segments = call.segments();
    let login = segments.get(1).copied().unwrap_or_default();
    let of_enterprise = segments.first() == Some(&"enterprises");
    let kind = if of_enterprise { AccountKind::Enterprise } else { AccountKind::Organization };
    let owner = world.account(login, kind)?;
    if of_enterprise {
        world.may_manage_enterprise(who, owner)?;
    } else {
        let level = if call.method == "GET" { Level::Read } else { Level::Write };
        world.may_manage(who, owner, level)?;
    }
    match (call.method.as_str(), &segments[4..]) {
        ("GET", []) => {
            let groups = world.groups_of(owner.id, call.parameter("visible_to_repository"));
            Ok(page::listing(call, "runner_groups", &groups, |g| shape::group(call, owner, g)))
        }
        ("GET", [id]) => Ok(Reply::ok(shape::group(call, owner, world.group_of(owner.id, number(id)?)?))),
        ("GET", [id, "repositories"]) if !of_enterprise => {
            let repositories = world.group_repositories(world.group_of(owner.id, number(id)?)?);
            Ok(page::listing(call, "repositories", &repositories, |r| shape::repository(call, world, r)))
        }
        ("GET", [id, "runners"]) => {
            let runners = world.group_runners(world.group_of(owner.id, number(id)?)?);
            let plain = Effects::default();
            Ok(page::listing(call, "runners", &runners, |r| shape::runner(world, r, &plain, now)))
        }
        _ => Err(Refusal::NotFound),
    }
}
