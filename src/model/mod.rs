//! The domain's words, as plain data.
//!
//! **Knows** what a pool, a runner, a registration and an action are.
//! **Does not know** how any of them is read, decided or done: nothing here waits, logs or asks the clock.

mod action;
mod book;
mod demand;
pub mod history;
mod ids;
mod job;
mod meter;
mod mode;
pub mod percent;
mod pool;
mod runner;
mod scaling;
mod scope;
mod secret;
mod size;
mod spec;
mod time;
mod world;

pub use action::Action;
pub use action::CreateRunner;
pub use action::Held;
pub use action::HeldReason;
pub use action::PlaceReport;
pub use action::Plan;
pub use action::PoolReport;
pub use action::RegistrationRef;
pub use action::Report;
pub use action::RetireReason;
pub use book::Backoff;
pub use book::Book;
pub use book::InFlight;
pub use book::InFlightKind;
pub use book::Worked;
pub use demand::AccountView;
pub use demand::DemandView;
pub use demand::HookView;
pub use demand::RepoView;
pub use demand::SetId;
pub use demand::SetState;
pub use demand::SetStatistics;
pub use demand::SetView;
pub use demand::Wanted;
pub use demand::WantedPool;
pub use ids::ContainerId;
pub use ids::CredentialName;
pub use ids::GroupName;
pub use ids::ImageId;
pub use ids::InstanceId;
pub use ids::InvalidName;
pub use ids::PoolName;
pub use ids::RunnerId;
pub use ids::RunnerName;
pub use ids::Slot;
pub use ids::SpecHash;
pub use job::Job;
pub use job::JobId;
pub use job::JobState;
pub use meter::Calls;
pub use meter::Histogram;
pub use meter::Meter;
pub use meter::PoolReadings;
pub use meter::QUICK;
pub use meter::Readings;
pub use meter::Request;
pub use meter::SpanReadings;
pub use meter::Step;
pub use mode::Mode;
pub use pool::Demand;
pub use pool::Pool;
pub use pool::PoolScope;
pub use pool::Priority;
pub use pool::PullPolicy;
pub use pool::RegistrationKind;
pub use runner::Container;
pub use runner::ContainerState;
pub use runner::Phase;
pub use runner::PostMortem;
pub use runner::Registration;
pub use runner::Role;
pub use runner::Runner;
pub use runner::Usage;
pub use scaling::Hours;
pub use scaling::OnLostJob;
pub use scaling::PriorityRule;
pub use scaling::Scaling;
pub use scaling::Schedule;
pub use scaling::Zone;
pub use scope::InvalidScope;
pub use scope::Repo;
pub use scope::RepoPattern;
pub use scope::Scope;
pub use secret::Secret;
pub use size::InvalidSize;
pub use size::Size;
pub use spec::Capability;
pub use spec::DockerMode;
pub use spec::Gpus;
pub use spec::LogDriver;
pub use spec::NetworkMode;
pub use spec::RunnerSpec;
pub use spec::VolumeMount;
pub use time::Time;
pub use world::EngineView;
pub use world::HostView;
pub use world::ImageView;
pub use world::Leftover;
pub use world::RegistrationView;
pub use world::World;

/// What an error means for whoever has to go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// A passing fault: the next pass tries again.
    Retry,
    /// Trying the same again will fail the same way until someone changes something.
    Terminal,
    /// The credential is missing, wrong, expired or not allowed to do this.
    Auth,
    /// Nothing may be sent until this moment.
    Limited(Time),
}
