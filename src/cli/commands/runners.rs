//! `ghrunner runners`.

use std::io::Read;

use super::tell;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args::Runners;
use crate::cli::detail;
use crate::cli::text::now;
use crate::cli::view;
use crate::client::ClientError;
use crate::client::call;
use crate::http::dto;

/// Lists, shows, stops, drains, and reads output.
pub(in crate::cli) fn run(args: &Runners, context: &mut Context) -> Outcome {
    match args {
        Runners::List { pool, ended: true } => ended(pool.as_deref(), context),
        Runners::List { pool, ended: false } => list(pool.as_deref(), context),
        Runners::Show { name } => show(name, context),
        Runners::Logs { name, follow, tail } => logs(name, *tail, *follow, context),
        Runners::Stop { all: true, dry_run: true, .. } => preview(context),
        Runners::Stop { name: Some(name), force, .. } => stop(name, *force, context),
        Runners::Stop { name: None, force, .. } => stop_all(*force, context),
        Runners::Drain { name } => stop(name, false, context),
    }
}

fn list(pool: Option<&str>, context: &mut Context) -> Outcome {
    let mut runners = context.client().all(call::runners())?;
    runners.retain(|r| pool.is_none_or(|p| r.pool == p));
    match (context.json, runners.is_empty()) {
        (true, _) => context.printer.json(&runners)?,
        (false, true) => context.printer.line("No runners.")?,
        (false, false) => {
            let text = view::runners(&runners, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn ended(pool: Option<&str>, context: &mut Context) -> Outcome {
    let mut ended = context.client().all(call::ended())?;
    ended.retain(|e| pool.is_none_or(|p| e.pool == p));
    match (context.json, ended.is_empty()) {
        (true, _) => context.printer.json(&ended)?,
        (false, true) => context.printer.line("No runner has ended since the daemon started.")?,
        (false, false) => {
            let text = view::ended(&ended, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn show(name: &str, context: &mut Context) -> Outcome {
    let runner = context.client().ask(call::runner(name))?;
    match context.json {
        true => context.printer.json(&runner)?,
        false => {
            let text = detail::runner(&runner, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn stop(name: &str, force: bool, context: &mut Context) -> Outcome {
    let dto::Removed { done, .. } = context.client().ask(call::remove_runner(name, force))?;
    tell(context, &dto::Done { done })
}

fn stop_all(force: bool, context: &mut Context) -> Outcome {
    let done = context.client().ask(call::remove_all_runners(force))?;
    tell(context, &done)
}

/// All runners, and the jobs that would fail if they were stopped by force.
fn preview(context: &mut Context) -> Outcome {
    let client = context.client();
    let (runners, jobs) = (client.all(call::runners())?, client.all(call::jobs())?);
    match (context.json, runners.is_empty()) {
        (true, _) => context.printer.json(&runners)?,
        (false, true) => context.printer.line("No runners.")?,
        (false, false) => {
            let text = view::at_stake(&runners, &jobs, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

/// The output as it comes, bytes and all: what a job prints is nobody's to change.
fn logs(name: &str, tail: usize, follow: bool, context: &mut Context) -> Outcome {
    let mut stream = context.client().read(call::logs(name, tail, follow))?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(Exit::Good),
            Ok(n) => context.printer.raw(&buffer[..n])?,
            Err(e) => return Err(ClientError::Broken(e.to_string()).into()),
        }
    }
}
