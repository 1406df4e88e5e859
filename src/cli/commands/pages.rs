//! Completion scripts and manual pages, both made from the arguments' own definitions.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Args;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::manual;
use crate::config;

/// `ghrunner completions SHELL`.
pub(in crate::cli) fn completions(args: &args::Completions, context: &mut Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ghrunner", &mut script);
    context.printer.raw(&script)?;
    Ok(Exit::Good)
}

/// `ghrunner man [DIR]`: with a folder also pools.toml(5).
pub(in crate::cli) fn man(args: &args::Man, context: &mut Context) -> Outcome {
    let mut command = Args::command();
    // Without this a subcommand's page would lack the options that all commands take.
    command.build();
    match &args.dir {
        None => context.printer.raw(&page(&command)?)?,
        Some(dir) => {
            fs::create_dir_all(dir)
                .map_err(|e| CliError::Failed(format!("cannot create {}: {e}", dir.display())))?;
            write_pages(&command, dir, context)?;
            write(&dir.join("pools.toml.5"), &manual::pools_toml(&config::reference()), context)?;
        }
    }
    Ok(Exit::Good)
}

/// The command's page and, below it, one for each verb and verb of a group.
fn write_pages(command: &clap::Command, dir: &Path, context: &mut Context) -> Result<(), CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    write(&dir.join(format!("{name}.1")), &page(command)?, context)?;
    for verb in command.get_subcommands().filter(|c| c.get_name() != "help") {
        write_pages(verb, dir, context)?;
    }
    Ok(())
}

fn write(path: &Path, page: &[u8], context: &mut Context) -> Result<(), CliError> {
    fs::write(path, page).map_err(|e| CliError::Failed(format!("cannot write {}: {e}", path.display())))?;
    context.printer.line(path.display())?;
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).manual("ghrunner").render(&mut text)?;
    Ok(text)
}
