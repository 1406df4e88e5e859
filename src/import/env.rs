//! Environment files: `KEY=VALUE` as shells, Docker, Compose and systemd write them, and INI files without sections' meaning.

use std::sync::Arc;

use super::place::Place;
use super::place::Problem;

/// More than any of these programs reads; what has more is another file.
const MOST: usize = 1_000;

/// What a value may grow to where it names others that name others.
const LONGEST: usize = 16 * 1024;

/// One variable.
#[derive(Debug, Clone)]
pub(super) struct Var {
    /// As the file has it.
    pub(super) key: String,
    pub(super) value: String,
    pub(super) at: Place,
    /// In single quotes, where `$` means nothing.
    pub(super) literal: bool,
    /// What it names and nobody says; the value is then only what is written.
    pub(super) open: Option<String>,
}

/// The variables of a file, in its order.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Var>, Problem> {
    let mut vars: Vec<Var> = Vec::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let number = number + 1;
        let rest = line.trim_start();
        let column = line.chars().count() - rest.chars().count() + 1;
        if rest.is_empty() || rest.starts_with(['#', ';']) || is_section(rest) {
            continue;
        }
        let rest = rest.strip_prefix("export ").map_or(rest, str::trim_start);
        let at = Place::new(file, number, column);
        let Some((key, value)) = split(rest) else {
            return Err(Problem {
                at,
                message: "this line is no KEY=VALUE".to_owned(),
                help: "take it out, or make a comment of it with #".to_owned(),
            });
        };
        let mut var = Var { key: key.to_owned(), value: String::new(), at, literal: false, open: None };
        match value {
            None => var.open = Some("the environment in which the file was used".to_owned()),
            Some(value) => read_value(value, &mut lines, &mut var)?,
        }
        if vars.len() >= MOST {
            return Err(Problem {
                at: var.at,
                message: format!("more than {MOST} variables"),
                help: "is this the right file?".to_owned(),
            });
        }
        vars.push(var);
    }
    Ok(vars)
}

fn is_section(line: &str) -> bool {
    line.starts_with('[') && line.trim_end().ends_with(']') && !line.contains('=')
}

/// Name and what stands behind `=`; a name alone takes its value from the environment, as `docker run --env-file` has it.
fn split(line: &str) -> Option<(&str, Option<&str>)> {
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (key.trim_end(), Some(value)),
        None => (line.trim_end(), None),
    };
    is_name(key).then_some((key, value))
}

pub(super) fn is_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// A value in quotes, which may go on over lines, or a plain one up to a comment.
fn read_value<'a>(
    value: &'a str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    var: &mut Var,
) -> Result<(), Problem> {
    let begun = value.trim_start();
    let Some(quote) = begun.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        var.value = plain(value, lines);
        return Ok(());
    };
    var.literal = quote == '\'';
    let mut rest = &begun[1..];
    loop {
        if closed(rest, quote, &mut var.value) {
            return Ok(());
        }
        let Some((_, next)) = lines.next() else {
            return Err(Problem {
                at: var.at.clone(),
                message: format!("the quote that begins the value of {} is never closed", var.key),
                help: format!("add the closing {quote}"),
            });
        };
        var.value.push('\n');
        rest = next;
    }
}

/// Reads on to the closing quote; says whether there is one in this line. What stands behind it is a comment, or nothing
/// that means something.
fn closed(text: &str, quote: char, value: &mut String) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote == '"' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\' | '`')) => value.push(c),
                Some('$') => value.push_str("$$"),
                Some(c) => value.extend(['\\', c]),
                None => {}
            },
            c if c == quote => return true,
            c => value.push(c),
        }
    }
    false
}

/// Up to a comment; a backslash at the end of the line goes on in the next.
fn plain<'a>(value: &'a str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut whole = String::new();
    let mut line = value;
    loop {
        let begun = line.trim_start();
        let text = if begun.starts_with('#') {
            ""
        } else {
            [" #", "\t#"].iter().fold(line, |l, mark| l.split(mark).next().unwrap_or(l))
        };
        match text.trim_end().strip_suffix('\\') {
            Some(part) if text.len() == line.len() => whole.push_str(part),
            _ => {
                whole.push_str(text);
                break;
            }
        }
        match lines.next() {
            Some((_, next)) => line = next,
            None => break,
        }
    }
    whole.trim().to_owned()
}

/// Puts in what the values name: what stands above them, then what `others` know.
pub(super) fn expand(vars: &mut [Var], others: &dyn Fn(&str) -> Option<String>) {
    for at in 0..vars.len() {
        let (above, rest) = vars.split_at_mut(at);
        let Some(var) = rest.first_mut().filter(|var| !var.literal && var.open.is_none()) else { continue };
        let known = |name: &str| {
            let found = above.iter().rev().find(|var| var.key == name);
            found.map(|var| var.value.clone()).or_else(|| others(name))
        };
        match filled(&var.value, &known) {
            Ok(value) => var.value = value,
            // `pa$word` is a value; `${WORD}` alone is none.
            Err(name) if is_reference(&var.value) => var.open = Some(name),
            Err(_) => {}
        }
    }
}

fn is_reference(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    text.contains("${") || text.strip_prefix('$').or(inner).is_some_and(is_name)
}

/// The text with `$NAME` and `${NAME…}` put in as Compose does; or the first name that nobody knows.
pub(super) fn filled(text: &str, known: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((inner, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            out.push_str(&braced(inner, known)?);
            rest = after;
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            match name {
                "" => out.push('$'),
                name => out.push_str(&known(name).ok_or_else(|| name.to_owned())?),
            }
            rest = after;
        }
        if out.len() > LONGEST {
            return Err("a text that grows without end".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// `NAME`, `NAME:-default`, `NAME-default`, `NAME:?message`, `NAME:+other`.
fn braced(inner: &str, known: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let (empty_counts, operator) = match rest.strip_prefix(':') {
        Some(operator) => (false, operator),
        None => (true, rest),
    };
    let value = known(name).filter(|value| empty_counts || !value.is_empty());
    match operator.chars().next() {
        Some('-') => Ok(value.unwrap_or_else(|| operator[1..].to_owned())),
        Some('+') => Ok(value.map(|_| operator[1..].to_owned()).unwrap_or_default()),
        _ => value.ok_or_else(|| name.to_owned()),
    }
}

/// The names that a text asks for.
pub(super) fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text[at + 1..].trim_start_matches('{');
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if is_name(&rest[..end]) {
            names.push(rest[..end].to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let mut vars = parse(&".env".into(), text).unwrap();
        expand(&mut vars, &|name| (name == "OUTSIDE").then(|| "o".to_owned()));
        vars.into_iter()
            .map(|var| (var.key, var.open.map_or(var.value, |name| format!("open {name}"))))
            .collect()
    }

    #[test]
    fn every_way_to_write_a_value_is_read() {
        for (line, value) in [
            ("A=b", "b"),
            ("export A=b", "b"),
            ("  A = b c  # comment", "b c"),
            ("A=b#c", "b#c"),
            ("A=#c", ""),
            ("A=", ""),
            ("A=\"b # c\" # d", "b # c"),
            ("A='b $OUTSIDE'", "b $OUTSIDE"),
            ("A=\"b\\n\\\"c\\\" \\$d\"", "b\n\"c\" $d"),
            ("A=$OUTSIDE-${OUTSIDE}", "o-o"),
            ("A=${B:-c}", "c"),
            ("A=${B}", "open B"),
            ("A=pa$word", "pa$word"),
            ("A=b\\\nc", "bc"),
            ("A=\"-----BEGIN\nx\n-----END\"", "-----BEGIN\nx\n-----END"),
            ("A", "open the environment in which the file was used"),
        ] {
            assert_eq!(read(line), [("A".to_owned(), value.to_owned())], "{line}");
        }
    }

    #[test]
    fn comments_sections_and_dos_line_ends_are_no_variables() {
        assert_eq!(read("\u{feff}# x\r\n; y\r\n[section]\r\n\r\nA=b\r\n"), [("A".into(), "b".into())]);
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_place() {
        let problem = parse(&".env".into(), "A=b\n  two words\n").unwrap_err();
        assert_eq!((problem.at.line, problem.at.column), (2, 3));
        assert!(parse(&".env".into(), "A=\"b\nC=d\n").unwrap_err().message.contains("never closed"));
    }

    #[test]
    fn values_that_double_with_each_line_end() {
        let mut text = "A0=xxxxxxxxxx\n".to_owned();
        for n in 1..60 {
            text += &format!("A{n}=${{A{0}}}${{A{0}}}\n", n - 1);
        }
        assert!(read(&text).iter().all(|(_, value)| value.len() <= LONGEST));
    }
}
