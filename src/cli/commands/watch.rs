//! Showing something again and again, until interrupted.

use std::time::Duration;

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Outcome;
use crate::cli::Printer;
use crate::cli::Tone;

/// How often it is asked for. The daemon answers from memory.
const EVERY: Duration = Duration::from_secs(1);

/// Cursor to the upper left corner.
const HOME: &str = "\x1b[H";

/// Everything gone, cursor to the upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// What is left of a line, and what is left of the screen.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// A daemon that goes away is shown as that, and its return too: whoever watches a restart wants to see both.
pub(super) fn watch(context: &mut Context, frame: impl Fn(&Context) -> Result<String, CliError>) -> Outcome {
    let mut last = String::new();
    if context.printer.terminal() {
        context.printer.raw(CLEAR.as_bytes())?;
    }
    loop {
        let frame = frame(context).unwrap_or_else(|e| context.printer.paint(Tone::Bad, e));
        if frame != last {
            draw(&frame, &mut context.printer)?;
            last = frame;
        }
        pause();
    }
}

/// Over the old frame line by line, so that nothing flickers; one after the other where there is no terminal.
fn draw(frame: &str, printer: &mut Printer) -> std::io::Result<()> {
    if !printer.terminal() {
        return printer.line(frame);
    }
    let mut screen = String::from(HOME);
    for line in frame.lines() {
        screen.push_str(line);
        screen.push_str(CLEAR_LINE);
        screen.push('\n');
    }
    screen.push_str(CLEAR_BELOW);
    printer.raw(screen.as_bytes())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this command has one thread and no runtime whose worker it could block"
)]
fn pause() {
    std::thread::sleep(EVERY);
}
