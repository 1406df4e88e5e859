//! What should be done, as a function of what was declared and what was seen.
//!
//! **Knows** targets, slots, drift, safety, backoff.
//! **Does not know** how anything is done. Nothing here waits, reads a clock, draws a random number of its own or
//! logs: `now` and a seed are arguments, and the answer is a value that tests compare.

mod advise;
mod backoff;
mod check;
mod explain;
mod hours;
mod moving;
mod phase;
mod places;
mod plan;
mod policy;
mod queue;
mod rank;
mod route;
mod scale;
mod share;
mod sources;
mod verdict;
mod wanted;
mod why;

pub use backoff::backoff;
pub use check::Note;
pub use check::check;
pub use explain::Question;
pub use explain::explain;
pub use explain::explanations;
pub use moving::Obstacle;
pub use moving::Probe;
pub use moving::Seen;
pub use moving::obstacles;
pub use phase::phase;
pub use phase::track;
pub use places::places;
pub use plan::plan;
pub use policy::Policy;
pub use queue::Waiting;
pub use rank::Rank;
pub use route::Unserved;
pub use route::Way;
pub use route::route;
pub use scale::Place;
pub use scale::Target;
pub use scale::Targets;
pub use scale::scale;
pub use verdict::Ending;
pub use verdict::Verdict;
pub use verdict::verdict;
pub use wanted::wanted;
pub use why::Explanation;
pub use why::Why;
