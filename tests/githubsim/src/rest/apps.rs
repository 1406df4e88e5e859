//! GitHub Apps, their installations and installation tokens.

use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::number;
use super::hooks;
use super::page;
use super::reply::Reply;
use super::shape;
use super::shape::LONG_AGO;
use crate::clock::Moment;
use crate::state::InstallationState;
use crate::world::App;
use crate::world::Credential;
use crate::world::Refusal;
use crate::world::Repository;
use crate::world::World;

pub(crate) fn route(world: &mut World, who: &Credential, call: &Call, now: Moment) -> Result<Reply, Refusal> {
    let segments = call.segments();
    if let ["installation", rest @ ..] = segments.as_slice() {
        return of_installation(world, who, call, rest);
    }
    let Credential::App(id) = who else {
        return Err(Refusal::Unauthorized("A JSON web token could not be decoded"));
    };
    match (call.method.as_str(), segments.as_slice()) {
        (_, ["app", "hook", rest @ ..]) => hooks::of_app(world, call, *id, rest, now),
        ("GET", ["app"]) => Ok(Reply::ok(app(world, call, world.app(*id)?)?)),
        ("POST", ["app", "installations", installation, "access_tokens"]) => {
            create_token(world, call, *id, number(installation)?, now)
        }
        ("GET", ["app", "installations"]) => list(world, call, world.app(*id)?),
        ("GET", ["app", "installations", installation]) => {
            let wanted = number(installation)?;
            found(world, call, *id, |i| i.id == wanted)
        }
        ("GET", ["orgs", login, "installation"] | ["users", login, "installation"]) => {
            found(world, call, *id, |i| i.account.eq_ignore_ascii_case(login))
        }
        ("GET", ["repos", owner, name, "installation"]) => {
            let repository = world.repository(owner, name)?;
            found(world, call, *id, |i| covers(i, repository))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn list(world: &World, call: &Call, app: &App) -> Result<Reply, Refusal> {
    let mut shapes = Vec::new();
    for installation in &app.installations {
        let mut shape = shape_of(world, call, app, installation)?;
        // In listings, and only there, the description knows no client id and wants an account to
        // have what enterprises have.
        if let Value::Object(shape) = &mut shape {
            shape.remove("client_id");
        }
        if let Some(Value::Object(account)) = shape.get_mut("account") {
            account.insert("name".into(), installation.account.clone().into());
            account.insert("slug".into(), installation.account.clone().into());
            account.insert("created_at".into(), LONG_AGO.into());
            account.insert("updated_at".into(), LONG_AGO.into());
        }
        shapes.push(shape);
    }
    Ok(page::array(call, &shapes, Clone::clone))
}

fn covers(installation: &InstallationState, repository: &Repository) -> bool {
    let listed = |all: &Vec<String>| all.iter().any(|n| n.eq_ignore_ascii_case(&repository.name));
    installation.account.eq_ignore_ascii_case(&repository.owner_login)
        && installation.repositories.as_ref().is_none_or(listed)
}

fn found(
    world: &World,
    call: &Call,
    app: u64,
    wanted: impl Fn(&InstallationState) -> bool,
) -> Result<Reply, Refusal> {
    let app = world.app(app)?;
    let installation = app.installations.iter().find(|i| wanted(i)).ok_or(Refusal::NotFound)?;
    Ok(Reply::ok(shape_of(world, call, app, installation)?))
}

fn selection(repositories: Option<&Vec<String>>) -> &'static str {
    if repositories.is_some() { "selected" } else { "all" }
}

fn app(world: &World, call: &Call, app: &App) -> Result<Value, Refusal> {
    let login = app.installations.first().map_or(app.owner.as_str(), |i| i.account.as_str());
    let owner = world.person_or_org(&app.owner).or_else(|_| world.person_or_org(login))?;
    let permissions = app.installations.first().map(|i| &i.permissions);
    Ok(json!({
        "id": app.id, "slug": app.slug, "client_id": app.client_id, "node_id": shape::node("A", app.id),
        "owner": shape::user(call, owner), "name": app.slug, "description": null,
        "external_url": "https://example.com", "html_url": format!("{}/apps/{}", call.web, app.slug),
        "created_at": LONG_AGO, "updated_at": LONG_AGO, "permissions": permissions, "events": app.events,
        "installations_count": app.installations.len()
    }))
}

pub(super) fn shape_of(
    world: &World,
    call: &Call,
    app: &App,
    i: &InstallationState,
) -> Result<Value, Refusal> {
    let account = world.person_or_org(&i.account)?;
    let kind = if account.kind == crate::world::AccountKind::Organization { "Organization" } else { "User" };
    Ok(json!({
        "id": i.id, "account": shape::user(call, account), "repository_selection": selection(i.repositories.as_ref()),
        "access_tokens_url": format!("{}/app/installations/{}/access_tokens", call.api, i.id),
        "repositories_url": format!("{}/installation/repositories", call.api),
        "html_url": format!("{}/organizations/{}/settings/installations/{}", call.web, i.account, i.id),
        "app_id": app.id, "client_id": app.client_id, "target_id": account.id, "target_type": kind,
        "permissions": i.permissions, "events": app.events, "created_at": LONG_AGO, "updated_at": LONG_AGO,
        "single_file_name": null, "app_slug": app.slug, "suspended_by": i.suspended.then(|| shape::user(call, account)),
        "suspended_at": i.suspended.then_some(LONG_AGO)
    }))
}

fn create_token(
    world: &mut World,
    call: &Call,
    app: u64,
    installation: u64,
    now: Moment,
) -> Result<Reply, Refusal> {
    let made = world.create_installation_token(app, installation, call.json()?, now)?;
    Ok(Reply::new(
        201,
        json!({
            "token": made.token,
            "expires_at": shape::time(made.expires),
            "permissions": made.permissions,
            "repository_selection": selection(made.repositories.as_ref())
        }),
    ))
}

fn of_installation(world: &World, who: &Credential, call: &Call, rest: &[&str]) -> Result<Reply, Refusal> {
    let Credential::Installation { account, repositories, .. } = who else {
        return Err(Refusal::Forbidden("You must authenticate with an installation access token in order to list repositories for an installation.".into()));
    };
    if call.method != "GET" || rest != ["repositories"] {
        return Err(Refusal::NotFound);
    }
    let account = world.person_or_org(account)?;
    let mut all: Vec<&Repository> = world.repositories.iter().filter(|r| r.owner == account.id).collect();
    if let Some(listed) = repositories {
        all.retain(|r| listed.iter().any(|n| n.eq_ignore_ascii_case(&r.name)));
    }
    let mut reply =
        page::listing(call, "repositories", &all, |r| shape::full_repository(call, world, r, false));
    if let Some(Value::Object(body)) = &mut reply.body {
        body.insert("repository_selection".into(), selection(repositories.as_ref()).into());
    }
    Ok(reply)
}
