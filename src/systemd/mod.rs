//! What the service manager gives and wants: readiness, watchdog, status line, credentials, the journal, signals, sockets.
//!
//! **Knows** sd_notify(3), sd_listen_fds(3), systemd.exec(5)'s environment, the journal's native protocol, machine-id(5).
//! **Does not know** pools, runners or jobs, beyond the names of the journal fields that carry them.
//!
//! Invariants: without systemd everything here is silent and nothing fails; the watchdog is fed by whoever finished a
//! piece of work, never by a timer of this room's.

mod credentials;
mod identity;
mod journal;
mod logging;
mod notify;
mod signals;
mod sockets;

pub use credentials::CredentialError;
pub use credentials::Resolved;
pub use credentials::Secrets;
pub use identity::instance;
pub use logging::LogFormat;
pub use logging::LoggingError;
pub use logging::init as init_logging;
pub use logging::set_level as set_log_level;
pub use notify::Notifier;
pub use notify::watchdog_interval;
pub use signals::Signal;
pub use signals::Signals;
pub use sockets::Sockets;
