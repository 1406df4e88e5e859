//! The intake of webhooks over real TCP: who is let in, what a request may cost, and what becomes of a delivery.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what is left out, and what was measured, is told"
)]
#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

#[path = "http_intake/bench.rs"]
mod bench;
#[path = "http_intake/flood.rs"]
mod flood;
#[path = "http_intake/gates.rs"]
mod gates;
#[path = "http_intake/passed.rs"]
mod passed;
#[path = "http_intake/payloads.rs"]
mod payloads;
#[path = "http_intake/simulated.rs"]
mod simulated;
#[path = "http_intake/taking.rs"]
mod taking;
