//! The history as the daemon runs it: one task that takes, one that writes, and answers beside both.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::AnyPool;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::chain::Walk;
use super::copy;
use super::keep::Retention;
use super::place::Place;
use super::query;
use super::recorder::Recorder;
use super::recorder::clip;
use super::series;
use super::stats;
use super::store;
use super::sums;
use super::trouble;
use super::writer::Writer;
use super::writer::noted_head;
use crate::control::Archive;
use crate::control::ArchiveError;
use crate::control::Clock;
use crate::control::Deed;
use crate::control::Deeds;
use crate::control::DeedsTaken;
use crate::control::Recalled;
use crate::control::Snapshot;
use crate::model::Time;
use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::AuditRecord;
use crate::model::history::AuditVerdict;
use crate::model::history::DecisionRecord;
use crate::model::history::HistoryHealth;
use crate::model::history::HistoryQuery;
use crate::model::history::JobRecord;
use crate::model::history::Page;
use crate::model::history::Record;
use crate::model::history::RunnerRecord;
use crate::model::history::Series;
use crate::model::history::SeriesQuery;
use crate::model::history::Stats;
use crate::model::history::StatsQuery;

/// Records that may wait for the database: an hour of a busy fleet, and some 10 MB.
const QUEUE: usize = 10_000;
/// Operators' calls that may wait to be taken.
const NOTES: usize = 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end may take.
const END: Duration = Duration::from_secs(3);
/// Entries of the trail that are read at a time.
const STRIDE: u32 = 2000;

/// How the history is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub place: Place,
    /// Which installation's it is.
    pub instance: String,
    /// Where the end of the audit trail is noted beside the database.
    pub head_file: PathBuf,
    /// For how long.
    pub retention: Retention,
    /// What time it is.
    pub clock: Clock,
    /// How long after the start what is too old is first looked for.
    pub first_expiry: Duration,
}

/// What the tasks and the answers share.
#[derive(Debug)]
pub(super) struct Shared {
    health: watch::Sender<HistoryHealth>,
    lost: AtomicU64,
    dropped: Arc<AtomicU64>,
    told: AtomicU64,
    /// Connections to ask, and whose rows to ask for; none while there is no database.
    pub(super) readers: RwLock<Option<(AnyPool, String)>>,
    /// The daemon ends: nothing is waited for any more.
    pub(super) closing: CancellationToken,
}

impl Shared {
    /// How many records were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed) + self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    /// Nothing can be written: told once for each reason.
    pub(super) fn ill(&self, why: &str, now: Time) {
        let lost = self.lost();
        self.health.send_if_modified(|health| {
            let news = health.trouble.as_deref() != Some(why);
            if news {
                tracing::warn!("The history in {} is not written, the fleet goes on: {why}", health.place);
                health.trouble = Some(why.to_owned());
                health.since.get_or_insert(now);
            }
            let more = std::mem::replace(&mut health.lost, lost) != lost;
            news || more
        });
    }

    /// Something was written.
    pub(super) fn well(&self) {
        let lost = self.lost();
        let told = self.told.swap(lost, Ordering::Relaxed);
        self.health.send_if_modified(|health| {
            let mended = health.trouble.take().is_some();
            health.since = None;
            if mended || lost > told {
                let lost = lost.saturating_sub(told);
                tracing::info!("The history in {} is written again; {lost} records were lost", health.place);
            }
            std::mem::replace(&mut health.lost, lost) != lost || mended
        });
    }
}

/// The running history.
#[derive(Debug)]
pub struct History {
    shared: Arc<Shared>,
    notes: mpsc::Sender<AuditEntry>,
    options: Options,
    tasks: RwLock<Option<(JoinHandle<()>, JoinHandle<()>)>>,
}

/// What joins the control loop with a history that is not running yet.
#[derive(Debug)]
pub struct Ends {
    health: watch::Sender<HistoryHealth>,
    taken: DeedsTaken,
}

impl History {
    /// What the control loop is given, and what the history is started with.
    pub fn ends(place: &Place) -> (Deeds, Ends) {
        let health = HistoryHealth { place: place.words(), ..HistoryHealth::default() };
        let (health, seen) = watch::channel(health);
        let (deeds, taken) = Deeds::channel(seen);
        (deeds, Ends { health, taken })
    }

    /// Begins to keep. Nothing of the database is waited for, now or later.
    pub fn start(options: Options, ends: Ends, snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        let Ends { health, taken } = ends;
        let shared = Arc::new(Shared {
            health,
            lost: AtomicU64::new(0),
            dropped: taken.dropped,
            told: AtomicU64::new(0),
            readers: RwLock::new(None),
            closing: CancellationToken::new(),
        });
        let (notes, noted) = mpsc::channel(NOTES);
        let (queue, queued) = mpsc::channel(QUEUE);
        let taker = Taker { shared: Arc::clone(&shared), queue, recorder: Recorder::default() };
        let take = tokio::spawn(taker.run(taken.deeds, noted, snapshots));
        let write = tokio::spawn(Writer::new(options.clone(), Arc::clone(&shared), queued).run());
        Self { shared, notes, options, tasks: RwLock::new(Some((take, write))) }
    }

    /// How it stands.
    pub fn health(&self) -> HistoryHealth {
        self.shared.health.borrow().clone()
    }

    /// Writes what waits, as far as that takes no longer than a moment, and ends.
    pub async fn end(&self) {
        self.shared.closing.cancel();
        let tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((take, write)) = tasks {
            let both = async { (take.await.is_ok(), write.await.is_ok()) };
            if tokio::time::timeout(END, both).await.is_err() {
                tracing::warn!("The history's database is slow: its last records are lost");
            }
        }
    }

    fn readers(&self) -> Result<(AnyPool, String), ArchiveError> {
        let readers = self.shared.readers.read().unwrap_or_else(PoisonError::into_inner).clone();
        readers.ok_or_else(|| {
            let why = self.shared.health.borrow().trouble.clone();
            ArchiveError::Unreadable(why.unwrap_or_else(|| "it is being opened; ask again".to_owned()))
        })
    }

    /// An answer, or why there is none, within the time that people wait.
    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
        patience: Duration,
    ) -> Result<T, ArchiveError> {
        let is_file = self.options.place.is_file();
        match tokio::time::timeout(patience, work).await {
            Ok(answer) => answer.map_err(|error| ArchiveError::Unreadable(trouble::of(&error, is_file).text)),
            Err(_) => Err(ArchiveError::Unreadable(trouble::slow(patience).text)),
        }
    }

    async fn walk(&self) -> Result<AuditVerdict, ArchiveError> {
        let (pool, instance) = self.readers()?;
        // Read first: what is written meanwhile only makes the trail longer.
        let kept = noted_head(&self.options.head_file);
        let fact = |name| self.within(store::fact(&pool, &instance, name), PATIENCE);
        let anchor = fact(store::ANCHOR).await?;
        let first = anchor.seq + 1;
        let mut walk = Walk::new(&instance, anchor, kept);
        let verdict = |walk: &Walk, broken| AuditVerdict {
            entries: walk.entries,
            first,
            head: walk.at.clone(),
            broken,
        };
        loop {
            let head = fact(store::HEAD).await?;
            let part = query::trail(&pool, &instance, walk.at.seq, STRIDE);
            let part = self.within(part, PATIENCE).await?;
            for record in &part {
                if let Err(why) = walk.step(record) {
                    return Ok(verdict(&walk, Some(why)));
                }
            }
            // The head was read before these entries: it can lie behind them, and the next turn sees it.
            if part.is_empty() {
                return Ok(verdict(&walk, walk.end(&head).err()));
            }
        }
    }

    async fn figures(&self, query: StatsQuery) -> Result<Stats, ArchiveError> {
        let (pool, instance) = self.readers()?;
        let now = self.options.clock.now();
        let span = stats::span(query.since, now);
        let since = Time(query.since.0 - query.since.0 % span.ms());
        let rows = sums::of_stats(&pool, &instance, span, since, &query);
        let rows = self.within(rows, PATIENCE).await?;
        Ok(stats::stats(since, now, span, &rows))
    }

    async fn steps(&self, query: SeriesQuery) -> Result<Series, ArchiveError> {
        let (pool, instance) = self.readers()?;
        let work = sums::of_series(&pool, &instance, &query);
        let (rows, hours) = self.within(work, PATIENCE).await?;
        Ok(series::series(&query, self.options.clock.now(), &rows, &hours))
    }
}

impl Archive for History {
    fn jobs(&self, query: HistoryQuery) -> Recalled<'_, Page<JobRecord>> {
        async move {
            let (pool, instance) = self.readers()?;
            self.within(query::jobs(&pool, &instance, &query), PATIENCE).await
        }
        .boxed()
    }

    fn runners(&self, query: HistoryQuery) -> Recalled<'_, Page<RunnerRecord>> {
        async move {
            let (pool, instance) = self.readers()?;
            self.within(query::runners(&pool, &instance, &query), PATIENCE).await
        }
        .boxed()
    }

    fn decisions(&self, query: HistoryQuery) -> Recalled<'_, Page<DecisionRecord>> {
        async move {
            let (pool, instance) = self.readers()?;
            self.within(query::decisions(&pool, &instance, &query), PATIENCE).await
        }
        .boxed()
    }

    fn audit(&self, query: HistoryQuery) -> Recalled<'_, Page<AuditRecord>> {
        async move {
            let (pool, instance) = self.readers()?;
            self.within(query::audit(&pool, &instance, &query), PATIENCE).await
        }
        .boxed()
    }

    fn entry(&self, seq: u64) -> Recalled<'_, Option<AuditHead>> {
        async move {
            let (pool, instance) = self.readers()?;
            let found =
                self.within(query::trail(&pool, &instance, seq.saturating_sub(1), 1), PATIENCE).await?;
            let head = |record: AuditRecord| AuditHead { seq: record.seq, hash: record.hash };
            Ok(found.into_iter().map(head).find(|head| head.seq == seq))
        }
        .boxed()
    }

    fn verify(&self) -> Recalled<'_, AuditVerdict> {
        self.walk().boxed()
    }

    fn stats(&self, query: StatsQuery) -> Recalled<'_, Stats> {
        self.figures(query).boxed()
    }

    fn series(&self, query: SeriesQuery) -> Recalled<'_, Series> {
        self.steps(query).boxed()
    }

    fn runner(&self, name: String) -> Recalled<'_, Option<RunnerRecord>> {
        async move {
            let (pool, instance) = self.readers()?;
            self.within(query::runner_named(&pool, &instance, name), PATIENCE).await
        }
        .boxed()
    }

    fn copy(&self, to: PathBuf) -> Recalled<'_, ()> {
        async move {
            let Place::File { path, .. } = &self.options.place else {
                let why =
                    "the history is in PostgreSQL: copy it with pg_dump, and bring it back with pg_restore";
                return Err(ArchiveError::Unable(why.to_owned()));
            };
            copy::copy(path, &to).await.map_err(|error| ArchiveError::Unreadable(error.to_string()))
        }
        .boxed()
    }

    fn note(&self, entry: AuditEntry) {
        if self.notes.try_send(entry).is_err() {
            self.shared.lose(1);
        }
    }
}

/// The task that takes what is shown, done and asked, and never waits for the database.
struct Taker {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Record>,
    recorder: Recorder,
}

impl Taker {
    async fn run(
        mut self,
        mut deeds: mpsc::Receiver<Arc<Deed>>,
        mut notes: mpsc::Receiver<AuditEntry>,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
    ) {
        let closing = self.shared.closing.clone();
        loop {
            tokio::select! {
                biased;
                Some(deed) = deeds.recv() => { let records = self.recorder.hear(&deed); self.give(records); }
                Some(note) = notes.recv() => self.note(note),
                () = closing.cancelled() => break,
                Ok(()) = snapshots.changed() => {
                    let next = Arc::clone(&snapshots.borrow_and_update());
                    let records = self.recorder.look(&next);
                    self.give(records);
                }
                else => break,
            }
        }
        let records = self.recorder.finish();
        self.give(records);
    }

    fn note(&mut self, note: AuditEntry) {
        let AuditEntry { at, who, kind, subject, text, outcome } = &note;
        let entry = AuditEntry {
            at: *at,
            who: clip(who),
            kind: clip(kind),
            subject: clip(subject),
            text: clip(text),
            outcome: clip(outcome),
        };
        self.give(vec![Record::Audit(Box::new(entry))]);
    }

    fn give(&self, records: Vec<Record>) {
        for record in records {
            if self.queue.try_send(record).is_err() {
                self.shared.lose(1);
            }
        }
    }
}
