//! `ghrunner mcp`.

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::mcp;

/// Speaks with the agent that started this process until that one has had enough.
pub(in crate::cli) fn run(args: &args::Mcp, context: &mut Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| CliError::Failed(format!("cannot start: {e}")))?;
    let spoken = runtime.block_on(mcp::over_stdio(&context.socket, args.read_only));
    // A thread may still wait for input that will never come.
    runtime.shutdown_background();
    spoken.map_err(|e| CliError::Failed(crate::cli::chain(&e)))?;
    Ok(Exit::Good)
}
