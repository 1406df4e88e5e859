//! Misbehaving on request.

use std::time::Duration;

use crate::pause;
use crate::say;

/// What GitHub says to runners that are too old.
pub(crate) const DEPRECATED: &str = "Runner version v2.334.0 is deprecated and cannot receive messages.";
/// How much is allocated at a time.
const CHUNK: usize = 8 << 20;

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Good,
    Exit(u8),
    Crash,
    Hang,
    Leak,
    LeakWorker,
    Deprecated,
    NeverConnect,
}

impl Behaviour {
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(':').map_or((text, ""), |parts| parts) {
            ("exit", code) => Self::Exit(code.parse().unwrap_or(1)),
            ("crash", _) => Self::Crash,
            ("hang", _) => Self::Hang,
            ("leak", _) => Self::Leak,
            ("leak-worker", _) => Self::LeakWorker,
            ("deprecated", _) => Self::Deprecated,
            ("never-connect", _) => Self::NeverConnect,
            _ => Self::Good,
        }
    }
}

/// How to misbehave from the start, and how in the first job.
pub(crate) fn from_environment(value: Option<String>) -> (Behaviour, Behaviour) {
    let value = value.unwrap_or_default();
    match value.strip_prefix("job:") {
        Some(in_job) => (Behaviour::Good, Behaviour::parse(in_job)),
        None if value == "crash" => (Behaviour::Good, Behaviour::Crash),
        None => (Behaviour::parse(&value), Behaviour::Good),
    }
}

/// Takes memory until something stops it.
pub(crate) fn leak() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        // Not zeroes: those would be pages that nobody has to find.
        kept.push(vec![0xa5; CHUNK]);
        if kept.len().is_multiple_of(16) {
            say(&format!("Holding {} MiB", (kept.len() * CHUNK) >> 20));
        }
        pause(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_are_for_the_start_or_for_the_job() {
        let of = |text: &str| from_environment(Some(text.into()));
        assert_eq!(of("exit:3"), (Behaviour::Exit(3), Behaviour::Good));
        assert_eq!(of("job:exit:3"), (Behaviour::Good, Behaviour::Exit(3)));
        assert_eq!(of("crash"), (Behaviour::Good, Behaviour::Crash));
        assert_eq!(of("job:leak"), (Behaviour::Good, Behaviour::Leak));
        assert_eq!(of("leak"), (Behaviour::Leak, Behaviour::Good));
        assert_eq!(from_environment(None), (Behaviour::Good, Behaviour::Good));
    }
}
