//! What all tasks tell, put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::watch;

use super::Sets;
use super::target::Key;
use crate::model::Job;
use crate::model::SetView;

/// What one task tells.
type Entry = (SetView, Vec<Job>);

/// What all tasks tell.
pub(super) struct Board {
    entries: Mutex<BTreeMap<Key, Entry>>,
    out: watch::Sender<Arc<Sets>>,
}

impl Board {
    pub(super) fn new(out: watch::Sender<Arc<Sets>>) -> Self {
        Self { entries: Mutex::default(), out }
    }

    /// Puts one task's word in place of its last; none takes it away.
    pub(super) fn post(&self, key: &Key, entry: Option<Entry>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Some(entry) => drop(entries.insert(key.clone(), entry)),
            None => drop(entries.remove(key)),
        }
        let jobs = entries.iter().flat_map(|(key, (_, jobs))| {
            jobs.iter().map(|job| (key.pool.clone(), key.scope.clone(), job.clone()))
        });
        let all =
            Sets { sets: entries.values().map(|(view, _)| view.clone()).collect(), jobs: jobs.collect() };
        // Under the lock, so that what is told last is what was put last.
        self.out.send_if_modified(|told| {
            let other = **told != all;
            if other {
                *told = Arc::new(all);
            }
            other
        });
    }
}
