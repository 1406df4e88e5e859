//! The new file as it grows: its tables, its text, and the check that takes out what the service would refuse.

use super::place::Note;
use super::place::NoteKind;
use super::place::Notes;
use super::place::Place;
use super::place::sentences;
use super::secrets::Secrets;
use super::text::wrapped;
use super::unit::Line;
use super::unit::Value;
use crate::config::Config;
use crate::config::JsonDiagnostic;
use crate::config::Severity;

/// Columns of the text.
const WIDTH: usize = 110;

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: String,
    pub(super) above: Vec<String>,
    pub(super) lines: Vec<Line>,
    /// Where what it is made of stands.
    pub(super) at: Place,
    /// Why it is there as a comment only.
    pub(super) off: Option<String>,
}

/// The file.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) head: Vec<String>,
    pub(super) tables: Vec<Table>,
}

/// Keys that say whom a pool serves: without one there is no pool.
const SCOPES: [&str; 4] = ["org", "repo", "repos", "enterprise"];

/// What a line of the text is.
#[derive(Debug, Clone, Copy)]
enum Row {
    Comment,
    Header(usize),
    Key(usize, usize),
}

impl Draft {
    /// Takes out values that hold a secret: none is written into the file, and none is shown.
    pub(super) fn drop_secrets(&mut self, secrets: &Secrets, notes: &mut Notes) {
        for table in &mut self.tables {
            let mut gone = None;
            table.lines.retain(|line| {
                let holds = line.value.texts().iter().any(|text| secrets.stand_in(text));
                if holds {
                    notes.take_back(&line.at, &line.subject);
                    notes.left(
                        &line.at,
                        &line.subject,
                        "its value holds a secret, or looks like one, and none is written into this file",
                    );
                    gone = gone.or_else(|| SCOPES.contains(&line.key).then_some(line.key));
                }
                !holds
            });
            if gone.is_some() {
                table.off = Some(
                    "Whom it serves is missing: add org = \"…\" or repo = \"…/…\", and take the # away."
                        .to_owned(),
                );
            }
        }
    }

    /// Takes out what the service would refuse, until it takes the file. Each round takes something out, so there is an
    /// end.
    pub(super) fn settle(&mut self, notes: &mut Notes) {
        loop {
            let (text, rows) = self.rendered(&|text| text.to_owned());
            let report = Config::from_text("pools.toml", &text).report.json();
            let errors: Vec<_> =
                report.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
            if errors.is_empty() {
                return;
            }
            let places: Vec<Row> = errors.iter().map(|error| row(&rows, error)).collect();
            let mut refused: Vec<(usize, usize)> = Vec::new();
            for (place, error) in places.iter().zip(&errors) {
                match place {
                    Row::Key(table, line) => {
                        if !refused.contains(&(*table, *line)) {
                            refused.push((*table, *line));
                            self.refuse(*table, *line, error, notes);
                        }
                    }
                    Row::Header(table) => self.switch_off(*table, error, notes),
                    Row::Comment => {}
                }
            }
            refused.sort_unstable();
            for (table, line) in refused.iter().rev() {
                self.tables[*table].lines.remove(*line);
            }
            if !places.iter().any(|place| !matches!(place, Row::Comment)) {
                // Nothing of it can be told apart; a file that is refused helps nobody.
                self.tables
                    .iter_mut()
                    .for_each(|table| table.off = Some("the file is refused with it".to_owned()));
                return;
            }
        }
    }

    fn refuse(&mut self, table: usize, line: usize, error: &JsonDiagnostic, notes: &mut Notes) {
        let table = &mut self.tables[table];
        let line = &table.lines[line];
        let subject = if line.subject.is_empty() { line.key } else { &line.subject };
        let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let message = error.message.strip_prefix(&format!("{}: ", line.key)).unwrap_or(&error.message);
        notes.take_back(&line.at, &line.subject);
        notes.left(&line.at, subject, format!("{} = {} is refused: {message}{help}", line.key, line.value));
        if SCOPES.contains(&line.key) {
            table.off = Some(format!("{}: {}", line.key, message));
        }
    }

    fn switch_off(&mut self, table: usize, error: &JsonDiagnostic, notes: &mut Notes) {
        let table = &mut self.tables[table];
        let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let text = format!("{}{help}", error.message);
        notes.todo(&table.at, &table.header, format!("it stands in the file as a comment: {text}"));
        table.off = Some(text);
    }

    /// The text, with everything hidden in its comments that may not be seen.
    pub(super) fn render(&self, notes: &[Note], secrets: &Secrets) -> String {
        let (mut text, _) = self.rendered(&|text| secrets.hide(text));
        for kind in NoteKind::ALL {
            let told = sentences(notes, kind);
            if !told.is_empty() {
                text.push_str(&format!("\n# {}:\n", kind.title()));
            }
            for sentence in told {
                for line in comment(&secrets.hide(&sentence), "#   ", "#       ") {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        }
        text
    }

    fn rendered(&self, hide: &dyn Fn(&str) -> String) -> (String, Vec<Row>) {
        let mut out = Out { text: String::new(), rows: Vec::new() };
        for line in &self.head {
            out.comment(&hide(line), "# ", "# ");
        }
        for (n, table) in self.tables.iter().enumerate() {
            let mark = if table.off.is_some() { "#" } else { "" };
            out.push("", Row::Comment);
            for text in table.above.iter().chain(&table.off) {
                out.comment(&hide(text), "# ", "# ");
            }
            out.push(&format!("{mark}[{}]", table.header), Row::Header(n));
            for (m, line) in table.lines.iter().enumerate() {
                let setting = format!("{mark}{} = {}", line.key, line.value);
                let said = if line.comment == line.key { String::new() } else { clean(&hide(&line.comment)) };
                let whole = format!("{setting}  # {said}");
                match said.is_empty() {
                    true => out.push(&setting, Row::Key(n, m)),
                    false if whole.chars().count() <= WIDTH => out.push(&whole, Row::Key(n, m)),
                    false => {
                        out.comment(&said, "# ", "# ");
                        out.push(&setting, Row::Key(n, m));
                    }
                }
            }
        }
        (out.text, out.rows)
    }
}

struct Out {
    text: String,
    rows: Vec<Row>,
}

impl Out {
    fn push(&mut self, line: &str, row: Row) {
        self.text.push_str(line);
        self.text.push('\n');
        self.rows.push(row);
    }

    fn comment(&mut self, text: &str, first: &str, next: &str) {
        for line in comment(text, first, next) {
            self.push(&line, Row::Comment);
        }
    }
}

fn comment(text: &str, first: &str, next: &str) -> Vec<String> {
    match text.strip_prefix("    ") {
        // What is to be copied stays as it is.
        Some(_) => vec![format!("#{}", clean(text))],
        None => wrapped(&clean(text), first, next, WIDTH),
    }
}

/// Comments may hold no control characters: a line end would end them, and a terminal obeys others.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What of the file an error is about.
fn row(rows: &[Row], error: &JsonDiagnostic) -> Row {
    let places = std::iter::once(error.line).chain(error.related.iter().map(|related| Some(related.line)));
    let found = places.flatten().filter_map(|line| rows.get(line.checked_sub(1)?).copied());
    found.into_iter().find(|row| !matches!(row, Row::Comment)).unwrap_or(Row::Comment)
}

/// Whether two values say the same.
pub(super) fn is_same(one: &[Line], other: &[Line]) -> bool {
    let of =
        |lines: &[Line]| lines.iter().map(|line| (line.key, line.value.clone())).collect::<Vec<(_, Value)>>();
    of(one) == of(other)
}
