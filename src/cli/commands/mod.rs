//! One file for each verb.

pub(super) mod audit;
pub(super) mod check;
pub(super) mod doctor;
pub(super) mod drain;
mod follow;
pub(super) mod history;
pub(super) mod import;
pub(super) mod jobs;
pub(super) mod mcp;
pub(super) mod org_status;
pub(super) mod pages;
pub(super) mod plan;
pub(super) mod pools;
pub(super) mod restore;
pub(super) mod rollback;
pub(super) mod run;
pub(super) mod runners;
pub(super) mod status;
pub(super) mod verify;
mod watch;

use std::future::Future;
use std::path::Path;

use super::CliError;
use super::Context;
use super::Exit;
use super::Outcome;
use crate::client::call;
use crate::config::Config;
use crate::http::dto;

/// `ghrunner reload`.
pub(super) fn reload(context: &mut Context) -> Outcome {
    let done = context.client().ask(call::reload())?;
    tell(context, &done)
}

/// Says what was done.
fn tell(context: &mut Context, done: &dto::Done) -> Outcome {
    match context.json {
        true => context.printer.json(done)?,
        false => context.printer.line(&done.done)?,
    }
    Ok(Exit::Good)
}

/// The configuration, or the report of what is wrong with it.
fn load(path: &Path) -> Result<Config, CliError> {
    Config::load(path).into_result().map_err(|report| CliError::Config(report.to_string()))
}

/// Waits for what commands without a daemon do; one thread is enough for it.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| CliError::Failed(format!("cannot start a runtime: {e}")))?;
    Ok(runtime.block_on(work))
}
