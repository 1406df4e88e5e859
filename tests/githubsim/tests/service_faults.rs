//! Faults of the Actions service, as they reach a client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::time::Duration;

use common::service::*;
use common::*;
use githubsim::JobSpec;
use githubsim::Sim;
use serde_json::Value;
use serde_json::json;

const MESSAGES: &str = "GET /_services/broker/**";

async fn started() -> Sim {
    let mut state = state();
    state.settings.message_hold = Duration::from_millis(50);
    Sim::builder().state(state).start().await.unwrap()
}

fn job() -> JobSpec {
    JobSpec::new("acme/app", &["pool"])
}

fn kind(answer: &Answer) -> &str {
    answer.body["typeName"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn sessions_conflict_expire_and_are_forgotten() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    sim.faults("POST **/sessions session-conflict count=1").unwrap();
    let conflict = service.try_open(set, "me").await;
    assert_eq!(conflict.status, 409);
    assert!(kind(&conflict).contains("RunnerScaleSetSessionConflictException"));
    let queue = service.open(set).await;
    sim.faults(&format!("{MESSAGES} session-expired count=1")).unwrap();
    let expired = queue.poll("1").await;
    assert_eq!(expired.status, 400);
    assert!(kind(&expired).contains("RunnerScaleSetSessionExpiredException"));
    let queue = service.open(set).await;
    sim.faults("PATCH **/sessions/* session-evicted count=1").unwrap();
    let evicted = queue.refresh().await;
    assert_eq!((evicted.status, kind(&evicted).contains("RunnerAdminException")), (404, true));
    assert_eq!(queue.poll("1").await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn a_set_vanishes_with_its_session_and_its_jobs_go_back() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&job()).unwrap();
    assert_eq!(queue.next("1").await, ["JobAssigned"]);
    sim.faults(&format!("{MESSAGES} set-deleted count=1")).unwrap();
    let gone = queue.poll("1").await;
    assert_eq!((gone.status, kind(&gone).contains("RunnerScaleSetNotFoundException")), (404, true));
    let again = service.set("pool", &[]).await;
    let queue = service.open(again).await;
    assert_eq!(queue.next("1").await, ["JobAssigned"]);
    sim.stop().await;
}

#[tokio::test]
async fn answers_are_empty_or_start_with_a_mark() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&job()).unwrap();
    for status in [200, 202] {
        sim.faults(&format!("{MESSAGES} empty={status} count=1")).unwrap();
        let empty = queue.poll("1").await;
        assert_eq!((empty.status, empty.text.as_str()), (status, ""));
    }
    sim.faults("GET ** bom").unwrap();
    let marked = queue.poll("1").await;
    assert!(marked.text.starts_with('\u{feff}'));
    assert_eq!(kinds(&marked), ["JobAssigned"]);
    sim.stop().await;
}

#[tokio::test]
async fn messages_are_kept_back_and_come_twice() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&job()).unwrap();
    sim.faults(&format!("{MESSAGES} withhold")).unwrap();
    assert_eq!(queue.poll("1").await.status, 202);
    assert_eq!(sim.snapshot().scale_sets[0].assigned, 1);
    sim.clear_faults();
    let first = queue.poll("1").await;
    assert_eq!(queue.delete(&first).await.status, 204);
    sim.faults(&format!("{MESSAGES} duplicate count=1")).unwrap();
    assert_eq!(queue.poll("1").await.body["messageId"], first.body["messageId"]);
    assert_eq!(queue.poll("1").await.status, 202);
    sim.stop().await;
}

#[tokio::test]
async fn numbers_and_addresses_are_wrong_on_request() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    sim.faults("POST **/sessions no-queue-url count=1; * ** statistics=34").unwrap();
    let opened = service.try_open(set, "me").await;
    assert_eq!((opened.status, &opened.body["messageQueueUrl"]), (200, &json!("")));
    assert_eq!(opened.body["statistics"]["totalAssignedJobs"], 34);
    sim.clear_faults();
    sim.with_world(|world, _| world.end_queue(set, false));
    let queue = service.open(set).await;
    sim.queue_job(&job()).unwrap();
    sim.faults(&format!("{MESSAGES} statistics=0")).unwrap();
    let message = queue.poll("1").await;
    assert_eq!((&message.body["statistics"]["totalAssignedJobs"], jobs(&message).len()), (&json!(0), 1));
    sim.stop().await;
}

#[tokio::test]
async fn a_running_job_is_said_to_be_over_and_goes_on() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&job().lasting(Duration::from_secs(60))).unwrap();
    queue.next("1").await;
    let (_, config) = service.jit(set, "r").await;
    let runner = Runner::with_jit(&config, &[]);
    sim.wait_until(SOON, |s| s.counters.jobs_started == 1).await.unwrap();
    sim.faults(&format!("{MESSAGES} early-completed")).unwrap();
    assert_eq!(queue.next("1").await, ["JobStarted", "JobCompleted"]);
    let seen = sim.snapshot();
    assert!(seen.runners[0].busy && seen.counters.jobs_completed == 0);
    runner.signal(nix::sys::signal::Signal::SIGTERM);
    runner.end().await;
    assert_eq!(queue.poll("1").await.status, 202);
    sim.stop().await;
}

#[tokio::test]
async fn the_service_slows_its_clients_down_and_breaks() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    sim.faults("GET **/runnerscalesets secondary=7 count=1").unwrap();
    let slow = service.call("GET", "runtime/runnerscalesets", Value::Null).await;
    assert_eq!((slow.status, slow.header("retry-after")), (429, "7"));
    sim.faults("GET **/runnerscalesets status=500 count=2").unwrap();
    for status in [500, 500, 200] {
        assert_eq!(service.call("GET", "runtime/runnerscalesets", Value::Null).await.status, status);
    }
    sim.faults("POST **/generatejitconfig status=502 processed count=1").unwrap();
    let set = service.set("pool", &[]).await;
    let path = format!("runtime/runnerscalesets/{set}/generatejitconfig");
    assert_eq!(service.call("POST", &path, json!({ "name": "r" })).await.status, 502);
    assert_eq!(service.call("POST", &path, json!({ "name": "r" })).await.status, 409);
    sim.stop().await;
}

#[tokio::test]
async fn incidents_are_made_over_http_too() {
    let sim = started().await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    assert_eq!(post(&sim, &format!("/_sim/scalesets/{set}/evict"), Value::Null).await.status, 204);
    assert_eq!(queue.poll("1").await.status, 404);
    assert_eq!(post(&sim, "/_sim/service-tokens/expire", Value::Null).await.status, 204);
    assert_eq!(service.try_open(set, "me").await.status, 401);
    assert_eq!(post(&sim, &format!("/_sim/scalesets/{set}/drop"), Value::Null).await.status, 204);
    assert!(sim.snapshot().scale_sets.is_empty());
    assert_eq!(post(&sim, "/_sim/scalesets/1/drop", Value::Null).await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn exchanges_of_the_service_are_logged_apart() {
    let path = std::env::temp_dir().join(format!("githubsim-service-{}.jsonl", std::process::id()));
    let sim = builder().exchange_log(&path).start().await.unwrap();
    enter(&sim, "acme").await.set("pool", &[]).await;
    sim.stop().await;
    let lines = |kind: &str| {
        let path = path.with_extension(kind);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect::<Vec<_>>()
    };
    let (rest, actions, injected) = (lines("jsonl"), lines("actions.jsonl"), lines("injected.jsonl"));
    assert_eq!((rest.len(), actions.len(), injected.len()), (1, 2, 0));
    assert_eq!(actions[0]["request_headers"]["authorization"], "RemoteAuth ***");
    assert_eq!(actions[0]["response_body"]["token"], "***");
}
