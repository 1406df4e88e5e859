//! Keeping what a runner printed after it is gone.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use crate::engine::Engine;
use crate::model::Container;
use crate::model::Time;

/// A runner that prints more than this keeps its beginning only: a disk is worth more than a log.
const MOST: u64 = 16 * 1024 * 1024;

/// Where the output of runners that go is kept: `<dir>/<pool>/<runner>.log`.
#[derive(Debug, Clone, Default)]
pub struct LogKeeper {
    dir: Option<PathBuf>,
}

impl LogKeeper {
    /// Keeps logs below `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir: Some(dir) }
    }

    /// Keeps none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Where a runner's log is or would be.
    pub fn path(&self, pool: &str, runner: &str) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(pool).join(format!("{runner}.log")))
    }

    /// Saves a container's output. A log that cannot be saved is told and does not keep the container standing.
    pub(super) async fn keep<E: Engine>(&self, engine: &E, container: &Container) {
        let Some(path) = self.path(container.pool.as_str(), container.runner_name.as_str()) else { return };
        if let Err(error) = save(engine, container, &path).await {
            tracing::warn!(
                pool = %container.pool, runner = %container.runner_name, "A runner's output cannot be kept in {}: {error}", path.display()
            );
        }
    }

    /// Removes logs that are older than `keep`.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn expire(&self, now: Time, keep: Duration) -> std::io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let mut pools = match tokio::fs::read_dir(dir).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        while let Some(pool) = pools.next_entry().await? {
            if !pool.file_type().await?.is_dir() {
                continue;
            }
            let mut logs = tokio::fs::read_dir(pool.path()).await?;
            while let Some(log) = logs.next_entry().await? {
                let old = log.metadata().await?.modified().is_ok_and(|at| now.since(wall(at)) > keep);
                if old && log.path().extension().is_some_and(|e| e == "log") {
                    tokio::fs::remove_file(log.path()).await?;
                }
            }
        }
        Ok(())
    }
}

fn wall(at: std::time::SystemTime) -> Time {
    let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

async fn save<E: Engine>(engine: &E, container: &Container, path: &Path) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        tokio::fs::create_dir_all(dir).await?;
    }
    let mut file = tokio::fs::OpenOptions::new();
    let mut file = file.write(true).create(true).truncate(true).mode(0o640).open(path).await?;
    let mut written: u64 = 0;
    let mut output = std::pin::pin!(engine.follow(&container.id, usize::MAX, false));
    while let Some(chunk) = output.next().await {
        let chunk = chunk.map_err(std::io::Error::other)?;
        file.write_all(&chunk).await?;
        written += chunk.len() as u64;
        if written > MOST {
            file.write_all(b"\n[the rest was not kept]\n").await?;
            break;
        }
    }
    file.flush().await
}
