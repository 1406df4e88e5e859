//! What a manager that polls reads: repositories, runs and jobs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use common::*;
use githubsim::JobSpec;
use serde_json::Value;
use serde_json::json;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|r| r["full_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn runs_tell_their_event_branch_and_file_and_are_filtered_by_them() {
    let sim = start().await;
    let spec = JobSpec { workflow: "Nightly Build".into(), ..JobSpec::new("acme/app", &["a"]) };
    sim.queue_job(&spec.clone().on("schedule", "release")).unwrap();
    sim.queue_job(&spec).unwrap();
    let all = get(&sim, "/repos/acme/app/actions/runs?status=queued").await;
    assert_eq!(all.body["total_count"], 2);
    let one = get(&sim, "/repos/acme/app/actions/runs?event=schedule&branch=release").await;
    let run = &one.body["workflow_runs"][0];
    assert_eq!(one.body["total_count"], 1);
    assert_eq!((&run["event"], &run["head_branch"]), (&json!("schedule"), &json!("release")));
    assert_eq!(run["path"], ".github/workflows/nightly-build.yml");
    sim.stop().await;
}

#[tokio::test]
async fn a_run_is_cancelled_once() {
    let sim = start().await;
    sim.queue_job(&JobSpec { count: 2, ..JobSpec::new("acme/app", &["a"]) }).unwrap();
    let run = sim.snapshot().jobs[0].run;
    let path = format!("/repos/acme/app/actions/runs/{run}/cancel");
    let weak = with_token(&sim, "github_pat_org", "POST", &path, Value::Null).await;
    assert_eq!(weak.status, 403);
    let done = post(&sim, &path, Value::Null).await;
    assert_eq!((done.status, done.body), (202, json!({})));
    assert_eq!(sim.counters().jobs_cancelled, 2);
    assert_eq!(post(&sim, &path, Value::Null).await.status, 409);
    assert_eq!(post(&sim, "/repos/acme/app/actions/runs/1/cancel", Value::Null).await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn the_repository_pushed_to_last_comes_first_if_asked() {
    let sim = start().await;
    sim.with_world(|world, now| world.push_to_repository("acme/web", now)).unwrap();
    let listed = get(&sim, "/orgs/acme/repos?sort=pushed&per_page=1").await;
    assert_eq!(names(&listed.body), ["acme/web"]);
    assert_ne!(listed.body[0]["pushed_at"], "2020-01-01T00:00:00Z");
    assert!(listed.header("link").contains("rel=\"next\""));
    assert_eq!(names(&get(&sim, "/user/repos").await.body), ["acme/app", "acme/site", "acme/web"]);
    assert_eq!(names(&get(&sim, "/users/acme/repos").await.body), ["acme/site"]);
    sim.stop().await;
}

#[tokio::test]
async fn an_archived_repository_starts_nothing_and_a_transferred_one_redirects() {
    let sim = start().await;
    sim.with_world(|world, _| world.archive_repository("acme/app", true)).unwrap();
    assert!(sim.queue_job(&JobSpec::new("acme/app", &["a"])).is_err());
    assert_eq!(get(&sim, "/repos/acme/app").await.body["archived"], true);
    post(&sim, "/_sim/tokens", json!({ "token": "ghp_bob", "user": "bob", "scopes": [] })).await;
    let given = post(&sim, "/_sim/transfer", json!({ "repository": "acme/web", "owner": "bob" })).await;
    assert_eq!(given.status, 204);
    let moved = get(&sim, "/repos/acme/web").await;
    assert_eq!((moved.status, moved.header("location").ends_with("/repos/bob/web")), (301, true));
    sim.stop().await;
}

#[tokio::test]
async fn an_unchanged_page_of_runs_is_free() {
    let sim = start().await;
    sim.queue_job(&JobSpec::new("acme/app", &["a"])).unwrap();
    let path = "/repos/acme/app/actions/runs?status=queued";
    let first = get(&sim, path).await;
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("if-none-match", first.header("etag"))];
    let same = send(&sim, "GET", path, &headers, Value::Null).await.unwrap();
    assert_eq!((same.status, same.header("x-ratelimit-used")), (304, first.header("x-ratelimit-used")));
    sim.queue_job(&JobSpec::new("acme/app", &["a"])).unwrap();
    assert_eq!(send(&sim, "GET", path, &headers, Value::Null).await.unwrap().status, 200);
    sim.stop().await;
}
