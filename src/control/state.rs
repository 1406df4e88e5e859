//! What is kept across restarts: the mode, the operator's drains, scopes that may still hold a registration of ours, and
//! the images that we pulled. Losing these files loses no runner.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use super::FacadeError;
use crate::model::Mode;
use crate::model::Time;

/// `mode.toml`, which people may read to see the mode.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ModeFile {
    mode: Mode,
}

/// `marks.toml`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Marks {
    /// Pools that the operator drains.
    pub(super) drained_pools: BTreeSet<String>,
    /// Scopes in which a registration of ours may stand, with the credentials that speak for it.
    pub(super) scopes: BTreeMap<String, String>,
    /// Images that we pulled, and when a pool last named each.
    pub(super) images: BTreeMap<String, Time>,
    /// Runners that the operator wants beyond what the file says.
    pub(super) boosts: BTreeMap<String, Boost>,
}

/// So many more runners, for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Boost {
    pub(super) count: u32,
    pub(super) until: Time,
}

impl Marks {
    /// Whether writing these instead of `other` would change more than the moments at which images were last named,
    /// which move on with every look.
    pub(super) fn same_but_for_times(&self, other: &Self) -> bool {
        self.drained_pools == other.drained_pools
            && self.scopes == other.scopes
            && self.boosts == other.boosts
            && self.images.keys().eq(other.images.keys())
    }
}

/// The state directory; none for a daemon that forgets.
#[derive(Debug, Clone, Default)]
pub struct StateDir {
    dir: Option<PathBuf>,
    read_only: bool,
}

impl StateDir {
    /// Keeps state in `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir: Some(dir), read_only: false }
    }

    /// Reads what is kept in `dir`, and writes nothing.
    pub fn read_only(dir: PathBuf) -> Self {
        Self { dir: Some(dir), read_only: true }
    }

    /// Keeps none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Where it is kept, in words.
    pub(super) fn place(&self) -> Option<String> {
        self.dir.as_ref().map(|dir| dir.display().to_string())
    }

    /// The mode that was set last.
    pub fn mode(&self) -> Mode {
        self.read::<ModeFile>("mode.toml").mode
    }

    pub(super) fn set_mode(&self, mode: Mode) -> Result<(), FacadeError> {
        self.write("mode.toml", &ModeFile { mode })
    }

    pub(super) fn marks(&self) -> Marks {
        self.read("marks.toml")
    }

    pub(super) fn set_marks(&self, marks: &Marks) -> Result<(), FacadeError> {
        self.write("marks.toml", marks)
    }

    /// A file that is absent, unreadable or damaged counts as empty, and the last two are told.
    fn read<T: Default + for<'de> Deserialize<'de>>(&self, name: &str) -> T {
        let Some(path) = self.path(name) else { return T::default() };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return T::default(),
            Err(error) => {
                tracing::warn!("{} cannot be read; going on without it: {error}", path.display());
                return T::default();
            }
        };
        toml::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!("{} is damaged; going on without it: {error}", path.display());
            T::default()
        })
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FacadeError> {
        let Some(path) = self.path(name).filter(|_| !self.read_only) else { return Ok(()) };
        let fail = |why: String| FacadeError::State { path: path.display().to_string(), why };
        let text = toml::to_string(value).map_err(|error| fail(error.to_string()))?;
        // The kind alone: the error itself names a file beside, which is another with each attempt.
        replace(&path, text.as_bytes()).map_err(|error| fail(error.kind().to_string()))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(name))
    }
}

/// Writes beside the file and renames over it, so that a crash leaves the old content or the new one.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_across_restarts_and_forgives_damage() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("deeper"));
        assert_eq!(state.mode(), Mode::Organization);
        state.set_mode(Mode::Repository).unwrap();
        let boost = Boost { count: 2, until: Time::from_secs(1_800_000_000) };
        let marks = Marks {
            drained_pools: BTreeSet::from(["build".to_owned()]),
            boosts: BTreeMap::from([("build".to_owned(), boost)]),
            ..Marks::default()
        };
        state.set_marks(&marks).unwrap();
        assert_eq!((state.mode(), state.marks()), (Mode::Repository, marks));
        let reader = StateDir::read_only(dir.path().join("deeper"));
        reader.set_mode(Mode::Organization).unwrap();
        assert_eq!(reader.mode(), Mode::Repository, "it reads, and writes nothing");
        std::fs::write(dir.path().join("deeper/marks.toml"), "{").unwrap();
        assert_eq!(state.marks(), Marks::default());
    }
}
