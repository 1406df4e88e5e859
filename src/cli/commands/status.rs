//! `ghrunner status`.

use super::watch::watch;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::text::now;
use crate::cli::view;
use crate::client::call;

/// Shows it once, or until interrupted.
pub(in crate::cli) fn run(args: &args::Status, context: &mut Context) -> Outcome {
    let client = context.client();
    if args.watch {
        return watch(context, |context| {
            let status = client.ask(call::status())?;
            Ok(match context.json {
                true => serde_json::to_string(&status).unwrap_or_default(),
                false => view::status(&status, now(), &context.printer),
            })
        });
    }
    let status = client.ask(call::status())?;
    match context.json {
        true => context.printer.json(&status)?,
        false => {
            let text = view::status(&status, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}
