//! What is no TOML in a text, told once for each mistake.
//!
//! A bracket that is never closed swallows all that follows, and a parser that goes on finds a mistake in every line
//! of it. So such a stretch is blanked, byte for byte, and the rest is parsed again: one mistake, one error, and the
//! errors of the lines below still come out at the same time.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;
use toml::de::DeValue;
use toml::de::Error;

use super::diagnostic::Diagnostic;
use super::source::Origin;

/// More unclosed brackets than this are no typing mistake.
const MAX_REPAIRS: usize = 16;

/// Parses as far as can be; `with` takes the tree, whose places are those of the text as it was given.
pub(super) fn parse<T>(text: &str, file: usize, with: impl FnOnce(DeTable<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let mut patched = text.to_owned();
    let mut found = Vec::new();
    loop {
        let (table, errors) = DeTable::parse_recoverable(&patched);
        let table = table.into_inner();
        match repair(&patched, &table, &errors).filter(|_| found.len() < MAX_REPAIRS) {
            Some(repair) => {
                found.push(not_toml(repair.message, origin(repair.at, file)));
                drop(table);
                patched = repair.text;
            }
            None => {
                found.extend(once_a_line(&errors, &patched, file, &table));
                return (with(table), found);
            }
        }
    }
}

/// A second error on a line is what the parser made of the first.
fn once_a_line(errors: &[Error], text: &str, file: usize, table: &DeTable<'_>) -> Vec<Diagnostic> {
    let line = |error: &Error| text.get(..start(error)).map_or(0, |before| before.matches('\n').count());
    let mut lines = BTreeSet::new();
    let errors = by_place(errors).into_iter().filter(|error| lines.insert(line(error)));
    errors.map(|error| diagnostic(error, text, file, table)).collect()
}

fn origin(span: Range<usize>, file: usize) -> Origin {
    Origin { file, start: span.start, end: span.end }
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn by_place(errors: &[Error]) -> Vec<&Error> {
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|error| start(error));
    errors
}

fn not_toml(what: &str, at: Origin) -> Diagnostic {
    Diagnostic::error(format!("this is no TOML: {what}")).at(at)
}

fn diagnostic(error: &Error, text: &str, file: usize, table: &DeTable<'_>) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let at = origin(span.clone(), file);
    match error.message() {
        "duplicate key" => given_twice(span, text, file, table),
        message if message.starts_with("string values must be quoted") && span.is_empty() => {
            not_toml("there is no value behind the =", at)
        }
        message
            if message.starts_with("string values must be quoted")
                || message.starts_with("invalid boolean") =>
        {
            not_toml("a text must stand in quotes", at)
        }
        message => not_toml(message, at),
    }
}

/// A key or table that is there already, with the place of the first where it can be told.
fn given_twice(span: Range<usize>, text: &str, file: usize, table: &DeTable<'_>) -> Diagnostic {
    let name = text.get(span.clone()).unwrap_or_default();
    let again =
        Diagnostic::error(format!("{name} is given twice")).at_with(origin(span.clone(), file), "again");
    let line_start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let first = if line.trim_start().starts_with('[') {
        let header = line.split(']').next().unwrap_or_default();
        let in_line = span.start - line_start;
        text.get(..line_start)
            .and_then(|before| before.find(header))
            .map(|at| at + in_line..at + in_line + span.len())
    } else {
        let section = |byte: usize| text.get(..byte).and_then(|before| before.rfind("\n["));
        let mut places = Vec::new();
        places_of(name.trim_matches(['"', '\'']), table, &mut places);
        places.into_iter().find(|p| p.end <= span.start && section(p.start) == section(span.start))
    };
    match first {
        Some(first) => again.at_with(origin(first, file), "first here").help("keep one of the two"),
        None => again.help("keep one of them"),
    }
}

/// Where keys of this name stand, at any depth.
fn places_of(name: &str, table: &DeTable<'_>, places: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        if key.get_ref() == name {
            places.push(key.span());
        }
        if let DeValue::Table(inner) = value.get_ref() {
            places_of(name, inner, places);
        }
    }
}

/// A text without a bracket that was never closed, and what to say of it.
struct Repair {
    message: &'static str,
    at: Range<usize>,
    text: String,
}

fn repair(text: &str, table: &DeTable<'_>, errors: &[Error]) -> Option<Repair> {
    let unclosed = errors.iter().find(|error| error.message().starts_with("unclosed"))?;
    if unclosed.message().starts_with("unclosed table") {
        return unclosed_header(text, start(unclosed));
    }
    let opener = outermost(text, table, start(unclosed))?;
    let next = by_place(errors).into_iter().map(start).find(|at| *at > opener + 1)?;
    let (message, empty) = match text.as_bytes().get(opener)? {
        b'[' => ("this list is never closed, expected ]", "[]"),
        _ => ("this table is never closed, expected }", "{}"),
    };
    Some(Repair { message, at: opener..opener + 1, text: blanked(text, opener..next, empty)? })
}

/// `[pools.build` without its end: what stands below it belongs nowhere.
fn unclosed_header(text: &str, byte: usize) -> Option<Repair> {
    let line_start = text.get(..byte)?.rfind('\n').map_or(0, |at| at + 1);
    let next = text.get(byte..)?.find("\n[").map_or(text.len(), |at| byte + at);
    let text = blanked(text, line_start..next, "")?;
    Some(Repair { message: "this table's name is never closed, expected ]", at: line_start..byte, text })
}

/// The beginning of the outermost list or table that reaches to where something was found to be unclosed.
fn outermost(text: &str, table: &DeTable<'_>, end: usize) -> Option<usize> {
    let mut starts = Vec::new();
    for value in table.values() {
        let span = value.span();
        let opens = text.get(span.start..).is_some_and(|rest| rest.starts_with(['[', '{']));
        match value.get_ref() {
            DeValue::Array(_) if opens && span.end >= end => starts.push(span.start),
            DeValue::Table(inner) => {
                let inline = text.get(span.start..).is_some_and(|rest| rest.starts_with('{'));
                starts.extend((inline && span.end >= end).then_some(span.start));
                starts.extend(outermost(text, inner, end));
            }
            _ => {}
        }
    }
    starts.into_iter().min()
}

/// The text with blanks for a stretch of it, lines kept, `instead` at its beginning.
fn blanked(text: &str, stretch: Range<usize>, instead: &str) -> Option<String> {
    let hidden = text.get(stretch.clone())?;
    let blanks: String = hidden
        .chars()
        .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8()))
        .collect();
    let filler = blanks.get(instead.len()..)?;
    Some(format!("{}{instead}{filler}{}", text.get(..stretch.start)?, text.get(stretch.end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let (_, errors) = parse(text, 0, |_| ());
        errors.into_iter().map(|d| format!("{}: {}", d.labels[0].at.start, d.message)).collect()
    }

    #[test]
    fn an_unclosed_bracket_is_one_error_and_hides_no_other() {
        let unclosed = "this is no TOML: this list is never closed, expected ]";
        assert_eq!(told("a = 1\nc = [1, \nb = 2\n[x]\ny = 1\n"), [format!("10: {unclosed}")]);
        let errors = told("[p]\nl = [\"a\", \"b\"\nx = 1\n\n[q]\nz = \n");
        assert_eq!(
            errors,
            [format!("8: {unclosed}"), "33: this is no TOML: there is no value behind the =".into()]
        );
    }

    #[test]
    fn an_unclosed_header_is_one_error() {
        let errors = told("[p\na = 1\n[q]\nz = x\n");
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn depth_does_not_matter() {
        for text in ["a.".repeat(50_000) + "a = 1", "a = ".to_owned() + &"[".repeat(50_000)] {
            assert!(!told(&text).is_empty());
        }
    }
}
