//! The Actions service: scale sets, their sessions and messages, and registrations that belong to one.
//!
//! Two planes lie behind REST, each with a host and a token of its own. The *admin* plane is opened by exchanging a
//! registration token (`connection`), the *queue* by opening a session there (`session`, `queue`). Both addresses are
//! GitHub's to give: they are joined, never guessed, and a token of one plane goes nowhere else than the protocol says.
//!
//! The public source of the protocol is GitHub's own client, <https://github.com/actions/scaleset>. It reads JSON without
//! regard to case, so that nothing is known of the case that the service writes: `fields` reads the same way.

mod address;
mod client;
mod connection;
mod exchange;
mod fields;
mod jit;
mod message;
mod queue;
mod refusal;
mod session;
mod sets;
mod wire;

pub(super) use connection::Connection;
pub use message::parse as parse_message;
