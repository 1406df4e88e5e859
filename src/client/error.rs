//! Why the daemon's answer was not had.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Gid;
use nix::unistd::Group;

use crate::http::Problem;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The endpoint cannot be used as it is described; nothing was sent.
    #[error("{0}")]
    Endpoint(String),
    /// Nobody listens there; nothing was sent.
    #[error("nothing answers at {at}")]
    NotRunning {
        /// Where the daemon was looked for.
        at: String,
    },
    /// The control socket may not be opened; nothing was sent.
    #[error("you may not open {}: it is for root{}", .socket.display(), .group.as_ref().map(|group| format!(" and the group {group}")).unwrap_or_default())]
    Permission {
        /// The socket.
        socket: PathBuf,
        /// The group that may open it, unless it is root's.
        group: Option<String>,
    },
    /// The daemon refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The answer is none of this API's, or of a version that this one does not understand.
    #[error("the daemon's answer makes no sense to this version of ghrunner: {0}")]
    Malformed(String),
    /// The answer is larger than is read.
    #[error("the daemon's answer is larger than {limit} bytes")]
    TooLarge {
        /// How much is read, in bytes.
        limit: usize,
    },
    /// The answer did not come in time. What was asked for may happen all the same.
    #[error("the daemon did not answer within {} s", .after.as_secs())]
    Late {
        /// For how long it was waited.
        after: Duration,
    },
    /// The connection broke. What was asked for may have happened all the same.
    #[error("the daemon did not answer: {0}")]
    Broken(String),
}

impl ClientError {
    /// The socket at this path may not be opened.
    pub(super) fn not_permitted(socket: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let gid = std::fs::metadata(socket).ok().map(|meta| meta.gid());
        let group = gid.and_then(|gid| Group::from_gid(Gid::from_raw(gid)).ok().flatten());
        let group = group.map(|group| group.name).filter(|name| name != "root");
        Self::Permission { socket: socket.to_owned(), group }
    }

    /// The stable word of a refusal, such as `no_such_pool`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }
}
