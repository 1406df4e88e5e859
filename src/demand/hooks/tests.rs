use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::github::Delivery;
use crate::github::GitHubError;
use crate::model::CredentialName;
use crate::model::Demand;
use crate::model::JobId;
use crate::model::PoolName;
use crate::model::Scope;
use crate::model::WantedPool;

const START: Time = Time(1_700_000_000_000);
const URL: &str = "https://ci.example/webhook";

/// GitHub as far as it is asked here.
#[derive(Default)]
struct Fake {
    deliveries: Mutex<Vec<Delivery>>,
    networks: Mutex<Vec<String>>,
    refuses: Mutex<bool>,
    looks: Mutex<Vec<Time>>,
    asked_for: Mutex<Vec<u64>>,
    meta: Mutex<u32>,
}

impl Hooks for Fake {
    async fn deliveries(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        url: &str,
        since: Time,
    ) -> Result<Vec<Delivery>, GitHubError> {
        assert_eq!((url, scope.to_string().as_str()), (URL, "orgs/acme"));
        self.looks.lock().unwrap().push(since);
        if *self.refuses.lock().unwrap() {
            let what = "hooks of orgs/acme".to_owned();
            return Err(GitHubError::NotFound { credential: credentials.clone(), what, needs: None });
        }
        Ok(self.deliveries.lock().unwrap().clone())
    }

    async fn redeliver(&self, _: &CredentialName, _: &Scope, delivery: &Delivery) -> Result<(), GitHubError> {
        self.asked_for.lock().unwrap().push(delivery.id);
        Ok(())
    }

    async fn hook_networks(&self, _: &CredentialName, _: &Scope) -> Result<Vec<String>, GitHubError> {
        *self.meta.lock().unwrap() += 1;
        Ok(self.networks.lock().unwrap().clone())
    }
}

struct Bench {
    github: Arc<Fake>,
    inlet: Inlet,
    view: watch::Receiver<Arc<Heard>>,
    settings: watch::Sender<Arc<HookSettings>>,
    _wanted: watch::Sender<Arc<Wanted>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

/// A source that runs, on tokio's clock.
fn start(github: Fake, settings: HookSettings, last: Option<Time>) -> Bench {
    let pool = WantedPool {
        demand: Demand::Webhook,
        credentials: CredentialName::default_name(),
        repos: vec![],
        accounts: vec![],
        active_within: Duration::ZERO,
        group: None,
        labels: vec![],
        set: None,
        capacity: BTreeMap::from([("orgs/acme".parse().unwrap(), 1)]),
        nudge: 0,
    };
    let fixed = WantedPool {
        demand: Demand::Poll,
        capacity: BTreeMap::from([("orgs/other".parse().unwrap(), 1)]),
        ..pool.clone()
    };
    let name = |text| PoolName::parse(text).unwrap();
    let pools = BTreeMap::from([(name("a"), pool), (name("b"), fixed)]);
    let (wanted_in, wanted) = watch::channel(Arc::new(Wanted { pools }));
    let (settings_in, settings) = watch::channel(Arc::new(settings));
    let (view_in, view) = watch::channel(Arc::default());
    let (github, stop) = (Arc::new(github), CancellationToken::new());
    let began = Instant::now();
    let clock: Clock = Arc::new(move || START + began.elapsed());
    let (source, inlet) =
        HookSource::new(Arc::clone(&github), clock, wanted, settings, last, stop.clone(), view_in);
    let task = tokio::spawn(source.run());
    Bench { github, inlet, view, settings: settings_in, _wanted: wanted_in, stop, task }
}

fn with_url() -> HookSettings {
    HookSettings { url: Some(URL.to_owned()), only_github: false }
}

fn queued(id: u64) -> HookEvent {
    let body = format!(
        r#"{{"action":"queued","workflow_job":{{"id":{id},"run_id":1}},"repository":{{"full_name":"acme/app"}}}}"#
    );
    parse("workflow_job", body.as_bytes()).unwrap()
}

fn failed(id: u64) -> Delivery {
    let event = "workflow_job".to_owned();
    Delivery { id, guid: format!("g{id}"), hook: 1, event, at: START, delivered: false }
}

async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_told_at_once_and_a_burst_as_one() {
    let mut bench = start(Fake::default(), HookSettings::default(), None);
    pass(1).await;
    bench.view.borrow_and_update();
    let began = Instant::now();
    bench.inlet.offer(queued(1)).unwrap();
    bench.view.changed().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(5));
    assert!(bench.view.borrow_and_update().jobs.contains_key(&JobId::Job(1)));
    for id in 2..1000 {
        bench.inlet.offer(queued(id)).unwrap();
    }
    bench.view.changed().await.unwrap();
    let heard = bench.view.borrow_and_update().clone();
    assert_eq!((heard.jobs.len(), heard.hooks.accepted), (999, 999));
    assert_eq!(heard.hooks.heard, Some(START + Duration::from_secs(1)));
    bench.stop.cancel();
    bench.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_and_wrong_is_told_by_and_by() {
    let bench = start(Fake::default(), HookSettings::default(), None);
    (0..5).for_each(|_| bench.inlet.refused());
    bench.inlet.trouble("secret", Some("the secret cannot be read".to_owned()));
    pass(11).await;
    let hooks = bench.view.borrow().hooks.clone();
    assert_eq!((hooks.refused, hooks.accepted, hooks.heard), (5, 0, None));
    assert_eq!(hooks.error.as_deref(), Some("the secret cannot be read"));
    bench.inlet.trouble("secret", None);
    pass(11).await;
    assert_eq!(bench.view.borrow().hooks.error, None);
}

#[tokio::test(start_paused = true)]
async fn a_full_channel_refuses_and_has_it_asked_for_again() {
    let bench = start(Fake::default(), with_url(), None);
    // Without a pause in between, nothing is taken out.
    let offered = (0..2 * WAITING as u64).map(|id| bench.inlet.offer(queued(id)));
    assert_eq!(offered.filter(Result::is_err).count(), WAITING);
    pass(31).await;
    assert_eq!(bench.view.borrow().jobs.len(), WAITING);
    let looks = bench.github.looks.lock().unwrap().len();
    bench.inlet.missed();
    pass(31).await;
    assert_eq!(bench.github.looks.lock().unwrap().len(), looks + 1);
}

#[tokio::test(start_paused = true)]
async fn what_failed_while_nobody_listened_is_asked_for_again() {
    let last = START - Duration::from_secs(5 * 60 * 60);
    let github = Fake { deliveries: Mutex::new(vec![failed(2), failed(1)]), ..Fake::default() };
    let bench = start(github, with_url(), Some(last));
    pass(1).await;
    assert_eq!(*bench.github.asked_for.lock().unwrap(), [1, 2]);
    assert!(bench.github.looks.lock().unwrap()[0] < last);
    pass(4 * 60 * 60).await;
    let asked_for = bench.github.asked_for.lock().unwrap().clone();
    assert_eq!(asked_for, [1, 2, 1, 2, 1, 2], "not for ever");
    let looks = bench.github.looks.lock().unwrap().clone();
    assert_eq!(looks.len(), 5);
    assert!(looks[1] > last, "a later look reaches back to the one before");
}

#[tokio::test(start_paused = true)]
async fn without_an_address_nothing_is_looked_for_until_there_is_one() {
    let bench = start(Fake::default(), HookSettings::default(), None);
    pass(2 * 60 * 60).await;
    assert_eq!(bench.github.looks.lock().unwrap().len(), 0);
    bench.settings.send_replace(Arc::new(with_url()));
    pass(1).await;
    assert_eq!(bench.github.looks.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_told_and_left() {
    let github = Fake { refuses: Mutex::new(true), ..Fake::default() };
    let bench = start(github, with_url(), None);
    pass(3 * 60 * 60).await;
    assert_eq!(bench.github.looks.lock().unwrap().len(), 1);
    let error = bench.view.borrow().hooks.error.clone().unwrap();
    assert!(error.contains("orgs/acme"), "{error}");
    bench.inlet.offer(queued(1)).unwrap();
    pass(1).await;
    assert_eq!(bench.view.borrow().jobs.len(), 1, "all else goes on");
}

#[tokio::test(start_paused = true)]
async fn networks_are_read_once_a_day_and_only_if_wanted() {
    let networks = Mutex::new(vec!["192.0.2.0/24".to_owned()]);
    let bench = start(Fake { networks, ..Fake::default() }, HookSettings::default(), None);
    pass(60).await;
    assert_eq!((bench.inlet.networks(), *bench.github.meta.lock().unwrap()), (None, 0));
    bench.settings.send_replace(Arc::new(HookSettings { url: None, only_github: true }));
    pass(23 * 60 * 60).await;
    assert_eq!(*bench.github.meta.lock().unwrap(), 1);
    assert_eq!(bench.inlet.networks().unwrap().len(), 1);
    bench.github.networks.lock().unwrap().clear();
    pass(2 * 60 * 60).await;
    assert!(*bench.github.meta.lock().unwrap() > 1);
    assert_eq!(bench.inlet.networks().unwrap().len(), 1, "those of yesterday are better than none");
    assert!(bench.view.borrow().hooks.error.as_ref().unwrap().contains("names none"));
}
