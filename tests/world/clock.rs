//! The wall clock of the world, which runs with tokio's.

use ghrunner::control::Clock;
use ghrunner::model::Time;

/// When every schedule begins: 2026-01-01T12:00:00Z.
pub(super) const BEGINNING: Time = Time(1_767_268_800_000);

pub(super) fn clock() -> Clock {
    Clock::starting_at(BEGINNING)
}
