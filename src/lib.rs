//! `ghrunner` keeps a fleet of ephemeral GitHub Actions runners in the state that one file declares.
//!
//! As a program it is described in its manual. As a library it is what that program is made of, of which one room is meant
//! for others: [`client`], which asks a running daemon whatever its API has an answer to. The other rooms change as the
//! program needs it.
//!
//! From a program that waits, on the daemon's own machine:
//!
//! ```no_run
//! use ghrunner::client::Endpoint;
//! use ghrunner::client::blocking::Client;
//! use ghrunner::client::call;
//!
//! # fn main() -> Result<(), ghrunner::client::ClientError> {
//! let daemon = Client::new(&Endpoint::socket("/run/ghrunner/ghrunner.sock"))?;
//! for job in daemon.all(call::jobs())? {
//!     println!("{}: {}", job.job.map_or_else(String::new, |job| job.name), job.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! From one that awaits, over the network:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use ghrunner::client::Client;
//! use ghrunner::client::Endpoint;
//! use ghrunner::client::call;
//! use ghrunner::model::Secret;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let credential = Secret::new(std::fs::read_to_string("/etc/deploy/ghrunner-credential")?);
//! let daemon = Client::new(&Endpoint::network("https://ci.example:9184", credential))?;
//! daemon.ask(call::scale_up_pool("build", 4, Duration::from_secs(1800))).await?;
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod client;
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
pub mod mcp;
pub mod model;
pub mod observe;
pub mod systemd;
pub mod telemetry;
