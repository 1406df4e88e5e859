//! `ghrunner history`, `ghrunner stats` and `ghrunner advise`.

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::past;
use crate::cli::text::now;
use crate::client::call;
use crate::client::call::Filter;
use crate::history;
use crate::http::dto;

/// Shows what was.
pub(in crate::cli) fn history(args: &args::History, context: &mut Context) -> Outcome {
    let filter = Filter {
        pool: args.pool.clone(),
        repo: args.repo.clone(),
        result: args.result,
        since: args.since.clone(),
        until: args.until.clone(),
        after: args.after.clone(),
        limit: Some(args.limit),
    };
    let client = context.client();
    if args.runners {
        let page = client.ask(call::past_runners(&filter).page())?;
        return show(context, &page, past::runners);
    }
    if args.decisions {
        let page = client.ask(call::past_decisions(&filter).page())?;
        return show(context, &page, past::decisions);
    }
    let page = client.ask(call::past_jobs(&filter).page())?;
    show(context, &page, past::jobs)
}

/// Shows a page, and how to see the next.
pub(super) fn show<T: serde::Serialize>(
    context: &mut Context,
    page: &dto::Page<T>,
    view: fn(&[T], &crate::cli::Printer) -> String,
) -> Outcome {
    if context.json {
        context.printer.json(page)?;
        return Ok(Exit::Good);
    }
    let text = view(&page.items, &context.printer);
    context.printer.line(text)?;
    if let Some(next) = &page.next {
        context.printer.complain(format!("There is more: --after {next}"));
    }
    Ok(Exit::Good)
}

/// Says what the history comes to.
pub(in crate::cli) fn stats(args: &args::Stats, context: &mut Context) -> Outcome {
    let found = ask_stats(context, &args.since, args.pool.as_deref(), args.repo.as_deref())?;
    match context.json {
        true => context.printer.json(&found)?,
        false => {
            let text = past::stats(&found, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

fn ask_stats(
    context: &Context,
    since: &str,
    pool: Option<&str>,
    repo: Option<&str>,
) -> Result<dto::Stats, CliError> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let filter = Filter { since: text(Some(since)), pool: text(pool), repo: text(repo), ..Filter::default() };
    Ok(context.client().ask(call::stats(&filter))?)
}

/// Says which numbers the history supports.
pub(in crate::cli) fn advise(args: &args::Advise, context: &mut Context) -> Outcome {
    let config = super::load(&args.config)?;
    let limits: Vec<history::Limits> = config
        .pools
        .values()
        .map(|pool| history::Limits {
            pool: pool.name.to_string(),
            min: pool.min,
            max: pool.max,
            min_idle: pool.min_idle,
            memory: pool.spec.memory,
            cpus: pool.spec.cpus,
        })
        .collect();
    let found = ask_stats(context, &args.since, None, None)?;
    let advice = history::advise(&found.into(), &limits);
    match context.json {
        true => context.printer.json(&advice)?,
        false => advice.iter().try_for_each(|advice| context.printer.line(advice))?,
    }
    Ok(Exit::Good)
}
