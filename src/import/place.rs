//! Where something stands in what was read, and what is to be said about it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;

/// A place in one of the files, as it is shown: `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as it was named.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Place {
    /// The file as a whole.
    pub(super) fn whole(file: &Arc<str>) -> Self {
        Self { file: file.clone(), line: 0, column: 0 }
    }

    pub(super) fn new(file: &Arc<str>, line: usize, column: usize) -> Self {
        Self { file: file.clone(), line, column }
    }

    /// `file:line`, which is enough for a comment.
    pub(super) fn brief(&self) -> String {
        match self.line {
            0 => self.file.to_string(),
            line => format!("{}:{line}", self.file),
        }
    }
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// A file of which nothing can be made, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub at: Place,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.at, self.message, self.help)
    }
}

/// What became of something that the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Something has to be done by hand.
    ToDo,
    /// It is carried as it was, and was unwise.
    Unwise,
    /// It is not in the new file.
    NotCarried,
    /// It is, and means something else there.
    Changed,
}

impl NoteKind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::ToDo, Self::Unwise, Self::NotCarried, Self::Changed];

    /// What stands above the notes of this kind.
    pub fn title(self) -> &'static str {
        match self {
            Self::NotCarried => "Not carried",
            Self::Changed => "Not quite as before",
            Self::ToDo => "To do by hand",
            Self::Unwise => "Carried as it was, and unwise",
        }
    }
}

/// What became of one thing that the files say, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Of which kind.
    pub kind: NoteKind,
    /// Where it stands.
    pub at: Place,
    /// The key, as the file has it.
    pub subject: String,
    /// What became of it, and why.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.at.brief(), self.subject, self.text)
    }
}

/// Notes as they are read: those that say the same of one file in one sentence.
pub fn sentences(notes: &[Note], kind: NoteKind) -> Vec<String> {
    let mut groups: Vec<Vec<&Note>> = Vec::new();
    for note in notes.iter().filter(|note| note.kind == kind) {
        let same = |first: &&Note| first.text == note.text && first.at.file == note.at.file;
        match groups.iter_mut().find(|group| group.first().is_some_and(same)) {
            Some(group) => group.push(note),
            None => groups.push(vec![note]),
        }
    }
    groups.iter().map(|group| sentence(group)).collect()
}

/// `FILE:LINE KEY, KEY (line LINE): text`, and `FILE:LINE, LINE KEY: text` where it is the same key.
fn sentence(group: &[&Note]) -> String {
    let Some((first, others)) = group.split_first() else { return String::new() };
    let (mut lines, mut subjects) = (first.at.brief(), first.subject.clone());
    for note in others {
        match (note.subject == first.subject, note.at.line) {
            (true, line) => lines.push_str(&format!(", {line}")),
            (false, 0) => subjects.push_str(&format!(", {}", note.subject)),
            (false, line) => subjects.push_str(&format!(", {} (line {line})", note.subject)),
        }
    }
    format!("{lines} {subjects}: {}", first.text)
}

/// The notes of one run.
#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<Note>);

impl Notes {
    pub(super) fn push(&mut self, kind: NoteKind, at: &Place, subject: &str, text: impl Into<String>) {
        let note = Note { kind, at: at.clone(), subject: subject.to_owned(), text: text.into() };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Takes back what was said about a value that is then not carried.
    pub(super) fn take_back(&mut self, at: &Place, subject: &str) {
        self.0.retain(|note| note.at != *at || note.subject != subject || note.kind == NoteKind::NotCarried);
    }

    pub(super) fn left(&mut self, at: &Place, subject: &str, text: impl Into<String>) {
        self.push(NoteKind::NotCarried, at, subject, text);
    }

    pub(super) fn changed(&mut self, at: &Place, subject: &str, text: impl Into<String>) {
        self.push(NoteKind::Changed, at, subject, text);
    }

    pub(super) fn todo(&mut self, at: &Place, subject: &str, text: impl Into<String>) {
        self.push(NoteKind::ToDo, at, subject, text);
    }

    pub(super) fn unwise(&mut self, at: &Place, subject: &str, text: impl Into<String>) {
        self.push(NoteKind::Unwise, at, subject, text);
    }
}
