//! The control API, which `ghrunner status`, `pools`, `runners`, `plan` and `rollback` ask of the running daemon, and the
//! intake of webhooks.
//!
//! **Knows** HTTP over a Unix socket, who may use it, and the stable shapes of its answers ([`dto`]); HTTP over TCP, and
//! whose deliveries are taken.
//! **Does not know** how anything is decided or done: every request goes through [`crate::control::Facade`].
//!
//! Invariants: nobody but root, the daemon's own user and the socket's group is answered; a second daemon never takes a
//! living one's socket; no answer holds a secret, since none of the shapes has a place for one; nothing that the network
//! sends is read, kept or told beyond a bound, and nothing of it is believed without a signature.

pub mod dto;
mod history;
mod intake;
mod peer;
mod problem;
mod routes;
mod server;
mod socket;

pub use intake::Intake;
pub use intake::IntakeLimits;
pub use intake::IntakeSettings;
pub use peer::Operators;
pub use peer::Peer;
pub use problem::PROBLEM_JSON;
pub use problem::Problem;
pub use routes::router;
pub use server::serve;
pub use socket::ControlSocket;
pub use socket::SocketError;
