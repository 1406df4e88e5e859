//! One task for all listeners: it works out what changed, writes it down once, and ends with the last of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::broadcast;

use super::view::View;
use crate::control::Facade;
use crate::control::Snapshot;

/// How many may listen at the same time.
pub(super) const LISTENERS: usize = 512;
/// Between two changes: what comes in between is told together.
const PACE: Duration = Duration::from_secs(1);
/// How often is looked, without any news, whether anybody still listens.
const LOOK: Duration = Duration::from_secs(10);
/// Changes that a listener may be behind, and that one which comes back may have missed.
const KEPT: usize = 16;

/// An event as it is sent, with the number of the state that it leads to.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    seq: u64,
    pub(super) text: Bytes,
}

/// Where listeners come to.
#[derive(Debug)]
pub(in crate::http) struct Hub {
    desk: Mutex<Desk>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Desk {
    seq: u64,
    /// None while nobody listens.
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    view: View,
    /// Tells this daemon's numbers from those of an earlier one.
    epoch: u64,
    /// What one who comes now begins with, once somebody did.
    opening: Option<Bytes>,
    recent: VecDeque<Frame>,
    sender: broadcast::Sender<Frame>,
}

/// One who listens, with what they are told first.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) first: VecDeque<Bytes>,
    pub(super) news: broadcast::Receiver<Frame>,
    _place: OwnedSemaphorePermit,
}

impl Default for Hub {
    fn default() -> Self {
        Self { desk: Mutex::default(), places: Arc::new(Semaphore::new(LISTENERS)) }
    }
}

impl Hub {
    /// A seat for one more; none when all are taken. `last` is the event that they heard last.
    pub(super) fn join(self: &Arc<Self>, facade: &Facade, last: Option<&str>) -> Option<Seat> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut desk = self.desk();
        if desk.live.is_none() {
            desk.open(&facade.snapshot());
            tokio::spawn(tell(Arc::clone(self), facade.clone()));
        }
        let seq = desk.seq;
        let live = desk.live.as_mut()?;
        let first = match last.and_then(|last| live.missed(last, seq)) {
            Some(missed) => missed,
            None => VecDeque::from([live.opening(seq)]),
        };
        Some(Seat { first, news: live.sender.subscribe(), _place: place })
    }

    /// For one who fell behind: all there is, and what comes from now on.
    pub(super) fn again(&self) -> Option<(Bytes, broadcast::Receiver<Frame>)> {
        let mut desk = self.desk();
        let seq = desk.seq;
        let live = desk.live.as_mut()?;
        Some((live.opening(seq), live.sender.subscribe()))
    }

    /// Tells what changed. False when nobody listens any more: then all is forgotten.
    fn publish(&self, snapshot: &Snapshot) -> bool {
        let mut desk = self.desk();
        let seq = desk.seq + 1;
        let Some(live) = desk.live.as_mut().filter(|live| live.sender.receiver_count() > 0) else {
            desk.live = None;
            return false;
        };
        let view = View::from(snapshot);
        if let Some(change) = view.since(&live.view, seq) {
            let frame = Frame { seq, text: event("change", live.epoch, seq, &change) };
            live.view = view;
            live.opening = None;
            live.recent.truncate(KEPT - 1);
            live.recent.push_front(frame.clone());
            // The last one may have gone in this moment.
            let _ = live.sender.send(frame);
            desk.seq = seq;
        }
        true
    }

    fn close(&self) {
        self.desk().live = None;
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn open(&mut self, snapshot: &Snapshot) {
        self.seq += 1;
        let (sender, _) = broadcast::channel(KEPT);
        let (view, epoch) = (View::from(snapshot), snapshot.started.0);
        self.live = Some(Live { view, epoch, opening: None, recent: VecDeque::new(), sender });
    }
}

impl Live {
    /// All there is. Written down once for all who come before the next change.
    fn opening(&mut self, seq: u64) -> Bytes {
        let (view, epoch) = (&self.view, self.epoch);
        self.opening.get_or_insert_with(|| event("snapshot", epoch, seq, &view.opening(seq))).clone()
    }

    /// The changes since the event of that id, oldest first; none where there is a gap.
    fn missed(&self, last: &str, seq: u64) -> Option<VecDeque<Bytes>> {
        let (epoch, heard) = last.split_once('-')?;
        let heard: u64 = heard.parse().ok().filter(|heard| *heard <= seq)?;
        let missed: VecDeque<Bytes> = self
            .recent
            .iter()
            .filter(|frame| frame.seq > heard)
            .map(|frame| frame.text.clone())
            .rev()
            .collect();
        let complete = u64::try_from(missed.len()).ok() == Some(seq - heard);
        (epoch.parse() == Ok(self.epoch) && complete).then_some(missed)
    }
}

/// Until the daemon stops or nobody listens.
async fn tell(hub: Arc<Hub>, facade: Facade) {
    let mut snapshots = facade.watch();
    loop {
        // Without news the wait ends, too: whoever left tells nobody.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, snapshots.changed()).await {
            return hub.close();
        }
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        if !hub.publish(&snapshot) {
            return;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// An event as it is sent. JSON has no line breaks.
fn event(name: &str, epoch: u64, seq: u64, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\nid: {epoch}-{seq}\ndata: {data}\n\n").into()
}
