//! The daemon's API as a library: for programs that see and steer a fleet, `ghrunner`'s own commands among them.
//!
//! What can be asked is described once, in [`call`]: each function there makes a value that says method, path, query, body
//! and the type of the answer. Two clients carry such values, over the control socket or over TCP with TLS and a bearer
//! credential ([`Endpoint`]): [`Client`], which is async and needs a tokio runtime, and [`blocking::Client`], which needs
//! none. Both have the same methods: `ask` for one answer, `all` and `items` for lists, `read` for what has no end that one
//! would wait for, `events` for the fleet as it changes.
//!
//! ```no_run
//! use ghrunner::client::Endpoint;
//! use ghrunner::client::blocking::Client;
//! use ghrunner::client::call;
//!
//! # fn main() -> Result<(), ghrunner::client::ClientError> {
//! let daemon = Client::new(&Endpoint::socket("/run/ghrunner/ghrunner.sock"))?;
//! for pool in daemon.all(call::pools())? {
//!     println!("{}: {} wanted, {}", pool.name, pool.target, pool.why);
//! }
//! daemon.ask(call::drain_pool("build"))?;
//! # Ok(())
//! # }
//! ```
//!
//! The same over the network, awaited, and then the fleet as it changes:
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use ghrunner::client::Client;
//! use ghrunner::client::Endpoint;
//! use ghrunner::client::Event;
//! use ghrunner::client::call;
//! use ghrunner::model::Secret;
//!
//! # async fn run(credential: String) -> Result<(), ghrunner::client::ClientError> {
//! let place = Endpoint::network("https://ci.example:8443", Secret::new(credential)).with_ca_file("/etc/ssl/ours.pem");
//! let daemon = Client::new(&place)?;
//! let status = daemon.ask(call::status()).await?;
//! println!("{} runners", status.runners.len());
//! let mut events = std::pin::pin!(daemon.events(None).await?);
//! while let Some(told) = events.next().await {
//!     match told?.event {
//!         Event::Snapshot(opening) => println!("{} jobs are known", opening.jobs.len()),
//!         Event::Change(change) => println!("{} runners changed", change.runners.len()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Knows** where the daemon is, what can be asked of it, and what its answers are.
//! **Does not know** what anybody wants of it, and nothing of the daemon's inside but the shapes of its answers
//! ([`crate::http::dto`]).
//!
//! Invariants: both clients send the same for the same call; no answer is kept beyond a bound, nor waited for without one;
//! a credential goes to the address that was named and nowhere else, and not in the clear unless that was asked for; what a
//! later daemon adds to its answers is passed over.

mod address;
mod answer;
mod awaiting;
pub mod blocking;
pub mod call;
mod endpoint;
mod error;
mod events;
mod pager;
mod request;
mod tls;

pub(crate) use answer::settled;
pub use awaiting::Client;
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use events::Event;
pub use events::Told;
pub use request::Call;
pub use request::List;
pub use request::Raw;
pub use request::Request;
pub use request::Sheet;
