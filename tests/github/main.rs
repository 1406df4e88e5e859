//! The real client against a server that answers as each test wants it: every trap of GitHub's REST side is one test here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod server;

mod accounts;
mod credentials;
mod hooks;
mod limits;
mod listing;
mod polling;
mod queue;
mod registering;
mod scalesets;
mod scalesets_simulator;
mod simulator;
mod transport;
