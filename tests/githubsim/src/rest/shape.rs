//! JSON in the shapes of GitHub's description.

use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::Effects;
use crate::clock::Moment;
use crate::clock::rfc3339;
use crate::world::Account;
use crate::world::AccountKind;
use crate::world::Group;
use crate::world::Repository;
use crate::world::Runner;
use crate::world::World;

/// When everything that has no time of its own was made.
pub(crate) const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// The labels that a runner's own set-up gives it, as opposed to custom ones.
const READ_ONLY: [&str; 7] = ["self-hosted", "linux", "windows", "macos", "x64", "arm64", "arm"];

pub(crate) fn time(at: SystemTime) -> String {
    rfc3339(at)
}

/// A node id in form.
pub(crate) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

pub(crate) fn user(call: &Call, account: &Account) -> Value {
    person(call, &account.login, account.id, account.kind)
}

fn person(call: &Call, login: &str, id: u64, kind: AccountKind) -> Value {
    let url = format!("{}/users/{login}", call.api);
    json!({
        "login": login, "id": id, "node_id": node("U", id),
        "avatar_url": format!("{}/avatars/{id}", call.web), "gravatar_id": "",
        "url": url, "html_url": format!("{}/{login}", call.web),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if kind == AccountKind::Organization { "Organization" } else { "User" },
        "site_admin": false
    })
}

/// URLs of a repository: the field before `_url`, and what follows the repository's own.
const REPOSITORY_URLS: [(&str, &str); 36] = [
    ("archive", "/{archive_format}{/ref}"),
    ("assignees", "/assignees{/user}"),
    ("blobs", "/git/blobs{/sha}"),
    ("branches", "/branches{/branch}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("comments", "/comments{/number}"),
    ("commits", "/commits{/sha}"),
    ("compare", "/compare/{base}...{head}"),
    ("contents", "/contents/{+path}"),
    ("contributors", "/contributors"),
    ("deployments", "/deployments"),
    ("downloads", "/downloads"),
    ("events", "/events"),
    ("forks", "/forks"),
    ("git_commits", "/git/commits{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("issue_comment", "/issues/comments{/number}"),
    ("issue_events", "/issues/events{/number}"),
    ("issues", "/issues{/number}"),
    ("keys", "/keys{/key_id}"),
    ("labels", "/labels{/name}"),
    ("languages", "/languages"),
    ("merges", "/merges"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("pulls", "/pulls{/number}"),
    ("releases", "/releases{/id}"),
    ("stargazers", "/stargazers"),
    ("statuses", "/statuses/{sha}"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("tags", "/tags"),
    ("teams", "/teams"),
    ("trees", "/git/trees{/sha}"),
    ("hooks", "/hooks"),
];

/// A `minimal-repository`.
pub(crate) fn repository(call: &Call, world: &World, r: &Repository) -> Value {
    let url = format!("{}/repos/{}", call.api, r.full_name());
    let kind = world.account_by_id(r.owner).map_or(AccountKind::User, |a| a.kind);
    let mut out = json!({
        "id": r.id, "node_id": node("R", r.id), "name": r.name, "full_name": r.full_name(),
        "owner": person(call, &r.owner_login, r.owner, kind), "private": r.private,
        "html_url": format!("{}/{}", call.web, r.full_name()), "description": null, "fork": false, "url": url,
        "archived": r.archived, "disabled": false,
        "visibility": if r.private { "private" } else { "public" }, "default_branch": "main",
        "created_at": LONG_AGO, "updated_at": LONG_AGO,
        "pushed_at": r.pushed.map_or_else(|| LONG_AGO.to_string(), |at| time(at.wall))
    });
    if let Value::Object(map) = &mut out {
        for (field, tail) in REPOSITORY_URLS {
            map.insert(format!("{field}_url"), Value::String(format!("{url}{tail}")));
        }
    }
    out
}

/// A `repository` or `full-repository`: the minimal one and its counts.
pub(crate) fn full_repository(call: &Call, world: &World, r: &Repository, whole: bool) -> Value {
    let mut out = repository(call, world, r);
    let web = format!("{}/{}", call.web, r.full_name());
    let more = json!({
        "git_url": format!("git://{}.git", r.full_name()), "ssh_url": format!("git@github.com:{}.git", r.full_name()),
        "clone_url": format!("{web}.git"), "mirror_url": null, "svn_url": web, "homepage": null, "language": null,
        "forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "size": 1, "open_issues_count": 0,
        "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false, "has_discussions": false,
        "license": null, "forks": 0, "open_issues": 0, "watchers": 0,
        "permissions": { "admin": true, "push": true, "pull": true }
    });
    extend(&mut out, more);
    if whole {
        extend(&mut out, json!({ "subscribers_count": 0, "network_count": 0 }));
    }
    out
}

fn extend(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}

/// A `runner`.
pub(crate) fn runner(world: &World, r: &Runner, effects: &Effects, now: Moment) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), r.id.into());
    out.insert("runner_group_id".into(), r.group.into());
    out.insert("name".into(), r.name.clone().into());
    out.insert("os".into(), r.os.clone().unwrap_or_else(|| "unknown".into()).into());
    out.insert("status".into(), if world.is_online(r, now) { "online" } else { "offline" }.into());
    out.insert("busy".into(), (r.job.is_some() && !effects.hide_busy).into());
    out.insert("labels".into(), labels(world, r));
    out.insert("ephemeral".into(), r.ephemeral.into());
    if let Some(version) = &r.version {
        out.insert("version".into(), version.clone().into());
    }
    Value::Object(out)
}

/// The labels of a runner.
pub(crate) fn labels(world: &World, r: &Runner) -> Value {
    let kind = |label: &str| {
        if READ_ONLY.contains(&label) { "read-only" } else { "custom" }
    };
    r.labels.iter().map(|l| json!({ "id": world.label_id(l), "name": l, "type": kind(l) })).collect()
}

/// A `runner-groups-org`.
pub(crate) fn group(call: &Call, owner: &Account, g: &Group) -> Value {
    let (place, selected) = match owner.kind {
        AccountKind::Enterprise => ("enterprises", "organizations"),
        AccountKind::Organization | AccountKind::User => ("orgs", "repositories"),
    };
    let url = format!("{}/{place}/{}/actions/runner-groups/{}", call.api, owner.login, g.id);
    let mut out = json!({
        "id": g.id, "name": g.name, "visibility": g.visibility.as_str(), "default": g.default,
        "runners_url": format!("{url}/runners"), "hosted_runners_url": format!("{url}/hosted-runners"),
        "allows_public_repositories": g.allows_public,
        "restricted_to_workflows": false, "selected_workflows": [], "workflow_restrictions_read_only": false
    });
    if g.visibility == crate::state::Visibility::Selected {
        extend(&mut out, json!({ format!("selected_{selected}_url"): format!("{url}/{selected}") }));
    }
    if owner.kind == AccountKind::Organization {
        extend(&mut out, json!({ "inherited": false }));
    }
    out
}
