//! What hooks are sent: payloads in the shapes of GitHub's webhook schemas.

use serde_json::Value;
use serde_json::json;

use super::apps;
use super::context::Call;
use super::hooks;
use super::runs;
use super::shape;
use super::shape::LONG_AGO;
use crate::world::Account;
use crate::world::AccountKind;
use crate::world::Hook;
use crate::world::HookOwner;
use crate::world::Job;
use crate::world::JobStatus;
use crate::world::News;
use crate::world::Repository;
use crate::world::Run;
use crate::world::World;

/// The payload of some news for one hook.
pub(crate) fn payload(
    world: &World,
    at: &Call,
    hook: &Hook,
    news: &News,
    installation: Option<u64>,
) -> Value {
    let mut out = match news {
        News::Ping(_) => ping(at, world, hook),
        News::Job { job, repository, .. } => json!({
            "workflow_job": workflow_job(world, at, repository, job)
        }),
        News::Run { run, repository, so, .. } => json!({
            "workflow": workflow(at, repository, run),
            "workflow_run": workflow_run(world, at, repository, run, runs::State { status: so.status, conclusion: so.conclusion })
        }),
        News::Repository { changes, .. } => {
            let account = |id| world.account_by_id(id).map_or(Value::Null, |a| shape::user(at, a));
            match changes.shape(account) {
                Some(changes) => json!({ "changes": changes }),
                None => json!({}),
            }
        }
        News::Organization { id, from, .. } => json!({
            "changes": { "login": { "from": from } },
            "organization": world.account_by_id(*id).map(|org| organization(at, org))
        }),
        News::Installation { app, installation, .. } => {
            let app = world.app(*app).ok();
            json!({ "installation": app.and_then(|a| apps::shape_of(world, at, a, installation).ok()) })
        }
    };
    surround(world, at, news, installation, &mut out);
    out
}

/// Adds what is around the matter itself: action, repository, organization, installation, sender.
fn surround(world: &World, at: &Call, news: &News, installation: Option<u64>, out: &mut Value) {
    let Value::Object(out) = out else {
        return;
    };
    if let Some(action) = news.action() {
        out.insert("action".into(), action.into());
    }
    let owner = news.repository().and_then(|r| world.account_by_id(r.owner));
    if let Some(r) = news.repository() {
        out.insert("repository".into(), repository(at, world, r));
    }
    if let Some(org) = owner.filter(|a| a.kind == AccountKind::Organization) {
        out.insert("organization".into(), organization(at, org));
    }
    if let (Some(id), false) = (installation, matches!(news, News::Installation { .. })) {
        out.insert("installation".into(), json!({ "id": id, "node_id": shape::node("MDIz", id) }));
    }
    let sender = world.accounts.iter().find(|a| a.kind == AccountKind::User).or(owner);
    let sender = sender.or_else(|| world.accounts.first());
    if let Some(sender) = sender {
        out.insert("sender".into(), shape::user(at, sender));
    }
    // In webhooks, unlike in the REST API, an installation has no client id.
    if let Some(Value::Object(installation)) = out.get_mut("installation") {
        installation.remove("client_id");
    }
}

fn ping(at: &Call, world: &World, hook: &Hook) -> Value {
    let place = match hook.owner {
        HookOwner::Organization(id) => {
            world.account_by_id(id).map_or_else(String::new, |a| format!("/orgs/{}", a.login))
        }
        HookOwner::Repository(id) => {
            world.repository_by_id(id).map_or_else(String::new, |r| format!("/repos/{}", r.full_name()))
        }
        HookOwner::App(_) => "/app".into(),
    };
    let mut shown = hooks::shape(&at.at_path(&format!("{place}/hooks")), hook);
    let mut out = json!({ "zen": "Keep it logically awesome.", "hook_id": hook.id });
    if let (HookOwner::App(id), Value::Object(shown)) = (hook.owner, &mut shown) {
        shown.insert("app_id".into(), id.into());
    }
    if let Value::Object(out) = &mut out {
        out.insert("hook".into(), shown);
        if let HookOwner::Repository(id) = hook.owner
            && let Some(r) = world.repository_by_id(id)
        {
            out.insert("repository".into(), repository(at, world, r));
        }
        if let HookOwner::Organization(id) = hook.owner
            && let Some(org) = world.account_by_id(id)
        {
            out.insert("organization".into(), organization(at, org));
        }
    }
    out
}

fn organization(at: &Call, org: &Account) -> Value {
    let url = format!("{}/orgs/{}", at.api, org.login);
    json!({
        "login": org.login, "id": org.id, "node_id": shape::node("O", org.id), "url": url,
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"), "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/{}", at.web, org.id), "description": ""
    })
}

fn repository(at: &Call, world: &World, r: &Repository) -> Value {
    let mut out = shape::full_repository(at, world, r, false);
    if let Value::Object(out) = &mut out {
        out.remove("permissions");
        out.insert("is_template".into(), false.into());
        out.insert("web_commit_signoff_required".into(), false.into());
        out.insert("allow_forking".into(), true.into());
        out.insert("topics".into(), json!([]));
        out.insert("custom_properties".into(), json!({}));
    }
    out
}

/// A repository as it stands in a run: less of it.
fn lite(at: &Call, world: &World, r: &Repository) -> Value {
    const LEFT_OUT: [&str; 7] =
        ["archived", "disabled", "visibility", "default_branch", "created_at", "updated_at", "pushed_at"];
    let mut out = shape::repository(at, world, r);
    if let Value::Object(out) = &mut out {
        out.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    }
    out
}

fn workflow(at: &Call, r: &Repository, run: &Run) -> Value {
    let web = format!("{}/{}", at.web, r.full_name());
    json!({
        "badge_url": format!("{web}/workflows/{}/badge.svg", run.workflow.replace(' ', "%20")),
        "created_at": LONG_AGO, "html_url": format!("{web}/blob/{}/{}", run.branch, run.path()), "id": r.id,
        "name": run.workflow, "node_id": shape::node("W", r.id), "path": run.path(), "state": "active",
        "updated_at": LONG_AGO, "url": format!("{}/repos/{}/actions/workflows/{}", at.api, r.full_name(), r.id)
    })
}

fn workflow_run(world: &World, at: &Call, r: &Repository, run: &Run, so: runs::State) -> Value {
    let mut out = runs::shape_of_run(world, at, r, run, so);
    let actor = world.accounts.iter().find(|a| a.kind == AccountKind::User).map(|a| shape::user(at, a));
    let actor = actor.or_else(|| world.account_by_id(r.owner).map(|a| shape::user(at, a)));
    let author = json!({ "name": "Somebody", "email": "somebody@example.com" });
    let commit = json!({
        "id": runs::HEAD, "tree_id": runs::HEAD, "message": run.workflow, "timestamp": shape::time(run.created.wall),
        "author": author, "committer": author
    });
    if let Value::Object(out) = &mut out {
        out.insert("head_commit".into(), commit);
        out.insert("actor".into(), actor.clone().into());
        out.insert("triggering_actor".into(), actor.into());
        out.insert("referenced_workflows".into(), json!([]));
        out.insert("repository".into(), lite(at, world, r));
        out.insert("head_repository".into(), lite(at, world, r));
    }
    out
}

fn workflow_job(world: &World, at: &Call, r: &Repository, job: &Job) -> Value {
    let mut out = runs::shape_of_job(at, r, world, job);
    let Some(started) = job.started else {
        return out;
    };
    let over = job.status == JobStatus::Completed;
    let step = json!({
        "name": "Set up job", "status": if over { "completed" } else { "in_progress" },
        "conclusion": over.then_some(job.conclusion), "number": 1, "started_at": shape::time(started.wall),
        "completed_at": job.completed.map(|t| shape::time(t.wall))
    });
    if let Value::Object(out) = &mut out {
        out.insert("steps".into(), json!([step]));
    }
    out
}
