//! The sources of demand: what polls, deliveries and scale sets tell, as one level.
//!
//! **Knows** how jobs that wait are heard of, how often to ask, and what to do when a source fails.
//! **Does not know** which pool serves a job, how many runners that makes, or how one is started.

mod hooks;
mod hub;
mod poll;
mod sets;
mod state;

pub use hooks::Book;
pub use hooks::Heard;
pub use hooks::HeardJob;
pub use hooks::HookEvent;
pub use hooks::HookSettings;
pub use hooks::HookSource;
pub use hooks::Inlet;
pub use hooks::JobNews;
pub use hooks::KeptHeard;
pub use hooks::Overflow;
pub use hooks::RunNews;
pub use hooks::Stage;
pub use hooks::merge;
pub use hooks::parse as parse_hook;
pub use hub::Hub;
pub use poll::Poll;
pub use poll::Polled;
pub use poll::RepoRead;
pub use sets::SetDemand;
pub use sets::Sets;
