//! Limits and lifetimes, which tests shorten and which can be changed while the simulator runs.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::human;

/// Limits and lifetimes of the simulated service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long an App's installation token is good for.
    #[serde(with = "human")]
    pub installation_token_lifetime: Duration,
    /// How long a registration or remove token is good for.
    #[serde(with = "human")]
    pub registration_token_lifetime: Duration,
    /// How long a runner that stopped polling is still listed as online.
    #[serde(with = "human")]
    pub offline_after: Duration,
    /// How long a job whose runner fell silent goes on before it counts as lost.
    #[serde(with = "human")]
    pub lost_after: Duration,
    /// How long an assigned job may stay unstarted before it goes back to the queue.
    #[serde(with = "human")]
    pub assign_timeout: Duration,
    /// How long an ephemeral runner may stay offline before its registration is removed.
    #[serde(with = "human")]
    pub offline_removal: Duration,
    /// How long an admin token of the Actions service is good for.
    #[serde(with = "human")]
    pub admin_token_lifetime: Duration,
    /// How long a token for a scale set's messages is good for.
    #[serde(with = "human")]
    pub queue_token_lifetime: Duration,
    /// How long a poll for messages is held (at GitHub about 50 s).
    #[serde(with = "human")]
    pub message_hold: Duration,
    /// How long a scale set's session lasts after its client fell silent.
    #[serde(with = "human")]
    pub scale_set_session_timeout: Duration,
    /// How long a job may wait in a scale set for a runner before it is taken back.
    #[serde(with = "human")]
    pub scale_set_pickup_timeout: Duration,
    /// How long it is then in no set; doubled each time.
    #[serde(with = "human")]
    pub scale_set_requeue_delay: Duration,
    /// How long a scale set without a client is kept.
    #[serde(with = "human")]
    pub scale_set_removal: Duration,
    /// How long a webhook's receiver may take.
    #[serde(with = "human")]
    pub hook_timeout: Duration,
    /// The addresses that `GET /meta` says deliveries come from.
    pub hook_addresses: Vec<String>,
    /// Offer jobs to scale sets, which must acquire them, as Enterprise Server does; else they get them.
    pub acquire_jobs: bool,
    /// Let scale sets have other labels than their names.
    pub scale_set_custom_labels: bool,
    /// Requests an hour for each user or installation.
    pub rate_limit: u64,
    /// Refuse every session, as GitHub does with runners that are too old.
    pub deprecated: bool,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            installation_token_lifetime: Duration::from_secs(3600),
            registration_token_lifetime: Duration::from_secs(3600),
            offline_after: Duration::from_secs(3),
            lost_after: Duration::from_secs(30),
            assign_timeout: Duration::from_secs(20),
            offline_removal: Duration::from_secs(86_400),
            admin_token_lifetime: Duration::from_secs(3600),
            queue_token_lifetime: Duration::from_secs(3600),
            message_hold: Duration::from_secs(5),
            scale_set_session_timeout: Duration::from_secs(120),
            scale_set_pickup_timeout: Duration::from_secs(300),
            scale_set_requeue_delay: Duration::from_secs(1),
            scale_set_removal: Duration::from_secs(7 * 86_400),
            hook_timeout: Duration::from_secs(10),
            hook_addresses: vec!["127.0.0.0/8".into(), "::1/128".into()],
            acquire_jobs: false,
            scale_set_custom_labels: true,
            rate_limit: 5000,
            deprecated: false,
            seed: 1,
        }
    }
}
