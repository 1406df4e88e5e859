//! What a check found, for people, for programs and for the journal.

use std::fmt;
use std::path::PathBuf;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;
use serde::Serialize;

use super::diagnostic::Diagnostic;
use super::diagnostic::Label;
use super::diagnostic::Severity;
use super::redact::redact;
use super::source::Source;

/// Everything that a check found, in the order in which it is shown: errors, then warnings, each by file and line.
///
/// Secrets that stand in the file where they should not are starred out in every form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
}

/// The report for programs; its shape is kept from version to version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonReport {
    /// Whether the file can be used.
    pub ok: bool,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// The files that were read, the main one first.
    pub files: Vec<PathBuf>,
    /// Each finding.
    pub diagnostics: Vec<JsonDiagnostic>,
}

/// One finding, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// `error` or `warning`.
    pub severity: Severity,
    /// The file it stands in.
    pub file: PathBuf,
    /// Its line, from 1; none for what concerns the file as a whole.
    pub line: Option<usize>,
    /// Its column in characters, from 1.
    pub column: Option<usize>,
    /// Where it ends (exclusive).
    pub end: Option<JsonPosition>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Further places that have part in it.
    pub related: Vec<JsonRelated>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JsonPosition {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A further place that has part in a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonRelated {
    /// Its file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is there.
    pub message: String,
}

impl Report {
    /// `sources` holds at least the main file, even if it could not be read.
    pub(crate) fn new(sources: Vec<Source>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { sources, diagnostics }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.diagnostics.len() - self.errors()
    }

    /// The files that were read, the main one first.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.sources.iter().map(|source| &source.path)
    }

    /// For people: every finding with the offending text underlined, and a last line that counts them.
    pub fn render(&self, color: bool) -> String {
        self.rendered(color, |_| true)
    }

    /// As [`Report::render`], without the warnings: for when the file is refused, and they are not why.
    pub fn render_errors(&self, color: bool) -> String {
        self.rendered(color, |d| d.severity == Severity::Error)
    }

    fn rendered(&self, color: bool, shown: impl Fn(&Diagnostic) -> bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let sources: Vec<Source> =
            self.sources.iter().map(|s| Source::new(&s.path, redact(&s.text).into_owned())).collect();
        let mut out = String::new();
        for diagnostic in self.diagnostics.iter().filter(|d| shown(d)) {
            out.push_str(&renderer.render(&[group(diagnostic, &sources)]));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    /// For the journal: one line for each error, `file:line:column: message`.
    pub fn error_lines(&self) -> Vec<String> {
        self.lines(Severity::Error)
    }

    /// For the journal: one line for each warning, `file:line:column: message`.
    pub fn warning_lines(&self) -> Vec<String> {
        self.lines(Severity::Warning)
    }

    /// For programs.
    pub fn json(&self) -> JsonReport {
        JsonReport {
            ok: self.errors() == 0,
            errors: self.errors(),
            warnings: self.warnings(),
            files: self.files().cloned().collect(),
            diagnostics: self.diagnostics.iter().map(|d| self.json_of(d)).collect(),
        }
    }

    /// `pools.toml: 2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let name = self.sources.first().map(|s| s.path.display().to_string()).unwrap_or_default();
        let count = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            _ => format!("{n} {what}s"),
        };
        match (self.errors(), self.warnings()) {
            (0, 0) => format!("{name}: ok"),
            (0, warnings) => format!("{name}: ok, {}", count(warnings, "warning")),
            (errors, 0) => format!("{name}: {}", count(errors, "error")),
            (errors, warnings) => {
                format!("{name}: {}, {}", count(errors, "error"), count(warnings, "warning"))
            }
        }
    }

    fn lines(&self, severity: Severity) -> Vec<String> {
        self.diagnostics.iter().filter(|d| d.severity == severity).map(|d| self.line_of(d)).collect()
    }

    fn line_of(&self, diagnostic: &Diagnostic) -> String {
        let message = redact(&diagnostic.message);
        let help = diagnostic.help.as_deref().map(|h| format!(" ({h})")).unwrap_or_default();
        let Some(source) = self.sources.get(diagnostic.file) else { return format!("{message}{help}") };
        let path = source.path.display();
        match diagnostic.labels.first() {
            Some(label) => {
                let at = source.position(label.at.start);
                format!("{path}:{}:{}: {message}{help}", at.line, at.column)
            }
            None => format!("{path}: {message}{help}"),
        }
    }

    fn json_of(&self, diagnostic: &Diagnostic) -> JsonDiagnostic {
        let source = self.sources.get(diagnostic.file);
        let place = diagnostic.labels.first().zip(source);
        let start = place.map(|(label, source)| source.position(label.at.start));
        let end = place.map(|(label, source)| source.position(label.at.end));
        JsonDiagnostic {
            severity: diagnostic.severity,
            file: source.map(|s| s.path.clone()).unwrap_or_default(),
            line: start.map(|p| p.line),
            column: start.map(|p| p.column),
            end: end.map(|p| JsonPosition { line: p.line, column: p.column }),
            message: redact(&diagnostic.message).into_owned(),
            help: diagnostic.help.as_deref().map(|h| redact(h).into_owned()),
            related: diagnostic.labels.iter().skip(1).filter_map(|l| self.related(l)).collect(),
        }
    }

    fn related(&self, label: &Label) -> Option<JsonRelated> {
        let source = self.sources.get(label.at.file)?;
        let at = source.position(label.at.start);
        let message = redact(&label.text).into_owned();
        Some(JsonRelated { file: source.path.clone(), line: at.line, column: at.column, message })
    }
}

impl fmt::Display for Report {
    /// One line for each error, for the places where only text fits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        self.error_lines().iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl std::error::Error for Report {}

/// A finding as the renderer takes it. `sources` are the redacted ones.
fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a [Source]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let place = match diagnostic.labels.first() {
        Some(_) => String::new(),
        None => sources.get(diagnostic.file).map(|s| format!("{}: ", s.path.display())).unwrap_or_default(),
    };
    let mut group = Group::with_title(level.primary_title(place + &redact(&diagnostic.message)));
    let mut shown = Vec::new();
    for label in &diagnostic.labels {
        if !shown.contains(&label.at.file) {
            shown.push(label.at.file);
            group = group.elements(snippet(label.at.file, diagnostic, sources));
        }
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(redact(help))),
        None => group,
    }
}

/// The lines of one file that a finding speaks of.
fn snippet<'a>(
    file: usize,
    diagnostic: &'a Diagnostic,
    sources: &'a [Source],
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(file)?;
    let mut snippet =
        Snippet::source(source.text.as_str()).path(source.path.display().to_string()).line_start(1);
    for (index, label) in diagnostic.labels.iter().enumerate().filter(|(_, l)| l.at.file == file) {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let start = source.boundary(label.at.start);
        let end = source.boundary(label.at.end).max(start);
        let annotation = kind.span(start..end);
        snippet = snippet.annotation(match label.text.as_str() {
            "" => annotation,
            text => annotation.label(redact(text)),
        });
    }
    Some(snippet)
}
