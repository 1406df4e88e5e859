//! The `ghrunner` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ghrunner::cli::run(std::env::args_os())
}
