//! From `pools.toml` and its drop-ins to a [`Config`] that every other room can rely on.
//!
//! **Knows** the file: its keys, their defaults, the rules that hold between them, and how to tell people what is wrong.
//! **Does not know** GitHub, the engine, the environment or the clock: a configuration that passes here may still name
//! a group that does not exist.
//!
//! The way through: `load` reads texts → `tree` parses and merges them, each value with its place → `shape` holds them
//! against the `schema` → `build` reads them into a draft, defaults filled in → `rules` look at the whole → [`Config`].
//! No step stops at the first error; only a [`Config`] without any leaves this room.

mod build;
mod diagnostic;
mod diff;
mod fields;
mod load;
mod nearest;
mod recover;
mod redact;
mod reference;
mod report;
mod rules;
mod schema;
mod settings;
mod shape;
mod source;
mod tree;

pub use diagnostic::Severity;
pub use diff::ConfigDiff;
pub use diff::diff;
pub use load::Loaded;
pub use load::drop_in_dir;
pub use load::drop_ins;
pub(crate) use redact::redact;
pub(crate) use redact::sounds_secret;
pub use reference::reference;
pub use report::JsonDiagnostic;
pub use report::JsonPosition;
pub use report::JsonRelated;
pub use report::JsonReport;
pub use report::Report;
pub use settings::ApiSettings;
pub use settings::AuthSource;
pub use settings::Config;
pub use settings::Credentials;
pub use settings::EngineSettings;
pub use settings::HistorySettings;
pub use settings::HostSettings;
pub use settings::HttpSettings;
pub use settings::Listen;
pub use settings::SecretSource;
pub use settings::TelemetrySettings;
pub use settings::TlsFiles;
pub use settings::WebhookSettings;
