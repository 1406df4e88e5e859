//! `ghrunner check`.

use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::config::Config;
use crate::http;

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
    // Whether the machine has what the file names is no part of the file: it may be meant for another one.
    let readers = loaded.config.as_ref().and_then(|config| config.read_group.as_deref());
    if let Some(name) = readers.filter(|name| http::group(name).is_none()) {
        context
            .printer
            .complain(format!("api.read_group: this machine has no group {name}; nobody may only look"));
    }
    Ok(if loaded.config.is_some() { Exit::Good } else { Exit::Bad })
}
