//! As the terminal shows it: a table for each group, and below it what disagrees.

use super::GroupReport;
use super::OrgReport;
use super::RunnerReport;
use crate::cli::Printer;
use crate::cli::printer::Tone;
use crate::cli::table::Column;
use crate::cli::table::Grid;
use crate::cli::table::Text;
use crate::cli::table::always;
use crate::cli::table::from;
use crate::cli::text::count;
use crate::model::Mode;

/// So many repositories of a group are named.
const NAMED: usize = 12;

/// All of it.
pub(in crate::cli) fn render(orgs: &[OrgReport], mode: Mode, daemon: bool, printer: &Printer) -> String {
    let mut parts = Vec::new();
    if orgs.is_empty() {
        parts.push("No pool belongs to an organization.".to_owned());
    }
    for org in orgs {
        let mode = match mode {
            Mode::Organization => "organization mode",
            Mode::Repository => "repository mode",
        };
        let away = if daemon { "" } else { ", the daemon does not answer" };
        let head = folded(
            &format!("{}: seen with credential {}, {mode}{away}", org.org, org.credentials),
            printer.width(),
            0,
        );
        parts.push(printer.paint(Tone::Strong, head.join("\n")));
        if let Some(trouble) = &org.trouble {
            let mut lines = folded(&format!("cannot be seen: {}", trouble.found), printer.width(), 2);
            lines.extend(folded(&format!("-> {}", trouble.advice), printer.width(), 2));
            parts.push(printer.paint(Tone::Bad, lines.join("\n")));
        }
        parts.extend(org.groups.iter().map(|group| group_text(group, printer)));
        parts.push(disagreements(org, printer));
    }
    parts.join("\n\n")
}

fn group_text(group: &GroupReport, printer: &Printer) -> String {
    let mut lines = Vec::new();
    let title = match &group.group {
        Some(name) => format!("group {name}"),
        None => group.scope.clone(),
    };
    let default = if group.default { ", the default one" } else { "" };
    let pools = match group.pools.as_slice() {
        [] => "no pool of the file".to_owned(),
        [one] => format!("pool {one}"),
        all => format!("pools {}", all.join(", ")),
    };
    lines.push(format!("{}{default}: {pools}", printer.paint(Tone::Strong, title)));
    if let Some(visibility) = &group.visibility {
        lines.extend(folded(&admits(visibility, group), printer.width(), 2));
    }
    if group.runners.is_empty() {
        lines.push("  no runners".to_owned());
    } else {
        lines.push(runners(&group.runners, printer));
    }
    lines.join("\n")
}

/// Which repositories may use it, in words.
fn admits(visibility: &str, group: &GroupReport) -> String {
    let kind = match visibility {
        "all" => "for all repositories",
        "private" => "for private repositories",
        "selected" => "for selected repositories",
        other => other,
    };
    let public = if group.public { "public ones among them" } else { "no public ones" };
    let Some(repositories) = &group.repositories else { return format!("{kind}, {public}") };
    let named = repositories.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = repositories.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = if named.is_empty() { "none".to_owned() } else { named };
    format!("{kind}, {public}: {named}{more}")
}

const COLUMNS: [Column; 4] = [always("RUNNER"), always("STATE"), always("POOL"), from(60, "LABELS")];

fn runners(runners: &[RunnerReport], printer: &Printer) -> String {
    let mut grid = Grid::new(printer, &COLUMNS);
    for runner in runners {
        let (state, tone) = match (runner.online, runner.busy) {
            (true, true) => ("busy", Some(Tone::Good)),
            (true, false) => ("online", None),
            (false, true) => ("offline, busy", Some(Tone::Bad)),
            (false, false) => ("offline", Some(Tone::Bad)),
        };
        let tone = tone.filter(|tone| runner.pool.is_some() || *tone != Tone::Bad);
        grid.row([
            runner.name.clone().into(),
            Text(state.to_owned(), tone),
            runner.pool.clone().unwrap_or_else(|| "not ours".to_owned()).into(),
            runner.labels.join(", ").into(),
        ]);
    }
    grid.render()
}

fn disagreements(org: &OrgReport, printer: &Printer) -> String {
    if org.disagreements.is_empty() {
        return match &org.trouble {
            Some(_) => "Nothing can be said of the rest.".to_owned(),
            None => printer.paint(Tone::Good, "All of this is as the file says."),
        };
    }
    let line = |found: &super::Disagreement| {
        let (word, tone) = if found.grave { ("differs", Tone::Bad) } else { ("note", Tone::Warn) };
        let text = format!("{word}  {}: {}", found.about, found.text);
        printer.paint(tone, folded(&text, printer.width(), 0).join("\n"))
    };
    let grave = org.disagreements.iter().filter(|found| found.grave).count();
    let mut lines: Vec<String> = org.disagreements.iter().map(line).collect();
    lines.push(format!("{}, {}", count(grave, "difference"), count(lines.len() - grave, "note")));
    lines.join("\n")
}

/// The text in lines of this width, all but the first further in.
fn folded(text: &str, width: usize, margin: usize) -> Vec<String> {
    let (first, later) = (" ".repeat(margin), " ".repeat(margin + 2));
    let mut lines = Vec::new();
    let mut line = first;
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, later.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}
