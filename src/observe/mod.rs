//! One look at the world: containers and registrations, joined.
//!
//! **Knows** how a container and a registration belong together.
//! **Does not know** what should be done, and deletes nothing. What could not be seen is said beside what was.

mod join;

pub use join::Sighting;
pub use join::join;
