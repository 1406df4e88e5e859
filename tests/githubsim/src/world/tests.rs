//! Tests of the world: who gets which job, what single use means, what time does.

use std::time::Duration;

use super::*;
use crate::state::GroupState;
use crate::state::State;

fn at(secs: u64) -> Moment {
    Moment::at(secs)
}

fn world() -> World {
    let state = State::default()
        .organization("acme")
        .repository("acme/app")
        .repository("acme/web")
        .public_repository("acme/site")
        .repository("alice/tool")
        .group("acme", 3, "ci", &["app"]);
    World::new(&state, at(0)).unwrap()
}

fn org(world: &World) -> Scope {
    Scope::Organization(world.account("acme", AccountKind::Organization).unwrap().id)
}

fn repo(world: &World, name: &str) -> Scope {
    Scope::Repository(world.repository_named(name).unwrap().id)
}

/// Registers a runner and opens its session.
fn online(world: &mut World, scope: Scope, request: RunnerRequest, now: Moment) -> (u64, String) {
    let made = world.register(scope, request, now).unwrap();
    (made.runner_id, world.open_session(&made.secret, "2.335.0", now).unwrap())
}

fn queue(world: &mut World, repository: &str, labels: &[&str], now: Moment) -> u64 {
    world.queue_job(&JobSpec::new(repository, labels), now).unwrap()[0]
}

fn taken(world: &mut World, session: &str, now: Moment) -> Option<u64> {
    world.poll(session, now).unwrap().map(|a| a.job_id)
}

#[test]
fn a_job_needs_all_its_labels_on_the_runner_in_any_case() {
    let mut w = world();
    let scope = org(&w);
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["self-hosted", "Linux"]), at(1));
    queue(&mut w, "acme/app", &["self-hosted", "gpu"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
    let fitting = queue(&mut w, "acme/app", &["SELF-HOSTED", "linux"], at(2));
    assert_eq!(taken(&mut w, &session, at(3)), Some(fitting));
}

#[test]
fn no_label_is_implied() {
    let mut w = world();
    let scope = org(&w);
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["docker"]), at(1));
    queue(&mut w, "acme/app", &["self-hosted"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
}

#[test]
fn the_oldest_job_goes_first() {
    let mut w = world();
    let scope = org(&w);
    let first = queue(&mut w, "acme/app", &["a"], at(1));
    queue(&mut w, "acme/web", &["a"], at(2));
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(3));
    assert_eq!(taken(&mut w, &session, at(4)), Some(first));
}

#[test]
fn a_group_serves_only_the_repositories_it_admits() {
    let mut w = world();
    let scope = org(&w);
    let request = RunnerRequest { group: 3, ..RunnerRequest::new("r", &["a"]) };
    let (_, session) = online(&mut w, scope, request, at(1));
    queue(&mut w, "acme/web", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
    let job = queue(&mut w, "acme/app", &["a"], at(2));
    assert_eq!(taken(&mut w, &session, at(3)), Some(job));
}

#[test]
fn a_public_repository_needs_a_group_that_allows_it() {
    let mut w = world();
    let scope = org(&w);
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    let job = queue(&mut w, "acme/site", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
    let open = GroupState {
        org: "acme".into(),
        id: 1,
        name: "Default".into(),
        allows_public_repositories: true,
        ..GroupState::default()
    };
    w.put_group(&open).unwrap();
    assert_eq!(taken(&mut w, &session, at(3)), Some(job));
}

#[test]
fn a_job_that_asks_for_a_group_gets_no_other() {
    let mut w = world();
    let scope = org(&w);
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    w.queue_job(&JobSpec::new("acme/app", &["a"]).in_group("ci"), at(1)).unwrap();
    assert_eq!(taken(&mut w, &session, at(2)), None);
}

#[test]
fn a_repository_runner_serves_only_its_repository() {
    let mut w = world();
    let scope = repo(&w, "alice/tool");
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    queue(&mut w, "acme/app", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
    let job = queue(&mut w, "alice/tool", &["a"], at(2));
    assert_eq!(taken(&mut w, &session, at(3)), Some(job));
}

#[test]
fn an_ephemeral_runner_is_gone_after_its_job() {
    let mut w = world();
    let scope = org(&w);
    let (id, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    let job = queue(&mut w, "acme/app", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), Some(job));
    w.start_job(&session, job, at(2)).unwrap();
    w.finish_job(&session, job, "success", at(3)).unwrap();
    assert_eq!(w.runner_in(scope, id).unwrap_err(), Refusal::NotFound);
    assert_eq!(w.poll(&session, at(4)).unwrap_err(), Refusal::NotFound);
    let counters = w.counters();
    assert_eq!((counters.jobs_succeeded, counters.registrations_left), (1, 0));
}

#[test]
fn a_registration_is_used_once() {
    let mut w = world();
    let scope = org(&w);
    let made = w.register(scope, RunnerRequest::new("r", &["a"]), at(1)).unwrap();
    let session = w.open_session(&made.secret, "2", at(1)).unwrap();
    assert!(matches!(w.open_session(&made.secret, "2", at(2)), Err(Refusal::Conflict(_))));
    w.close_session(&session, at(3));
    assert!(matches!(w.open_session(&made.secret, "2", at(4)), Err(Refusal::Conflict(_))));
    assert_eq!(w.counters().jit_reuse, 2);
}

#[test]
fn a_runner_of_many_jobs_may_come_back() {
    let mut w = world();
    let scope = org(&w);
    let request = RunnerRequest { ephemeral: false, ..RunnerRequest::new("r", &["a"]) };
    let made = w.register(scope, request, at(1)).unwrap();
    let session = w.open_session(&made.secret, "2", at(1)).unwrap();
    w.close_session(&session, at(2));
    assert!(w.open_session(&made.secret, "2", at(3)).is_ok());
    assert_eq!(w.counters().jit_reuse, 0);
}

#[test]
fn a_busy_runner_is_not_deleted_unless_a_fault_says_so() {
    let mut w = world();
    let scope = org(&w);
    let (id, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    let job = queue(&mut w, "acme/app", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), Some(job));
    let refused = w.delete_runner(scope, id, false, at(3)).unwrap_err();
    assert_eq!(refused, Refusal::Invalid("Bad request - Runner \"r\" is still running a job\"".into()));
    w.delete_runner(scope, id, true, at(4)).unwrap();
    assert_eq!((w.counters().busy_deleted, w.counters().busy_delete_refused), (1, 1));
    // The job goes on: its own credentials are not the registration's.
    w.finish_job(&session, job, "success", at(5)).unwrap();
    assert_eq!(w.counters().jobs_succeeded, 1);
}

#[test]
fn groups_that_are_not_ours_or_not_there_differ() {
    let mut w = world();
    let scope = org(&w);
    let of = |group| RunnerRequest { group, ..RunnerRequest::new("r", &["a"]) };
    assert!(matches!(w.register(scope, of(2), at(1)), Err(Refusal::Forbidden(_))));
    assert_eq!(w.register(scope, of(99), at(1)).unwrap_err(), Refusal::NotFound);
    let scope = repo(&w, "acme/app");
    assert!(matches!(w.register(scope, of(2), at(1)), Err(Refusal::Forbidden(_))));
    assert_eq!(w.register(scope, of(3), at(1)).unwrap_err(), Refusal::NotFound);
}

#[test]
fn a_name_is_taken_within_its_scope_only() {
    let mut w = world();
    let (org, app) = (org(&w), repo(&w, "acme/app"));
    w.register(org, RunnerRequest::new("r", &["A"]), at(1)).unwrap();
    assert!(matches!(w.register(org, RunnerRequest::new("R", &["a"]), at(1)), Err(Refusal::Conflict(_))));
    w.register(app, RunnerRequest::new("r", &["a"]), at(1)).unwrap();
    assert_eq!(w.runners_in(org)[0].labels, ["a"]);
}

#[test]
fn a_runner_that_died_in_its_job_stays_registered_and_its_job_fails_late() {
    let mut w = world();
    let scope = org(&w);
    let (id, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    let job = queue(&mut w, "acme/app", &["a"], at(1));
    assert_eq!(taken(&mut w, &session, at(2)), Some(job));
    w.start_job(&session, job, at(2)).unwrap();
    w.tick(at(20));
    assert!(w.runner_in(scope, id).unwrap().job.is_some());
    assert!(!w.is_online(w.runner_in(scope, id).unwrap(), at(20)));
    w.tick(at(40));
    let (seen, runner) = (w.job(job).unwrap(), w.runner_in(scope, id).unwrap());
    assert_eq!((seen.conclusion, seen.lost, runner.job), (Some("failure"), true, None));
    assert_eq!(w.counters().jobs_lost, 1);
    w.delete_runner(scope, id, false, at(41)).unwrap();
}

#[test]
fn a_job_that_is_never_started_returns_to_its_place() {
    let mut w = world();
    let scope = org(&w);
    let (_, dead) = online(&mut w, scope, RunnerRequest::new("dead", &["a"]), at(1));
    let first = queue(&mut w, "acme/app", &["a"], at(1));
    queue(&mut w, "acme/app", &["a"], at(2));
    assert_eq!(taken(&mut w, &dead, at(3)), Some(first));
    w.tick(at(30));
    let (_, alive) = online(&mut w, scope, RunnerRequest::new("alive", &["a"]), at(31));
    assert_eq!(taken(&mut w, &alive, at(32)), Some(first));
    assert_eq!(w.counters().jobs_requeued, 1);
}

#[test]
fn online_means_polling_or_just_now() {
    let mut w = world();
    let scope = org(&w);
    let (id, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    w.set_polling(&session, true, at(1));
    assert!(w.is_online(w.runner_in(scope, id).unwrap(), at(500)));
    w.set_polling(&session, false, at(500));
    assert!(w.is_online(w.runner_in(scope, id).unwrap(), at(502)));
    assert!(!w.is_online(w.runner_in(scope, id).unwrap(), at(510)));
}

#[test]
fn an_unused_registration_lingers_for_a_day() {
    let mut w = world();
    let scope = org(&w);
    w.register(scope, RunnerRequest::new("r", &["a"]), at(0)).unwrap();
    w.tick(at(80_000));
    assert_eq!(w.counters().registrations_left, 1);
    w.tick(at(87_000));
    assert_eq!(w.counters().registrations_left, 0);
}

#[test]
fn registration_tokens_fit_one_place_and_expire() {
    let mut w = world();
    let scope = org(&w);
    let (token, _) = w.create_registration_token(scope, false, "user admin", at(0));
    let (remove, _) = w.create_registration_token(scope, true, "user admin", at(0));
    let mut try_it = |token: &str, url: &str, name: &str, secs| {
        w.register_by_token(token, url, Some("ci"), RunnerRequest::new(name, &["a"]), at(secs))
            .map(|r| r.runner_id)
    };
    assert_eq!(try_it(&token, "http://h/alice/tool", "a", 1), Err(Refusal::NotFound));
    assert_eq!(try_it(&remove, "http://h/acme", "b", 1), Err(Refusal::NotFound));
    let id = try_it(&token, "http://h/acme", "c", 1).unwrap();
    assert_eq!(try_it(&token, "http://h/acme", "d", 3600), Err(Refusal::NotFound));
    assert_eq!(w.runner_in(scope, id).unwrap().group, 3);
}

#[test]
fn a_run_reports_queued_while_any_job_waits_but_for_those_that_needs_released() {
    let mut w = world();
    let scope = org(&w);
    let first = w.queue_job(&JobSpec { count: 2, ..JobSpec::new("acme/app", &["a"]) }, at(1)).unwrap();
    let run = w.job(first[0]).unwrap().run;
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    taken(&mut w, &session, at(2));
    let status = |w: &World| w.run_status(&w.runs[&run]);
    assert_eq!(status(&w), JobStatus::Queued);
    let (_, other) = online(&mut w, scope, RunnerRequest::new("s", &["a"]), at(2));
    taken(&mut w, &other, at(2));
    let late = JobSpec { run: Some(run), needs: true, ..JobSpec::new("acme/app", &["a"]) };
    w.queue_job(&late, at(3)).unwrap();
    assert_eq!(status(&w), JobStatus::InProgress);
}

#[test]
fn a_waiting_job_waits_for_its_gate() {
    let mut w = world();
    let scope = org(&w);
    let job = w.queue_job(&JobSpec { waiting: true, ..JobSpec::new("acme/app", &["a"]) }, at(1)).unwrap()[0];
    let (_, session) = online(&mut w, scope, RunnerRequest::new("r", &["a"]), at(1));
    assert_eq!(taken(&mut w, &session, at(2)), None);
    w.release_job(job, at(3)).unwrap();
    assert_eq!(taken(&mut w, &session, at(4)), Some(job));
}

#[test]
fn the_budget_runs_out_and_comes_back() {
    let mut w = world();
    w.settings_mut().rate_limit = 2;
    for _ in 0..2 {
        w.charge("user x", "user x", at(0)).unwrap();
    }
    assert!(matches!(w.charge("user x", "user x", at(1)), Err(Refusal::RateLimited(_))));
    w.refund("user x");
    w.charge("user x", "user x", at(2)).unwrap();
    w.charge("user x", "user x", at(3601)).unwrap();
}

#[test]
fn too_old_a_runner_gets_no_session() {
    let mut w = world();
    let scope = org(&w);
    let made = w.register(scope, RunnerRequest::new("r", &["a"]), at(1)).unwrap();
    w.settings_mut().deprecated = true;
    assert!(matches!(w.open_session(&made.secret, "2", at(2)), Err(Refusal::Forbidden(_))));
    w.settings_mut().deprecated = false;
    assert!(w.open_session(&made.secret, "2", at(3)).is_ok());
    assert_eq!(w.settings.lost_after, Duration::from_secs(30));
}
