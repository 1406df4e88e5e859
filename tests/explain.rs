//! Why a job waits, as its owner sees it: a job queued at the simulated GitHub, the real daemon, and what `explain`,
//! `jobs` and the journal say of it. Each reason has a test.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

#[path = "explain/bench.rs"]
mod bench;
#[path = "explain/github.rs"]
mod github;
#[path = "explain/host.rs"]
mod host;
#[path = "explain/pool.rs"]
mod pool;
mod rig;
