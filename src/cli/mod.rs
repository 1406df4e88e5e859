//! The `ghrunner` command: arguments in, words and an exit code out.
//!
//! **Knows** what can be typed, and how answers look on a terminal.
//! **Does not know** how the fleet is kept: it asks the daemon over its socket, or, for the commands that work without
//! one, calls the rooms that it is handed.
//!
//! Invariants: every word goes through [`Printer`]; `--json` prints the shapes of [`crate::http::dto`]; the exit code
//! is one of [`Exit`].

mod args;
mod backup;
mod commands;
mod detail;
pub mod doctor;
mod error;
mod exit;
mod jobs_view;
mod manual;
mod moving;
mod org_status;
mod past;
mod printer;
mod table;
mod text;
pub mod verify;
mod view;
mod wiring;

pub use args::Args;
pub use error::CliError;
pub use exit::Exit;
pub use printer::Printer;
pub use printer::Tone;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::Command;

use crate::client::blocking::Client;

/// What a command works with.
struct Context {
    printer: Printer,
    socket: PathBuf,
    json: bool,
}

impl Context {
    fn client(&self) -> Client {
        Client::at_socket(&self.socket)
    }
}

/// What a command comes to.
type Outcome = Result<Exit, CliError>;

/// Reads the command line, does what it says, and tells how that went.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(e) => return misread(&e).into(),
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let printer = Printer::new(args.global.color, no_color);
    let mut context = Context {
        printer,
        socket: args.global.socket.unwrap_or_else(args::default_socket),
        json: args.global.json,
    };
    let exit = dispatch(args.command, &mut context).unwrap_or_else(|e| {
        let exit = e.exit();
        if exit != Exit::Good {
            context.printer.complain(format!("ghrunner: {}", chain(&e)));
        }
        exit
    });
    exit.into()
}

/// Help and version are good answers; anything else that clap says is a usage error.
fn misread(error: &clap::Error) -> Exit {
    // A terminal that went away cannot be told so.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Good }
}

/// The error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn dispatch(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Status(args) => commands::status::run(&args, context),
        Command::Plan(args) => commands::plan::run(&args, context),
        Command::Pools(args) => commands::pools::run(&args, context),
        Command::Runners(args) => commands::runners::run(&args, context),
        Command::Jobs(args) => commands::jobs::list(&args, context),
        Command::Explain(args) => commands::jobs::explain(&args, context),
        Command::Drain(args) => commands::drain::drain(&args, context),
        Command::Resume => commands::drain::resume(context),
        Command::Reload => commands::reload(context),
        Command::Rollback(args) => commands::rollback::run(&args, context),
        Command::Run(args) => commands::run::run(&args, context),
        Command::Check(args) => commands::check::run(&args, context),
        Command::OrgStatus(args) => commands::org_status::run(&args, context),
        Command::Doctor(args) => commands::doctor::run(&args, context),
        Command::Verify(args) => commands::verify::run(&args, context),
        Command::Import(args) => commands::import::run(&args, context),
        Command::History(args) => commands::history::history(&args, context),
        Command::Stats(args) => commands::history::stats(&args, context),
        Command::Advise(args) => commands::history::advise(&args, context),
        Command::Audit(args) => commands::audit::run(&args, context),
        Command::Backup(args) => commands::restore::backup(&args, context),
        Command::Restore(args) => commands::restore::restore(&args, context),
        Command::Completions(args) => commands::pages::completions(&args, context),
        Command::Mcp(args) => commands::mcp::run(&args, context),
        Command::Man(args) => commands::pages::man(&args, context),
    }
}
