//! The way in for deliveries, and what whoever takes them has to say beside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use ipnet::IpNet;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::event::HookEvent;
use crate::model::HookView;

/// There is no room for a delivery: GitHub should be told that it failed, and is asked for it again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many deliveries wait")]
pub struct Overflow;

/// Where deliveries with a good signature go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inlet {
    news: mpsc::Sender<HookEvent>,
    shared: Arc<Shared>,
    networks: watch::Receiver<Option<Arc<Vec<IpNet>>>>,
}

/// What is counted and complained of on either side.
#[derive(Debug, Default)]
pub(super) struct Shared {
    refused: AtomicU64,
    missed: AtomicBool,
    troubles: Mutex<BTreeMap<&'static str, String>>,
}

impl Inlet {
    pub(super) fn new(
        news: mpsc::Sender<HookEvent>,
        shared: Arc<Shared>,
        networks: watch::Receiver<Option<Arc<Vec<IpNet>>>>,
    ) -> Self {
        Self { news, shared, networks }
    }

    /// Hands a delivery over, without waiting.
    ///
    /// # Errors
    /// There is no room. It is remembered that something was missed.
    pub fn offer(&self, event: HookEvent) -> Result<(), Overflow> {
        self.news.try_send(event).map_err(|_| {
            self.missed();
            Overflow
        })
    }

    /// Counts a request that was refused.
    pub fn refused(&self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A delivery could not be taken through no fault of its own: it has to be asked for again.
    pub fn missed(&self) {
        self.shared.missed.store(true, Ordering::Relaxed);
    }

    /// Says what is wrong with something, or that nothing is any more.
    pub fn trouble(&self, about: &'static str, what: Option<String>) {
        self.shared.trouble(about, what);
    }

    /// The networks from which GitHub delivers, once they are known.
    pub fn networks(&self) -> Option<Arc<Vec<IpNet>>> {
        self.networks.borrow().clone()
    }
}

impl Shared {
    pub(super) fn trouble(&self, about: &'static str, what: Option<String>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => troubles.insert(about, what),
            None => troubles.remove(about),
        };
    }

    /// Whether something was missed since this was asked last.
    pub(super) fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// What can be told from here, with one more thing that is wrong.
    pub(super) fn view(&self, lost: Option<String>) -> HookView {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<String> = troubles.values().cloned().chain(lost).collect();
        HookView {
            refused: self.refused.load(Ordering::Relaxed),
            error: (!all.is_empty()).then(|| all.join("; ")),
            ..HookView::default()
        }
    }
}
