//! The REST API as clients see it.

mod common;

use common::*;
use githubsim::JobSpec;
use serde_json::Value;
use serde_json::json;

const JIT: &str = "/orgs/acme/actions/runners/generate-jitconfig";
const RUNNERS: &str = "/orgs/acme/actions/runners";

#[tokio::test]
async fn a_request_needs_a_user_agent_a_known_version_and_a_token() {
    let sim = start().await;
    let bearer = format!("Bearer {TOKEN}");
    let bare =
        send(&sim, "GET", RUNNERS, &[("authorization", &bearer), ("user-agent", "")], Value::Null).await;
    assert_eq!(bare.unwrap().status, 403);
    let old = [("authorization", bearer.as_str()), ("x-github-api-version", "1999-01-01")];
    assert_eq!(send(&sim, "GET", RUNNERS, &old, Value::Null).await.unwrap().status, 400);
    let known = [("authorization", bearer.as_str()), ("x-github-api-version", "2022-11-28")];
    assert_eq!(send(&sim, "GET", RUNNERS, &known, Value::Null).await.unwrap().status, 200);
    let wrong = with_token(&sim, "ghp_wrong", "GET", RUNNERS, Value::Null).await;
    assert_eq!((wrong.status, wrong.message()), (401, "Bad credentials"));
    assert_eq!(wrong.body["status"], "401");
    sim.stop().await;
}

#[tokio::test]
async fn every_answer_tells_the_budget() {
    let sim = start().await;
    let seen = get(&sim, RUNNERS).await;
    assert_eq!((seen.header("x-ratelimit-limit"), seen.header("x-ratelimit-used")), ("5000", "1"));
    assert_eq!(seen.header("x-ratelimit-remaining"), "4999");
    assert_eq!(seen.header("x-oauth-scopes"), "repo, admin:org");
    assert_eq!(seen.header("x-accepted-oauth-scopes"), "admin:org");
    assert!(!seen.header("x-github-request-id").is_empty());
    assert_eq!(get(&sim, "/no/such/thing").await.header("x-ratelimit-resource"), "core");
    sim.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let sim = start().await;
    let whole = json!({ "name": "r", "runner_group_id": 1, "labels": ["a"] });
    for key in ["name", "runner_group_id", "labels"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(key);
        let no = post(&sim, JIT, body).await;
        assert_eq!(no.status, 422);
        assert!(no.message().contains(&format!("object is missing required key: {key}")), "{no:?}");
    }
    let none = json!({ "name": "r", "runner_group_id": 1, "labels": [] });
    assert_eq!(post(&sim, JIT, none).await.status, 422);
    assert_eq!(sim.counters().registrations, 0);
    sim.stop().await;
}

#[tokio::test]
async fn groups_names_and_labels_are_as_github_has_them() {
    let sim = start().await;
    let with = |name: &str, group: u64| json!({ "name": name, "runner_group_id": group, "labels": ["X64", "Self-Hosted"] });
    assert_eq!(post(&sim, JIT, with("r", 2)).await.status, 403);
    assert_eq!(post(&sim, JIT, with("r", 99)).await.status, 404);
    let made = post(&sim, JIT, with("r", 3)).await;
    assert_eq!((made.status, &made.body["runner"]["status"]), (201, &json!("offline")));
    let names: Vec<_> =
        made.body["runner"]["labels"].as_array().unwrap().iter().map(|l| l["name"].clone()).collect();
    assert_eq!(names, [json!("x64"), json!("self-hosted")]);
    let again = post(&sim, JIT, with("r", 1)).await;
    assert_eq!(again.status, 409);
    assert!(again.message().contains("already exists"));
    sim.stop().await;
}

#[tokio::test]
async fn permissions_are_checked_by_kind_of_token() {
    let sim = start().await;
    let body = || json!({ "name": "r", "runner_group_id": 1, "labels": ["a"] });
    let weak = with_token(&sim, "ghp_weak", "POST", JIT, body()).await;
    assert_eq!((weak.status, weak.message()), (403, "Must have admin rights to Repository."));
    let read = with_token(&sim, "github_pat_read", "POST", JIT, body()).await;
    assert_eq!((read.status, read.message()), (403, "Resource not accessible by personal access token"));
    assert_eq!(with_token(&sim, "github_pat_read", "GET", RUNNERS, Value::Null).await.status, 200);
    assert_eq!(with_token(&sim, "github_pat_org", "POST", JIT, body()).await.status, 201);
    let repository = "/repos/acme/app/actions/runners/registration-token";
    assert_eq!(with_token(&sim, "github_pat_org", "POST", repository, Value::Null).await.status, 403);
    assert_eq!(with_token(&sim, "ghp_weak", "POST", repository, Value::Null).await.status, 201);
    sim.stop().await;
}

#[tokio::test]
async fn an_unchanged_listing_is_free_for_the_same_token_only() {
    let sim = start().await;
    let first = get(&sim, RUNNERS).await;
    let (tag, used) = (first.header("etag").to_string(), first.header("x-ratelimit-used").to_string());
    assert!(tag.starts_with("W/\""));
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("if-none-match", tag.as_str())];
        send(&sim, "GET", RUNNERS, &headers, Value::Null).await.unwrap()
    };
    let same = ask(TOKEN).await;
    assert_eq!(
        (same.status, same.header("x-ratelimit-used"), same.header("etag")),
        (304, used.as_str(), tag.as_str())
    );
    assert_eq!(ask("github_pat_read").await.status, 200);
    jit(&sim, "r", &["a"]).await;
    assert_eq!(ask(TOKEN).await.status, 200);
    let counters = sim.counters();
    assert_eq!((counters.requests, counters.requests_not_modified), (5, 1));
    sim.stop().await;
}

#[tokio::test]
async fn a_listing_has_pages_and_a_filter() {
    let sim = start().await;
    for n in 0..5 {
        jit(&sim, &format!("r{n}"), &["a"]).await;
    }
    let mut seen = Vec::new();
    let mut next = format!("{RUNNERS}?per_page=2");
    loop {
        let page = get(&sim, &next).await;
        assert_eq!(page.body["total_count"], 5);
        seen.extend(
            page.body["runners"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_string()),
        );
        let link = page.header("link").to_string();
        let Some(part) = link.split(", ").find(|l| l.ends_with("rel=\"next\"")) else {
            break;
        };
        let url = part.trim_start_matches('<').split('>').next().unwrap();
        next = url.strip_prefix(&sim.base_url()).unwrap().to_string();
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4"]);
    let one = get(&sim, &format!("{RUNNERS}?name=r3")).await;
    assert_eq!((one.body["total_count"].clone(), &one.body["runners"][0]["name"]), (json!(1), &json!("r3")));
    sim.stop().await;
}

#[tokio::test]
async fn deleting_is_final_and_unknown_is_404() {
    let sim = start().await;
    let (id, _) = jit(&sim, "r", &["a"]).await;
    let path = format!("{RUNNERS}/{id}");
    assert_eq!(with_token(&sim, TOKEN, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(with_token(&sim, TOKEN, "DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(get(&sim, &path).await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn an_enterprise_server_has_the_same_under_its_base_path() {
    let sim = start().await;
    jit(&sim, "r0", &["a"]).await;
    jit(&sim, "r1", &["a"]).await;
    let page = get(&sim, "/api/v3/orgs/acme/actions/runners?per_page=1").await;
    assert!(
        page.header("link")
            .contains(&format!("{}/api/v3/orgs/acme/actions/runners?per_page=1&page=2", sim.base_url()))
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_renamed_repository_redirects() {
    let sim = start().await;
    sim.with_world(|world, _| world.rename_repository("acme/web", "www")).unwrap();
    let moved = get(&sim, "/repos/acme/web/actions/runs?status=queued").await;
    assert_eq!(moved.status, 301);
    let target = format!("{}/repos/acme/www/actions/runs?status=queued", sim.base_url());
    assert_eq!(moved.header("location"), target);
    sim.stop().await;
}

#[tokio::test]
async fn groups_tell_who_may_use_them() {
    let sim = start().await;
    let names = async |query: &str| -> Vec<String> {
        let all = get(&sim, &format!("/orgs/acme/actions/runner-groups{query}")).await;
        all.body["runner_groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["name"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(names("").await, ["Default", "ci"]);
    assert_eq!(names("?visible_to_repository=app").await, ["Default", "ci"]);
    assert_eq!(names("?visible_to_repository=web").await, ["Default"]);
    assert_eq!(names("?visible_to_repository=site").await, [""; 0]);
    let of = get(&sim, "/orgs/acme/actions/runner-groups/3/repositories").await;
    assert_eq!(of.body["repositories"][0]["full_name"], "acme/app");
    sim.stop().await;
}

#[tokio::test]
async fn the_queue_shows_in_runs_and_jobs() {
    let sim = start().await;
    let spec = JobSpec { count: 3, ..JobSpec::new("acme/app", &["self-hosted", "gpu"]) };
    sim.queue_job(&spec).unwrap();
    let runs = get(&sim, "/repos/acme/app/actions/runs?status=queued").await;
    assert_eq!(runs.body["total_count"], 1);
    let run = &runs.body["workflow_runs"][0]["id"];
    let jobs = get(&sim, &format!("/repos/acme/app/actions/runs/{run}/jobs?filter=latest")).await;
    assert_eq!(jobs.body["total_count"], 3);
    assert_eq!(jobs.body["jobs"][0]["labels"], json!(["self-hosted", "gpu"]));
    assert_eq!(jobs.body["jobs"][0]["runner_id"], Value::Null);
    assert_eq!(get(&sim, "/repos/acme/app/actions/runs?status=in_progress").await.body["total_count"], 0);
    sim.stop().await;
}

#[tokio::test]
async fn tokens_expire_and_are_revoked() {
    let sim = start().await;
    let admin =
        json!({ "token": "ghp_short", "user": "bob", "scopes": ["admin:org"], "expires_in_secs": 60 });
    assert_eq!(post(&sim, "/_sim/tokens", admin).await.status, 204);
    let fresh = with_token(&sim, "ghp_short", "GET", RUNNERS, Value::Null).await;
    assert_eq!(fresh.status, 200);
    let expiry = fresh.header("github-authentication-token-expiration");
    assert!(expiry.ends_with(" UTC"), "{expiry}");
    post(&sim, "/_sim/clock", json!({ "advance": "2m" })).await;
    let late = with_token(&sim, "ghp_short", "GET", RUNNERS, Value::Null).await;
    assert_eq!(late.status, 401);
    let date = |seen: &common::Answer| httpdate::parse_http_date(seen.header("date")).unwrap();
    let passed = date(&late).duration_since(date(&fresh)).unwrap();
    assert!(passed.as_secs() >= 120, "every answer is dated by the same clock: {passed:?}");
    post(&sim, "/_sim/tokens/revoke", json!({ "token": TOKEN })).await;
    assert_eq!(get(&sim, RUNNERS).await.status, 401);
    sim.stop().await;
}
