//! Time, taken from the machine at one place and shifted on request.
//!
//! Everything that decides takes a [`Moment`]: `wall` is what GitHub would print (and can be moved
//! forward, so that tokens expire), `up` only ever counts real time (so that moving the wall clock
//! does not make every runner look dead).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// One reading of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time GitHub shows.
    pub wall: SystemTime,
    /// How long the simulator has been running, never shifted.
    pub up: Duration,
}

impl Moment {
    /// A moment `secs` seconds after the simulator's start, for tests of the [`crate::World`].
    #[must_use]
    pub fn at(secs: u64) -> Self {
        let up = Duration::from_secs(secs);
        Self { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000) + up, up }
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }
}

/// A time as GitHub writes it: `2026-01-31T12:00:00Z`.
#[must_use]
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The clock of one running simulator.
#[derive(Debug)]
pub(crate) struct Clock {
    started: tokio::time::Instant,
    ahead_secs: AtomicU64,
}

impl Clock {
    /// A clock that shows the machine's time.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { started: tokio::time::Instant::now(), ahead_secs: AtomicU64::new(0) }
    }

    /// The present.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the simulator reads the wall clock")]
    pub(crate) fn now(&self) -> Moment {
        let ahead = Duration::from_secs(self.ahead_secs.load(Ordering::Relaxed));
        Moment { wall: SystemTime::now() + ahead, up: self.started.elapsed() }
    }

    /// Moves the wall clock forward, so that what expires does.
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_secs.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}
