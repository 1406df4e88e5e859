//! A stand-in for the parts of GitHub that self-hosted runners and their managers talk to.
//!
//! It keeps to GitHub's published description of its REST API and to what is known of its
//! behaviour beyond that, is strict in what it accepts, breaks on request, and writes down every
//! exchange. It knows nothing of the programs that are tested with it.
//!
//! ```no_run
//! use githubsim::{JobSpec, Sim, State};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let state = State::default()
//!     .organization("acme")
//!     .repository("acme/app")
//!     .classic_token("ghp_test", &["admin:org", "repo"]);
//! let sim = Sim::builder().state(state).start().await?;
//! sim.queue_job(&JobSpec::new("acme/app", &["self-hosted"]))?;
//! assert_eq!(sim.counters().jobs_queued, 1);
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! **Rooms**: `world` is GitHub's behaviour as plain synchronous state; `rest` maps requests to it
//! and back, and `service` does so for the Actions service, equally synchronous; `server` is the network, the log and the faults' effect on
//! connections; `faults` decides which requests they hit.

mod clock;
mod faults;
mod human;
mod image;
mod rest;
mod server;
mod service;
mod settings;
mod sim;
mod state;
mod world;

pub use clock::Moment;
pub use faults::Fault;
pub use faults::FaultError;
pub use faults::Faults;
pub use faults::Kind as FaultKind;
pub use image::Image;
pub use settings::Settings;
pub use sim::Builder;
pub use sim::Sim;
pub use sim::StartError;
pub use state::AppState;
pub use state::EnterpriseState;
pub use state::GroupState;
pub use state::HookState;
pub use state::InstallationState;
pub use state::OrganizationState;
pub use state::RepositoryState;
pub use state::State;
pub use state::StateError;
pub use state::TokenState;
pub use state::Visibility;
pub use world::Assignment;
pub use world::Counters;
pub use world::DeliveryView;
pub use world::Event;
pub use world::Holder;
pub use world::HookView;
pub use world::JobSpec;
pub use world::JobStatus;
pub use world::JobView;
pub use world::Outcome;
pub use world::Refusal;
pub use world::Registration;
pub use world::RunnerRequest;
pub use world::RunnerView;
pub use world::ScaleSetView;
pub use world::Scope;
pub use world::Snapshot;
pub use world::World;
