//! Demand by webhooks: what deliveries tell of jobs.
//!
//! **Knows** what deliveries say, how they get lost, doubled and out of order, and how lost ones are had again.
//! **Does not know** how a delivery arrives, or who may deliver: what comes in here has a good signature.
//!
//! The book is never the whole truth: what no delivery told is found by a look at the queues, and [`merge`] joins the two.

mod book;
mod event;
mod inlet;
mod kept;
mod merge;
mod recover;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use book::Book;
pub use book::Heard;
pub use book::HeardJob;
pub use event::HookEvent;
pub use event::JobNews;
pub use event::RunNews;
pub use event::Stage;
pub use event::parse;
pub use inlet::Inlet;
pub use inlet::Overflow;
pub use kept::KeptHeard;
pub use merge::merge;

use crate::github::Clock;
use crate::github::Hooks;
use crate::model::HookView;
use crate::model::Time;
use crate::model::Wanted;
use inlet::Shared;

/// Deliveries that may wait to be written into the book, which takes microseconds each: a burst of a thousand jobs, each
/// with its three deliveries, fits.
const WAITING: usize = 4096;
/// Deliveries that are taken at once.
const BATCH: usize = 256;
/// How often the book is looked through, and what only counts is told.
const TICK: Duration = Duration::from_secs(10);
/// The view is told at once, and then not again before this: a burst makes one view of many deliveries.
const REST: Duration = Duration::from_millis(25);
/// A big book takes longer to tell, and then rests longer: a tenth of one processor at most.
const REST_FOR_EACH: u32 = 10;

/// What the file says about deliveries, as far as it matters here. It may change.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// The hook's public address, by which its deliveries are found at GitHub.
    pub url: Option<String>,
    /// Whether GitHub has to be asked from where it delivers.
    pub only_github: bool,
}

/// The book, and what is done so that nothing is missing in it.
pub struct HookSource<G> {
    github: Arc<G>,
    clock: Clock,
    wanted: watch::Receiver<Arc<Wanted>>,
    settings: watch::Receiver<Arc<HookSettings>>,
    stop: CancellationToken,
    shared: Arc<Shared>,
    /// When deliveries were heard before this start, if that is known.
    last: Option<Time>,
    view: watch::Sender<Arc<Heard>>,
    news: mpsc::Receiver<HookEvent>,
    networks: watch::Sender<Option<Arc<Vec<IpNet>>>>,
}

impl<G: Hooks> HookSource<G> {
    /// A source and the way in for deliveries. `last` is [`HookView::heard`] of an earlier life, where that was kept:
    /// deliveries since then are asked for again.
    pub fn new(
        github: Arc<G>,
        clock: Clock,
        wanted: watch::Receiver<Arc<Wanted>>,
        settings: watch::Receiver<Arc<HookSettings>>,
        last: Option<Time>,
        stop: CancellationToken,
        view: watch::Sender<Arc<Heard>>,
    ) -> (Self, Inlet) {
        let (into, news) = mpsc::channel(WAITING);
        let (networks, known) = watch::channel(None);
        let shared = Arc::new(Shared::default());
        let inlet = Inlet::new(into, Arc::clone(&shared), known);
        (Self { github, clock, wanted, settings, stop, shared, last, view, news, networks }, inlet)
    }

    /// Listens until it is stopped.
    pub async fn run(self) {
        let Self { github, clock, wanted, settings, stop, shared, last, view, news, networks } = self;
        let asker = recover::Asker { github, clock: clock.clone(), wanted, settings, shared: shared.clone() };
        let all = async {
            tokio::join!(
                listen(news, view, &shared, &clock, &stop),
                asker.ask_for_lost(last),
                asker.learn_networks(&networks),
            );
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = all => {}
        }
    }
}

/// Writes what comes into the book, and tells of it.
async fn listen(
    mut news: mpsc::Receiver<HookEvent>,
    view: watch::Sender<Arc<Heard>>,
    shared: &Shared,
    clock: &Clock,
    stop: &CancellationToken,
) {
    let (mut book, mut hooks) = (Book::default(), HookView::default());
    let mut batch = Vec::with_capacity(BATCH);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut changed, mut rested) = (false, Instant::now());
    loop {
        tokio::select! {
            // Telling comes first, or a stream of deliveries would never be told.
            biased;
            () = tokio::time::sleep_until(rested), if changed => {
                let began = Instant::now();
                view.send_replace(Arc::new(Heard { hooks: hooks.clone(), ..book.heard(clock()) }));
                (changed, rested) = (false, Instant::now() + REST.max(began.elapsed() * REST_FOR_EACH));
            }
            _ = tick.tick() => {
                book.prune(clock());
                let now = HookView { heard: hooks.heard, accepted: hooks.accepted, ..shared.view(book.lost()) };
                changed |= now != hooks;
                hooks = now;
            }
            taken = news.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    // Nobody can deliver any more, but what is known stays known until the end.
                    return stop.cancelled().await;
                }
                let now = clock();
                batch.drain(..).for_each(|event| book.hear(&event, now));
                let accepted = hooks.accepted + taken as u64;
                hooks = HookView { heard: Some(now), accepted, ..shared.view(book.lost()) };
                changed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
