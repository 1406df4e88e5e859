//! What agents are served: the tools, who may call which, and what is told of it, over standard input and output and over
//! HTTP, before a made-up fleet and before the real daemon.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;
#[path = "mcp/gates.rs"]
mod gates;
#[path = "mcp/peer.rs"]
mod peer;
mod rig;
#[path = "mcp/tools.rs"]
mod tools;
#[path = "mcp/trail.rs"]
mod trail;
