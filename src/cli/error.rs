//! Why a command could not be carried out.

use std::io;

use super::Exit;
use crate::client::ClientError;

/// An error with the exit code it ends in. Its text is for the person at the terminal: what happened, then what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The daemon did not do what it was asked.
    #[error("{}", told(.0))]
    Daemon(ClientError),
    /// A directory may not be used.
    #[error("{message}")]
    Permission {
        /// Who may.
        message: String,
    },
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
            Self::Daemon(ClientError::Permission { .. }) | Self::Permission { .. } => Exit::Permission,
            Self::Daemon(error) if error.status() == Some(403) => Exit::Permission,
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

// Not as its cause: its words are told here, with what to do about it, and would be told twice.
impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Daemon(error)
    }
}

/// What happened, then what to do.
fn told(error: &ClientError) -> String {
    let next = match error {
        ClientError::NotRunning { at } => {
            return format!(
                "ghrunner is not running: nothing answers at {at}\nlook at it with `systemctl status ghrunner`, start it \
                 with `systemctl start ghrunner`, or name another socket with --socket"
            );
        }
        ClientError::Permission { group: Some(group), .. } => {
            &format!("use sudo, or `sudo usermod -aG {group} $USER` and log in again")
        }
        ClientError::Permission { group: None, .. } => "use sudo",
        ClientError::Malformed(_) => {
            "if ghrunner was upgraded just now, restart the daemon: `systemctl restart ghrunner`"
        }
        _ => return error.to_string(),
    };
    format!("{error}\n{next}")
}
