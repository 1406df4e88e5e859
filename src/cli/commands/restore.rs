//! `ghrunner backup` and `ghrunner restore`.

use std::fs::OpenOptions;
use std::io;
use std::io::BufRead as _;
use std::io::IsTerminal as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::block_on;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::text::now;
use crate::client::ClientError;
use crate::client::call;
use crate::history;
use crate::http::dto;

fn state_dir(given: Option<&PathBuf>) -> PathBuf {
    given.cloned().unwrap_or_else(|| args::directory_from("STATE_DIRECTORY", args::STATE_DIR))
}

/// Writes a copy, by the daemon where one runs.
pub(in crate::cli) fn backup(args: &args::Backup, context: &mut Context) -> Outcome {
    let file = args.file.as_path();
    if file.exists() {
        return Err(CliError::Failed(format!("{} is there already; name another file", file.display())));
    }
    match context.client().read(call::copy_history()) {
        Ok(mut from) => {
            let written = write(file, &mut from);
            if let Err(error) = written {
                let _ = std::fs::remove_file(file);
                return Err(CliError::Failed(format!("cannot write {}: {error}", file.display())));
            }
        }
        Err(ClientError::NotRunning { .. }) => {
            let state = state_dir(args.state_dir.as_ref());
            block_on(history::make(&state, file))?.map_err(|error| CliError::Failed(error.to_string()))?;
        }
        Err(error) => return Err(error.into()),
    }
    let held = block_on(history::check(file))?.map_err(|error| CliError::Failed(error.to_string()))?;
    let done = format!("{} holds {}", file.display(), content(&held));
    super::tell(context, &dto::Done { done })
}

/// Into a new file for its owner alone.
fn write(file: &Path, from: &mut impl io::Read) -> io::Result<()> {
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    io::copy(from, &mut to)?;
    to.sync_all()
}

fn content(held: &history::Held) -> String {
    let latest = held.latest.map(|at| format!(", the last of {at}")).unwrap_or_default();
    let state: Vec<&str> = held.state.iter().map(|(name, _)| name.as_str()).collect();
    let state = if state.is_empty() { String::new() } else { format!("; {}", state.join(", ")) };
    format!("{} jobs{latest}{state}", held.jobs)
}

/// Brings a copy back.
pub(in crate::cli) fn restore(args: &args::Restore, context: &mut Context) -> Outcome {
    match context.client().ask(call::status()) {
        Err(ClientError::NotRunning { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let why = "the daemon runs, and has the history open; stop it first: `systemctl stop ghrunner`";
            return Err(CliError::Failed(why.to_owned()));
        }
    }
    let state = state_dir(args.state_dir.as_ref());
    let failed = |error: history::CopyError| CliError::Failed(error.to_string());
    let held = block_on(history::check(&args.file))?.map_err(failed)?;
    let question = format!("Replace the history in {} by {}?", state.display(), content(&held));
    if !args.yes && !confirmed(context, &question) {
        return Err(CliError::NotConfirmed);
    }
    let kept = block_on(history::restore(&args.file, &state, now()))?.map_err(failed)?;
    let kept: Vec<String> = kept.iter().map(|path| path.display().to_string()).collect();
    let beside = if kept.is_empty() {
        String::new()
    } else {
        format!("; what was there is kept as {}", kept.join(", "))
    };
    let done = format!("{} is back in {}{beside}", args.file.display(), state.display());
    super::tell(context, &dto::Done { done })
}

fn confirmed(context: &mut Context, question: &str) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    context.printer.ask(format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
