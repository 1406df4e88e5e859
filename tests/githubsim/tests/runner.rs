//! The stand-in runner as a process, against a running simulator.

mod common;

use std::time::Duration;

use common::*;
use githubsim::JobSpec;
use nix::sys::signal::Signal;
use serde_json::Value;

fn job() -> JobSpec {
    JobSpec::new("acme/app", &["self-hosted"]).lasting(Duration::from_millis(300))
}

#[tokio::test]
async fn a_job_runs_from_queue_to_end() {
    let sim = start().await;
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    let runner = Runner::with_jit(&config, &[]);
    sim.queue_job(&job()).unwrap();
    let (code, said) = runner.end().await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "√ Connected to GitHub",
        "Listening for Jobs",
        "Running job: build",
        "Job build completed with result: Succeeded",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let seen = sim.snapshot();
    assert_eq!((seen.counters.jobs_succeeded, seen.counters.registrations_left), (1, 0));
    let job = &seen.jobs[0];
    assert!(job.queued_ms <= job.assigned_ms.unwrap() && job.started_ms < job.completed_ms);
    sim.stop().await;
}

#[tokio::test]
async fn a_busy_runner_is_shown_and_kept() {
    let sim = start().await;
    let (id, config) = jit(&sim, "r", &["self-hosted"]).await;
    let runner = Runner::with_jit(&config, &[]);
    sim.queue_job(&job().lasting(Duration::from_secs(2))).unwrap();
    sim.wait_until(SOON, |s| s.counters.jobs_started == 1).await.unwrap();
    let path = format!("/orgs/acme/actions/runners/{id}");
    let seen = get(&sim, &path).await;
    assert_eq!((&seen.body["busy"], &seen.body["status"]), (&Value::Bool(true), &"online".into()));
    let refused = with_token(&sim, TOKEN, "DELETE", &path, Value::Null).await;
    assert_eq!(
        (refused.status, refused.message()),
        (422, "Bad request - Runner \"r\" is still running a job\"")
    );
    sim.faults("GET ** lie-busy").unwrap();
    assert_eq!(get(&sim, &path).await.body["busy"], false);
    assert_eq!(runner.end().await.0, Some(0));
    sim.stop().await;
}

#[tokio::test]
async fn a_configuration_serves_one_runner_only() {
    let sim = start().await;
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    let first = Runner::with_jit(&config, &[]);
    sim.wait_until(SOON, |s| s.runners[0].online).await.unwrap();
    let (code, said) = Runner::with_jit(&config, &[("STANDIN_CONFLICT_SECS", "0")]).end().await;
    assert_eq!(code, Some(0));
    assert!(said.contains("already exists"), "{said}");
    assert!(sim.counters().jit_reuse > 0);
    drop(first);
    sim.stop().await;
}

#[tokio::test]
async fn a_deleted_registration_ends_its_runner() {
    let sim = start().await;
    let (id, config) = jit(&sim, "r", &["self-hosted"]).await;
    let runner = Runner::with_jit(&config, &[]);
    sim.wait_until(SOON, |s| s.runners[0].online).await.unwrap();
    with_token(&sim, TOKEN, "DELETE", &format!("/orgs/acme/actions/runners/{id}"), Value::Null).await;
    let (code, said) = runner.end().await;
    assert_eq!(code, Some(0));
    assert!(said.contains("was not found"), "{said}");
    sim.stop().await;
}

#[tokio::test]
async fn a_runner_that_dies_in_its_job_loses_it() {
    let sim = start().await;
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    let runner = Runner::with_jit(&config, &[]);
    sim.queue_job(&job().behaving("crash")).unwrap();
    assert_eq!(runner.end().await.0, Some(137));
    assert_eq!(sim.counters().jobs_lost, 0);
    let seen = sim.wait_until(SOON, |s| s.counters.jobs_lost == 1).await.unwrap();
    assert_eq!((seen.jobs[0].conclusion, seen.runners.len()), (Some("failure"), 1));
    assert!(!seen.runners[0].online && !seen.runners[0].busy);
    sim.stop().await;
}

#[tokio::test]
async fn a_signal_cancels_the_job_and_ends_the_runner() {
    let sim = start().await;
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let (_, config) = jit(&sim, "busy", &["self-hosted"]).await;
        let runner = Runner::with_jit(&config, &[]);
        sim.queue_job(&job().lasting(Duration::from_secs(60))).unwrap();
        let before = sim.counters().jobs_cancelled;
        sim.wait_until(SOON, |s| s.jobs.last().unwrap().started_ms.is_some()).await.unwrap();
        runner.signal(signal);
        let (ended, said) = runner.end().await;
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("Canceled"), "{said}");
        assert_eq!(sim.counters().jobs_cancelled, before + 1);
    }
    sim.stop().await;
}

#[tokio::test]
async fn too_old_a_runner_says_so_and_exits_with_seven_if_asked_to() {
    let sim = start().await;
    sim.with_world(|world, _| world.settings_mut().deprecated = true);
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    let flag = [("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", "1")];
    for (variables, code) in [(&flag[..], 7), (&[], 0)] {
        let (ended, said) = Runner::with_jit(&config, variables).end().await;
        assert_eq!(ended, Some(code));
        assert!(said.contains("is deprecated and cannot receive messages"), "{said}");
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let sim = start().await;
    sim.faults("* /_sim/runner/** status=503 for=1s; * /_sim/runner/** reset after=1s for=1s").unwrap();
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    sim.queue_job(&job()).unwrap();
    assert_eq!(Runner::with_jit(&config, &[]).end().await.0, Some(0));
    assert_eq!(sim.counters().jobs_succeeded, 1);
    sim.stop().await;
}

#[tokio::test]
async fn a_runner_registers_by_token_as_the_community_image_does() {
    let sim = start().await;
    let made = post(&sim, "/orgs/acme/actions/runners/registration-token", Value::Null).await;
    let token = made.body["token"].as_str().unwrap();
    let host = sim.address().to_string();
    let runner = Runner::start(&[
        ("RUNNER_TOKEN", token),
        ("RUNNER_SCOPE", "org"),
        ("ORG_NAME", "acme"),
        ("GITHUB_HOST", &host),
        ("RUNNER_NAME", "by-token"),
        ("RUNNER_GROUP", "ci"),
        ("LABELS", "Docker,gpu"),
        ("EPHEMERAL", "1"),
    ]);
    let seen = sim.wait_until(SOON, |s| s.runners.first().is_some_and(|r| r.online)).await.unwrap();
    assert_eq!(seen.runners[0].labels, ["docker", "gpu", "self-hosted", "linux", "x64"]);
    assert_eq!((seen.runners[0].group, seen.runners[0].ephemeral), (3, true));
    sim.queue_job(&job()).unwrap();
    assert_eq!(runner.end().await.0, Some(0));
    sim.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_stops_its_worker() {
    let sim = start().await;
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    let runner = Runner::with_jit(&config, &[]);
    let id = sim.queue_job(&job().lasting(Duration::from_secs(60))).unwrap()[0];
    sim.wait_until(SOON, |s| s.counters.jobs_started == 1).await.unwrap();
    sim.with_world(|world, now| world.cancel_job(id, now)).unwrap();
    let (code, said) = runner.end().await;
    assert_eq!(code, Some(0));
    assert!(said.contains("Canceled"), "{said}");
    sim.stop().await;
}
