//! Copies of the database file, with the state that belongs to it, and their way back.

use std::path::Path;
use std::path::PathBuf;

use sqlx::AnyPool;
use sqlx::Row as _;
use sqlx::any::AnyPoolOptions;

use super::place::escaped;
use super::store::HEAD;
use super::store::head_of;
use super::writer::keep_head;
use crate::model::Time;

/// Files of the state directory that a copy holds as well.
const STATE: [&str; 2] = ["mode.toml", "marks.toml"];
/// The largest of them that is taken.
const LARGEST: u64 = 4 * 1024 * 1024;
/// The database's name in the state directory.
pub const FILE: &str = "history.sqlite";
/// Where the end of the trail is noted.
pub const HEAD_FILE: &str = "history.head";

/// Why a copy was not made, or not brought back.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database says no.
    #[error("the history cannot be copied: {0}")]
    Database(#[from] sqlx::Error),
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", .path.display())]
    File {
        /// What was wanted.
        what: &'static str,
        /// Of which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no copy, or a damaged one.
    #[error("{} is no copy of a history: {why}", .path.display())]
    NoCopy {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a copy of the database, as of one moment, into a file that is not there yet. It may be in use.
pub(super) async fn copy(database: &Path, to: &Path) -> Result<(), CopyError> {
    let pool = open(database, "rw")?;
    let done = sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned()).execute(&pool).await;
    pool.close().await;
    done?;
    add_state(database, to).await
}

/// Adds the state directory's files to a copy.
async fn add_state(database: &Path, to: &Path) -> Result<(), CopyError> {
    let pool = open(to, "rw")?;
    sqlx::raw_sql("CREATE TABLE state_files (name TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    for name in STATE {
        let file = database.with_file_name(name);
        let size = std::fs::metadata(&file).map(|meta| meta.len());
        if !size.is_ok_and(|size| size <= LARGEST) {
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|source| CopyError::File {
            what: "read",
            path: file,
            source,
        })?;
        let query = sqlx::query("INSERT INTO state_files (name, text) VALUES ($1, $2)");
        query.bind(name.to_owned()).bind(text).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

fn open(path: &Path, mode: &str) -> Result<AnyPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode={mode}", escaped(path));
    AnyPoolOptions::new().max_connections(1).connect_lazy(&url)
}

/// Writes a copy of the history in a state directory that no daemon has in use, or has.
///
/// # Errors
/// There is none, or it cannot be read, or the copy cannot be written.
pub async fn make(state: &Path, to: &Path) -> Result<(), CopyError> {
    copy(&state.join(FILE), to).await
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Jobs.
    pub jobs: u64,
    /// The latest one's end.
    pub latest: Option<Time>,
    /// Which installations' it is.
    pub instances: Vec<String>,
    /// The state directory's files, by name.
    pub state: Vec<(String, String)>,
}

/// Looks through a copy, and says what it holds.
///
/// # Errors
/// It is damaged, or no copy at all.
pub async fn check(copy: &Path) -> Result<Held, CopyError> {
    let no_copy = |why: String| CopyError::NoCopy { path: copy.to_owned(), why };
    std::fs::metadata(copy).map_err(|source| CopyError::File {
        what: "read",
        path: copy.to_owned(),
        source,
    })?;
    let pool = open(copy, "ro")?;
    let held = look(&pool).await;
    pool.close().await;
    held.map_err(|error| no_copy(error.to_string()))?.map_err(no_copy)
}

async fn look(pool: &AnyPool) -> Result<Result<Held, String>, sqlx::Error> {
    let found: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(pool).await?.try_get(0)?;
    if found != "ok" {
        return Ok(Err(found));
    }
    let jobs: i64 = sqlx::query("SELECT COUNT(*) FROM jobs").fetch_one(pool).await?.try_get(0)?;
    let latest: Option<i64> = sqlx::query("SELECT MAX(ended) FROM jobs").fetch_one(pool).await?.try_get(0)?;
    let rows = sqlx::query("SELECT DISTINCT instance FROM facts ORDER BY instance").fetch_all(pool).await?;
    let instances = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let rows = sqlx::query("SELECT name, text FROM state_files ORDER BY name").fetch_all(pool).await?;
    let pair = |row: &sqlx::any::AnyRow| Ok((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?));
    let state: Vec<(String, String)> = rows.iter().map(pair).collect::<Result<_, sqlx::Error>>()?;
    let state = state.into_iter().filter(|(name, _)| STATE.contains(&name.as_str())).collect();
    let latest = latest.and_then(|at| u64::try_from(at).ok()).map(Time);
    Ok(Ok(Held { jobs: jobs.unsigned_abs(), latest, instances, state }))
}

/// Brings a copy back into a state directory that no daemon has in use. What was there before stays beside it, under a name
/// that is given back.
///
/// # Errors
/// The copy is no good, in which case nothing was touched, or a file cannot be written.
pub async fn restore(copy: &Path, state: &Path, now: Time) -> Result<Vec<PathBuf>, CopyError> {
    let held = check(copy).await?;
    let fail = |what, path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::File { what, path, source }
    };
    let database = state.join(FILE);
    let fresh = state.join(format!("{FILE}.new"));
    std::fs::copy(copy, &fresh).map_err(fail("write", &fresh))?;
    let pool = open(&fresh, "rw")?;
    sqlx::raw_sql("DROP TABLE state_files").execute(&pool).await?;
    let heads =
        sqlx::query("SELECT value FROM facts WHERE name = $1").bind(HEAD.to_owned()).fetch_all(&pool).await?;
    pool.close().await;
    let stamp = now.to_string().replace(':', "-");
    let mut kept = Vec::new();
    let names = [FILE, "history.sqlite-wal", "history.sqlite-shm", HEAD_FILE, STATE[0], STATE[1]];
    for name in names.into_iter().filter(|name| replaced(name, &held)) {
        let (from, to) = (state.join(name), state.join(format!("{name}.before-{stamp}")));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(fail("rename", &from))?;
            kept.push(to);
        }
    }
    std::fs::rename(&fresh, &database).map_err(fail("rename", &fresh))?;
    let mut files = vec![database];
    for (name, text) in &held.state {
        let path = state.join(name);
        std::fs::write(&path, text).map_err(fail("write", &path))?;
        files.push(path);
    }
    // The file beside holds one installation's.
    if let [row] = heads.as_slice()
        && let Some(head) = head_of(&row.try_get::<String, _>(0)?)
    {
        keep_head(&state.join(HEAD_FILE), &head);
        files.push(state.join(HEAD_FILE));
    }
    own(state, &files).map_err(fail("give away files in", state))?;
    Ok(kept)
}

/// Whether the copy has something in the place of this file.
fn replaced(name: &str, held: &Held) -> bool {
    !STATE.contains(&name) || held.state.iter().any(|(kept, _)| kept == name)
}

/// Gives new files to whom the state directory belongs: the service's user, though root brought them back.
fn own(state: &Path, files: &[PathBuf]) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(state)?;
    files.iter().try_for_each(|file| std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())))
}
