//! Where the log goes, in which form, and how much of it.

use std::io;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::journal;

/// Libraries that tell every connection at `info` or `debug`; asking for more of ghrunner is not asking for that.
const QUIET: &str = "hyper=warn,h2=warn,rustls=warn,bollard=warn,tower=warn,octocrab=warn,ureq=warn,ureq_proto=warn,sqlx=off,rmcp=warn";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// The journal where standard error leads to it, else text.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// The journal's own protocol, with fields.
    Journal,
}

impl LogFormat {
    /// What the formats are called.
    pub const NAMES: [&'static str; 4] = ["auto", "text", "json", "journal"];

    /// The format of that name; `auto` for any other text.
    pub fn named(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "json" => Self::Json,
            "journal" => Self::Journal,
            _ => Self::Auto,
        }
    }
}

/// Why there is no log as asked for.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level or filter makes no sense.
    #[error(
        "{text:?} is no log level; write error, warn, info, debug or trace, or filters such as info,ghrunner::github=debug"
    )]
    Level {
        /// What was given.
        text: String,
    },
    /// journald cannot be reached.
    #[error("cannot reach the journal at /run/systemd/journal/socket; use --log-format text")]
    Journal(#[source] io::Error),
    /// There is no log whose level could be changed.
    #[error("the log of this process is not set up")]
    NotSetUp,
    /// A log was set up before.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of this process, once.
///
/// # Errors
/// The level makes no sense, the journal was asked for and cannot be reached, or it is set up already.
pub fn init(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    let filter = filter(level)?;
    let layer = layer(format)?;
    let (filter, handle) = reload::Layer::new(filter);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()
        .map_err(|_| LoggingError::Twice)?;
    // A process has one log, and so one filter.
    let _ = FILTER.set(handle);
    Ok(())
}

/// What decides how much this process logs, once its log is set up.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Logs more or less from now on.
///
/// # Errors
/// The level makes no sense, or there is no log.
pub fn set_level(level: &str) -> Result<(), LoggingError> {
    let filter = filter(level)?;
    let handle = FILTER.get().ok_or(LoggingError::NotSetUp)?;
    handle.reload(filter).map_err(|_| LoggingError::NotSetUp)
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let bad = || LoggingError::Level { text: level.to_owned() };
    // A bare word that is no level would be taken for a module's name, and silence everything else.
    let bare = |part: &str| !part.contains('=') && part.trim().parse::<Level>().is_err();
    if level.split(',').any(bare) {
        return Err(bad());
    }
    // What is written later wins, so that an explicit `hyper=debug` is obeyed.
    EnvFilter::builder().parse(format!("{QUIET},{level}")).map_err(|_| bad())
}

fn layer(format: LogFormat) -> Result<Box<dyn Layer<Registry> + Send + Sync>, LoggingError> {
    match format {
        LogFormat::Journal => Ok(journal::layer().map_err(LoggingError::Journal)?.boxed()),
        LogFormat::Auto if journal::is_connected() => match journal::layer() {
            Ok(layer) => Ok(layer.boxed()),
            // The stream still takes text, fields within the line.
            Err(_) => Ok(text()),
        },
        LogFormat::Auto | LogFormat::Text => Ok(text()),
        LogFormat::Json => Ok(json()),
    }
}

fn json() -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed()
}

/// Without times where the journal adds its own.
fn text() -> Box<dyn Layer<Registry> + Send + Sync> {
    let terminal = io::stderr().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(terminal && !no_color);
    if journal::is_connected() { layer.without_time().boxed() } else { layer.boxed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_read_and_nonsense_is_named() {
        for good in ["info", "debug", "warn,ghrunner::github=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "info,ghrunner=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn formats_have_names() {
        assert_eq!(LogFormat::NAMES.map(LogFormat::named).len(), 4);
        assert_eq!(LogFormat::named("json"), LogFormat::Json);
    }
}
