//! The poller in an hour that passes at once: a fake queue, and a clock that jumps to whatever comes next.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "poll/fake.rs"]
mod fake;

#[path = "poll/budget.rs"]
mod budget;
#[path = "poll/failures.rs"]
mod failures;
#[path = "poll/pace.rs"]
mod pace;
