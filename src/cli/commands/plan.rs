//! `ghrunner plan`.

use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::args::STATE_DIR;
use crate::cli::args::directory_from;
use crate::cli::view;
use crate::cli::wiring;
use crate::client::call;
use crate::control::Loaded;

/// Asks the daemon, or looks by itself.
pub(in crate::cli) fn run(args: &args::Plan, context: &mut Context) -> Outcome {
    let plan = match args.dry_run {
        true => {
            let loaded = Loaded { config: super::load(&args.config)?, warnings: Vec::new() };
            let state =
                args.state_dir.clone().unwrap_or_else(|| directory_from("STATE_DIRECTORY", STATE_DIR));
            (&super::block_on(wiring::plan(&args.config, loaded, state))??).into()
        }
        false => context.client().ask(call::plan())?,
    };
    match context.json {
        true => context.printer.json(&plan)?,
        false => {
            let text = view::plan(&plan, &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}
