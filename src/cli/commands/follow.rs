//! Waiting for something to come true in the fleet, with lines that say how far it has come.

use std::time::Duration;

use tokio::time::Instant;

use crate::cli::CliError;
use crate::cli::Context;
use crate::client::call;
use crate::http::dto;

/// How often the daemon is asked. It answers from memory.
const EVERY: Duration = Duration::from_millis(500);
/// After so long without news the last line is said again, so that nobody takes the command for hung.
const REMINDER: Duration = Duration::from_secs(60);
/// How long a daemon may be away: it may be restarted while somebody waits.
const AWAY: Duration = Duration::from_secs(60);

/// How far something has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is so.
    Done,
    /// Not yet: a line about what is left.
    Going(String),
}

/// Asks the daemon again and again until `judge` says that it is done. Gives the last status, and whether it was done
/// before `timeout` was over.
///
/// # Errors
/// What `judge` gives up for, or a daemon that stays away.
pub(super) fn follow(
    context: &mut Context,
    timeout: Option<Duration>,
    mut judge: impl FnMut(&dto::Status) -> Result<Step, CliError>,
) -> Result<(dto::Status, bool), CliError> {
    let client = context.client();
    let begun = Instant::now();
    let mut heard = begun;
    let mut told: Option<(String, Instant)> = None;
    let mut last = None;
    loop {
        let line = match client.ask(call::status()) {
            Ok(status) => {
                heard = Instant::now();
                let step = judge(&status)?;
                let line = match step {
                    Step::Done => return Ok((status, true)),
                    Step::Going(line) => line,
                };
                last = Some(status);
                line
            }
            Err(error) if heard.elapsed() >= AWAY => return Err(error.into()),
            Err(_) => "the daemon does not answer; waiting for it".to_owned(),
        };
        if told.as_ref().is_none_or(|(said, at)| *said != line || at.elapsed() >= REMINDER) {
            context.printer.complain(&line);
            told = Some((line, Instant::now()));
        }
        if timeout.is_some_and(|timeout| begun.elapsed() >= timeout)
            && let Some(last) = last.take()
        {
            return Ok((last, false));
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this command has one thread and no runtime whose worker it could block"
)]
fn pause() {
    std::thread::sleep(EVERY);
}
