//! `ghrunner rollback`: organization mode to repository mode, and back.

use std::io::BufRead;
use std::io::IsTerminal;

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args::Rollback;
use crate::cli::text::count;
use crate::cli::view;
use crate::http::dto;
use crate::model::Mode;

/// Shows the plan, asks, changes the mode.
pub(in crate::cli) fn run(args: &Rollback, context: &mut Context) -> Outcome {
    let mode = if args.undo { Mode::Organization } else { Mode::Repository };
    let client = context.client();
    if args.dry_run {
        return show(&client.set_mode(mode, true)?, context);
    }
    if client.status()?.mode == mode {
        // Nothing to confirm; setting it again is harmless and answers in the same shape.
        return show(&client.set_mode(mode, false)?, context);
    }
    if !args.yes {
        let preview = client.set_mode(mode, true)?;
        confirm(mode, &preview, context)?;
    }
    show(&client.set_mode(mode, false)?, context)
}

fn show(plan: &dto::Plan, context: &mut Context) -> Outcome {
    match context.json {
        true => context.printer.json(plan)?,
        false => {
            let text = view::plan(plan, &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn confirm(mode: Mode, preview: &dto::Plan, context: &mut Context) -> Result<(), CliError> {
    let text = view::plan(preview, &context.printer);
    context.printer.complain(text);
    let place = match mode {
        Mode::Organization => "their organizations",
        Mode::Repository => "their repositories",
    };
    let actions = count(preview.actions.len(), "action");
    context
        .printer
        .ask(format!("\nRegister organization pools' runners at {place} from now on ({actions})? [y/N] "));
    if !std::io::stdin().is_terminal() {
        context.printer.complain("");
        return Err(CliError::NotConfirmed);
    }
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::NotConfirmed),
    }
}
