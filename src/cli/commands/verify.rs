//! `ghrunner verify`.

use std::io::Write;

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::verify;
use crate::cli::verify::Trial;
use crate::cli::wiring;
use crate::model::PoolName;

/// Tries the pool's image.
pub(in crate::cli) fn run(args: &args::Verify, context: &mut Context) -> Outcome {
    let config = super::load(&args.config)?;
    let pool = PoolName::parse(&args.pool).ok().and_then(|name| config.pools.get(&name));
    let Some(pool) = pool else {
        let known: Vec<&str> = config.pools.keys().map(PoolName::as_str).collect();
        let path = args.config.display();
        return Err(CliError::Usage(format!("{path} has no pool {}, only {}", args.pool, known.join(", "))));
    };
    let trial = Trial {
        pool: pool.clone(),
        instance: wiring::instance(&config),
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        timeout: args.timeout,
    };
    // To standard error, so that the verdict stands alone in a pipe.
    let progress = |line: String| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let verdict = super::block_on(wiring::trial(&config, &trial, progress))??;
    match context.json {
        true => context.printer.json(&verdict)?,
        false => {
            let text = verify::render(&verdict, &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(if verdict.good { Exit::Good } else { Exit::Bad })
}
