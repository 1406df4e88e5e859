//! Hearing that something happened to a file: its folder, the folders above, and those that symlinks lead through.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use notify::ErrorKind;
use notify::Event;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use notify::event::AccessKind;
use notify::event::AccessMode;
use notify::event::ModifyKind;
use tokio::sync::watch;

use crate::config::drop_in_dir;
use crate::config::drop_ins;

/// More symlinks than these in one path are a loop; the kernel's own bound.
const MAX_LINKS: usize = 40;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody writes, and has not closed the file.
    Writing,
    /// Something else.
    Done,
}

/// What matters. Everything else that happens beside it, which in `/etc` or `/tmp` may be much, wakes nobody.
#[derive(Debug, Default)]
struct Places {
    /// Each name that the file's path, or a drop-in's, goes through.
    names: BTreeSet<PathBuf>,
    /// Where every drop-in matters.
    drop_ins: PathBuf,
}

impl Places {
    /// Where `file` and its drop-ins are now.
    fn of(file: &Path) -> Self {
        let mut names = BTreeSet::new();
        trace(file, &mut names);
        let folder = trace(&drop_in_dir(file), &mut names);
        for drop_in in drop_ins(file).unwrap_or_default() {
            trace(&drop_in, &mut names);
        }
        Self { names, drop_ins: folder }
    }

    /// A name shows in the folder that holds it.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let holding = self.names.iter().filter_map(|name| name.parent());
        holding.chain([self.drop_ins.as_path()]).map(Path::to_owned).collect()
    }

    fn hold(&self, path: &Path) -> bool {
        self.names.contains(path) || (path.parent() == Some(&self.drop_ins) && is_drop_in(path))
    }

    /// What an event means, if it matters.
    fn judge(&self, event: &Event) -> Option<Heard> {
        let heard = match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => Heard::Writing,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Heard::Done,
            // Our own looking, too.
            EventKind::Access(_) => return None,
            _ => Heard::Done,
        };
        (event.need_rescan() || event.paths.iter().any(|path| self.hold(path))).then_some(heard)
    }
}

fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    path.extension().is_some_and(|e| e == "toml") && !hidden
}

/// Watches on all folders in which a save may show. Where the kernel gives none it hears nothing.
pub(super) struct Ears {
    watcher: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
    heard: watch::Receiver<Heard>,
    complained: bool,
}

impl Ears {
    pub(super) fn open() -> Self {
        let places = Arc::<Mutex<Places>>::default();
        let (tell, heard) = watch::channel(Heard::Done);
        let judge = Arc::clone(&places);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What went wrong with a watch shows when it is set again.
            let Ok(event) = event else { return };
            let heard = judge.lock().unwrap_or_else(PoisonError::into_inner).judge(&event);
            if let Some(heard) = heard {
                let _ = tell.send(heard);
            }
        });
        let watcher = watcher
            .inspect_err(|error| {
                tracing::warn!("Saved files are noticed late: they cannot be watched: {error}")
            })
            .ok();
        Self { watcher, places, heard, complained: false }
    }

    /// Watches where `file` and its drop-ins are now: a folder that was replaced keeps its path and loses its watch.
    ///
    /// A folder that is watched already goes on being watched, so that nothing is missed in between.
    pub(super) fn turn_to(&mut self, file: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let places = Places::of(file);
        let folders = places.folders();
        // Not held any longer than this: the watcher's thread, which answers below, takes it as well.
        let old = std::mem::replace(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner), places);
        for folder in &folders {
            let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) else { continue };
            // What is not there yet shows in the folder above.
            if !is_absent(&error) && !std::mem::replace(&mut self.complained, true) {
                let folder = folder.display();
                tracing::warn!("Saved files may be noticed late: {folder} cannot be watched: {error}");
            }
        }
        for folder in old.folders().difference(&folders) {
            // It may have gone with its folder.
            let _ = watcher.unwatch(folder);
        }
    }

    /// Waits until something happens that matters, and gives the last of it.
    ///
    /// Cancel safe: nothing is taken before it is ready.
    pub(super) async fn hear(&mut self) -> Heard {
        if self.heard.changed().await.is_err() {
            return std::future::pending().await;
        }
        *self.heard.borrow_and_update()
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}

/// Walks a path as the kernel does, notes each name that it goes through, and gives where it leads.
fn trace(path: &Path, names: &mut BTreeSet<PathBuf>) -> PathBuf {
    let mut here = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = path.iter().map(OsStr::to_owned).collect();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == "/" {
            here = PathBuf::from("/");
        } else if part == ".." {
            here.pop();
        } else if part != "." {
            let next = here.join(part);
            names.insert(next.clone());
            match fs::read_link(&next) {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    target.iter().rev().for_each(|part| rest.push_front(part.to_owned()));
                }
                _ => here = next,
            }
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_is_traced_through_every_symlink() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/..2024")).unwrap();
        fs::write(root.join("a/..2024/pools.toml"), "").unwrap();
        symlink("..2024", root.join("a/..data")).unwrap();
        symlink("..data/pools.toml", root.join("a/pools.toml")).unwrap();
        let mut names = BTreeSet::new();
        let end = trace(&root.join("a/pools.toml"), &mut names);
        assert_eq!(end, root.join("a/..2024/pools.toml"));
        let below: Vec<_> = names.iter().filter_map(|name| name.strip_prefix(&root).ok()).collect();
        let wanted = ["", "a", "a/..2024", "a/..2024/pools.toml", "a/..data", "a/pools.toml"];
        assert_eq!(below, wanted.map(Path::new));
        symlink("loop", root.join("loop")).unwrap();
        trace(&root.join("loop"), &mut names);
    }
}
