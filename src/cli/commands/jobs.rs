//! `ghrunner jobs` and `ghrunner explain`.

use super::watch::watch;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::cli::jobs_view as view;
use crate::cli::text::now;
use crate::client::call;
use crate::client::call::Question;
use crate::model::Repo;

/// Shows all jobs once, or until interrupted.
pub(in crate::cli) fn list(args: &args::Jobs, context: &mut Context) -> Outcome {
    let client = context.client();
    if args.watch {
        return watch(context, |context| {
            let jobs = client.all(call::jobs())?;
            Ok(match context.json {
                true => serde_json::to_string(&jobs).unwrap_or_default(),
                false => view::jobs(&jobs, now(), &context.printer),
            })
        });
    }
    let jobs = client.all(call::jobs())?;
    match context.json {
        true => context.printer.json(&jobs)?,
        false => {
            let text = view::jobs(&jobs, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

/// Says why a job waits.
pub(in crate::cli) fn explain(args: &args::Explain, context: &mut Context) -> Outcome {
    let question = question(&args.what, args.repo.as_ref())?;
    let answers = context.client().ask(call::explain(&question))?;
    match (context.json, answers.is_empty()) {
        (true, _) => context.printer.json(&answers)?,
        (false, true) => context.printer.line("The daemon knows no such job.")?,
        (false, false) => {
            let text = view::explanations(&answers, now(), &context.printer);
            context.printer.line(text)?;
        }
    }
    Ok(Exit::Good)
}

/// What is asked: a run's or job's address, or labels.
fn question(what: &[String], repo: Option<&Repo>) -> Result<Question, CliError> {
    if let [address] = what
        && (address.contains("://") || address.contains("/runs/"))
    {
        return of_address(address).ok_or_else(|| {
            CliError::Usage(format!(
                "{address:?} is no address of a run or job; it looks like https://github.com/OWNER/NAME/actions/runs/123/job/456"
            ))
        });
    }
    let labels = what.iter().flat_map(|word| word.split(',')).map(|label| label.trim().to_lowercase());
    let labels = labels.filter(|label| !label.is_empty()).collect();
    Ok(Question { repo: repo.cloned(), labels, ..Question::default() })
}

/// `https://github.com/acme/app/actions/runs/7/job/9`, whatever the host.
fn of_address(address: &str) -> Option<Question> {
    let path = address
        .split_once("://")
        .map_or(address, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (owner, name, rest) = match parts.as_slice() {
        [owner, name, "actions", "runs", rest @ ..] => (owner, name, rest),
        _ => return None,
    };
    let repo = format!("{owner}/{name}").parse().ok()?;
    let run = rest.first()?.parse().ok()?;
    let job = match rest {
        [_, "job" | "jobs", job, ..] | [_, "attempts", _, "job" | "jobs", job, ..] => Some(job.parse().ok()?),
        _ => None,
    };
    Some(Question { repo: Some(repo), run: Some(run), job, labels: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_repository_run_and_job() {
        let asked =
            |address: &str| of_address(address).map(|q| (q.repo.map(|repo| repo.to_string()), q.run, q.job));
        let acme = Some("acme/app".to_owned());
        assert_eq!(asked("https://github.com/acme/app/actions/runs/7"), Some((acme.clone(), Some(7), None)));
        for address in [
            "https://github.com/acme/app/actions/runs/7/job/9?pr=3#step:2:1",
            "https://ghes.example/acme/app/actions/runs/7/attempts/2/job/9",
            "acme/app/actions/runs/7/job/9",
        ] {
            assert_eq!(asked(address), Some((acme.clone(), Some(7), Some(9))), "{address}");
        }
        for bad in ["https://github.com/acme/app", "https://github.com/acme/app/actions/runs/x", "https://"] {
            assert_eq!(asked(bad), None, "{bad}");
        }
    }

    #[test]
    fn labels_are_words_or_a_list() {
        let words = |what: &[&str]| {
            let what: Vec<String> = what.iter().map(|word| (*word).to_owned()).collect();
            question(&what, None).unwrap().labels
        };
        assert_eq!(words(&["self-hosted", "Linux"]), ["self-hosted", "linux"]);
        assert_eq!(words(&["self-hosted, gpu"]), ["self-hosted", "gpu"]);
    }
}
