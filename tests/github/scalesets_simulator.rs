//! Scale sets against the simulator: the client by itself, and with the work on a set that goes on by it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::demand::SetDemand;
use ghrunner::demand::Sets;
use ghrunner::github::Auth;
use ghrunner::github::Client;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::JitRequest;
use ghrunner::github::Removal;
use ghrunner::github::ScaleSets as _;
use ghrunner::github::Session;
use ghrunner::github::SetError;
use ghrunner::github::SetNews;
use ghrunner::github::SetSpec;
use ghrunner::github::Tuning;
use ghrunner::model::Demand;
use ghrunner::model::GroupName;
use ghrunner::model::JobState;
use ghrunner::model::PoolName;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::SetId;
use ghrunner::model::SetState;
use ghrunner::model::Wanted;
use ghrunner::model::WantedPool;
use githubsim::EnterpriseState;
use githubsim::GroupState;
use githubsim::JobSpec;
use githubsim::JobStatus;
use githubsim::Sim;
use githubsim::Visibility;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::Source;
use crate::server::name;
use crate::server::patient;
use crate::server::spec;
use crate::simulator::app;
use crate::simulator::clock;
use crate::simulator::state;
use crate::simulator::token;

async fn simulator(change: impl FnOnce(&mut githubsim::Settings)) -> Sim {
    let mut state = state();
    state.settings.message_hold = Duration::from_millis(200);
    change(&mut state.settings);
    Sim::builder().state(state).start().await.unwrap()
}

fn client(sim: &Sim) -> Client {
    Client::tuned(vec![spec(sim.base_url(), token())], clock(), patient())
}

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn set_spec(labels: &[&str]) -> SetSpec {
    let labels = labels.iter().map(|l| (*l).to_owned()).collect();
    SetSpec { name: "gpu".into(), group: Some(GroupName::new("ci")), labels }
}

fn job(labels: &[&str]) -> JobSpec {
    JobSpec::new("acme/app", labels).lasting(Duration::from_millis(300))
}

fn request(set: SetId, runner: &str) -> JitRequest {
    JitRequest {
        scope: org(),
        group: Some(GroupName::new("ci")),
        set: Some(set),
        name: RunnerName::new(runner),
        labels: vec!["gpu".into()],
        work_folder: "_work".into(),
    }
}

/// The stand-in runner, built when it is first needed: cargo builds no programs of packages that tests depend on.
fn standin() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            let output = Command::new(env!("CARGO"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args([
                    "build",
                    "-p",
                    "githubsim",
                    "--bin",
                    "standin-runner",
                    "--message-format",
                    "json",
                    "--locked",
                ])
                .stderr(Stdio::inherit())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let mut built = text.lines().filter_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                line["executable"].as_str().map(PathBuf::from)
            });
            built.next_back().expect("cargo names the program that it built")
        })
        .clone()
}

/// A running stand-in, killed when dropped.
struct Standin(Child);

impl Standin {
    fn start(config: &str) -> Self {
        let mut command = Command::new(standin());
        command.env_clear().env("ACTIONS_RUNNER_INPUT_JITCONFIG", config).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kinds of news until as many were told, each message acknowledged.
async fn told(client: &Client, session: &mut Session, many: usize) -> Vec<SetNews> {
    let (mut news, mut last) = (Vec::new(), 0);
    while news.len() < many {
        if let Some(message) = client.next_message(&name(), &org(), session, last, 5).await.unwrap() {
            client.acknowledge(&name(), &org(), session, message.id).await.unwrap();
            last = message.id;
            news.extend(message.news);
        }
    }
    news
}

#[tokio::test]
async fn a_job_goes_from_the_set_to_a_runner_and_back() {
    let sim = simulator(|_| ()).await;
    for auth in [token(), app()] {
        let client = Client::tuned(vec![spec(sim.base_url(), auth)], clock(), patient());
        let set = client.ensure_set(&name(), &org(), &set_spec(&["gpu", "big"])).await.unwrap();
        let again = client.ensure_set(&name(), &org(), &set_spec(&["gpu", "big"])).await.unwrap();
        assert_eq!((again.id, again.refused_labels.len()), (set.id, 0));
        let mut session = client.open_session(&name(), &org(), set.id, "k7x2p").await.unwrap();
        assert_eq!(session.statistics.assigned, 0);
        assert_eq!(client.next_message(&name(), &org(), &mut session, 0, 5).await.unwrap(), None);
        assert!(client.available_jobs(&name(), &org(), set.id).await.unwrap().is_empty());

        sim.queue_job(&job(&["GPU", "big"])).unwrap();
        let news = told(&client, &mut session, 1).await;
        let SetNews::Assigned(first) = &news[0] else { panic!("{news:?}") };
        assert_eq!((first.repo.to_string().as_str(), first.workflow.as_str()), ("acme/app", "ci.yml"));
        assert_eq!(
            (&first.labels[..], first.branch.as_str()),
            (&["gpu".to_owned(), "big".into()][..], "main")
        );
        assert!(first.run > 0 && first.queued.0 > 0);

        let jit = client.register(&name(), &request(set.id, "ghrunner-gpu-0-k7x2p-a1")).await.unwrap();
        let taken = client.register(&name(), &request(set.id, "ghrunner-gpu-0-k7x2p-a1")).await.unwrap_err();
        assert!(matches!(taken, GitHubError::NameTaken { .. }), "{taken}");
        let listed = client.list(&name(), &org()).await.unwrap();
        assert_eq!((listed.len(), listed[0].id), (1, jit.id), "REST lists it, too");
        let _runner = Standin::start(jit.config.reveal());
        let news = told(&client, &mut session, 2).await;
        let name_of = Some(RunnerName::new("ghrunner-gpu-0-k7x2p-a1"));
        assert!(
            matches!(&news[0], SetNews::Started(job) if job.id == first.id && job.state == JobState::Running { runner: name_of.clone() }),
            "{news:?}"
        );
        assert_eq!(news[1], SetNews::Completed { id: first.id, runner: name_of, result: "succeeded".into() });

        let idle = client.register(&name(), &request(set.id, "ghrunner-gpu-1-k7x2p-a1")).await.unwrap();
        assert_eq!(client.delete(&name(), &org(), idle.id).await.unwrap(), Removal::Removed);
        client.close_session(&name(), &org(), set.id, &session.id).await.unwrap();
        client.close_session(&name(), &org(), set.id, &session.id).await.unwrap();
        client.delete_set(&name(), &org(), set.id).await.unwrap();
        client.delete_set(&name(), &org(), set.id).await.unwrap();
        assert!(sim.snapshot().scale_sets.is_empty());
        let error = client.register(&name(), &request(set.id, "ghrunner-gpu-2-k7x2p-a1")).await.unwrap_err();
        assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
    }
    sim.stop().await;
}

/// An enterprise is served by the same calls, in a group of its own or the default one.
#[tokio::test]
async fn an_enterprise_has_runners_and_sets_as_well() {
    let mut state = state().classic_token("ghp_owner", &["manage_runners:enterprise"]);
    state.settings.message_hold = Duration::from_millis(200);
    state.enterprises.push(EnterpriseState { slug: "big".into(), organizations: vec!["acme".into()] });
    state.groups.push(GroupState {
        enterprise: "big".into(),
        name: "nobodys".into(),
        visibility: Visibility::Selected,
        ..GroupState::default()
    });
    let sim = Sim::builder().state(state).start().await.unwrap();
    let auth = Auth::Token(Source::new("ghp_owner").loader());
    let client = Client::tuned(vec![spec(sim.base_url(), auth)], clock(), patient());
    let scope: Scope = "enterprises/big".parse().unwrap();
    let of_set = |set, runner: &str| JitRequest {
        scope: scope.clone(),
        group: None,
        set,
        ..request(SetId(0), runner)
    };

    let alone = client.register(&name(), &of_set(None, "ghrunner-gpu-0-k7x2p-a1")).await.unwrap();
    let listed = client.list(&name(), &scope).await.unwrap();
    assert_eq!(listed.iter().map(|runner| runner.id).collect::<Vec<_>>(), [alone.id]);
    assert_eq!(client.delete(&name(), &scope, alone.id).await.unwrap(), Removal::Removed);

    // A runner and a set in a group that admits none of the organizations: no job is given to either.
    let group = Some(GroupName::new("nobodys"));
    let elsewhere = SetSpec { group: group.clone(), ..set_spec(&["gpu"]) };
    let closed = client.ensure_set(&name(), &scope, &elsewhere).await.unwrap().id;
    let grouped = JitRequest { group, ..of_set(None, "ghrunner-gpu-0-k7x2p-b2") };
    let runner = client.register(&name(), &grouped).await.unwrap().id;
    let seen = sim.snapshot();
    assert_eq!(seen.runners.iter().map(|r| (r.id, r.group)).collect::<Vec<_>>(), [(runner.0, 3)]);
    assert_eq!(seen.scale_sets.iter().map(|s| (s.id, s.group)).collect::<Vec<_>>(), [(closed.0, 3)]);
    let unknown = JitRequest { group: Some(GroupName::new("ci")), ..of_set(None, "ghrunner-gpu-0-k7x2p-c3") };
    let error = client.register(&name(), &unknown).await.unwrap_err();
    assert!(error.to_string().contains("runner group \"ci\" in enterprises/big"), "{error}");

    let spec = SetSpec { group: None, ..set_spec(&["gpu"]) };
    let set = client.ensure_set(&name(), &scope, &spec).await.unwrap().id;
    let mut session = client.open_session(&name(), &scope, set, "k7x2p").await.unwrap();
    client.next_message(&name(), &scope, &mut session, 0, 5).await.unwrap();
    sim.queue_job(&job(&["gpu"])).unwrap();
    let message = loop {
        let next = client.next_message(&name(), &scope, &mut session, 0, 5).await.unwrap();
        if let Some(message) = next {
            break message;
        }
    };
    assert!(matches!(&message.news[..], [SetNews::Assigned(_)]), "{message:?}");
    let jit = client.register(&name(), &of_set(Some(set), "ghrunner-gpu-1-k7x2p-a1")).await.unwrap();
    let _runner = Standin::start(jit.config.reveal());
    sim.wait_until(Duration::from_secs(120), |s| s.counters.jobs_succeeded == 1).await.unwrap();
    sim.stop().await;
}

/// Without optimization each call of a chain moves the future of the next onto its stack, several times.
#[tokio::test]
async fn what_a_call_waits_with_is_small() {
    let sim = simulator(|_| ()).await;
    let client = client(&sim);
    let (name, scope, spec) = (name(), org(), set_spec(&["gpu"]));
    let size = std::mem::size_of_val(&client.ensure_set(&name, &scope, &spec));
    assert!(size < 16 * 1024, "{size} bytes");
    sim.stop().await;
}

#[tokio::test]
async fn each_end_of_a_session_is_told_apart() {
    let sim = simulator(|_| ()).await;
    let client = client(&sim);
    let set = client.ensure_set(&name(), &org(), &set_spec(&["gpu"])).await.unwrap().id;
    let mut session = client.open_session(&name(), &org(), set, "k").await.unwrap();
    let error = client.open_session(&name(), &org(), set, "other").await.unwrap_err();
    assert!(matches!(error, SetError::SessionTaken(_)), "{error}");
    let renewed = client.renew_session(&name(), &org(), &session).await.unwrap();
    assert_eq!(renewed.id, session.id);
    assert_ne!(renewed.token, session.token);
    for fault in ["session-expired", "session-evicted"] {
        sim.faults(&format!("GET **/message** {fault} count=1")).unwrap();
        let error = client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap_err();
        assert!(matches!(error, SetError::SessionGone(_)), "{fault}: {error}");
        session = client.open_session(&name(), &org(), set, "k").await.unwrap();
    }
    sim.faults("GET **/message** set-deleted count=1").unwrap();
    let error = client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap_err();
    assert!(matches!(error, SetError::SetGone | SetError::SessionGone(_)), "{error}");
    assert_eq!(client.open_session(&name(), &org(), set, "k").await.unwrap_err(), SetError::SetGone);
    sim.stop().await;
}

#[tokio::test]
async fn tokens_of_both_planes_are_renewed_when_they_end() {
    let sim = simulator(|s| s.admin_token_lifetime = Duration::from_secs(7200)).await;
    let client = client(&sim);
    let set = client.ensure_set(&name(), &org(), &set_spec(&["gpu"])).await.unwrap().id;
    let mut session = client.open_session(&name(), &org(), set, "k").await.unwrap();
    let first = session.token.clone();
    sim.with_world(|world, _| world.expire_service_tokens());
    assert_eq!(client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap(), None);
    assert_ne!(session.token, first);
    assert_eq!(client.ensure_set(&name(), &org(), &set_spec(&["gpu"])).await.unwrap().id, set);
    sim.stop().await;
}

#[tokio::test]
async fn a_lost_registration_in_a_set_leaves_nothing_behind() {
    let sim = simulator(|_| ()).await;
    let client = client(&sim);
    let set = client.ensure_set(&name(), &org(), &set_spec(&["gpu"])).await.unwrap().id;
    for fault in ["reset", "status=502", "truncate", "malformed"] {
        sim.faults(&format!("POST **/generatejitconfig {fault} processed count=1")).unwrap();
        let error = client.register(&name(), &request(set, "ghrunner-gpu-0-k7x2p-a1")).await.unwrap_err();
        assert!(!matches!(error, GitHubError::NameTaken { .. }), "{fault}: {error}");
        assert_eq!(client.list(&name(), &org()).await.unwrap(), [], "{fault}");
    }
    sim.stop().await;
}

/// The part at work on one set.
struct Part {
    wanted: watch::Sender<Arc<Wanted>>,
    told: watch::Receiver<Arc<Sets>>,
    cancel: CancellationToken,
    run: JoinHandle<()>,
}

fn want(capacity: u32) -> Arc<Wanted> {
    let pool = WantedPool {
        demand: Demand::ScaleSet,
        credentials: name(),
        repos: vec![],
        accounts: vec![],
        active_within: Duration::from_secs(3600),
        group: Some(GroupName::new("ci")),
        labels: vec!["self-hosted".into(), "gpu".into()],
        set: None,
        capacity: [(org(), capacity)].into(),
        nudge: 0,
    };
    Arc::new(Wanted { pools: [(PoolName::parse("build").unwrap(), pool)].into() })
}

fn part(sim: &Sim, dir: &Path, capacity: u32) -> Part {
    // Faults end in waits of a second or more; nothing here needs longer than these.
    let tuning = Tuning { poll_timeout: Duration::from_secs(10), ..patient() };
    let client = Arc::new(Client::tuned(vec![spec(sim.base_url(), token())], clock(), tuning));
    let (wanted, receiver) = watch::channel(want(capacity));
    let (out, told) = watch::channel(Arc::default());
    let cancel = CancellationToken::new();
    let part =
        SetDemand::new(client, clock(), ("k7x2p".to_owned(), Some(dir)), receiver, cancel.clone(), out);
    Part { wanted, told, cancel, run: tokio::spawn(part.run()) }
}

impl Part {
    async fn until(&mut self, such: impl FnMut(&Arc<Sets>) -> bool) -> Arc<Sets> {
        let found = tokio::time::timeout(Duration::from_secs(120), self.told.wait_for(such)).await;
        let found = found.map(|told| told.unwrap().clone()).ok();
        found.unwrap_or_else(|| panic!("it stays {:#?}", self.told.borrow()))
    }

    async fn listens(&mut self) -> SetId {
        let listens = |sets: &Arc<Sets>| sets.sets.first().is_some_and(|s| s.state == SetState::Listening);
        self.until(listens).await.sets[0].id.unwrap()
    }

    async fn counts(&mut self, assigned: u32) {
        self.until(|sets| sets.sets[0].statistics.is_some_and(|(count, _)| count.assigned == assigned)).await;
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.run.await.unwrap();
    }
}

#[tokio::test]
async fn the_part_hears_of_jobs_until_runners_have_done_them() {
    for acquire in [false, true] {
        let sim = simulator(|s| s.acquire_jobs = acquire).await;
        let (dir, client) = (tempfile::tempdir().unwrap(), client(&sim));
        let mut part = part(&sim, dir.path(), 2);
        let set = part.listens().await;
        sim.queue_job(&JobSpec { count: 3, ..job(&["gpu"]) }).unwrap();
        let told = part.until(|sets| sets.jobs.len() == 2).await;
        assert!(told.jobs.iter().all(|(pool, scope, job)| {
            pool.as_str() == "build" && *scope == org() && job.state == JobState::Queued
        }));
        part.counts(2).await;
        let mut runners = Vec::new();
        for n in 0..3 {
            let jit = client
                .register(&name(), &request(set, &format!("ghrunner-build-{n}-k7x2p-a1")))
                .await
                .unwrap();
            runners.push(Standin::start(jit.config.reveal()));
        }
        sim.wait_until(Duration::from_secs(120), |s| s.counters.jobs_succeeded == 3).await.unwrap();
        part.until(|sets| sets.jobs.is_empty()).await;
        part.counts(0).await;
        part.stop().await;
        let view = sim.snapshot().scale_sets.remove(0);
        assert_eq!(
            (view.session_owner, view.messages),
            (None, 0),
            "all is acknowledged, and the session closed"
        );
        sim.stop().await;
    }
}

#[tokio::test]
async fn the_part_outlasts_what_befalls_session_set_and_tokens() {
    let sim = simulator(|_| ()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut part = part(&sim, dir.path(), 20);
    let mut set = part.listens().await;
    for (at, fault) in [
        "GET **/message** session-expired count=1",
        "GET **/message** session-evicted count=1",
        "GET **/message** empty count=3",
        "GET **/message** bom count=9",
        "GET **/message** status=500 count=2",
        "DELETE **/message** session-expired count=1",
        "DELETE **/message** status=500 count=1",
        "POST **/sessions no-queue-url count=1; GET **/message** session-expired count=1",
        "POST **/sessions session-conflict count=1; GET **/message** session-expired count=1",
        "GET **/message** duplicate count=2",
        "GET **/message** set-deleted count=1",
    ]
    .into_iter()
    .enumerate()
    {
        sim.faults(fault).unwrap();
        sim.queue_job(&job(&["gpu"])).unwrap();
        let jobs = at + 1;
        part.until(|sets| {
            sets.sets[0].state == SetState::Listening
                && sets.sets[0].statistics.is_some_and(|(c, _)| c.assigned as usize == jobs)
        })
        .await;
        sim.clear_faults();
        if fault.contains("set-deleted") {
            let made = part.until(|sets| sets.sets[0].id != Some(set) && sets.sets[0].id.is_some()).await;
            set = made.sets[0].id.unwrap();
        }
    }
    assert_eq!(sim.snapshot().scale_sets[0].id, set.0);
    part.stop().await;
    sim.stop().await;
}

#[tokio::test]
async fn a_killed_part_closes_its_own_old_session_when_it_is_back() {
    let sim = simulator(|_| ()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut first = part(&sim, dir.path(), 3);
    first.listens().await;
    sim.queue_job(&job(&["gpu"])).unwrap();
    first.counts(1).await;
    first.run.abort();
    let before = sim.snapshot().scale_sets[0].session_id.clone();
    assert!(before.is_some(), "nobody closed it");
    let mut second = part(&sim, dir.path(), 3);
    second.listens().await;
    second.counts(1).await;
    let after = sim.snapshot().scale_sets[0].session_id.clone();
    assert!(after.is_some() && after != before);
    second.stop().await;
    sim.stop().await;
}

#[tokio::test]
async fn room_is_told_and_a_pool_that_leaves_takes_its_set_with_it() {
    let sim = simulator(|s| s.message_hold = Duration::from_secs(50)).await;
    let dir = tempfile::tempdir().unwrap();
    let mut part = part(&sim, dir.path(), 3);
    part.listens().await;
    let capacity = |n| move |s: &githubsim::Snapshot| s.scale_sets[0].capacity == Some(n);
    let soon = Duration::from_secs(20);
    sim.wait_until(soon, capacity(3)).await.unwrap();
    part.wanted.send_replace(want(1));
    sim.wait_until(soon, capacity(1)).await.unwrap();
    sim.queue_job(&JobSpec { count: 3, ..job(&["gpu"]) }).unwrap();
    part.counts(1).await;
    let queued = sim.snapshot().jobs.iter().filter(|job| job.status == JobStatus::Queued).count();
    assert_eq!(queued, 3, "no runner came yet");
    sim.with_world(|world, now| {
        let ids: Vec<u64> = world.snapshot(now).jobs.iter().map(|job| job.id).collect();
        ids.into_iter().for_each(|id| drop(world.cancel_job(id, now)));
    });
    part.counts(0).await;
    part.wanted.send_replace(Arc::default());
    sim.wait_until(soon, |s| s.scale_sets.is_empty()).await.unwrap();
    part.until(|sets| sets.sets.is_empty()).await;
    part.stop().await;
    sim.stop().await;
}
