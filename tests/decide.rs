//! Rung 1: `decide` by examples that people can read, by properties of arbitrary worlds, and its checker by plans
//! that break one rule each.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test itself")]

mod common;

#[path = "decide/demand.rs"]
mod demand;
#[path = "decide/golden.rs"]
mod golden;
#[path = "decide/over.rs"]
mod over;
#[path = "decide/planted.rs"]
mod planted;
#[path = "decide/properties.rs"]
mod properties;
#[path = "decide/sketch.rs"]
mod sketch;
