//! Faults, as they reach a client.

mod common;

use common::*;
use serde_json::Value;
use serde_json::json;

const RUNNERS: &str = "/orgs/acme/actions/runners";

async fn try_get(sim: &githubsim::Sim, path: &str) -> Result<Answer, String> {
    let bearer = format!("Bearer {TOKEN}");
    send(sim, "GET", path, &[("authorization", &bearer)], Value::Null).await
}

#[tokio::test]
async fn statuses_come_in_github_s_shape_and_as_often_as_asked() {
    let sim = start().await;
    sim.faults("GET /orgs/*/actions/runners status=503 count=2").unwrap();
    for status in [503, 503, 200] {
        let seen = get(&sim, RUNNERS).await;
        assert_eq!(seen.status, status);
        assert!(!seen.header("x-github-request-id").is_empty());
    }
    sim.stop().await;
}

#[tokio::test]
async fn both_limits_look_like_the_real_ones() {
    let sim = start().await;
    sim.faults("GET ** primary count=1").unwrap();
    let primary = get(&sim, RUNNERS).await;
    assert_eq!((primary.status, primary.header("x-ratelimit-remaining")), (403, "0"));
    assert!(primary.message().starts_with("API rate limit exceeded"));
    sim.faults("GET ** secondary=7 count=1").unwrap();
    let secondary = get(&sim, RUNNERS).await;
    assert_eq!((secondary.status, secondary.header("retry-after")), (403, "7"));
    assert!(secondary.message().contains("secondary rate limit"));
    assert_ne!(secondary.header("x-ratelimit-remaining"), "0");
    sim.stop().await;
}

#[tokio::test]
async fn connections_break_before_and_within_the_answer() {
    let sim = start().await;
    sim.faults("GET ** reset count=1").unwrap();
    assert!(try_get(&sim, RUNNERS).await.is_err());
    sim.faults("GET ** truncate count=1").unwrap();
    assert!(try_get(&sim, RUNNERS).await.is_err());
    sim.faults("GET ** malformed count=1").unwrap();
    assert!(try_get(&sim, RUNNERS).await.is_err());
    assert_eq!(get(&sim, RUNNERS).await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn an_answer_may_be_lost_after_the_deed() {
    let sim = start().await;
    sim.faults("POST **/generate-jitconfig status=502 processed count=1").unwrap();
    let body = json!({ "name": "r", "runner_group_id": 1, "labels": ["a"] });
    let path = "/orgs/acme/actions/runners/generate-jitconfig";
    assert_eq!(post(&sim, path, body.clone()).await.status, 502);
    assert_eq!(post(&sim, path, body).await.status, 409);
    sim.stop().await;
}

#[tokio::test]
async fn listings_leave_runners_out_on_request() {
    let sim = start().await;
    jit(&sim, "kept", &["a"]).await;
    jit(&sim, "lost-1", &["a"]).await;
    sim.faults("GET ** omit-runner=lost-*").unwrap();
    let seen = get(&sim, RUNNERS).await;
    assert_eq!(
        (seen.body["total_count"].clone(), &seen.body["runners"][0]["name"]),
        (json!(1), &json!("kept"))
    );
    sim.clear_faults();
    assert_eq!(get(&sim, RUNNERS).await.body["total_count"], 2);
    sim.stop().await;
}

#[tokio::test]
async fn what_was_injected_is_logged_apart() {
    let directory = std::env::temp_dir().join(format!("githubsim-log-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("exchange.jsonl");
    let sim = builder().exchange_log(&path).faults("GET ** status=500 count=1").start().await.unwrap();
    get(&sim, RUNNERS).await;
    jit(&sim, "r", &["a"]).await;
    sim.stop().await;
    let read = |p: &std::path::Path| std::fs::read_to_string(p).unwrap();
    let (plain, injected) = (read(&path), read(&path.with_extension("injected.jsonl")));
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!((plain.lines().count(), injected.lines().count()), (1, 1));
    let line: Value = serde_json::from_str(plain.trim()).unwrap();
    assert_eq!(line["request_headers"]["authorization"], "Bearer ***");
    assert_eq!(line["response_body"]["encoded_jit_config"], "***");
    assert_eq!(serde_json::from_str::<Value>(injected.trim()).unwrap()["injected"], true);
}
