//! The whole way: a simulated GitHub delivers, breaks, forgets and is asked again; the book is what its queue is.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use ghrunner::demand::Heard;
use ghrunner::demand::HookSettings;
use ghrunner::demand::HookSource;
use ghrunner::demand::Inlet;
use ghrunner::demand::merge;
use ghrunner::github::Auth;
use ghrunner::github::Client;
use ghrunner::github::Clock;
use ghrunner::github::CredentialSpec;
use ghrunner::http::Intake;
use ghrunner::http::IntakeLimits;
use ghrunner::http::IntakeSettings;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::PoolName;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use ghrunner::model::Wanted;
use ghrunner::model::WantedPool;
use githubsim::JobSpec;
use githubsim::Sim;
use githubsim::State;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bench::SECRET;
use crate::bench::settings;

const EVENTS: [&str; 3] = ["workflow_job", "workflow_run", "repository"];

/// The simulator lives by the machine's clock, and so must whoever asks it.
#[allow(clippy::disallowed_methods, reason = "there is no other clock that both share")]
fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(u64::try_from(since.as_millis()).unwrap())
}

/// A simulator with a hook of the organization that points to `listener`.
async fn simulator(listener: &TcpListener) -> (Sim, String) {
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let state = State::default()
        .organization("acme")
        .repository("acme/app")
        .classic_token("ghp_test", &["admin:org", "repo", "admin:org_hook"])
        .hook("acme", &url, SECRET, &EVENTS);
    (Sim::builder().state(state).start().await.unwrap(), url)
}

/// Intake and book.
struct Service {
    inlet: Inlet,
    view: watch::Receiver<Arc<Heard>>,
    _settings: watch::Sender<Arc<IntakeSettings>>,
    _wanted: watch::Sender<Arc<Wanted>>,
    _hooks: watch::Sender<Arc<HookSettings>>,
    stop: CancellationToken,
}

impl Service {
    fn start(sim: &Sim, url: &str, listener: TcpListener, settings: IntakeSettings) -> Self {
        let name = CredentialName::default_name();
        let secret = Arc::new(|| Ok(Secret::new("ghp_test")));
        let spec = CredentialSpec {
            name: name.clone(),
            url: sim.base_url(),
            api_url: None,
            auth: Auth::Token(secret),
            ca_file: None,
            proxy: None,
        };
        let clock: Clock = Arc::new(now);
        let github = Arc::new(Client::new(vec![spec], clock.clone()));
        let pool = WantedPool {
            demand: Demand::Webhook,
            credentials: name,
            repos: vec![],
            accounts: vec![],
            active_within: Duration::ZERO,
            group: None,
            labels: vec![],
            set: None,
            capacity: [("orgs/acme".parse().unwrap(), 1)].into(),
            nudge: 0,
        };
        let wanted = Wanted { pools: [(PoolName::parse("a").unwrap(), pool)].into() };
        let hooks = HookSettings { url: Some(url.to_owned()), only_github: settings.only_github };
        let (wanted_in, wanted) = watch::channel(Arc::new(wanted));
        let (hooks_in, hooks) = watch::channel(Arc::new(hooks));
        let (settings_in, settings) = watch::channel(Arc::new(settings));
        let (view_in, view) = watch::channel(Arc::default());
        let stop = CancellationToken::new();
        let (source, inlet) = HookSource::new(github, clock, wanted, hooks, None, stop.clone(), view_in);
        tokio::spawn(source.run());
        listener.set_nonblocking(true).unwrap();
        let intake = Intake::new(settings, inlet.clone(), IntakeLimits::default(), stop.clone());
        tokio::spawn(intake.serve(listener));
        Self { inlet, view, _settings: settings_in, _wanted: wanted_in, _hooks: hooks_in, stop }
    }

    async fn until(&mut self, such: impl FnMut(&Arc<Heard>) -> bool) -> Arc<Heard> {
        self.view.wait_for(such).await.unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn job() -> JobSpec {
    JobSpec::new("acme/app", &["Self-Hosted", "Docker"]).on("push", "topic")
}

/// Waits until the simulator has tried so many deliveries.
async fn tried(sim: &Sim, count: usize) {
    while sim.with_world(|world, _| world.hook_views()[0].deliveries.len()) < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_is_in_the_book_from_its_queue_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, url) = simulator(&listener).await;
    let allow_list = IntakeSettings { only_github: true, ..settings() };
    let mut service = Service::start(&sim, &url, listener, allow_list);
    while service.inlet.networks().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = JobId::Job(sim.queue_job(&job()).unwrap()[0]);
    let heard = service.until(|heard| heard.jobs.contains_key(&id)).await;
    let found = &heard.jobs[&id].job;
    assert_eq!((found.state.clone(), found.repo.to_string()), (JobState::Queued, "acme/app".to_owned()));
    assert_eq!((found.labels.join(" "), found.branch.as_str()), ("self-hosted docker".to_owned(), "topic"));
    assert_eq!(merge(&BTreeMap::new(), &heard), std::slice::from_ref(found));
    let heard = service.until(|heard| heard.jobs[&id].job.event == "push").await;
    assert_eq!(heard.jobs[&id].job.workflow, "CI");
    let JobId::Job(number) = id else { unreachable!() };
    sim.with_world(|world, now| world.cancel_job(number, now)).unwrap();
    let heard = service.until(|heard| heard.jobs.is_empty()).await;
    assert!(heard.done.contains_key(&id));
    sim.stop().await;
}

#[tokio::test]
async fn what_was_delivered_while_nobody_listened_is_asked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, url) = simulator(&listener).await;
    sim.faults("HOOK ** reset").unwrap();
    let ids = sim.queue_job(&JobSpec { count: 3, ..job() }).unwrap();
    // The run, and three jobs.
    tried(&sim, 4).await;
    sim.clear_faults();
    let mut service = Service::start(&sim, &url, listener, settings());
    let heard = service.until(|heard| heard.jobs.len() == 3).await;
    assert!(ids.iter().all(|id| heard.jobs.contains_key(&JobId::Job(*id))));
    assert_eq!(heard.hooks.error, None);
    sim.stop().await;
}

#[tokio::test]
async fn doubled_overtaken_and_forged_deliveries_do_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, url) = simulator(&listener).await;
    let mut service = Service::start(&sim, &url, listener, settings());
    sim.faults("HOOK **/workflow_job/* duplicate").unwrap();
    let stays = sim.queue_job(&job()).unwrap()[0];
    service.until(|heard| heard.jobs.len() == 1).await;
    sim.clear_faults();
    sim.faults("HOOK **/workflow_job/queued reorder count=1").unwrap();
    let goes = sim.queue_job(&job()).unwrap()[0];
    sim.with_world(|world, now| world.cancel_job(goes, now)).unwrap();
    service.until(|heard| heard.done.contains_key(&JobId::Job(goes))).await;
    sim.faults("HOOK **/workflow_job/queued mis-sign count=1").unwrap();
    let forged = sim.queue_job(&job()).unwrap()[0];
    let after = sim.queue_job(&job()).unwrap()[0];
    let heard = service.until(|heard| heard.jobs.contains_key(&JobId::Job(after))).await;
    assert!(!heard.jobs.contains_key(&JobId::Job(forged)), "what a look at the queue will find");
    let known: Vec<_> = heard.jobs.keys().copied().collect();
    assert_eq!(known, [JobId::Job(stays), JobId::Job(after)]);
    service.until(|heard| heard.hooks.refused >= 1).await;
    sim.with_world(|world, _| world.rename_repository("acme/app", "application")).unwrap();
    let heard = service.until(|heard| heard.jobs.values().any(|h| h.job.repo.name() == "application")).await;
    assert_eq!(heard.jobs.len(), 2);
    sim.stop().await;
}
