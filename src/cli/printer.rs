//! The two ends that a command writes to, and how wide and colourful they are.

use std::fmt;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

use clap::ColorChoice;
use serde::Serialize;

/// Columns when the output is no terminal.
const DEFAULT_WIDTH: u16 = 100;

/// No table is squeezed below this: it would be all line breaks.
const MIN_WIDTH: u16 = 40;

/// Standard output and standard error. Every word that a command says goes through here, so that a test can read it
/// and a broken pipe is an error value rather than a panic.
pub struct Printer {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    color: bool,
    terminal: bool,
    width: Option<u16>,
}

/// What a word's colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Less important than what stands around it.
    Dim,
    /// A heading.
    Strong,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Dim => "2",
            Self::Strong => "1",
        }
    }
}

impl Printer {
    /// The process's own ends; `no_color` is whether `NO_COLOR` is set to something (no-color.org).
    pub fn new(choice: ColorChoice, no_color: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_color,
        };
        Self { out: Box::new(io::stdout()), err: Box::new(io::stderr()), color, terminal, width: None }
    }

    /// Ends of the caller's own, of a fixed width and without colour.
    pub fn to(out: impl Write + 'static, err: impl Write + 'static, width: u16) -> Self {
        Self { out: Box::new(out), err: Box::new(err), color: false, terminal: false, width: Some(width) }
    }

    /// Whether colours are wanted.
    pub fn color(&self) -> bool {
        self.color
    }

    /// Whether the output is a terminal.
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// How many columns there are, asked anew each time, since windows change.
    pub fn width(&self) -> usize {
        let asked = || comfy_table::Table::new().width();
        usize::from(self.width.or_else(asked).unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH))
    }

    /// The text in the colour of its meaning, where colours are wanted.
    pub fn paint(&self, tone: Tone, text: impl fmt::Display) -> String {
        if self.color { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_string() }
    }

    /// One line of output.
    ///
    /// # Errors
    /// The output cannot be written, a broken pipe among the reasons.
    pub fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Output as it is, at once.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// A value as indented JSON.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// One line on standard error. What fails there cannot be told to anyone.
    pub fn complain(&mut self, text: impl fmt::Display) {
        let _ = writeln!(self.err, "{text}");
    }

    /// A question on standard error, without a line end.
    pub fn ask(&mut self, text: impl fmt::Display) {
        let _ = write!(self.err, "{text}");
        let _ = self.err.flush();
    }
}
