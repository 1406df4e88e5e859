//! `ghrunner doctor`.

use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::doctor;
use crate::cli::doctor::Level;
use crate::cli::wiring;
use crate::config::Config;

/// Looks at everything, says how it stands and what to do.
pub(in crate::cli) fn run(args: &args::Doctor, context: &mut Context) -> Outcome {
    let loaded = Config::load(&args.config);
    let facts = super::block_on(wiring::facts(&args.config, &loaded, &context.socket))?;
    let findings = doctor::judge(&facts);
    match context.json {
        true => context.printer.json(&findings)?,
        false => {
            let text = doctor::render(&findings, &context.printer);
            context.printer.line(text)?;
        }
    }
    let failed = findings.iter().any(|f| f.level == Level::Fail);
    Ok(if failed { Exit::Bad } else { Exit::Good })
}
