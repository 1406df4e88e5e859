//! The packages on a booted Debian: systemd as the first process, apt, the journal, an engine of the machine's own, and a
//! simulated GitHub outside of it.
//!
//! Needs root, a container engine, and two folders that `scripts/release.sh` filled: `$GHRUNNER_DIST`, and
//! `$GHRUNNER_DIST_NEWER` with newer packages of the same program (`--version-suffix +1`). Each test boots a machine of its own, which takes seconds,
//! and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "what a person would see is shown")]

mod first_steps;
mod hooks;
mod life;
mod machine;
mod mode;
mod packages;
mod secrets;
mod site;
