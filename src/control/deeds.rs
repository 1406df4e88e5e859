//! What the loop has done, for whoever keeps a record of it; and where that record can be asked.
//!
//! The loop only ever writes, never waits, and does not mind who listens: what finds no room is counted.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::measure::word;
use super::tell::whom;
use crate::execute::Done;
use crate::execute::Failure;
use crate::execute::Outcome;
use crate::model::Action;
use crate::model::Container;
use crate::model::PostMortem;
use crate::model::Time;
use crate::model::Usage;
use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::AuditRecord;
use crate::model::history::AuditVerdict;
use crate::model::history::DecisionRecord;
use crate::model::history::HistoryHealth;
use crate::model::history::HistoryQuery;
use crate::model::history::JobRecord;
use crate::model::history::Page;
use crate::model::history::RunnerRecord;
use crate::model::history::Series;
use crate::model::history::SeriesQuery;
use crate::model::history::Stats;
use crate::model::history::StatsQuery;

/// How many deeds may wait to be taken: minutes of the busiest fleet.
const WAITING: usize = 4096;

/// An action that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// When its end was heard of.
    pub at: Time,
    /// When it was begun.
    pub began: Time,
    /// The pass that began it.
    pub pass: u64,
    /// Its kind, in a word that stays.
    pub action: &'static str,
    /// Its pool; empty for what is no single pool's.
    pub pool: String,
    /// Its runner; empty for what is no runner's.
    pub runner: String,
    /// The repository, where the runner is registered in one.
    pub repo: String,
    /// What it was, as plan and journal say it.
    pub text: String,
    /// What came of it: nothing to add, or why it was not done.
    pub outcome: Result<(), String>,
    /// The container that it was about.
    pub container: Option<Container>,
    /// What is kept of the runner that went with it.
    pub gone: Option<PostMortem>,
    /// What that runner's job took of the machine, as far as it was sampled.
    pub used: Option<Usage>,
}

impl Deed {
    fn of(action: &Action, outcome: &Outcome, (began, at): (Time, Time), pass: u64) -> Self {
        let about = whom(action);
        let container = match action {
            Action::Retire { container, .. }
            | Action::Reap { container, .. }
            | Action::RemoveCompanion { container } => Some((**container).clone()),
            _ => None,
        };
        let gone = match outcome {
            Ok(Done::Gone(gone)) => Some((**gone).clone()),
            _ => None,
        };
        let outcome = match outcome {
            Ok(_) => Ok(()),
            Err(failure @ Failure::Busy(_)) => Err(format!("left alone: {failure}")),
            Err(failure) => Err(format!("failed: {failure}")),
        };
        Self {
            at,
            began,
            pass,
            action: word(action),
            pool: about.pool.to_owned(),
            runner: about.runner.to_owned(),
            text: action.to_string(),
            repo: about.repo,
            outcome,
            container,
            gone,
            used: None,
        }
    }
}

/// Where the loop leaves what it has done, and sees how the record stands.
#[derive(Debug, Clone, Default)]
pub struct Deeds {
    listeners: Vec<Listener>,
    health: Option<watch::Receiver<HistoryHealth>>,
}

/// One who takes deeds.
#[derive(Debug, Clone)]
struct Listener {
    sender: mpsc::Sender<Arc<Deed>>,
    dropped: Arc<AtomicU64>,
    /// Whether anything is taken at the moment.
    wanted: Arc<AtomicBool>,
}

impl Listener {
    fn channel(wanted: Arc<AtomicBool>) -> (Self, DeedsTaken) {
        let (sender, deeds) = mpsc::channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        (Self { sender, dropped: Arc::clone(&dropped), wanted }, DeedsTaken { deeds, dropped })
    }
}

/// Where deeds are taken, and how many found no room.
#[derive(Debug)]
pub struct DeedsTaken {
    /// The deeds.
    pub deeds: mpsc::Receiver<Arc<Deed>>,
    /// How many were dropped so far.
    pub dropped: Arc<AtomicU64>,
}

impl Deeds {
    /// Both ends; `health` is how the record stands.
    pub fn channel(health: watch::Receiver<HistoryHealth>) -> (Self, DeedsTaken) {
        let (listener, taken) = Listener::channel(Arc::new(AtomicBool::new(true)));
        (Self { listeners: vec![listener], health: Some(health) }, taken)
    }

    /// The same, with one more who takes them, as long as `wanted` is set.
    pub fn shared(mut self, wanted: Arc<AtomicBool>) -> (Self, DeedsTaken) {
        let (listener, taken) = Listener::channel(wanted);
        self.listeners.push(listener);
        (self, taken)
    }

    /// Leaves a deed that began and ended then, with each who takes it and has room.
    pub(super) fn leave(
        &self,
        action: &Action,
        outcome: &Outcome,
        times: (Time, Time),
        pass: u64,
        used: Option<Usage>,
    ) {
        let mut takers = self.listeners.iter().filter(|to| to.wanted.load(Ordering::Relaxed)).peekable();
        if takers.peek().is_none() {
            return;
        }
        let deed = Arc::new(Deed { used, ..Deed::of(action, outcome, times, pass) });
        for listener in takers {
            if listener.sender.try_send(Arc::clone(&deed)).is_err() {
                listener.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How the record stands; nothing where none is kept.
    pub(super) fn health(&self) -> Option<HistoryHealth> {
        self.health.as_ref().map(|health| health.borrow().clone())
    }
}

/// Why the record gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// None is kept.
    #[error("no history is kept: the configuration has `enabled = false` in [history]")]
    Off,
    /// It cannot be read at the moment.
    #[error("the history cannot be read: {0}")]
    Unreadable(String),
    /// It cannot do what was asked.
    #[error("{0}")]
    Unable(String),
}

/// An answer of the record.
pub type Recalled<'a, T> = BoxFuture<'a, Result<T, ArchiveError>>;

/// A record of what was, to be asked.
pub trait Archive: fmt::Debug + Send + Sync {
    /// Jobs that ended, the latest first.
    fn jobs(&self, query: HistoryQuery) -> Recalled<'_, Page<JobRecord>>;
    /// Runners that are gone, the latest first.
    fn runners(&self, query: HistoryQuery) -> Recalled<'_, Page<RunnerRecord>>;
    /// Changes of targets, the latest first.
    fn decisions(&self, query: HistoryQuery) -> Recalled<'_, Page<DecisionRecord>>;
    /// The audit trail, the latest first.
    fn audit(&self, query: HistoryQuery) -> Recalled<'_, Page<AuditRecord>>;
    /// One entry of the audit trail, by its number.
    fn entry(&self, seq: u64) -> Recalled<'_, Option<AuditHead>>;
    /// Looks through the whole audit trail.
    fn verify(&self) -> Recalled<'_, AuditVerdict>;
    /// What it all comes to.
    fn stats(&self, query: StatsQuery) -> Recalled<'_, Stats>;
    /// What it came to over time, step by step.
    fn series(&self, query: SeriesQuery) -> Recalled<'_, Series>;
    /// A runner that is gone, by its name at GitHub.
    fn runner(&self, name: String) -> Recalled<'_, Option<RunnerRecord>>;
    /// Writes a copy into a file that is not there yet.
    fn copy(&self, to: PathBuf) -> Recalled<'_, ()>;
    /// Keeps what an operator did, without waiting for it to be kept.
    fn note(&self, entry: AuditEntry);
}
