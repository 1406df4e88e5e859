//! Traces for OpenTelemetry: each pass, and each job's way from its queueing to its end.
//!
//! **Knows** which spans follow from what the daemon shows and does, and how they are sent to a collector by OTLP over HTTP
//! (<https://opentelemetry.io/docs/specs/otlp/>).
//! **Does not know** how anything is decided or done: it reads snapshots and deeds, as the history does.
//!
//! Invariants: nothing here is ever waited for by the control loop: what finds no room is dropped and counted; no span holds
//! what a runner printed; no text of a span is longer than [`LONGEST`] characters.

mod client;
mod exporter;
mod ids;
mod jobs;
mod lives;
mod passes;
mod service;
mod settings;
mod span;
mod tracer;
mod trouble;
mod wire;

pub use service::Options;
pub use service::Telemetry;
pub use settings::Settings;
pub use span::LONGEST;
