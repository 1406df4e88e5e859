//! What is kept of scale sets across restarts, `sets.toml` in the state directory: which sets and sessions are ours to
//! end, and how far their messages were handled. It may be lost: then GitHub gives up old sessions by itself, after minutes.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;

use super::target::Identity;
use super::target::Key;
use crate::demand::state::replace;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::PoolName;
use crate::model::SetId;

const FILE: &str = "sets.toml";

/// What is kept of one scale set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) identity: Identity,
    /// Its number; none where its making was begun, and no answer came: then there is one, or not.
    pub(super) set: Option<SetId>,
    /// A session of ours that may be open.
    pub(super) session: Option<String>,
    /// The last message that was handled.
    pub(super) cursor: i64,
}

/// The file, and what stands in it.
#[derive(Debug, Default)]
pub(super) struct Store {
    path: Option<PathBuf>,
    kept: Mutex<BTreeMap<Key, Kept>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Shape {
    set: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    pool: String,
    scope: String,
    credentials: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default)]
    last_message: i64,
}

impl Store {
    /// Opens the file in `dir`; without one nothing is kept. What cannot be read counts as nothing.
    pub(super) fn open(dir: Option<&Path>) -> Self {
        let Some(path) = dir.map(|dir| dir.join(FILE)) else { return Self::default() };
        let shown = path.display();
        let shape: Shape = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).unwrap_or_else(|error| {
                tracing::warn!("{shown} is damaged; going on without it: {error}");
                Shape::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Shape::default(),
            Err(error) => {
                tracing::warn!("{shown} cannot be read; going on without it: {error}");
                Shape::default()
            }
        };
        let kept = shape.set.into_iter().filter_map(Entry::parse).collect();
        Self { path: Some(path), kept: Mutex::new(kept) }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        self.kept().get(key).cloned()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.kept().keys().cloned().collect()
    }

    /// Keeps this instead, or nothing.
    pub(super) fn set(&self, key: &Key, value: Option<Kept>) {
        let mut kept = self.kept();
        if kept.get(key) == value.as_ref() {
            return;
        }
        match value {
            Some(value) => drop(kept.insert(key.clone(), value)),
            None => drop(kept.remove(key)),
        }
        let Some(path) = &self.path else { return };
        let shape = Shape { set: kept.iter().map(|(key, kept)| Entry::of(key, kept)).collect() };
        let written = toml::to_string(&shape).map_err(std::io::Error::other).and_then(|t| replace(path, &t));
        if let Err(error) = written {
            tracing::warn!(
                "{} cannot be written; a restart will have to wait for GitHub: {error}",
                path.display()
            );
        }
    }
}

impl Entry {
    fn of(key: &Key, kept: &Kept) -> Self {
        Self {
            pool: key.pool.to_string(),
            scope: key.scope.to_string(),
            credentials: kept.identity.credentials.to_string(),
            name: kept.identity.name.clone(),
            group: kept.identity.group.as_ref().map(ToString::to_string),
            id: kept.set.map(|set| set.0),
            session: kept.session.clone(),
            last_message: kept.cursor,
        }
    }

    fn parse(self) -> Option<(Key, Kept)> {
        let key = Key { pool: PoolName::parse(&self.pool).ok()?, scope: self.scope.parse().ok()? };
        let identity = Identity {
            credentials: CredentialName::new(self.credentials),
            name: self.name,
            group: self.group.map(GroupName::new),
        };
        let set = self.id.map(SetId);
        Some((key, Kept { identity, set, session: self.session, cursor: self.last_message }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pool: &str) -> Key {
        Key { pool: PoolName::parse(pool).unwrap(), scope: "repos/acme/app".parse().unwrap() }
    }

    fn kept(group: Option<&str>) -> Kept {
        let identity = Identity {
            credentials: CredentialName::default_name(),
            name: "GPU \"big\"".into(),
            group: group.map(GroupName::new),
        };
        Kept { identity, set: Some(SetId(7)), session: Some("s-1".into()), cursor: 100_000_171 }
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let deeper = dir.path().join("deeper");
        let store = Store::open(Some(&deeper));
        store.set(&key("a"), Some(kept(None)));
        store.set(&key("b"), Some(Kept { session: None, ..kept(Some("ci")) }));
        store.set(&key("c"), Some(kept(None)));
        store.set(&key("c"), None);
        let again = Store::open(Some(&deeper));
        assert_eq!(again.get(&key("a")), Some(kept(None)));
        assert_eq!(again.get(&key("b")), Some(Kept { session: None, ..kept(Some("ci")) }));
        assert_eq!(again.keys().len(), 2);
        let unanswered = Kept { set: None, session: None, ..kept(None) };
        store.set(&key("a"), Some(unanswered.clone()));
        assert_eq!(Store::open(Some(&deeper)).get(&key("a")), Some(unanswered));
    }

    #[test]
    fn damage_counts_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for text in [
            "{",
            "set = 5",
            "[[set]]\npool = \"a\"\n",
            "[[set]]\npool=\"A!\"\nscope=\"x\"\ncredentials=\"d\"\nname=\"n\"\nid=1\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Store::open(Some(dir.path())).keys().len(), 0, "{text}");
        }
        let none = Store::open(None);
        none.set(&key("a"), Some(kept(None)));
        assert_eq!(none.get(&key("a")), Some(kept(None)), "it remembers for as long as it lives");
    }
}
