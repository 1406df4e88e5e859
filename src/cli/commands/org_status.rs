//! `ghrunner org-status`.

use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::args::STATE_DIR;
use crate::cli::args::directory_from;
use crate::cli::org_status;
use crate::cli::wiring;

/// Looks at organizations, and says what disagrees with the file.
pub(in crate::cli) fn run(args: &args::OrgStatus, context: &mut Context) -> Outcome {
    let config = super::load(&args.config)?;
    let state = args.state_dir.clone().unwrap_or_else(|| directory_from("STATE_DIRECTORY", STATE_DIR));
    let seen = super::block_on(wiring::organizations(config, &context.socket, state, &args.orgs))?;
    let reports = org_status::compare(&seen);
    match context.json {
        true => context.printer.json(&reports)?,
        false => {
            let text = org_status::render(&reports, seen.mode, seen.phases.is_some(), &context.printer);
            context.printer.line(text)?;
        }
    }
    let good = |report: &org_status::OrgReport| {
        report.trouble.is_none() && !report.disagreements.iter().any(|found| found.grave)
    };
    Ok(if reports.iter().all(good) { Exit::Good } else { Exit::Bad })
}
