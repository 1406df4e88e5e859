//! The API, which `ghrunner status`, `pools`, `runners`, `plan` and `rollback` ask of the running daemon, and everybody
//! with a credential over TCP; the door for agents; and the intake of webhooks.
//!
//! **Knows** HTTP over a Unix socket and over TCP, who may use it and for what, and the stable shapes of its answers
//! ([`dto`]); whose deliveries are taken.
//! **Does not know** how anything is decided or done: every request goes through [`crate::control::Facade`].
//!
//! Invariants: on the socket nobody but root, the daemon's own user, the socket's group and the readers' is answered, over TCP
//! nobody without a credential, and nobody steers whose role is to read; every call that may change something passes one place
//! (`access`), which tells of it; a second daemon never takes a living one's socket; no answer holds a secret, since
//! none of the shapes has a place for one; nothing that the network sends is read, kept or told beyond a bound, and nothing
//! of it is believed without a signature or a credential.

mod access;
mod agents;
mod bearer;
mod body;
mod cors;
mod dashboard;
mod docs_page;
pub mod dto;
mod envelope;
mod events;
mod front;
mod guesses;
mod history;
mod inside;
mod intake;
mod jobs;
mod log_level;
pub mod metrics;
mod openapi;
mod origin;
mod pace;
mod page;
mod peer;
mod pools;
mod probes;
mod problem;
mod routes;
mod runners;
mod server;
mod service;
mod socket;
mod tcp;
mod tls;
mod trend;

pub use access::Role;
pub use bearer::Bearers;
pub use inside::Inside;
pub use intake::Intake;
pub use intake::IntakeLimits;
pub use intake::IntakeSettings;
pub use log_level::LogLevel;
pub use openapi::document;
pub use peer::Operators;
pub use peer::Peer;
pub use peer::group;
pub use problem::PROBLEM_JSON;
pub use problem::Problem;
pub use server::Api;
pub use server::serve;
pub use socket::ControlSocket;
pub use socket::SocketError;
pub use tcp::ApiSettings;
pub use tcp::Transport;
pub use tcp::serve_tcp;
pub use tls::Certificate;
