//! What is wrong, or unwise, and where.

use std::collections::HashSet;

use serde::Serialize;

use super::source::Origin;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// Legal, but unwise.
    Warning,
}

/// A place, and what there is to say about it in a word or two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) at: Origin,
    pub(crate) text: String,
}

/// One thing to tell the operator. Its first label is the place where it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) help: Option<String>,
    /// The file, for what concerns a file as a whole.
    pub(crate) file: usize,
}

impl Diagnostic {
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), labels: Vec::new(), help: None, file: 0 }
    }

    /// Points at a place; the first one is where it is wrong. Built-in defaults have no place, and add none.
    pub(crate) fn at(self, at: Origin) -> Self {
        self.at_with(at, "")
    }

    /// Points at a place and says what is there.
    pub(crate) fn at_with(mut self, at: Origin, text: impl Into<String>) -> Self {
        if at.is_written() {
            if self.labels.is_empty() {
                self.file = at.file;
            }
            self.labels.push(Label { at, text: text.into() });
        }
        self
    }

    /// Points at a place if there is one.
    pub(crate) fn maybe_at(self, at: Option<Origin>, text: impl Into<String>) -> Self {
        match at {
            Some(at) => self.at_with(at, text),
            None => self,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which file it concerns, where it concerns no place in it.
    pub(crate) fn in_file(mut self, file: usize) -> Self {
        self.file = file;
        self
    }

    /// Errors before warnings, each by file and place.
    pub(crate) fn order(&self) -> (Severity, usize, usize) {
        (self.severity, self.file, self.labels.first().map_or(0, |l| l.at.start))
    }
}

/// Gathers diagnostics. What `[defaults]` brings to ten pools is said once.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    all: Vec<Diagnostic>,
    seen: HashSet<Diagnostic>,
}

impl Sink {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.seen.insert(diagnostic.clone()) {
            self.all.push(diagnostic);
        }
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        more.into_iter().for_each(|d| self.push(d));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.all.iter().any(|d| d.severity == Severity::Error)
    }

    /// All of them, in the order in which they are shown.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.all.sort_by_key(Diagnostic::order);
        self.all
    }
}
