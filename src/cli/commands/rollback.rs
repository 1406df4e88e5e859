//! `ghrunner rollback`: organization mode to repository mode, and back.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::follow::Step;
use super::follow::follow;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::Tone;
use crate::cli::args::Rollback;
use crate::cli::backup::backup;
use crate::cli::moving;
use crate::cli::moving::Progress;
use crate::cli::text::brief;
use crate::cli::text::count;
use crate::cli::text::now;
use crate::cli::view;
use crate::client::blocking::Client;
use crate::client::call;
use crate::http::dto;
use crate::model::Mode;

/// What would change, and what speaks against it.
#[derive(Debug, Serialize)]
struct Preview {
    #[serde(flatten)]
    plan: dto::Plan,
    obstacles: Vec<dto::Obstacle>,
}

/// Shows the plan, asks, keeps a copy, changes the mode, waits.
pub(in crate::cli) fn run(args: &Rollback, context: &mut Context) -> Outcome {
    let mode = if args.undo { Mode::Organization } else { Mode::Repository };
    let client = context.client();
    if args.dry_run {
        return dry_run(&client, mode, context);
    }
    let status = client.ask(call::status())?;
    let plan = if status.mode == mode {
        context.printer.complain(format!("The daemon is in {} already; nothing is changed.", word(mode)));
        client.ask(call::set_mode(mode, true))?
    } else {
        change(args, mode, &status, &client, context)?
    };
    if args.wait {
        return wait(mode, args.timeout, context);
    }
    show(&plan, context)
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Organization => "organization mode",
        Mode::Repository => "repository mode",
    }
}

fn dry_run(client: &Client, mode: Mode, context: &mut Context) -> Outcome {
    let obstacles = if client.ask(call::status())?.mode == mode {
        context.printer.complain(format!("The daemon is in {} already.", word(mode)));
        Vec::new()
    } else {
        client.ask(call::obstacles(mode))?
    };
    let preview = Preview { obstacles, plan: client.ask(call::set_mode(mode, true))? };
    match context.json {
        true => context.printer.json(&preview)?,
        false => {
            let text = view::plan(&preview.plan, &context.printer);
            context.printer.line(text)?;
            for line in against(&preview.obstacles, context) {
                context.printer.line(line)?;
            }
        }
    }
    Ok(if preview.obstacles.iter().any(|o| o.grave) { Exit::Bad } else { Exit::Good })
}

/// One line for each thing that speaks against it.
fn against(obstacles: &[dto::Obstacle], context: &Context) -> Vec<String> {
    let line = |obstacle: &dto::Obstacle| {
        let (word, tone) = if obstacle.grave { ("refused", Tone::Bad) } else { ("note", Tone::Warn) };
        let about = obstacle.pool.as_ref().map_or_else(String::new, |pool| format!("pool {pool}: "));
        format!("{}  {about}{}", context.printer.paint(tone, word), obstacle.text)
    };
    obstacles.iter().map(line).collect()
}

/// Everything that comes before a change, and the change.
fn change(
    args: &Rollback,
    mode: Mode,
    status: &dto::Status,
    client: &Client,
    context: &mut Context,
) -> Result<dto::Plan, CliError> {
    let obstacles = client.ask(call::obstacles(mode))?;
    for line in against(&obstacles, context) {
        context.printer.complain(line);
    }
    let grave = obstacles.iter().filter(|o| o.grave).count();
    if grave > 0 && !args.force {
        let what = if grave == 1 { "1 reason speaks".to_owned() } else { format!("{grave} reasons speak") };
        return Err(CliError::Obstructed(format!(
            "{what} against it, and nothing was changed; --force changes the mode all the same"
        )));
    }
    if !args.yes {
        confirm(mode, &client.ask(call::set_mode(mode, true))?, context)?;
    }
    if let Some(under) = &args.backup {
        let state = status.state_dir.as_deref().map(Path::new);
        let folder = backup(under, Path::new(&status.config.path), state, now())
            .map_err(|why| CliError::Failed(format!("{why}; without a backup nothing was changed")))?;
        context.printer.complain(format!("Kept before the change: {}", folder.display()));
    }
    let plan = client.ask(call::set_mode(mode, false))?;
    context.printer.complain(format!("The daemon is in {} now.", word(mode)));
    Ok(plan)
}

/// Waits until every place has its runner, and shows how each stands.
fn wait(mode: Mode, timeout: Duration, context: &mut Context) -> Outcome {
    let mut seen = BTreeSet::new();
    let (status, done) = follow(context, Some(timeout), |status| {
        let progress = Progress::of(status, mode, &mut seen);
        Ok(if progress.done() { Step::Done } else { Step::Going(progress.line()) })
    })?;
    let progress = Progress::of(&status, mode, &mut seen);
    match context.json {
        true => context.printer.json(&progress)?,
        false => {
            let text = moving::render(&progress, &context.printer);
            context.printer.line(text)?;
        }
    }
    if !done {
        let undo = if mode == Mode::Repository { " --undo" } else { "" };
        return Err(CliError::Late(format!(
            "not every place has its runner after {}; the daemon goes on by itself: wait on with the same command, or go \
             back with `ghrunner rollback{undo}`",
            brief(timeout)
        )));
    }
    Ok(Exit::Good)
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
