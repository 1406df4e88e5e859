//! The one task that writes: batches, waits and tries again, sets a damaged file aside, and lets go what has had its time.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::keep;
use super::place::Place;
use super::query;
use super::recorder::own;
use super::service::Options;
use super::service::Shared;
use super::store;
use super::store::Store;
use super::trouble;
use super::trouble::Remedy;
use super::trouble::Trouble;
use crate::model::history::AuditHead;
use crate::model::history::Record;

/// The most records of one transaction.
const BATCH: usize = 500;
/// How long the first record of a batch waits for company.
const LINGER: Duration = Duration::from_millis(500);
/// How long a transaction may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long opening may take: a large file is looked through for damage first.
const OPENING: Duration = Duration::from_secs(300);
/// Between attempts: the first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often what is too old is looked for, and how soon again where more of it is left.
const EXPIRY: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_millis(250));
/// How soon it is looked for again where that failed, at first; twice as long each further time.
const EXPIRE_AGAIN: Duration = Duration::from_secs(5);

/// The writer.
pub(super) struct Writer {
    options: Options,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Record>,
    store: Option<Store>,
    /// How long to wait before the next attempt.
    wait: Duration,
    /// Losses that the trail tells of.
    told_lost: u64,
    expiry: Instant,
    /// How long after a failure it is looked again for what is too old.
    expire_again: Duration,
}

impl Writer {
    pub(super) fn new(options: Options, shared: Arc<Shared>, queue: mpsc::Receiver<Record>) -> Self {
        let expiry = Instant::now() + options.first_expiry;
        Self {
            options,
            shared,
            queue,
            store: None,
            wait: WAITS.0,
            told_lost: 0,
            expiry,
            expire_again: EXPIRE_AGAIN,
        }
    }

    /// Runs until nobody has anything to write any more.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        self.opened(&mut batch).await;
        loop {
            if batch.is_empty() {
                tokio::select! {
                    got = self.queue.recv_many(&mut batch, BATCH) => if got == 0 { break },
                    () = tokio::time::sleep_until(self.expiry) => { self.expire(&mut batch).await; continue }
                }
                self.gather(&mut batch).await;
            }
            self.put(&mut batch).await;
        }
        if let Some(store) = &self.store {
            store.close().await;
        }
    }

    /// Waits a moment for what belongs into the same transaction.
    async fn gather(&mut self, batch: &mut Vec<Record>) {
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            match tokio::time::timeout_at(until, self.queue.recv_many(batch, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    }

    /// Writes the batch, or waits; what is left of it stays.
    async fn put(&mut self, batch: &mut Vec<Record>) {
        let now = self.options.clock.now();
        let lost = self.shared.lost();
        if lost > self.told_lost {
            let text = format!("{} records were lost", lost - self.told_lost);
            batch.push(Record::Audit(Box::new(own(now, "history", "", &text, "lost"))));
            self.told_lost = lost;
        }
        if !self.opened(batch).await {
            return;
        }
        match self.write(batch).await {
            Ok(()) => {
                batch.clear();
                self.well();
            }
            Err(trouble) if trouble.remedy == Remedy::Skip => self.one_by_one(batch, &trouble).await,
            Err(trouble) => self.suffer(trouble, batch).await,
        }
    }

    async fn write(&mut self, records: &[Record]) -> Result<(), Trouble> {
        let Some(store) = &mut self.store else { return Err(trouble::slow(PATIENCE)) };
        store.is_there()?;
        let before = store.head.clone();
        let written = tokio::time::timeout(PATIENCE, store.write(records)).await;
        written.unwrap_or_else(|_| Err(trouble::slow(PATIENCE)))?;
        if store.head != before {
            keep_head(&self.options.head_file, &store.head);
        }
        Ok(())
    }

    /// Writes what the database takes, and drops what it refuses.
    async fn one_by_one(&mut self, batch: &mut Vec<Record>, why: &Trouble) {
        tracing::warn!("The history's database refuses a record: {}", why.text);
        while let Some(record) = batch.first().cloned() {
            match self.write(std::slice::from_ref(&record)).await {
                Ok(()) => {}
                Err(trouble) if trouble.remedy == Remedy::Skip => {
                    self.shared.lose(1);
                    tracing::debug!("Dropped {record:?}: {}", trouble.text);
                }
                Err(trouble) => return self.suffer(trouble, batch).await,
            }
            batch.remove(0);
        }
        self.well();
    }

    /// Opens the database if it is not open, and says whether it is.
    async fn opened(&mut self, batch: &mut Vec<Record>) -> bool {
        if self.store.is_some() {
            return true;
        }
        let (place, instance) = (self.options.place.clone(), self.options.instance.clone());
        let opened = tokio::time::timeout(OPENING, Store::open(place, &instance)).await;
        match opened.unwrap_or_else(|_| Err(trouble::slow(OPENING))) {
            Ok(store) => {
                self.hold_against_head(&store, batch).await;
                let readers = (store.readers.clone(), store.instance.clone());
                *self.shared.readers.write().unwrap_or_else(PoisonError::into_inner) = Some(readers);
                self.store = Some(store);
                self.well();
                true
            }
            Err(trouble) => {
                self.suffer(trouble, batch).await;
                false
            }
        }
    }

    /// What was cut off while no daemon looked must be told before the note of the end moves on.
    async fn hold_against_head(&self, store: &Store, batch: &mut Vec<Record>) {
        let Some(kept) = noted_head(&self.options.head_file) else { return };
        let behind = kept.seq.saturating_sub(1);
        let found = query::trail(&store.writer, &store.instance, behind, 1).await.unwrap_or_default();
        if found.first().is_some_and(|record| record.seq == kept.seq && record.hash == kept.hash) {
            return;
        }
        let text = format!(
            "the trail's end was noted as entry {} with digest {}, and the database does not have it: it ends with entry {}",
            kept.seq, kept.hash, store.head.seq
        );
        tracing::error!("History: {text}");
        let now = self.options.clock.now();
        let entry =
            own(now, "history", &self.options.place.words(), &text, "entries were cut off or changed");
        batch.insert(0, Record::Audit(Box::new(entry)));
    }

    /// Says what is wrong, once, and waits or sets the file aside.
    async fn suffer(&mut self, trouble: Trouble, batch: &mut Vec<Record>) {
        let now = self.options.clock.now();
        if trouble.remedy == Remedy::SetAside
            && let Place::File { path, .. } = &self.options.place.clone()
        {
            self.close().await;
            let name = now.to_string().replace(':', "-");
            match set_aside(path, &self.options.head_file, &name) {
                Ok(aside) => {
                    let text = format!("{}; it is set aside as {}", trouble.text, aside.display());
                    tracing::error!("History: {}: {text}, and a new one is begun", path.display());
                    let entry = own(now, "history", &path.display().to_string(), &text, "a new trail begins");
                    batch.insert(0, Record::Audit(Box::new(entry)));
                    return;
                }
                Err(error) => tracing::error!("{} cannot be set aside: {error}", path.display()),
            }
        }
        self.shared.ill(&trouble.text, now);
        if trouble.remedy == Remedy::Reopen {
            self.close().await;
        }
        let closing = self.shared.closing.clone();
        tokio::select! {
            () = tokio::time::sleep(self.wait) => {}
            () = closing.cancelled() => {
                // Who ends waits for nobody: what could not be written is lost, and said so.
                if !batch.is_empty() {
                    tracing::warn!("{} records of the history are lost: {}", batch.len(), trouble.text);
                    batch.clear();
                }
            }
        }
        self.wait = (self.wait * 2).min(WAITS.1);
    }

    fn well(&mut self) {
        self.wait = WAITS.0;
        self.shared.well();
    }

    async fn close(&mut self) {
        *self.shared.readers.write().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(store) = self.store.take() {
            // A connection that hangs must not hold up the next one.
            let _ = tokio::time::timeout(PATIENCE, store.close()).await;
        }
    }

    async fn expire(&mut self, batch: &mut Vec<Record>) {
        let now = self.options.clock.now();
        self.expiry = Instant::now() + self.expire_again;
        let Some(store) = &self.store else { return self.put(batch).await };
        let work = keep::expire(store, &self.options.retention, now);
        match tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(trouble::slow(PATIENCE))) {
            Ok(removed) => {
                self.expiry = Instant::now() + if removed.more { EXPIRY.1 } else { EXPIRY.0 };
                self.expire_again = EXPIRE_AGAIN;
                if let Some(last) = removed.audit {
                    let text = format!("entries up to {} had had their time: {}", last.seq, last.hash);
                    batch.push(Record::Audit(Box::new(own(now, "history", "audit", &text, "removed"))));
                }
            }
            Err(trouble) => {
                self.expire_again = (self.expire_again * 2).min(EXPIRY.0);
                tracing::warn!("What is too old stays in the history for now: {}", trouble.text);
            }
        }
    }
}

/// The end that was noted beside the database.
pub(super) fn noted_head(file: &Path) -> Option<AuditHead> {
    std::fs::read_to_string(file).ok().and_then(|text| store::head_of(&text))
}

/// Notes the end of the trail beside the database. Without it a cut is noticed only as far as the database tells.
pub(super) fn keep_head(file: &Path, head: &AuditHead) {
    let write = || {
        use std::io::Write as _;
        let mut beside = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        writeln!(beside, "{} {}", head.seq, head.hash)?;
        beside.persist(file).map_err(|error| error.error).map(drop)
    };
    if let Err(error) = write() {
        tracing::debug!("{} cannot be written: {error}", file.display());
    }
}

/// Gives the file and what belongs to it another name.
fn set_aside(path: &Path, head: &Path, name: &str) -> std::io::Result<PathBuf> {
    let with = |path: &Path, more: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(more);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{name}"));
    std::fs::rename(path, &aside)?;
    for part in ["-wal", "-shm"] {
        // They are not always there.
        let _ = std::fs::rename(with(path, part), with(&aside, part));
    }
    let _ = std::fs::rename(head, with(head, &format!(".damaged-{name}")));
    Ok(aside)
}
