//! Scale sets as their clients see them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::time::Duration;

use common::service::*;
use common::*;
use githubsim::JobSpec;
use githubsim::JobStatus;
use githubsim::Sim;
use serde_json::Value;
use serde_json::json;

async fn started(change: impl Fn(&mut githubsim::Settings)) -> Sim {
    let mut state = state();
    state.settings.message_hold = Duration::from_millis(100);
    change(&mut state.settings);
    Sim::builder().state(state).start().await.unwrap()
}

fn job(labels: &[&str]) -> JobSpec {
    JobSpec::new("acme/app", labels).lasting(Duration::from_millis(200))
}

fn kind(answer: &Answer) -> &str {
    answer.body["typeName"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_job_of_a_set_is_assigned_started_and_completed() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &["pool", "gpu"]).await;
    let queue = service.open(set).await;
    assert_eq!(queue.opened["statistics"]["totalAssignedJobs"], 0);
    assert_eq!(queue.poll("5").await.status, 202);
    sim.queue_job(&job(&["GPU"])).unwrap();
    let first = queue.poll("5").await;
    let told = jobs(&first);
    assert_eq!((first.body["statistics"]["totalAssignedJobs"].as_u64(), told.len()), (Some(1), 1));
    assert_eq!(first.body["messageType"], "RunnerScaleSetJobMessages");
    assert_eq!(
        (&told[0]["messageType"], &told[0]["repositoryName"], &told[0]["requestLabels"]),
        (&json!("JobAssigned"), &json!("app"), &json!(["GPU"]))
    );
    assert_eq!(told[0]["jobWorkflowRef"], "acme/app/.github/workflows/ci.yml@refs/heads/main");
    assert_eq!(queue.delete(&first).await.status, 204);
    let (id, config) = service.jit(set, "pool-1").await;
    let listed = get(&sim, &format!("/orgs/acme/actions/runners/{id}")).await;
    assert_eq!((&listed.body["status"], &listed.body["ephemeral"]), (&json!("offline"), &json!(true)));
    let runner = Runner::with_jit(&config, &[]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = queue.poll("5").await;
        if message.status == 200 {
            seen.extend(jobs(&message));
            queue.delete(&message).await;
        }
    }
    assert_eq!((&seen[0]["messageType"], &seen[0]["runnerId"]), (&json!("JobStarted"), &json!(id)));
    assert_eq!(
        (&seen[1]["messageType"], &seen[1]["result"], &seen[1]["runnerName"]),
        (&json!("JobCompleted"), &json!("succeeded"), &json!("pool-1"))
    );
    assert_eq!(runner.end().await.0, Some(0));
    assert_eq!(sim.counters().jobs_succeeded, 1);
    sim.stop().await;
}

#[tokio::test]
async fn requests_count_for_whoever_asked_for_the_first_token() {
    let mut state = state();
    state.settings.message_hold = Duration::from_millis(100);
    let scopes = Some(vec!["admin:org".into()]);
    let (token, user) = ("ghp_other".into(), "other".into());
    state.tokens.push(githubsim::TokenState { token, user, scopes, ..Default::default() });
    let sim = Sim::builder().state(state).start().await.unwrap();
    let of = |user: &str| sim.counters().requests_of.get(user).copied().unwrap_or(0);
    let service = enter(&sim, "acme").await;
    assert_eq!(of("user admin"), 2, "the registration token, and the way in");
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    assert_eq!(queue.poll("5").await.status, 202);
    let (_, config) = service.jit(set, "pool-1").await;
    assert_eq!(of("user admin"), 6, "set, session, poll, registration");
    Runner::with_jit(&config, &[("STANDIN_BEHAVIOUR", "exit:0")]).end().await;
    with_token(&sim, "ghp_other", "GET", "/orgs/acme/actions/runners", Value::Null).await;
    with_token(&sim, "ghp_nobody", "GET", "/orgs/acme/actions/runners", Value::Null).await;
    assert_eq!((of("user admin"), of("user other"), sim.counters().requests_of.len()), (6, 1, 2));
    sim.stop().await;
}

#[tokio::test]
async fn the_entry_wants_its_own_scheme_and_the_right_address() {
    let sim = started(|_| ()).await;
    let made = post(&sim, "/orgs/acme/actions/runners/registration-token", Value::Null).await;
    let token = made.body["token"].as_str().unwrap();
    let url = format!("{}/acme", sim.base_url());
    assert_eq!(register(&sim, "other", &url).await.status, 401);
    assert_eq!(register(&sim, token, &format!("{url}/app")).await.status, 403);
    let bearer = format!("Bearer {token}");
    let body = json!({ "url": url, "runner_event": "register" });
    let path = "/actions/runner-registration";
    let wrong = send(&sim, "POST", path, &[("authorization", &bearer)], body).await.unwrap();
    assert_eq!(wrong.status, 401);
    sim.faults("POST /actions/runner-registration status=403 count=1").unwrap();
    assert_eq!(register(&sim, token, &url).await.status, 403);
    assert_eq!(register(&sim, token, &url).await.status, 201);
    sim.advance(Duration::from_secs(3601));
    assert_eq!(register(&sim, token, &url).await.status, 401);
    sim.stop().await;
}

#[tokio::test]
async fn sets_are_made_found_changed_and_deleted() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let again = service.call("POST", "runtime/runnerscalesets", json!({ "name": "Pool" })).await;
    assert_eq!(again.status, 400);
    let other = json!({ "name": "pool", "runnerGroupId": 3 });
    assert_eq!(service.call("POST", "runtime/runnerscalesets", other).await.status, 200);
    let found = service.call("GET", "runtime/runnerscalesets?runnerGroupId=1&name=pool", Value::Null).await;
    assert_eq!((&found.body["count"], &found.body["value"][0]["id"]), (&json!(1), &json!(set)));
    assert_eq!(found.body["value"][0]["labels"], json!([{ "id": 1, "name": "pool", "type": "System" }]));
    let path = format!("runtime/runnerscalesets/{set}");
    let more = json!({ "labels": [{ "name": "gpu" }], "RunnerSetting": { "disableUpdate": true } });
    let changed = service.call("PATCH", &path, more).await;
    assert_eq!((changed.status, &changed.body["labels"][0]["name"]), (200, &json!("gpu")));
    assert_eq!(changed.body["RunnerSetting"]["disableUpdate"], true);
    assert_eq!(service.call("PATCH", &path, json!({ "runnerGroupId": 3 })).await.status, 400);
    assert_eq!(service.call("DELETE", &path, Value::Null).await.status, 204);
    let gone = service.call("GET", &path, Value::Null).await;
    assert_eq!(gone.status, 404);
    assert!(kind(&gone).contains("RunnerScaleSetNotFoundException"), "{gone:?}");
    let groups = service.call("GET", "runtime/runnergroups/?groupName=ci", Value::Null).await;
    assert_eq!(groups.body["value"][0]["id"], 3);
    sim.stop().await;
}

#[tokio::test]
async fn the_admin_plane_wants_its_version_and_token() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let bearer = format!("Bearer {}", service.token);
    let path = format!("{}_apis/runtime/runnerscalesets", service.path);
    let bare = send(&sim, "GET", &path, &[("authorization", &bearer)], Value::Null).await.unwrap();
    assert_eq!(bare.status, 400);
    let other = enter(&sim, "acme/app").await;
    let strange = service.with(&other.token, "GET", "runtime/runnerscalesets", Value::Null).await;
    assert_eq!(strange.status, 401);
    sim.advance(Duration::from_secs(3601));
    assert_eq!(service.call("GET", "runtime/runnerscalesets", Value::Null).await.status, 401);
    sim.stop().await;
}

#[tokio::test]
async fn there_is_one_session_and_it_can_be_refreshed_and_closed() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    let second = service.try_open(set, "there").await;
    assert_eq!(second.status, 409);
    assert!(kind(&second).contains("RunnerScaleSetSessionConflictException"));
    let refreshed = queue.refresh().await;
    assert_eq!((refreshed.status, &refreshed.body["sessionId"]), (200, &json!(queue.id)));
    assert_ne!(refreshed.body["messageQueueAccessToken"], json!(queue.token));
    assert_eq!(queue.close().await.status, 204);
    let late = queue.refresh().await;
    assert_eq!(late.status, 400);
    assert!(kind(&late).contains("RunnerScaleSetSessionExpiredException"));
    service.open(set).await;
    sim.with_world(|world, _| world.settings_mut().scale_set_session_timeout = Duration::ZERO);
    sim.wait_until(SOON, |s| s.scale_sets[0].session_owner.is_none()).await.unwrap();
    sim.stop().await;
}

#[tokio::test]
async fn a_poll_says_what_it_can_run_and_gets_no_more() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    for bad in ["", "-1", "many"] {
        let refused = queue.poll(bad).await;
        assert_eq!((refused.status, refused.header("content-type")), (400, "text/plain; charset=utf-8"));
    }
    sim.queue_job(&JobSpec { count: 5, ..job(&["pool"]) }).unwrap();
    assert_eq!(queue.poll("0").await.status, 202);
    assert_eq!(queue.next("2").await, ["JobAssigned", "JobAssigned"]);
    assert_eq!(queue.poll("2").await.status, 202);
    assert_eq!(queue.next("3").await, ["JobAssigned"]);
    assert_eq!(sim.snapshot().scale_sets[0].assigned, 3);
    sim.stop().await;
}

#[tokio::test]
async fn a_message_comes_again_until_it_is_deleted_and_holds_fifty_jobs() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&JobSpec { count: 60, ..job(&["pool"]) }).unwrap();
    let first = queue.poll("100").await;
    assert_eq!((jobs(&first).len(), &first.body["statistics"]["totalAssignedJobs"]), (50, &json!(60)));
    assert_eq!(queue.poll("100").await.body["messageId"], first.body["messageId"]);
    queue.close().await;
    let queue = service.open(set).await;
    let again = queue.poll("100").await;
    assert_eq!(again.body["messageId"], first.body["messageId"]);
    queue.delete(&again).await;
    assert_eq!(queue.next("100").await.len(), 10);
    assert_eq!(sim.counters().messages_redelivered, 2);
    sim.stop().await;
}

#[tokio::test]
async fn only_runners_of_the_set_get_its_jobs_and_they_get_no_others() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &["shared"]).await;
    let queue = service.open(set).await;
    let (_, plain) = jit(&sim, "plain", &["shared"]).await;
    sim.queue_job(&job(&["shared"])).unwrap();
    assert_eq!(queue.next("1").await, ["JobAssigned"]);
    let plain = Runner::with_jit(&plain, &[]);
    sim.wait_until(SOON, |s| s.runners[0].online).await.unwrap();
    let (_, config) = service.jit(set, "pool-1").await;
    let own = Runner::with_jit(&config, &[]);
    assert_eq!(own.end().await.0, Some(0));
    assert_eq!(sim.snapshot().jobs[0].runner.as_deref(), Some("pool-1"));
    queue.close().await;
    sim.queue_job(&job(&["shared"])).unwrap();
    assert_eq!(plain.end().await.0, Some(0));
    assert_eq!(sim.snapshot().jobs[1].runner.as_deref(), Some("plain"));
    sim.stop().await;
}

#[tokio::test]
async fn names_are_taken_once_and_busy_runners_are_kept() {
    let sim = started(|_| ()).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    let (id, config) = service.jit(set, "r").await;
    let path = format!("runtime/runnerscalesets/{set}/generatejitconfig");
    let taken = service.call("POST", &path, json!({ "name": "r" })).await;
    assert_eq!(taken.status, 409);
    assert!(kind(&taken).contains("AgentExistsException"));
    let agents = "distributedtask/pools/0/agents";
    let found = service.call("GET", &format!("{agents}?agentName=r"), Value::Null).await;
    assert_eq!(
        (&found.body["value"][0]["id"], &found.body["value"][0]["runnerScaleSetId"]),
        (&json!(id), &json!(set))
    );
    sim.queue_job(&job(&["pool"]).lasting(Duration::from_secs(60))).unwrap();
    queue.next("1").await;
    let runner = Runner::with_jit(&config, &[]);
    sim.wait_until(SOON, |s| s.counters.jobs_started == 1).await.unwrap();
    let busy = service.call("DELETE", &format!("{agents}/{id}"), Value::Null).await;
    assert_eq!(busy.status, 400);
    assert!(kind(&busy).contains("JobStillRunningException"));
    let set_path = format!("runtime/runnerscalesets/{set}");
    assert_eq!(service.call("DELETE", &set_path, Value::Null).await.status, 400);
    runner.signal(nix::sys::signal::Signal::SIGTERM);
    runner.end().await;
    assert_eq!(service.call("DELETE", &format!("{agents}/{id}"), Value::Null).await.status, 204);
    assert_eq!(service.call("GET", &format!("{agents}/{id}"), Value::Null).await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn an_unclaimed_job_is_taken_back_three_times_and_then_fails() {
    let sim = started(|s| {
        s.scale_set_pickup_timeout = Duration::from_millis(150);
        s.scale_set_requeue_delay = Duration::from_millis(10);
    })
    .await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    sim.queue_job(&job(&["pool"])).unwrap();
    let mut told = Vec::new();
    while told.len() < 8 {
        let message = queue.poll("1").await;
        if message.status == 200 {
            told.extend(jobs(&message));
            queue.delete(&message).await;
        }
    }
    let pairs: Vec<_> = told.iter().map(|j| (j["messageType"].clone(), j["result"].clone())).collect();
    for pair in pairs.chunks(2) {
        assert_eq!(pair[0], (json!("JobAssigned"), Value::Null));
        assert_eq!(pair[1], (json!("JobCompleted"), json!("canceled")));
    }
    let seen = sim.snapshot();
    assert_eq!((seen.jobs[0].status, seen.jobs[0].conclusion), (JobStatus::Completed, Some("failure")));
    assert_eq!(seen.counters.jobs_withdrawn, 4);
    sim.stop().await;
}

#[tokio::test]
async fn offered_jobs_have_to_be_acquired() {
    let sim = started(|s| s.acquire_jobs = true).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let queue = service.open(set).await;
    let open = format!("runtime/runnerscalesets/{set}/acquirablejobs");
    assert_eq!(service.call("GET", &open, Value::Null).await.status, 204);
    sim.queue_job(&JobSpec { count: 2, ..job(&["pool"]) }).unwrap();
    let offer = queue.poll("9").await;
    assert_eq!(kinds(&offer), ["JobAvailable", "JobAvailable"]);
    assert_eq!(
        (&offer.body["statistics"]["totalAvailableJobs"], &offer.body["statistics"]["totalAssignedJobs"]),
        (&json!(2), &json!(0))
    );
    let url = jobs(&offer)[0]["acquireJobUrl"].as_str().unwrap().to_string();
    assert_eq!(
        url,
        format!("{}{}_apis/runtime/runnerscalesets/{set}/acquirejobs", sim.base_url(), service.path)
    );
    queue.delete(&offer).await;
    let listed = service.call("GET", &open, Value::Null).await;
    let request = listed.body["value"][0]["runnerRequestId"].as_u64().unwrap();
    let path = format!("runtime/runnerscalesets/{set}/acquirejobs");
    assert_eq!(service.call("POST", &path, json!([request])).await.status, 401);
    let got = service.with(&queue.token, "POST", &path, json!([request, 1])).await;
    assert_eq!((got.status, got.body), (200, json!({ "count": 1, "value": [request] })));
    assert_eq!(queue.next("9").await, ["JobAssigned"]);
    assert_eq!(sim.snapshot().scale_sets[0].available, 1);
    sim.stop().await;
}

#[tokio::test]
async fn queue_tokens_expire_and_a_refresh_helps() {
    let sim = started(|s| s.queue_token_lifetime = Duration::from_secs(600)).await;
    let service = enter(&sim, "acme").await;
    let set = service.set("pool", &[]).await;
    let mut queue = service.open(set).await;
    sim.advance(Duration::from_secs(601));
    assert_eq!(queue.poll("1").await.status, 401);
    queue.token = queue.refresh().await.body["messageQueueAccessToken"].as_str().unwrap().to_string();
    assert_eq!(queue.poll("1").await.status, 202);
    sim.stop().await;
}

#[tokio::test]
async fn repositories_and_enterprises_have_sets_too() {
    let mut state = state().classic_token("ghp_boss", &["manage_runners:enterprise"]);
    state.settings.message_hold = Duration::from_millis(100);
    state
        .enterprises
        .push(githubsim::EnterpriseState { slug: "big".into(), organizations: vec!["acme".into()] });
    let sim = Sim::builder().state(state).start().await.unwrap();
    let token = "/enterprises/big/actions/runners/registration-token";
    let made = with_token(&sim, "ghp_boss", "POST", token, Value::Null).await;
    assert_eq!(made.status, 201);
    let url = format!("{}/enterprises/big", sim.base_url());
    let big = register(&sim, made.body["token"].as_str().unwrap(), &url).await;
    let path = big.body["url"].as_str().unwrap().strip_prefix(&sim.base_url()).unwrap().to_string();
    let big = Service { sim: &sim, path, token: big.body["token"].as_str().unwrap().to_string() };
    let small = enter(&sim, "acme/app").await;
    let (of_big, of_small) = (big.set("big", &[]).await, small.set("small", &[]).await);
    let (big, small) = (big.open(of_big).await, small.open(of_small).await);
    sim.queue_job(&JobSpec::new("acme/web", &["small"])).unwrap();
    assert_eq!(small.poll("1").await.status, 202);
    sim.queue_job(&job(&["small"])).unwrap();
    assert_eq!(small.next("1").await, ["JobAssigned"]);
    sim.queue_job(&JobSpec::new("acme/web", &["big"])).unwrap();
    assert_eq!(big.next("1").await, ["JobAssigned"]);
    sim.stop().await;
}

#[tokio::test]
async fn a_set_serves_what_its_group_admits_and_labels_may_be_dropped() {
    let sim = started(|s| s.scale_set_custom_labels = false).await;
    let service = enter(&sim, "acme").await;
    let body = json!({ "name": "pool", "runnerGroupId": 3, "labels": [{ "name": "gpu", "type": "User" }] });
    let made = service.call("POST", "runtime/runnerscalesets", body).await;
    assert_eq!(made.body["labels"][0]["name"], "pool");
    let queue = service.open(made.body["id"].as_u64().unwrap()).await;
    sim.queue_job(&JobSpec::new("acme/web", &["pool"])).unwrap();
    sim.queue_job(&job(&["gpu"])).unwrap();
    assert_eq!(queue.poll("9").await.status, 202);
    sim.queue_job(&job(&["pool"])).unwrap();
    assert_eq!(queue.next("9").await, ["JobAssigned"]);
    let unknown = json!({ "name": "x", "runnerGroupId": 99 });
    assert_eq!(service.call("POST", "runtime/runnerscalesets", unknown).await.status, 404);
    sim.stop().await;
}
