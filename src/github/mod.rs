//! GitHub's REST side of self-hosted runners.
//!
//! **Knows** credentials, registrations, groups, limits.
//! **Does not know** the engine, the file, or why anything is asked.

mod accounts;
mod actions;
mod address;
mod answer;
mod api;
mod auth;
mod call;
mod client;
mod credential;
mod groups;
mod hooks;
mod identity;
mod jobs;
mod jwt;
mod ledger;
mod limits;
mod pages;
mod queue;
mod runners;
mod sets;
mod shelf;
mod spec;
mod transport;
mod wire;

pub use actions::parse_message;
pub use api::Access;
pub use api::CredentialState;
pub use api::GitHub;
pub use api::GitHubError;
pub use api::Jit;
pub use api::JitRequest;
pub use api::Quota;
pub use api::Removal;
pub use client::Client;
pub use groups::AccessList;
pub use groups::RunnerGroup;
pub use hooks::Delivery;
pub use hooks::Hooks;
pub use queue::AccountRepo;
pub use queue::Look;
pub use queue::Queue;
pub use sets::Message;
pub use sets::ScaleSets;
pub use sets::Session;
pub use sets::Set;
pub use sets::SetError;
pub use sets::SetNews;
pub use sets::SetSpec;
pub use spec::Auth;
pub use spec::Clock;
pub use spec::CredentialSpec;
pub use spec::SecretLoader;
pub use spec::Tuning;
