//! `ghrunner history`, `ghrunner stats` and `ghrunner advise`.

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::client::segment;
use crate::cli::past;
use crate::cli::text::now;
use crate::history;
use crate::http::dto;

/// A path with those of its parameters that are given.
pub(super) fn asking(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(key, value)| Some((*key, (*value)?)));
    let pairs: Vec<String> = given.map(|(key, value)| format!("{key}={}", segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Shows what was.
pub(in crate::cli) fn history(args: &args::History, context: &mut Context) -> Outcome {
    let limit = args.limit.to_string();
    let parameters = [
        ("pool", args.pool.as_deref()),
        ("repo", args.repo.as_deref()),
        ("since", args.since.as_deref()),
        ("until", args.until.as_deref()),
        ("result", args.result.map(crate::model::history::JobResult::word)),
        ("after", args.after.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let client = context.client();
    if args.runners {
        let page: dto::Page<dto::PastRunner> = client.get(&asking("/api/v1/history/runners", &parameters))?;
        return show(context, &page, past::runners);
    }
    if args.decisions {
        let page: dto::Page<dto::Decision> = client.get(&asking("/api/v1/history/decisions", &parameters))?;
        return show(context, &page, past::decisions);
    }
    let page: dto::Page<dto::PastJob> = client.get(&asking("/api/v1/history", &parameters))?;
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
    context.client().get(&asking("/api/v1/stats", &[("since", Some(since)), ("pool", pool), ("repo", repo)]))
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
