//! The texts that were read, and places in them.
//!
//! **Knows** which byte of which file lies on which line.
//! **Does not know** how a file is read or what its text means.

use std::path::Path;
use std::path::PathBuf;

/// One file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A stretch of one file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    /// Index among the sources; [`Origin::BUILT_IN`] for values that stand in no file.
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Origin {
    /// The "file" of the built-in defaults, which nobody can be pointed at.
    pub(crate) const BUILT_IN: usize = usize::MAX;

    /// Whether a person wrote it.
    pub(crate) fn is_written(self) -> bool {
        self.file != Self::BUILT_IN
    }
}

/// Line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Source {
    pub(crate) fn new(path: impl AsRef<Path>, text: impl Into<String>) -> Self {
        Self { path: path.as_ref().to_owned(), text: text.into() }
    }

    /// The nearest place at or before `byte` where a character begins.
    pub(crate) fn boundary(&self, byte: usize) -> usize {
        let mut at = byte.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    pub(crate) fn position(&self, byte: usize) -> Position {
        let before = self.text.get(..self.boundary(byte)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("x", "a\nüb\n");
        let at = |byte| {
            let p = source.position(byte);
            (p.line, p.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(3), (2, 1), "inside a character is at its start");
        assert_eq!(at(4), (2, 2));
        assert_eq!(at(99), (3, 1));
    }
}
