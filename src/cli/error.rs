//! Why a command could not be carried out.

use std::io;

use super::Exit;

/// An error with the exit code it ends in. Its text is for the person at the terminal: what happened, then what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No daemon answers.
    #[error(
        "ghrunner is not running: nothing answers at {socket}\nlook at it with `systemctl status ghrunner`, start it with `systemctl start ghrunner`, or name another socket with --socket"
    )]
    NotRunning {
        /// Where it was looked for.
        socket: String,
    },
    /// The socket may not be opened.
    #[error("{message}")]
    Permission {
        /// Which group one has to be in.
        message: String,
    },
    /// The daemon refused.
    #[error("{detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The daemon's words.
        detail: String,
    },
    /// The daemon answered what this version does not understand.
    #[error(
        "the daemon's answer makes no sense to this version of ghrunner: {0}\nif ghrunner was upgraded just now, restart the daemon: `systemctl restart ghrunner`"
    )]
    Malformed(String),
    /// The talk with the daemon broke off.
    #[error("the daemon did not answer: {0}")]
    Broken(String),
    /// The engine does not answer.
    #[error("{0}")]
    Engine(#[from] crate::engine::EngineError),
    /// The configuration is missing or wrong.
    #[error("{0}")]
    Config(String),
    /// The command line makes no sense, in a way that only running it showed.
    #[error("{0}")]
    Usage(String),
    /// Not confirmed.
    #[error("not confirmed; nothing was changed (--yes confirms without asking)")]
    NotConfirmed,
    /// It goes on, and `--timeout` is over.
    #[error("{0}")]
    Late(String),
    /// Something grave speaks against it.
    #[error("{0}")]
    Obstructed(String),
    /// Another daemon has the socket.
    #[error("{0}")]
    AlreadyRuns(String),
    /// A directory or socket that the daemon needs cannot be made.
    #[error("{0}")]
    Uncreatable(String),
    /// Anything else that stops the command.
    #[error("{0}")]
    Failed(String),
    /// Writing to the terminal failed.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The code to exit with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Permission { .. } | Self::Refused { status: 403, .. } => Exit::Permission,
            Self::Engine(crate::engine::EngineError::Unreachable { .. }) => Exit::Unavailable,
            Self::Config(_) => Exit::Config,
            Self::Obstructed(_) => Exit::Bad,
            Self::Late(_) => Exit::Late,
            Self::AlreadyRuns(_) => Exit::AlreadyRuns,
            Self::Uncreatable(_) => Exit::Uncreatable,
            Self::Usage(_) => Exit::Usage,
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Good,
            _ => Exit::Failed,
        }
    }
}
