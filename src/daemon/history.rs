//! The history as the file wants it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::control::Clock;
use crate::control::Deeds;
use crate::control::Snapshot;
use crate::history::Ends;
use crate::history::FILE;
use crate::history::HEAD_FILE;
use crate::history::History;
use crate::history::Options;
use crate::history::Place;
use crate::history::Retention;
use crate::model::InstanceId;
use crate::systemd::Secrets;

/// How long after the start what is too old is first looked for: first the fleet.
const FIRST_EXPIRY: Duration = Duration::from_secs(300);
/// Sums by the day outlast what they are made of.
const SUMS_OUTLAST: u32 = 4;

/// A history that is not running yet.
pub(super) struct Prepared {
    options: Options,
    ends: Ends,
}

/// What the control loop leaves its deeds with, and the history to start; none where the file wants none, or its database's
/// address cannot be read, which is told.
pub(super) fn prepare(
    config: &Config,
    secrets: &Secrets,
    instance: &InstanceId,
    state: &Path,
    clock: Clock,
) -> (Deeds, Option<Prepared>) {
    let settings = &config.history;
    if !settings.enabled {
        return (Deeds::default(), None);
    }
    let place = match &settings.url {
        None => Place::File { path: state.join(FILE), max_bytes: settings.max_size.0 },
        Some(source) => match secrets.resolve(source) {
            Ok(found) => Place::Server(found.secret),
            Err(error) => {
                tracing::error!("No history is kept: its database's address cannot be read: {error}");
                return (Deeds::default(), None);
            }
        },
    };
    let (deeds, ends) = History::ends(&place);
    let options = Options {
        place,
        instance: instance.to_string(),
        head_file: state.join(HEAD_FILE),
        retention: Retention {
            records: settings.retention,
            audit: settings.audit_retention,
            sums: settings.retention * SUMS_OUTLAST,
        },
        clock,
        first_expiry: FIRST_EXPIRY,
    };
    (deeds, Some(Prepared { options, ends }))
}

impl Prepared {
    /// Begins to keep.
    pub(super) fn start(self, snapshots: tokio::sync::watch::Receiver<Arc<Snapshot>>) -> Arc<History> {
        Arc::new(History::start(self.options, self.ends, snapshots))
    }
}
