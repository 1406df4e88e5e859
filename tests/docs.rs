//! The documents, held against the code: links lead somewhere, and what people meet is explained.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use ghrunner::decide::Ending;
use ghrunner::decide::verdict;
use ghrunner::model::HeldReason;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Time;

/// The project's own pages.
fn pages() -> Vec<PathBuf> {
    let folder = |name: &str| fs::read_dir(name).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = folder(".")
        .chain(folder("docs"))
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Targets of `[words](target)`.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(|target| target.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let anchor =
        |title: &str| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .map(anchor)
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&text(&page)).iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let found = target.exists()
                && (anchor.is_empty() || anchors(&text(&target)).contains(&anchor.to_owned()));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The commands that `--help` lists, with the words that lead to them.
fn verbs(above: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ghrunner")).args(above).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let Some((_, rest)) = help.split_once("Commands:\n") else { return Vec::new() };
    let listed = rest.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names = listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn the_operators_page_shows_every_command() {
    let page = text("docs/operating.md");
    let mut commands = Vec::new();
    for verb in verbs(&[]) {
        let below = verbs(&[&verb]);
        match below.is_empty() {
            true => commands.push(format!("ghrunner {verb}")),
            false => commands.extend(below.iter().map(|sub| format!("ghrunner {verb} {sub}"))),
        }
    }
    assert!(commands.len() > 15, "{commands:?}");
    let missing: Vec<_> = commands.iter().filter(|command| !page.contains(command.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// One of each, with values that the texts make recognizable. The match asks for new variants.
fn reasons() -> Vec<HeldReason> {
    let (until, scope) = (Time(0), Scope::Organization("acme".to_owned()));
    let (reason, error) = ("REASON".to_owned(), "ERROR".to_owned());
    let all = vec![
        HeldReason::AtMax { max: 7 },
        HeldReason::HostFull { max: 7 },
        HeldReason::HostBudget { short: "a runner needs REASON".to_owned() },
        HeldReason::Disk { free: "1GiB".to_owned(), reserve: "5GiB".to_owned() },
        HeldReason::Backoff { until, reason: reason.clone() },
        HeldReason::Probing { reason: reason.clone() },
        HeldReason::StormBreaker { failed: 7, until },
        HeldReason::Image { state: "is being pulled".to_owned() },
        HeldReason::Engine { error: error.clone() },
        HeldReason::ListingIncomplete { scope: scope.clone(), error },
        HeldReason::GitHub { scope, until, reason },
        HeldReason::Busy,
        HeldReason::Registering,
        HeldReason::Draining,
        HeldReason::RetryLater { until },
        HeldReason::DemandUnheard { source: "SOURCE".to_owned() },
        HeldReason::DemandFailing {
            source: "SOURCE".to_owned(),
            heard: Some(until),
            error: "ERROR".to_owned(),
        },
        HeldReason::ScaleSet { scope: Scope::Organization("acme".to_owned()), state: "REASON".to_owned() },
        HeldReason::Cap { of: "SOURCE".to_owned(), cap: 7 },
        HeldReason::UpThreshold { threshold: 7 },
        HeldReason::UpFactor,
        HeldReason::RunnerGone { runner: RunnerName::new("RUNNER"), since: until },
    ];
    for reason in &all {
        match reason {
            HeldReason::AtMax { .. }
            | HeldReason::HostFull { .. }
            | HeldReason::HostBudget { .. }
            | HeldReason::Disk { .. }
            | HeldReason::Backoff { .. }
            | HeldReason::Probing { .. }
            | HeldReason::StormBreaker { .. }
            | HeldReason::Image { .. }
            | HeldReason::Engine { .. }
            | HeldReason::ListingIncomplete { .. }
            | HeldReason::GitHub { .. }
            | HeldReason::Busy
            | HeldReason::Registering
            | HeldReason::Draining
            | HeldReason::RetryLater { .. }
            | HeldReason::DemandUnheard { .. }
            | HeldReason::DemandFailing { .. }
            | HeldReason::ScaleSet { .. }
            | HeldReason::Cap { .. }
            | HeldReason::UpThreshold { .. }
            | HeldReason::UpFactor
            | HeldReason::RunnerGone { .. } => {}
        }
    }
    all
}

/// The text with `…` for what differs from case to case, as headings have it.
fn gist(reason: &HeldReason) -> String {
    let text = reason.to_string();
    let varying =
        ["1970-01-01T00:00:00Z", "orgs/acme", "1GiB", "5GiB", "REASON", "ERROR", "SOURCE", "RUNNER"];
    let text = varying.iter().fold(text, |text, word| text.replace(word, "…"));
    match reason {
        HeldReason::AtMax { .. }
        | HeldReason::HostFull { .. }
        | HeldReason::Cap { .. }
        | HeldReason::UpThreshold { .. } => text.replace("(7)", "(N)"),
        HeldReason::StormBreaker { .. } => text.replace('7', "N"),
        HeldReason::ListingIncomplete { .. } => "no complete listing of …".to_owned(),
        _ => text,
    }
}

#[test]
fn every_reason_for_waiting_has_its_heading() {
    let page = text("docs/troubleshooting.md");
    let headings: String =
        page.lines().filter(|line| line.starts_with("### ")).collect::<Vec<_>>().join("\n");
    let missing: Vec<_> = reasons().iter().map(gist).filter(|gist| !headings.contains(gist)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_verdict_is_explained() {
    let job = "Running job: build";
    let cases = [
        (Ending { exit_code: Some(0), seen_busy: true, ..Ending::default() }, "ran its job"),
        (Ending { exit_code: Some(0), output: job, ..Ending::default() }, "ran job \""),
        (Ending { oom_killed: true, ..Ending::default() }, "killed for lack of memory"),
        (Ending { exit_code: Some(7), ..Ending::default() }, "GitHub no longer accepts this runner version"),
        (Ending { engine_error: Some("no such file"), ..Ending::default() }, "the engine could not run it"),
        (Ending { exit_code: Some(137), ..Ending::default() }, "killed (exit code 137)"),
        (Ending { exit_code: Some(1), output: job, ..Ending::default() }, "ended with exit code "),
        (Ending::default(), "ended before any job"),
    ];
    let page = text("docs/troubleshooting.md");
    for (ending, words) in cases {
        let said = verdict(ending).text;
        assert!(said.starts_with(words), "{said}");
        assert!(page.contains(words), "{words}");
    }
}

/// All code of a folder.
fn code(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => code(&path),
            false if path.extension().is_some_and(|e| e == "rs") => text(&path),
            false => String::new(),
        })
        .collect()
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let code = code(Path::new("src")) + &code(Path::new("tests"));
    let page = prose(&text("ARCHITECTURE.md"));
    // Sentences in code are tests' names; shorter words are something else.
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|w| w.matches('_').count() > 3).collect();
    assert!(named.len() > 10, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Rooms and what each may use, as `tests/rooms.rs` has them.
fn rooms_by_the_test() -> BTreeMap<String, Vec<String>> {
    let source = text("tests/rooms.rs");
    let table = source.split_once("const ROOMS").unwrap().1.split_once("\n];").unwrap().0;
    let words = |list: &str| list.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = table.split_once("= &[").unwrap().1.split('(').skip(1);
    rows.map(|row| {
        let (room, rest) = row.split_once("&[").unwrap();
        (words(room).remove(0), words(rest.split_once(']').unwrap().0))
    })
    .collect()
}

/// The same, as the page tells it.
fn rooms_by_the_page() -> BTreeMap<String, Vec<String>> {
    let page = text("ARCHITECTURE.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `src/"));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let (room, uses) = (cells.first()?.trim_end_matches('`'), cells.get(2)?);
        Some((room.to_owned(), words(uses)))
    })
    .collect()
}

#[test]
fn the_table_of_rooms_is_that_of_the_test() {
    assert_eq!(rooms_by_the_page(), rooms_by_the_test());
}
