//! `ghrunner pools`.

use std::time::Duration;

use super::tell;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args::Pools;
use crate::cli::detail;
use crate::cli::view;
use crate::client::call;

/// Lists, shows, drains, resumes and boosts.
pub(in crate::cli) fn run(args: &Pools, context: &mut Context) -> Outcome {
    match args {
        Pools::List => list(context),
        Pools::Show { name } => show(name, context),
        Pools::Drain { name } => mark(name, true, context),
        Pools::Resume { name } => mark(name, false, context),
        Pools::Boost { name, count, time } => boost(name, *count, *time, context),
    }
}

fn list(context: &mut Context) -> Outcome {
    let pools = context.client().all(call::pools())?;
    match (context.json, pools.is_empty()) {
        (true, _) => context.printer.json(&pools)?,
        (false, true) => context.printer.line("No pools.")?,
        (false, false) => {
            let text = view::pools(&pools, &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn show(name: &str, context: &mut Context) -> Outcome {
    let pool = context.client().ask(call::pool(name))?;
    match context.json {
        true => context.printer.json(&pool)?,
        false => {
            let text = detail::pool(&pool, &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn boost(name: &str, count: u32, time: Duration, context: &mut Context) -> Outcome {
    let client = context.client();
    let done = match count {
        0 => client.ask(call::scale_down_pool(name, None))?,
        _ => client.ask(call::scale_up_pool(name, count, time))?,
    };
    tell(context, &done)
}

fn mark(name: &str, drain: bool, context: &mut Context) -> Outcome {
    let call = if drain { call::drain_pool(name) } else { call::resume_pool(name) };
    let done = context.client().ask(call)?;
    tell(context, &done)
}
