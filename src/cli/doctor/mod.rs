//! `ghrunner doctor`: what keeps runners from working, and what to do about it.
//!
//! `collect` looks and judges nothing; `judge` is a pure function from what was seen to lines. Neither changes anything:
//! no image is pulled, nothing is registered.

mod collect;
mod demand;
mod facts;
mod judge;
mod machine;
#[cfg(test)]
mod tests;

pub use collect::collect;
pub use demand::DemandFacts;
pub use demand::Heard;
pub use facts::ConfigFacts;
pub use facts::DaemonFacts;
pub use facts::Facts;
pub use facts::ImageFacts;
pub use facts::ScopeFacts;
pub use facts::SecretFacts;
pub use facts::SocketFacts;
pub(super) use judge::explain;
pub use judge::judge;

use serde::Serialize;

use super::Printer;
use super::printer::Tone;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, and may not for long, or not as well as it could.
    Warn,
    /// Keeps runners from working.
    Fail,
}

/// One line of the diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub level: Level,
    /// What was looked at: `config`, `engine`, `pool build`, ….
    pub about: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Finding {
    fn ok(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, about: about.into(), found: found.into(), advice: None }
    }

    fn warn(about: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, about: about.into(), found: found.into(), advice: Some(advice.into()) }
    }

    fn fail(about: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, about: about.into(), found: found.into(), advice: Some(advice.into()) }
    }
}

/// The lines as the terminal shows them, and a last one that counts.
pub(super) fn render(findings: &[Finding], printer: &Printer) -> String {
    let width = findings.iter().map(|f| f.about.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for finding in findings {
        let (word, tone) = match finding.level {
            Level::Ok => ("ok  ", Tone::Good),
            Level::Warn => ("warn", Tone::Warn),
            Level::Fail => ("FAIL", Tone::Bad),
        };
        let margin = " ".repeat(width + 8);
        let found = finding.found.replace('\n', &format!("\n{margin}"));
        lines.push(format!("{}  {:width$}  {found}", printer.paint(tone, word), finding.about));
        if let Some(advice) = &finding.advice {
            lines.push(format!("{margin}-> {}", advice.replace('\n', &format!("\n{margin}   "))));
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    lines.push(String::new());
    lines.push(format!("{} ok, {} warn, {} fail", count(Level::Ok), count(Level::Warn), count(Level::Fail)));
    lines.join("\n")
}
