//! What the daemons of a schedule tell their journal: kept for who plays a seed again, and read for secrets.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use ghrunner::control::Clock;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Part of each secret of this world, and of nothing else in it.
pub(super) const SECRET: &str = "s3cr3t";

/// Lines with their time. Cheap to clone: all clones are one journal.
#[derive(Clone)]
pub(super) struct Journal {
    clock: Clock,
    keeps: bool,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    kept: Vec<String>,
    leak: Option<String>,
}

impl Journal {
    /// Reads lines; keeps them, too, where they are wanted.
    pub(super) fn new(clock: Clock, keeps: bool) -> Self {
        Self { clock, keeps, lines: Arc::default() }
    }

    /// Has all that is told on this thread come here while the guard lives.
    pub(super) fn listen(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// Whether lines are kept.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Takes in a line.
    pub(super) fn line(&self, text: &str) {
        let mut lines = self.lines.lock().unwrap();
        if lines.leak.is_none() && text.contains(SECRET) {
            lines.leak = Some(text.to_owned());
        }
        if self.keeps {
            let now = self.clock.now();
            lines.kept.push(format!("{now}.{:03} {text}", now.0 % 1000));
        }
    }

    /// The first text with a secret in it.
    pub(super) fn leak(&self) -> Option<String> {
        self.lines.lock().unwrap().leak.clone()
    }

    /// All lines that were kept.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap().kept)
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Journal {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        // The formatter writes each event at once.
        self.line(String::from_utf8_lossy(text).trim_end());
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
