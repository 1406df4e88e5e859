//! The manual page pools.toml(5): the reference of every key, out of the Markdown that docs/configuration.md has, so that
//! the two say the same.

use roff::Inline;
use roff::Roff;
use roff::bold;
use roff::italic;
use roff::roman;

const SEE_ALSO: &str = "`ghrunner`(1), `ghrunner-check`(1), `ghrunner-doctor`(1), `ghrunner-reload`(1), systemd.exec(5). \
                        The whole manual is in `/usr/share/doc/ghrunner/manual`.";

/// The page.
pub(super) fn pools_toml(reference: &str) -> Vec<u8> {
    let mut page = Roff::new();
    page.control("TH", ["pools.toml", "5", "", "ghrunner"]);
    page.control("SH", ["NAME"]).text([roman("pools.toml - which GitHub Actions runners ghrunner keeps")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("/etc/ghrunner/pools.toml"), roman(", "), bold("/etc/ghrunner/pools.d/*.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    let mut state = State::Between;
    for line in reference.lines().skip_while(|line| line.starts_with("# ") || line.is_empty()) {
        state = put(&mut page, state, line);
    }
    page.control("SH", ["SEE ALSO"]).text(inlines(SEE_ALSO));
    page.to_roff().into_bytes()
}

/// What the lines before this one have begun.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nothing: the next text is a paragraph of its own.
    Between,
    /// A paragraph, or a point of a list.
    Text,
    /// An example, shown as it stands.
    Code,
    /// A table, whose heading is over.
    Table,
}

fn put(page: &mut Roff, state: State, line: &str) -> State {
    if line.starts_with("```") {
        return match state {
            State::Code => {
                page.control("fi", []).control("RE", []);
                State::Between
            }
            _ => {
                page.control("PP", []).control("RS", ["4"]).control("nf", []);
                State::Code
            }
        };
    }
    if state == State::Code {
        page.text([roman(line)]);
        return State::Code;
    }
    if let Some(title) = line.strip_prefix("## ") {
        page.control("SH", [plain(title).to_uppercase().as_str()]);
        return State::Text;
    }
    if let Some(title) = line.strip_prefix("### ") {
        page.control("SS", [plain(title).as_str()]);
        return State::Text;
    }
    if let Some(cells) = line.strip_prefix("| ") {
        let cells: Vec<&str> = cells.trim_end_matches('|').split(" | ").map(str::trim).collect();
        // The first row is the heading, which says nothing that the rows do not.
        if state == State::Table {
            page.control("TP", []).text(inlines(cells[0]));
            page.text(inlines(&cells[1..].join(": ")));
        }
        return State::Table;
    }
    if line.starts_with("|--") {
        return State::Table;
    }
    if let Some(point) = line.strip_prefix("- ") {
        return match point.strip_suffix("  ") {
            // A key: its name, kind and default on a line of their own.
            Some(key) => {
                page.control("TP", []).text(inlines(key));
                State::Text
            }
            None => {
                page.control("IP", ["\u{2022}", "2"]).text(inlines(point));
                State::Text
            }
        };
    }
    if line.is_empty() {
        return if state == State::Table { State::Table } else { State::Between };
    }
    if state == State::Between {
        page.control("PP", []);
    }
    page.text(inlines(line.trim_start()));
    State::Text
}

/// A line's text with its `code` and **strong** words bold, its *stressed* ones slanted, and of its links the words.
fn inlines(text: &str) -> Vec<Inline> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, found) = rest.split_at(at);
        let parsed = between(found, "**`", "`**")
            .or_else(|| between(found, "**", "**"))
            .or_else(|| between(found, "`", "`"))
            .map(|(inner, after)| (bold(inner), after))
            .or_else(|| between(found, "*", "*").map(|(inner, after)| (italic(inner), after)))
            .or_else(|| link(found).map(|(words, after)| (roman(plain(words)), after)));
        let (inline, after) = parsed.unwrap_or_else(|| (roman(&found[..1]), &found[1..]));
        out.extend([roman(before), inline]);
        rest = after;
    }
    out.push(roman(rest));
    out
}

/// What stands between two marks at the beginning, and what follows.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(open)?.split_once(close).filter(|(inner, _)| !inner.is_empty())
}

/// The words of a link at the beginning, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (words, after) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    Some((words, after))
}

/// Without marks: for headings.
fn plain(text: &str) -> String {
    text.replace(['`', '*'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(markdown: &str) -> String {
        String::from_utf8(pools_toml(markdown)).unwrap()
    }

    #[test]
    fn keys_examples_and_tables_become_what_man_shows() {
        let page = shown(
            "# Configuration\n\nA *first* line.\n\n## `[host]`\n\n- **`name`** (text; default: `\"a\"`)  \n  See [reserve](#reserve).\n\n\
             ```toml\n[x]\n.a = 'b'\n```\n\n| size | means |\n|---|---|\n| `1GiB` | bytes |\n",
        );
        for wanted in [
            ".SH DESCRIPTION\n.PP\nA \\fIfirst\\fR line.",
            ".SH [HOST]\n.TP\n\\fBname\\fR (text; default: \\fB\"a\"\\fR)\nSee reserve.",
            ".nf\n[x]\n\\&.a = ",
            ".fi\n.RE\n",
            ".TP\n\\fB1GiB\\fR\nbytes\n",
        ] {
            assert!(page.contains(wanted), "{wanted}\n----\n{page}");
        }
        assert!(!page.contains("size"), "{page}");
    }

    #[test]
    fn every_key_of_the_reference_is_on_the_page_and_no_mark_of_markdown() {
        let reference = crate::config::reference();
        let page = shown(&reference);
        for key in reference.lines().filter_map(|line| line.strip_prefix("- **`")) {
            let key = key.split('`').next().unwrap();
            let escaped = key.replace('-', "\\-");
            assert!(page.contains(&format!(".TP\n\\fB{escaped}\\fR (")), "{key}");
        }
        for mark in ["**", "](", "```"] {
            assert!(!page.contains(mark), "{mark}");
        }
    }
}
