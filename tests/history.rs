//! The history on a real database: always SQLite, and PostgreSQL where `GHRUNNER_TEST_POSTGRES` has an address.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "history/bench.rs"]
mod bench;
#[path = "history/faults.rs"]
mod faults;
#[path = "history/postgres.rs"]
mod postgres;
#[path = "history/suite.rs"]
mod suite;
