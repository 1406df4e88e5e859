//! Where the history is kept, and what a connection to it is told first.

use std::path::Path;
use std::path::PathBuf;

use crate::model::Secret;
use crate::model::percent::encode_path;

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

    pub(super) fn url(&self) -> String {
        match self {
            Self::File { path, .. } => format!("sqlite://{}?mode=rwc", escaped(path)),
            Self::Server(url) => url.reveal().trim().to_owned(),
        }
    }

    /// What each connection is told first. The order matters: a database that keeps a log of writes cannot change how it
    /// gives back space any more. What is committed is on the disk: the end of the trail that is noted beside must not be
    /// ahead of it.
    pub(super) fn opening(&self, reads: bool) -> Vec<String> {
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
    use std::os::unix::ffi::OsStrExt;
    encode_path(path.as_os_str().as_bytes())
}
