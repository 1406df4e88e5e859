//! `ghrunner check`.

use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::config::Config;

/// Reads the file as the daemon does, and says all that is wrong with it at once.
pub(in crate::cli) fn run(args: &args::Check, context: &mut Context) -> Outcome {
    let loaded = Config::load(&args.file);
    match context.json {
        true => context.printer.json(&loaded.report.json())?,
        false => {
            let text = loaded.report.render(context.printer.color());
            context.printer.line(text.trim_end())?;
        }
    }
    Ok(if loaded.config.is_some() { Exit::Good } else { Exit::Bad })
}
