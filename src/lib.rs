//! `ghrunner` keeps a fleet of ephemeral GitHub Actions runners in the state that one file declares.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod decide;
pub mod demand;
pub mod engine;
pub mod execute;
pub mod github;
pub mod history;
pub mod http;
pub mod import;
pub mod model;
pub mod observe;
pub mod systemd;
pub mod telemetry;
