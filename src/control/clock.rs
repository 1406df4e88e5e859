//! The one place that asks what time it is.

use tokio::time::Instant;

use crate::model::Time;

/// The wall clock, or, for tests under a paused runtime, one that runs with tokio's.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Option<(Time, Instant)>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that shows `start` now and goes on with tokio's time.
    pub fn starting_at(start: Time) -> Self {
        Self(Some((start, Instant::now())))
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        match self.0 {
            Some((start, origin)) => start + origin.elapsed(),
            None => wall(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
