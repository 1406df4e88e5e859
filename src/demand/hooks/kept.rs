//! When deliveries were heard last, kept across restarts in `hooks.toml` in the state directory: those since then are
//! asked for again. It may be lost: then those of the last hour are.

use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Heard;
use crate::demand::state::replace;
use crate::model::Time;

const FILE: &str = "hooks.toml";
/// The file is a line; whatever is longer is none of ours.
const LONGEST: u64 = 4096;
/// It is written no more often than this: a look for lost deliveries reaches back minutes beyond it anyway.
const REST: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Shape {
    /// Milliseconds since 1970.
    heard: Option<Time>,
}

/// The file.
#[derive(Debug)]
pub struct KeptHeard {
    path: PathBuf,
}

impl KeptHeard {
    /// The file in `dir`.
    pub fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join(FILE) }
    }

    /// When deliveries were heard last. What cannot be read, or is not over yet, counts as nothing and is told.
    pub fn last(&self, now: Time) -> Option<Time> {
        let shown = self.path.display();
        let heard = match self.read() {
            Ok(shape) => shape.heard?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("{shown} is damaged; going on without it: {error}");
                return None;
            }
        };
        if heard > now {
            tracing::warn!("{shown} says {heard}, which is not over yet; going on without it");
            return None;
        }
        Some(heard)
    }

    fn read(&self) -> std::io::Result<Shape> {
        let mut text = String::new();
        std::fs::File::open(&self.path)?.take(LONGEST).read_to_string(&mut text)?;
        toml::from_str(&text).map_err(std::io::Error::other)
    }

    /// Keeps what the view says until it is stopped.
    pub async fn follow(self, mut view: watch::Receiver<Arc<Heard>>, stop: CancellationToken) {
        let mut written = None;
        let mut complained = false;
        while !stop.is_cancelled() {
            tokio::select! {
                changed = view.changed() => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
            let heard = view.borrow_and_update().hooks.heard;
            if heard == written {
                continue;
            }
            let failed = self.write(heard).err();
            if let Some(error) = failed.as_ref().filter(|_| !complained) {
                let path = self.path.display();
                tracing::warn!(
                    "{path} cannot be written; a restart will ask for the deliveries of an hour: {error}"
                );
            }
            (written, complained) = (heard, failed.is_some());
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = stop.cancelled() => {}
            }
        }
        // What came while it rested.
        let heard = view.borrow().hooks.heard;
        if heard != written {
            // It was told before, if it is the same as before.
            let _ = self.write(heard);
        }
    }

    fn write(&self, heard: Option<Time>) -> std::io::Result<()> {
        let text = toml::to_string(&Shape { heard }).map_err(std::io::Error::other)?;
        replace(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HookView;

    const NOW: Time = Time(1_700_000_000_000);

    fn heard(at: Time) -> Arc<Heard> {
        Arc::new(Heard { hooks: HookView { heard: Some(at), ..HookView::default() }, ..Heard::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_is_known_after_a_restart_and_is_written_seldom() {
        let dir = tempfile::tempdir().unwrap();
        let kept = || KeptHeard::in_dir(dir.path());
        assert_eq!(kept().last(NOW), None);
        let (tell, view) = watch::channel(Arc::default());
        let stop = CancellationToken::new();
        let following = tokio::spawn(kept().follow(view, stop.clone()));
        let second = Duration::from_secs(1);
        tell.send_replace(heard(NOW));
        tokio::time::sleep(second).await;
        assert_eq!(kept().last(NOW), Some(NOW));
        tell.send_replace(heard(NOW + second));
        tokio::time::sleep(second).await;
        assert_eq!(kept().last(NOW + second), Some(NOW), "it rests");
        tokio::time::sleep(REST).await;
        assert_eq!(kept().last(NOW + second), Some(NOW + second));
        tell.send_replace(heard(NOW + 2 * second));
        stop.cancel();
        following.await.unwrap();
        assert_eq!(kept().last(NOW + 2 * second), Some(NOW + 2 * second), "the end writes the last");
    }

    #[test]
    fn damage_and_times_to_come_count_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let kept = KeptHeard::in_dir(dir.path());
        let long = format!("heard = 5 # {}", "x".repeat(5000));
        for text in ["{", "heard = \"x\"", "heard = -5", "", "heard = 1700000000001", "\u{0}"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(kept.last(NOW), None, "{text}");
        }
        std::fs::write(dir.path().join(FILE), long).unwrap();
        assert_eq!(kept.last(NOW), Some(Time(5)), "no more is read than a line needs");
    }
}
