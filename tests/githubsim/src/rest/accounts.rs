//! Users, organizations and repositories.

use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::page;
use super::reply::Reply;
use super::shape;
use super::shape::LONG_AGO;
use crate::world::Account;
use crate::world::AccountKind;
use crate::world::Credential;
use crate::world::Refusal;
use crate::world::Repository;
use crate::world::World;

pub(crate) fn route(world: &World, who: &Credential, call: &Call) -> Result<Reply, Refusal> {
    if call.method != "GET" {
        return Err(Refusal::NotFound);
    }
    match call.segments().as_slice() {
        ["user"] => user(world, who, call),
        ["user", "repos"] => {
            if who.user().is_none() {
                return Err(Refusal::Forbidden("Resource not accessible by integration".into()));
            }
            let mut all: Vec<_> =
                world.accounts.iter().flat_map(|a| world.visible_repositories(who, a)).collect();
            sort(call, "full_name", &mut all);
            Ok(page::array(call, &all, |r| shape::full_repository(call, world, r, false)))
        }
        ["orgs", login] => {
            let org = world.account(login, AccountKind::Organization)?;
            Ok(Reply::ok(organization(world, call, org)))
        }
        ["orgs", login, "repos"] => {
            let org = world.account(login, AccountKind::Organization)?;
            let mut seen = world.visible_repositories(who, org);
            sort(call, "created", &mut seen);
            Ok(page::array(call, &seen, |r| shape::repository(call, world, r)))
        }
        ["users", login] => Ok(Reply::ok(person(world.person_or_org(login)?, call))),
        ["users", login, "repos"] => {
            let account = world.person_or_org(login)?;
            let mut seen = world.visible_repositories(who, account);
            seen.retain(|r| !r.private);
            sort(call, "full_name", &mut seen);
            Ok(page::array(call, &seen, |r| shape::repository(call, world, r)))
        }
        ["repos", owner, name] => {
            let repository = world.repository(owner, name)?;
            world.may_see(who, repository)?;
            Ok(Reply::ok(shape::full_repository(call, world, repository, true)))
        }
        _ => Err(Refusal::NotFound),
    }
}

/// Sorts repositories as asked; the newest first, but names from A to Z.
fn sort(call: &Call, usual: &str, repositories: &mut [&Repository]) {
    let by = call.parameter("sort").unwrap_or(usual);
    match by {
        "pushed" => repositories.sort_by_key(|r| r.pushed.map(|at| at.wall)),
        "full_name" => repositories.sort_by_key(|r| r.full_name().to_lowercase()),
        _ => repositories.sort_by_key(|r| r.id),
    }
    let usual = if by == "full_name" { "asc" } else { "desc" };
    if call.parameter("direction").unwrap_or(usual) == "desc" {
        repositories.reverse();
    }
}

fn user(world: &World, who: &Credential, call: &Call) -> Result<Reply, Refusal> {
    let Some(login) = who.user() else {
        return Err(Refusal::Forbidden("Resource not accessible by integration".into()));
    };
    let mut out = person(world.person_or_org(login)?, call);
    let more = json!({
        "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
        "two_factor_authentication": true
    });
    if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
        out.extend(more);
    }
    Ok(Reply::ok(out))
}

/// A `public-user`.
fn person(account: &Account, call: &Call) -> Value {
    let mut out = shape::user(call, account);
    let more = json!({
        "name": account.login, "company": null, "blog": null, "location": null, "email": null, "hireable": null,
        "bio": null, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
        "created_at": LONG_AGO, "updated_at": LONG_AGO
    });
    if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
        out.extend(more);
    }
    out
}

fn organization(world: &World, call: &Call, org: &Account) -> Value {
    let url = format!("{}/orgs/{}", call.api, org.login);
    let public = world.repositories.iter().filter(|r| r.owner == org.id && !r.private).count();
    json!({
        "login": org.login, "id": org.id, "node_id": shape::node("O", org.id), "url": url,
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"), "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/{}", call.web, org.id), "description": null,
        "has_organization_projects": false, "has_repository_projects": false,
        "public_repos": public, "public_gists": 0, "followers": 0, "following": 0,
        "html_url": format!("{}/{}", call.web, org.login), "type": "Organization",
        "created_at": LONG_AGO, "updated_at": LONG_AGO, "archived_at": null
    })
}
