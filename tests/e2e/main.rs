//! The real daemon, the simulator and the real container engine together.
//!
//! Needs root, a container engine at its usual socket, and the target `x86_64-unknown-linux-gnu` to compile the stand-in
//! runner. Every test has an instance, pools, images and a simulator of its own, and leaves nothing behind. With
//! `GHRUNNER_EXCHANGE_LOG_DIR` set, what passed between the daemon and the simulator is kept there, a file for each test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "what was skipped, and which step failed, has to be seen")]

mod bench;
mod busy;
mod crash;
mod demand;
mod engine_away;
mod failing;
mod fleet;
mod github_away;
mod kinds;
mod lost_job;
mod operator;
mod private_engine;
mod registry;
mod scripts;
mod secrets;
mod tampering;
