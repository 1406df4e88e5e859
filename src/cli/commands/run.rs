//! `ghrunner run`: everything that has to stand before the control loop does.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::args::LOGS_DIR;
use crate::cli::args::SOCKET_NAME;
use crate::cli::args::STATE_DIR;
use crate::cli::args::directory_from;
use crate::config::Config;
use crate::daemon;
use crate::daemon::DaemonError;
use crate::http::SocketError;
use crate::systemd;
use crate::systemd::Notifier;

/// Starts the daemon and stays until it ends.
pub(in crate::cli) fn run(args: &args::Run, context: &mut Context) -> Outcome {
    systemd::init_logging(args.log_format, &args.log_level).map_err(|e| match e {
        systemd::LoggingError::Level { .. } => CliError::Usage(e.to_string()),
        other => CliError::Failed(crate::cli::chain(&other)),
    })?;
    match start(args, context) {
        Ok(()) => Ok(Exit::Good),
        Err(error) => {
            let line = crate::cli::chain(&error);
            tracing::error!("Cannot run: {line}");
            // `systemctl status` shows it without anybody having to look into the journal.
            Notifier::from_env().status(&format!("failed: {line}"));
            // Said already, where the log goes; the journal should not have it twice.
            Ok(error.exit())
        }
    }
}

fn start(args: &args::Run, context: &Context) -> Result<(), CliError> {
    check(&args.config)?;
    let options = daemon::Options {
        config: args.config.clone(),
        state_dir: made(&args.state_dir, "STATE_DIRECTORY", STATE_DIR, "--state-dir")?,
        log_level: args.log_level.clone(),
        logs_dir: made(&args.logs_dir, "LOGS_DIRECTORY", LOGS_DIR, "--logs-dir")?,
        socket: match &args.runtime_dir {
            Some(dir) => dir.join(SOCKET_NAME),
            None => context.socket.clone(),
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| CliError::Failed(format!("cannot start threads: {e}")))?;
    runtime.block_on(daemon::run(&options)).map_err(stopped)
}

/// Whether the daemon would take the file. What is wrong goes to the log line by line, as the journal shows it best.
fn check(path: &Path) -> Result<(), CliError> {
    let loaded = Config::load(path);
    for line in loaded.report.error_lines() {
        tracing::error!("{line}");
    }
    match loaded.config {
        Some(_) => Ok(()),
        None => Err(CliError::Config(loaded.report.summary())),
    }
}

/// The directory as given, as systemd says, or as it usually is; made if need be, and surely one that may be written.
fn made(given: &Option<PathBuf>, variable: &str, fallback: &str, option: &str) -> Result<PathBuf, CliError> {
    let dir = given.clone().unwrap_or_else(|| directory_from(variable, fallback));
    let fail = |what: &str, error: &io::Error| {
        let (shown, error) = (dir.display(), error.kind());
        let next = format!("name another with {option}, or let systemd make it ({variable})");
        match error {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                let user = nix::unistd::geteuid();
                CliError::Permission {
                    message: format!("user {user} may not {what} {shown}: {error}; {next}"),
                }
            }
            _ => CliError::Uncreatable(format!("cannot {what} {shown}: {error}; {next}")),
        }
    };
    fs::create_dir_all(&dir).map_err(|error| fail("create", &error))?;
    match tempfile::tempfile_in(&dir) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            // Runners are served all the same, and may free the disk by ending.
            tracing::warn!(
                "{}: the disk is full; state and logs cannot be kept until it has space",
                dir.display()
            );
        }
        written => drop(written.map_err(|error| fail("write to", &error))?),
    }
    Ok(dir)
}

fn stopped(error: DaemonError) -> CliError {
    let message = crate::cli::chain(&error);
    match &error {
        DaemonError::Config { .. } => CliError::Config(message),
        DaemonError::Socket(SocketError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            CliError::Permission { message }
        }
        DaemonError::Socket(SocketError::AlreadyRuns { .. }) => CliError::AlreadyRuns(message),
        DaemonError::Socket(_) => CliError::Uncreatable(message),
        DaemonError::System { .. } => CliError::Failed(message),
    }
}
