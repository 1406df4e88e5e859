//! The database: opened, brought up to date, written to in batches.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Any;
use sqlx::AnyPool;
use sqlx::ConnectOptions as _;
use sqlx::Row as _;
use sqlx::Transaction;
use sqlx::any::AnyConnectOptions;
use sqlx::any::AnyPoolOptions;

use super::chain;
use super::rollup::Key;
use super::rollup::Rollup;
use super::rollup::Sums;
use super::schema;
use super::trouble;
use super::trouble::Trouble;
use crate::model::Secret;
use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::DecisionRecord;
use crate::model::history::JobRecord;
use crate::model::history::Record;
use crate::model::history::RunnerRecord;
use crate::model::history::UsageRecord;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection that nobody uses is kept: its cache is memory.
const IDLE: Duration = Duration::from_secs(60);
/// Questions that are answered at the same time.
const READERS: u32 = 4;

/// Where the history is kept.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file of SQLite's, of at most so many bytes.
    File {
        /// Its path.
        path: PathBuf,
        /// How large it may become.
        max_bytes: u64,
    },
    /// A PostgreSQL database, by its address, which may hold a password.
    Server(Secret),
}

impl Place {
    /// In words, without a secret.
    pub(super) fn words(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Server(_) => "PostgreSQL".to_owned(),
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    fn url(&self) -> String {
        match self {
            Self::File { path, .. } => format!("sqlite://{}?mode=rwc", escaped(path)),
            Self::Server(url) => url.reveal().trim().to_owned(),
        }
    }

    /// What each connection is told first. The order matters: a database that keeps a log of writes cannot change how it
    /// gives back space any more. What is committed is on the disk: the end of the trail that is noted beside must not be
    /// ahead of it.
    fn opening(&self, reads: bool) -> Vec<String> {
        match self {
            Self::File { max_bytes, .. } => {
                let pages = (max_bytes / 4096).max(64);
                let mut words = vec![
                    "PRAGMA busy_timeout = 5000".to_owned(),
                    "PRAGMA auto_vacuum = INCREMENTAL".to_owned(),
                    "PRAGMA journal_mode = WAL".to_owned(),
                    "PRAGMA synchronous = FULL".to_owned(),
                    "PRAGMA journal_size_limit = 16777216".to_owned(),
                    format!("PRAGMA max_page_count = {pages}"),
                ];
                words.extend(reads.then(|| "PRAGMA query_only = ON".to_owned()));
                words
            }
            Self::Server(_) => vec!["SET statement_timeout = 10000".to_owned()],
        }
    }
}

/// A path as a part of an address.
pub(super) fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(*byte))
            }
            other => drop(write!(text, "%{other:02X}")),
        }
        text
    })
}

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

/// A count as databases have them, with a sign.
pub(super) fn int(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}

/// Says whether the job was not known yet.
async fn insert_job(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    job: &JobRecord,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO jobs (instance, id, job_key, repo, run, workflow, name, labels, pool, runner, image, queued, \
         started, ended, result, peak_memory, cpu_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (instance, job_key) DO NOTHING",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(job.key.clone())
    .bind(job.repo.clone())
    .bind(job.run.map(int))
    .bind(job.workflow.clone())
    .bind(job.name.clone())
    .bind(list(&job.labels))
    .bind(job.pool.clone())
    .bind(job.runner.clone())
    .bind(job.image.clone())
    .bind(job.queued.map(|at| int(at.0)))
    .bind(job.started.map(|at| int(at.0)))
    .bind(int(job.ended.0))
    .bind(job.result.word().to_owned())
    .bind(job.peak_memory.map(int))
    .bind(job.cpu_ms.map(int))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says whether the runner was not known yet.
async fn insert_runner(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    runner: &RunnerRecord,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO runners (instance, id, runner, pool, repo, image, created, started, ended, exit_code, oom_killed, \
         ran_job, job, verdict, last_lines) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (instance, runner) DO NOTHING",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(runner.runner.clone())
    .bind(runner.pool.clone())
    .bind(runner.repo.clone())
    .bind(runner.image.clone())
    .bind(int(runner.created.0))
    .bind(runner.started.map(|at| int(at.0)))
    .bind(int(runner.ended.0))
    .bind(runner.exit_code)
    .bind(i64::from(runner.oom_killed))
    .bind(i64::from(runner.ran_job))
    .bind(runner.job.clone())
    .bind(runner.verdict.clone())
    .bind(list(&runner.last_lines))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn insert_decision(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    decision: &DecisionRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO decisions (instance, id, at, pool, before, target, have, why, held) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(int(decision.at.0))
    .bind(decision.pool.clone())
    .bind(decision.before.map(i64::from))
    .bind(i64::from(decision.target))
    .bind(i64::from(decision.have))
    .bind(decision.why.clone())
    .bind(list(&decision.held))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_audit(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    head: &AuditHead,
    entry: &AuditEntry,
) -> Result<AuditHead, sqlx::Error> {
    let seq = head.seq + 1;
    let hash = chain::link(&head.hash, instance, seq, entry);
    sqlx::query(
        "INSERT INTO audit (instance, id, at, who, kind, subject, text, outcome, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(instance.to_owned())
    .bind(int(seq))
    .bind(int(entry.at.0))
    .bind(entry.who.clone())
    .bind(entry.kind.clone())
    .bind(entry.subject.clone())
    .bind(entry.text.clone())
    .bind(entry.outcome.clone())
    .bind(hash.clone())
    .execute(&mut **tx)
    .await?;
    Ok(AuditHead { seq, hash })
}

async fn add_usage(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    usage: &UsageRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO pool_usage (instance, hour, pool, seen_ms, busy_ms, idle_ms, other_ms, max_runners, max_busy, \
         max_waiting) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (instance, hour, pool) DO UPDATE SET \
         seen_ms = pool_usage.seen_ms + excluded.seen_ms, busy_ms = pool_usage.busy_ms + excluded.busy_ms, \
         idle_ms = pool_usage.idle_ms + excluded.idle_ms, other_ms = pool_usage.other_ms + excluded.other_ms, \
         max_runners = CASE WHEN excluded.max_runners > pool_usage.max_runners THEN excluded.max_runners \
           ELSE pool_usage.max_runners END, \
         max_busy = CASE WHEN excluded.max_busy > pool_usage.max_busy THEN excluded.max_busy \
           ELSE pool_usage.max_busy END, \
         max_waiting = CASE WHEN excluded.max_waiting > pool_usage.max_waiting THEN excluded.max_waiting \
           ELSE pool_usage.max_waiting END",
    )
    .bind(instance.to_owned())
    .bind(int(usage.hour.0))
    .bind(usage.pool.clone())
    .bind(int(usage.seen_ms))
    .bind(int(usage.busy_ms))
    .bind(int(usage.idle_ms))
    .bind(int(usage.other_ms))
    .bind(i64::from(usage.max_runners))
    .bind(i64::from(usage.max_busy))
    .bind(i64::from(usage.max_waiting))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The columns of a row of sums, in the order in which they are read and written.
pub(super) const SUMS: &str = "jobs, succeeded, failed, cancelled, lost, never_ran, wait_ms, run_ms, runners, barren, \
                               idle_ms, waits, runs";

async fn add_sums(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    (span, start, pool, repo): &Key,
    sums: &Sums,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "SELECT {SUMS} FROM rollups WHERE instance = $1 AND span = $2 AND start = $3 AND pool = $4 AND repo = $5"
    );
    let before = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(instance.to_owned())
        .bind(span.word().to_owned())
        .bind(int(*start))
        .bind(pool.clone())
        .bind(repo.clone())
        .fetch_optional(&mut **tx)
        .await?;
    let mut all = before.map(|row| super::query::sums(&row, 0)).transpose()?.unwrap_or_default();
    all.add(sums);
    let sql = format!(
        "INSERT INTO rollups (instance, span, start, pool, repo, {SUMS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT (instance, span, start, pool, repo) DO UPDATE SET {}",
        SUMS.split(", ").map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ")
    );
    let counts = [
        all.jobs,
        all.succeeded,
        all.failed,
        all.cancelled,
        all.lost,
        all.never_ran,
        all.wait_ms,
        all.run_ms,
        all.runners,
        all.barren,
        all.idle_ms,
    ];
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(instance.to_owned())
        .bind(span.word().to_owned())
        .bind(int(*start))
        .bind(pool.clone())
        .bind(repo.clone());
    let query = counts.into_iter().fold(query, |query, count| query.bind(int(count)));
    query.bind(all.waits.text()).bind(all.runs.text()).execute(&mut **tx).await?;
    Ok(())
}
