//! What several rungs of the ladder need: configurations and worlds in a few words.

#![allow(dead_code, reason = "each rung uses its part")]

pub(crate) mod build;
pub(crate) mod scene;
pub(crate) mod settle;
pub(crate) mod waiting;
