//! `ghrunner audit`.

use super::history::show;
use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args::Audit;
use crate::cli::past;
use crate::cli::text::count;
use crate::client::blocking::Client;
use crate::client::call;
use crate::client::call::Filter;
use crate::model::history::AuditHead;
use crate::model::history::AuditVerdict;

/// Shows or verifies the trail.
pub(in crate::cli) fn run(command: &Audit, context: &mut Context) -> Outcome {
    match command {
        Audit::List { since, until, limit, after } => {
            let filter = Filter {
                since: since.clone(),
                until: until.clone(),
                after: after.clone(),
                limit: Some(*limit),
                ..Filter::default()
            };
            let page = context.client().ask(call::audit(&filter).page())?;
            show(context, &page, past::audit)
        }
        Audit::Verify { end } => verify(end.as_deref(), context),
    }
}

fn verify(noted: Option<&str>, context: &mut Context) -> Outcome {
    let noted = noted.map(end_of).transpose()?;
    let client = context.client();
    let mut verdict = client.ask(call::verify_audit())?;
    if let (Some(noted), None) = (&noted, &verdict.broken) {
        verdict.broken = against(&client, noted, &verdict)?;
    }
    if context.json {
        context.printer.json(&verdict)?;
    } else {
        let entries = count(usize::try_from(verdict.entries).unwrap_or(usize::MAX), "entry")
            .replace("entrys", "entries");
        let end = format!("{}:{}", verdict.head.seq, verdict.head.hash);
        let text = match &verdict.broken {
            None => {
                format!("The audit trail is whole: {entries} from {} on.\nIts end is {end}", verdict.first)
            }
            Some(why) => {
                format!("The audit trail was changed: {why}.\n{entries} from {} on are good.", verdict.first)
            }
        };
        context.printer.line(text)?;
    }
    Ok(if verdict.broken.is_none() { Exit::Good } else { Exit::Bad })
}

fn end_of(text: &str) -> Result<AuditHead, CliError> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| {
        Some(AuditHead { seq: seq.parse().ok()?, hash: hash.to_owned() }).filter(|head| head.hash.len() == 64)
    });
    parsed.ok_or_else(|| {
        CliError::Usage(format!("{text:?} is no end of a trail; `ghrunner audit verify` prints one"))
    })
}

/// Holds the trail, which is whole in itself, against an end that was noted elsewhere.
fn against(client: &Client, noted: &AuditHead, verdict: &AuditVerdict) -> Result<Option<String>, CliError> {
    if noted.seq > verdict.head.seq {
        return Ok(Some(format!(
            "it ends with entry {}, and entry {} was noted: the end was cut off",
            verdict.head.seq, noted.seq
        )));
    }
    if noted.seq < verdict.first {
        return Err(CliError::Failed(format!(
            "entry {} went with its time, the trail begins with {}: note a later end",
            noted.seq, verdict.first
        )));
    }
    let found = client.ask(call::audit_entry(noted.seq))?;
    Ok((found != *noted).then(|| format!("entry {} is another one than was noted", noted.seq)))
}
