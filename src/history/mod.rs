//! What was: jobs, runners with their post-mortems, decisions, and an audit trail that cannot be changed unnoticed.
//!
//! **Knows** which records follow from what the daemon shows and does, how they are kept in SQLite or PostgreSQL, and what
//! they come to.
//! **Does not know** how anything is decided or done, nor HTTP or command lines: it reads snapshots and deeds, and answers
//! through [`crate::control::Archive`].
//!
//! Invariants: nothing here is ever waited for by the control loop: what finds no room is dropped and counted; sums are
//! written in the transaction of the records they are made of; the database's address is told to nobody.

mod advise;
mod buckets;
mod bulk;
mod chain;
mod copy;
mod insert;
mod keep;
mod output;
mod place;
mod query;
mod recorder;
mod rollup;
mod schema;
mod series;
mod service;
mod stats;
mod store;
mod sums;
mod trouble;
mod writer;

pub use advise::Advice;
pub use advise::Limits;
pub use advise::advise;
pub use bulk::write_all;
pub use copy::CopyError;
pub use copy::FILE;
pub use copy::HEAD_FILE;
pub use copy::Held;
pub use copy::check;
pub use copy::make;
pub use copy::restore;
pub use keep::Retention;
pub use place::Place;
pub use recorder::Recorder;
pub use service::Ends;
pub use service::History;
pub use service::Options;
