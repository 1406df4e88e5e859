//! The sources of demand, started and joined.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::webhook;
use crate::config::Config;
use crate::demand::HookSettings;
use crate::demand::HookSource;
use crate::demand::Hub;
use crate::demand::Inlet;
use crate::demand::KeptHeard;
use crate::demand::Poll;
use crate::demand::SetDemand;
use crate::github::Client;
use crate::github::Clock;
use crate::http::Intake;
use crate::http::IntakeSettings;
use crate::model::CredentialName;
use crate::model::DemandView;
use crate::model::InstanceId;
use crate::model::Wanted;
use crate::systemd::Secrets;
use crate::systemd::Sockets;

/// How long sources may take to end: a scale set's session is closed, or GitHub keeps it for minutes.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How often the repositories of each credential are read.
type Paces = Arc<RwLock<BTreeMap<CredentialName, Duration>>>;

/// All sources, running.
pub(super) struct Sources {
    /// What they say.
    pub(super) view: watch::Receiver<Arc<DemandView>>,
    /// Tells them what to listen to.
    pub(super) wanted: watch::Sender<Arc<Wanted>>,
    /// Brings them what the file says anew.
    pub(super) settings: Settings,
    tasks: JoinSet<()>,
}

/// What the file says to the sources. Cheap to clone.
#[derive(Clone)]
pub(super) struct Settings {
    secrets: Arc<Secrets>,
    paces: Paces,
    hooks: Arc<watch::Sender<Arc<HookSettings>>>,
    intake: Arc<watch::Sender<Arc<IntakeSettings>>>,
    inlet: Inlet,
}

/// Starts all sources. They ask for nothing until they are told what is wanted.
///
/// # Errors
/// The address on which deliveries are to arrive cannot be had.
pub(super) fn start(
    config: &Config,
    (github, clock): (&Arc<Client>, &Clock),
    secrets: &Arc<Secrets>,
    (instance, state_dir): (&InstanceId, &Path),
    sockets: &mut Sockets,
    stop: &CancellationToken,
) -> Result<Sources, super::DaemonError> {
    let listener = webhook::intake_listener(config, sockets)?;
    let (wanted, listens) = watch::channel(Arc::<Wanted>::default());
    let (polled, heard, sets) =
        (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
    let (view, joined) = watch::channel(Arc::<DemandView>::default());
    let hub = Hub { polled: polled.subscribe(), heard: heard.subscribe(), sets: sets.subscribe() };
    let (hook_settings, hook_changes) = watch::channel(Arc::new(webhook::hook_settings(config)));
    let (intake_settings, intake_changes) = watch::channel(Arc::default());
    let kept = KeptHeard::in_dir(state_dir);
    let last = kept.last(clock());
    let (hooks, inlet) = HookSource::new(
        Arc::clone(github),
        clock.clone(),
        listens.clone(),
        hook_changes,
        last,
        stop.clone(),
        heard.clone(),
    );
    let settings = Settings {
        secrets: Arc::clone(secrets),
        paces: Paces::default(),
        hooks: Arc::new(hook_settings),
        intake: Arc::new(intake_settings),
        inlet: inlet.clone(),
    };
    settings.bring(config);
    let paces = Arc::clone(&settings.paces);
    let pace = move |name: &CredentialName| {
        let paces = paces.read().unwrap_or_else(PoisonError::into_inner);
        paces.get(name).copied().unwrap_or(USUAL_PACE)
    };
    let poll = Poll::new(Arc::clone(github), clock.clone(), listens.clone(), stop.clone(), polled);
    let owner = (instance.to_string(), Some(state_dir));
    let sets = SetDemand::new(Arc::clone(github), clock.clone(), owner, listens, stop.clone(), sets);

    let mut tasks = JoinSet::new();
    tasks.spawn(poll.paced(Arc::new(pace)).run());
    tasks.spawn(hooks.run());
    tasks.spawn(kept.follow(heard.subscribe(), stop.clone()));
    tasks.spawn(sets.run());
    tasks.spawn(hub.run(view, stop.clone()));
    if let Some(listener) = listener {
        let intake = Intake::new(intake_changes, inlet, webhook::intake_limits(config), stop.clone());
        tasks.spawn(async move {
            if let Err(error) = intake.serve(listener).await {
                tracing::error!("Deliveries of webhooks cannot be taken: {error}");
            }
        });
    }
    Ok(Sources { view: joined, wanted, settings, tasks })
}

/// For a credential that the file no longer has.
const USUAL_PACE: Duration = Duration::from_secs(15);

impl Settings {
    /// Takes what the file says now; secrets are read anew.
    pub(super) fn bring(&self, config: &Config) {
        let paces = config.credentials.values().map(|c| (c.name.clone(), c.poll_interval)).collect();
        *self.paces.write().unwrap_or_else(PoisonError::into_inner) = paces;
        self.hooks.send_replace(Arc::new(webhook::hook_settings(config)));
        let (intake, trouble) = webhook::intake_settings(config, &self.secrets);
        self.inlet.trouble("the webhook's secrets", trouble);
        self.intake.send_replace(Arc::new(intake));
    }
}

impl Sources {
    /// Waits until all have ended, for a moment. They were told to stop.
    pub(super) async fn end(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, all).await.is_err() {
            tracing::info!("A source of demand did not end in time; the next start closes what it left open");
        }
    }
}
