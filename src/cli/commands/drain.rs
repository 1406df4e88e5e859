//! `ghrunner drain` and `ghrunner resume`: all pools at once.

use std::time::Duration;

use super::follow::Step;
use super::follow::follow;
use super::tell;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args::Drain;
use crate::cli::text::brief;
use crate::cli::text::count;
use crate::client::call;
use crate::http::dto;
use crate::http::dto::Phase;

/// Drains all pools, and waits for it where that is wanted.
pub(in crate::cli) fn drain(args: &Drain, context: &mut Context) -> Outcome {
    let done = context.client().ask(call::drain_all())?;
    if !args.wait {
        return tell(context, &done);
    }
    context.printer.complain(&done.done);
    wait(args.timeout, context)
}

/// Serves all pools again.
pub(in crate::cli) fn resume(context: &mut Context) -> Outcome {
    let done = context.client().ask(call::resume_all())?;
    tell(context, &done)
}

fn wait(timeout: Option<Duration>, context: &mut Context) -> Outcome {
    let mut began = false;
    let (status, done) = follow(context, timeout, |status| {
        let step = judge(status, began);
        began |= drained(status);
        step
    })?;
    if !done {
        let after = timeout.map_or_else(String::new, |timeout| format!(" after {}", brief(timeout)));
        let left = left(&status);
        return Err(CliError::Late(format!(
            "not empty{after}: {left}\nthe pools stay drained: wait on with `ghrunner drain --wait`, serve them again with \
             `ghrunner resume`, or end all jobs with `ghrunner runners stop --all --force`"
        )));
    }
    tell(context, &dto::Done { done: "no runner is left".to_owned() })?;
    Ok(Exit::Good)
}

/// Whether the order is in force: what stood in an older status says nothing.
fn drained(status: &dto::Status) -> bool {
    status.pools.iter().all(|pool| pool.drained || !pool.declared)
}

fn judge(status: &dto::Status, began: bool) -> Result<Step, CliError> {
    if !drained(status) {
        if !began {
            return Ok(Step::Going("waiting for the daemon's next look".to_owned()));
        }
        let served = status.pools.iter().filter(|p| p.declared && !p.drained).map(|p| p.name.as_str());
        let served: Vec<&str> = served.collect();
        return Err(CliError::Failed(format!(
            "{} no longer drained: somebody resumed or added it; `ghrunner drain` drains all pools again",
            match served.as_slice() {
                [one] => format!("pool {one} is"),
                all => format!("pools {} are", all.join(", ")),
            }
        )));
    }
    if let Some(error) = &status.engine_error {
        return Ok(Step::Going(format!("the engine does not answer: {error}")));
    }
    let empty = status.ready && status.runners.is_empty() && status.pools.iter().all(|p| p.phases.is_empty());
    Ok(if empty { Step::Done } else { Step::Going(left(status)) })
}

/// `3 runners left: 2 busy (ghrunner-build-0, ghrunner-build-4), 1 idle`.
fn left(status: &dto::Status) -> String {
    let mut phases: std::collections::BTreeMap<Phase, u32> = std::collections::BTreeMap::new();
    for (phase, n) in status.pools.iter().flat_map(|pool| &pool.phases) {
        *phases.entry(*phase).or_default() += n;
    }
    let total: u32 = phases.values().sum();
    let busy: Vec<&str> = status
        .runners
        .iter()
        .filter(|r| r.phase == Phase::Busy)
        .map(|r| r.container.as_ref().map_or(r.name.as_str(), |c| c.name.as_str()))
        .collect();
    let words = phases.iter().map(|(phase, n)| match phase {
        Phase::Busy if busy.len() <= 8 => format!("{n} busy ({})", busy.join(", ")),
        _ => format!("{n} {phase}"),
    });
    let words = words.collect::<Vec<_>>().join(", ");
    match total {
        0 => "waiting for the daemon's first look".to_owned(),
        n => format!("{} left: {words}", count(n as usize, "runner")),
    }
}
