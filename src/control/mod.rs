//! The pass, its triggers, and the facade for people.
//!
//! **Knows** when to look, and carries what one pass learnt to the next.
//! **Does not know** HTTP, command lines or databases; it decides nothing and touches neither engine nor GitHub but
//! through `observe` and `execute`.

mod clock;
mod deeds;
mod facade;
mod listings;
mod measure;
mod memory;
mod reconcile;
mod samples;
mod settle;
mod snapshot;
mod state;
mod status;
mod survey;
mod tell;
mod trend;
mod watch;

pub use crate::decide::Explanation;
pub use crate::decide::Obstacle;
pub use crate::decide::Question;
pub use crate::decide::Why;
pub use clock::Clock;
pub use deeds::Archive;
pub use deeds::ArchiveError;
pub use deeds::Deed;
pub use deeds::Deeds;
pub use deeds::DeedsTaken;
pub use deeds::Recalled;
pub use facade::Command;
pub use facade::Facade;
pub use facade::FacadeError;
pub use facade::LogStream;
pub use reconcile::Apply;
pub use reconcile::Control;
pub use reconcile::Inputs;
pub use reconcile::Loaded;
pub use reconcile::Loader;
pub use snapshot::ConfigState;
pub use snapshot::PoolState;
pub use snapshot::RunnerState;
pub use snapshot::Snapshot;
pub use state::StateDir;
pub use trend::Sample;
pub use trend::TREND_EVERY;
pub use trend::TREND_KEPT;
pub use trend::Trend;
pub use watch::WatchedFiles;
