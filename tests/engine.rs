//! The engine room against a real engine: `DOCKER_HOST`, or the system's own.

// Helpers of tests, which clippy takes for code outside of tests.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "engine/dind.rs"]
mod dind;
#[path = "engine/faults.rs"]
mod faults;
#[path = "engine/lab.rs"]
mod lab;
#[path = "engine/lifecycle.rs"]
mod lifecycle;
#[path = "engine/measure.rs"]
mod measure;
#[path = "engine/pulls.rs"]
mod pulls;
#[path = "engine/usage.rs"]
mod usage;
