//! The database: opened, brought up to date, written to in batches.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::Any;
use sqlx::AnyPool;
use sqlx::ConnectOptions as _;
use sqlx::Row as _;
use sqlx::Transaction;
use sqlx::any::AnyConnectOptions;
use sqlx::any::AnyPoolOptions;

use super::chain;
use super::insert::add_sums;
use super::insert::add_usage;
use super::insert::insert_audit;
use super::insert::insert_decision;
use super::insert::insert_job;
use super::insert::insert_runner;
use super::place::Place;
use super::rollup::Rollup;
use super::schema;
use super::trouble;
use super::trouble::Trouble;
use crate::model::history::AuditHead;
use crate::model::history::Record;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection that nobody uses is kept: its cache is memory.
const IDLE: Duration = Duration::from_secs(60);
/// Questions that are answered at the same time.
const READERS: u32 = 4;

/// An open database.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) place: Place,
    pub(super) instance: String,
    pub(super) writer: AnyPool,
    pub(super) readers: AnyPool,
    /// The next numbers of jobs, runners and decisions.
    next: Next,
    /// The end of the audit trail.
    pub(super) head: AuditHead,
    /// The file that was opened, as the file system numbers it.
    file: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Next {
    jobs: i64,
    runners: i64,
    decisions: i64,
}

impl Store {
    /// Opens the database, and brings its tables up to date.
    pub(super) async fn open(place: Place, instance: &str) -> Result<Self, Trouble> {
        let is_file = place.is_file();
        Self::try_open(place, instance).await.map_err(|error| trouble::of(&error, is_file))
    }

    async fn try_open(place: Place, instance: &str) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        if let Place::File { path, .. } = &place {
            private(path)?;
        }
        probe(&place).await?;
        let writer = pool(&place, 1, false)?;
        schema::migrate(&writer).await?;
        let number = |table: &'static str| last(&writer, table, instance);
        let next = Next {
            jobs: number("SELECT MAX(id) FROM jobs WHERE instance = $1").await? + 1,
            runners: number("SELECT MAX(id) FROM runners WHERE instance = $1").await? + 1,
            decisions: number("SELECT MAX(id) FROM decisions WHERE instance = $1").await? + 1,
        };
        let head = fact(&writer, instance, HEAD).await?;
        let readers = pool(&place, READERS, true)?;
        let file = match &place {
            Place::File { path, .. } => inode(path),
            Place::Server(_) => None,
        };
        Ok(Self { place, instance: instance.to_owned(), writer, readers, next, head, file })
    }

    /// Whether the file is still the one that was opened: writing to one that was deleted helps nobody.
    pub(super) fn is_there(&self) -> Result<(), Trouble> {
        match &self.place {
            Place::File { path, .. } if inode(path) != self.file => {
                Err(trouble::vanished(&self.place.words()))
            }
            _ => Ok(()),
        }
    }

    /// Writes all of it, or nothing.
    pub(super) async fn write(&mut self, records: &[Record]) -> Result<(), Trouble> {
        let is_file = self.place.is_file();
        self.try_write(records).await.map_err(|error| trouble::of(&error, is_file))
    }

    async fn try_write(&mut self, records: &[Record]) -> Result<(), sqlx::Error> {
        let (mut next, mut head, mut rollup) = (self.next, self.head.clone(), Rollup::default());
        let instance = self.instance.as_str();
        let mut tx = self.writer.begin().await?;
        for record in records {
            match record {
                Record::Job(job) => {
                    if insert_job(&mut tx, instance, next.jobs, job).await? {
                        next.jobs += 1;
                        rollup.job(job);
                    }
                }
                Record::Runner(runner) => {
                    if insert_runner(&mut tx, instance, next.runners, runner).await? {
                        next.runners += 1;
                        rollup.runner(runner);
                    }
                }
                Record::Decision(decision) => {
                    insert_decision(&mut tx, instance, next.decisions, decision).await?;
                    next.decisions += 1;
                }
                Record::Audit(entry) => head = insert_audit(&mut tx, instance, &head, entry).await?,
                Record::Usage(usage) => add_usage(&mut tx, instance, usage).await?,
            }
        }
        for (key, sums) in &rollup.0 {
            add_sums(&mut tx, instance, key, sums).await?;
        }
        if head != self.head {
            set_fact(&mut tx, instance, HEAD, &head).await?;
        }
        tx.commit().await?;
        (self.next, self.head) = (next, head);
        Ok(())
    }

    /// Ends all connections.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The end of the trail, as the database knows it.
pub(super) const HEAD: &str = "audit_head";
/// The last entry that went with its time.
pub(super) const ANCHOR: &str = "audit_anchor";

fn pool(place: &Place, most: u32, reads: bool) -> Result<AnyPool, sqlx::Error> {
    let options: AnyConnectOptions = place.url().parse()?;
    let opening = place.opening(reads);
    Ok(AnyPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(CONNECT)
        .idle_timeout(IDLE)
        .after_connect(move |connection, _| {
            let opening = opening.clone();
            Box::pin(async move {
                for words in opening {
                    sqlx::raw_sql(sqlx::AssertSqlSafe(words)).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.disable_statement_logging()))
}

/// Makes the file for its owner alone, if it is not there.
fn private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    file.map(drop)
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Tries a connection, since a pool only says that it got none, and looks through a file for damage, so that it is found
/// before something is built on it.
async fn probe(place: &Place) -> Result<(), sqlx::Error> {
    let options: AnyConnectOptions = place.url().parse()?;
    let connecting = options.disable_statement_logging();
    let connecting = tokio::time::timeout(CONNECT, connecting.connect());
    let mut connection = connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    for words in place.opening(false) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(words)).execute(&mut connection).await?;
    }
    if place.is_file() {
        let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
        let found: String = row.try_get(0)?;
        if found != "ok" {
            return Err(sqlx::Error::Database(Box::new(Damaged(found))));
        }
    }
    sqlx::Connection::close(connection).await
}

/// What a look through the file found, as the database's own error for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

impl sqlx::error::DatabaseError for Damaged {
    fn message(&self) -> &str {
        &self.0
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("11".into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
}

async fn last(pool: &AnyPool, sql: &'static str, instance: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(sql).bind(instance.to_owned()).fetch_one(pool).await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or(0))
}

/// A place in the trail that the database remembers; its beginning where it remembers none.
pub(super) async fn fact(pool: &AnyPool, instance: &str, name: &str) -> Result<AuditHead, sqlx::Error> {
    let query = sqlx::query("SELECT value FROM facts WHERE instance = $1 AND name = $2");
    let row = query.bind(instance.to_owned()).bind(name.to_owned()).fetch_optional(pool).await?;
    let text: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(text.and_then(|text| head_of(&text)).unwrap_or(AuditHead { seq: 0, hash: chain::GENESIS.to_owned() }))
}

/// `12 5feceb…`.
pub(super) fn head_of(text: &str) -> Option<AuditHead> {
    let (seq, hash) = text.trim().split_once(' ')?;
    let good = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    Some(AuditHead { seq: seq.parse().ok()?, hash: hash.to_owned() }).filter(|_| good)
}

pub(super) async fn set_fact(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    name: &str,
    head: &AuditHead,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO facts (instance, name, value) VALUES ($1, $2, $3) \
         ON CONFLICT (instance, name) DO UPDATE SET value = excluded.value",
    )
    .bind(instance.to_owned())
    .bind(name.to_owned())
    .bind(format!("{} {}", head.seq, head.hash))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
