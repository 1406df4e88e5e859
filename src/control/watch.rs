//! Seeing that the file was saved, however an editor or a configuration manager does it.

mod ears;

use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::ears::Ears;
use self::ears::Heard;
use super::Loader;
use crate::config::drop_in_dir;
use crate::config::drop_ins;

/// After the last event: editors write, rename and touch in a burst.
const QUIET: Duration = Duration::from_millis(50);
/// While somebody has written and not closed the file: half of it may be a good file too, with half of the pools.
const OPEN: Duration = Duration::from_secs(1);
/// After a save that left no good file: some empty the file, or take it away, before they write it anew.
const DOUBT: Duration = Duration::from_millis(200);
/// Whatever goes on, the file is looked at after this time.
const LONGEST: Duration = Duration::from_secs(3);
/// Where events do not arrive (network file systems, watches used up), looking now and then has to do.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);
/// More is no configuration, and is refused when it is read.
const MAX_BYTES: u64 = (1 << 20) + 1;

/// Everything that the files say: if two are equal, nothing was saved that matters.
type Content = Vec<(PathBuf, Result<Vec<u8>, io::ErrorKind>)>;

/// The file and its drop-ins, watched.
pub struct WatchedFiles {
    file: PathBuf,
    seen: Content,
    ears: Ears,
}

impl std::fmt::Debug for WatchedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedFiles").field("file", &self.file).finish_non_exhaustive()
    }
}

impl WatchedFiles {
    /// Begins to watch. What is saved from here on will be told, so the file is best read after this.
    pub fn begin(file: &Path) -> Self {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut ears = Ears::open();
        ears.turn_to(&file);
        let seen = content(&file);
        Self { file, seen, ears }
    }

    /// Sends once for each save, until `stop`. `load` tells whether what a save left is a good file.
    pub async fn tell(mut self, load: Loader, changed: mpsc::Sender<()>, stop: CancellationToken) {
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.ears.hear() => Some(heard),
                () = tokio::time::sleep(LOOK_ANYWAY) => None,
            };
            let now = self.settled(heard, &load).await;
            if now != self.seen {
                self.seen = now;
                if changed.send(()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// What the files say once the save is over.
    async fn settled(&mut self, mut heard: Option<Heard>, load: &Loader) -> Content {
        let deadline = Instant::now() + LONGEST;
        loop {
            while let Some(last) = heard
                && Instant::now() < deadline
            {
                let wait = if last == Heard::Writing { OPEN } else { QUIET };
                heard = timeout(wait, self.ears.hear()).await.ok();
            }
            // First the watches, then the look: what changes after the look is heard.
            self.ears.turn_to(&self.file);
            let now = content(&self.file);
            // A file without pools is a good one, and what every file is that was emptied to be written.
            let whole = load().is_ok_and(|loaded| !loaded.config.pools.is_empty());
            if now == self.seen || Instant::now() >= deadline || whole {
                return now;
            }
            heard = timeout(DOUBT, self.ears.hear()).await.ok();
            if heard.is_none() {
                return now;
            }
        }
    }
}

fn content(file: &Path) -> Content {
    let mut all = vec![(file.to_path_buf(), read(file))];
    match drop_ins(file) {
        Ok(paths) => all.extend(paths.into_iter().map(|path| (path.clone(), read(&path)))),
        Err(error) => all.push((drop_in_dir(file), Err(error.kind()))),
    }
    all
}

fn read(path: &Path) -> Result<Vec<u8>, io::ErrorKind> {
    let kind = |error: io::Error| error.kind();
    if !fs::metadata(path).map_err(kind)?.is_file() {
        // To read a pipe could take for ever.
        return Err(io::ErrorKind::Unsupported);
    }
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(kind)?;
    Ok(bytes)
}
