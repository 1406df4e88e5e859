//! Exit codes.

use std::process::ExitCode;

/// How the command ended. Scripts may rely on these numbers; those above 63 are the ones of sysexits(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or the answer is good. A broken pipe is this too: the reader had enough.
    Good,
    /// 1: the question was answered and the answer is bad: `check` found errors, `doctor` found problems, `verify`
    /// failed, `import` can make nothing of a file.
    Bad,
    /// 2: the command could not be carried out: no daemon, no such pool, refused.
    Failed,
    /// 3: what was asked is under way, and was not over by `--timeout`.
    Late,
    /// 64: the command line makes no sense.
    Usage,
    /// 69: the container engine does not answer.
    Unavailable,
    /// 73: a directory or the socket that the daemon needs cannot be made.
    Uncreatable,
    /// 75: another daemon runs already.
    AlreadyRuns,
    /// 77: not permitted.
    Permission,
    /// 78: the daemon cannot start because its configuration is missing or wrong. The unit does not restart on it.
    Config,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Failed => 2,
            Self::Late => 3,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Uncreatable => 73,
            Self::AlreadyRuns => 75,
            Self::Permission => 77,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
