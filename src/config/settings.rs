//! The file's content, checked and complete.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::model::CredentialName;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::Size;

/// All that the file and its drop-ins say, with defaults filled in and every rule kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// `[github]` as `default`, and `[credentials.NAME]`.
    pub credentials: BTreeMap<CredentialName, Credentials>,
    /// `[engine]`.
    pub engine: EngineSettings,
    /// `[host]`.
    pub host: HostSettings,
    /// `[http]`; none where nothing listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSettings>,
    /// `[api]`; none where it is served on the control socket alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSettings>,
    /// `api.read_group`: the group whose members may look at the control socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_group: Option<String>,
    /// `[webhook]`; none where no deliveries are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSettings>,
    /// `[history]`; not shown where it says nothing but what holds anyway.
    #[serde(skip_serializing_if = "HistorySettings::is_usual")]
    pub history: HistorySettings,
    /// `[telemetry]`; none where nothing is exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetrySettings>,
    /// `[pools.NAME]`, with `[defaults]` merged in.
    pub pools: BTreeMap<PoolName, Pool>,
}

/// Where GitHub is and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// Their name.
    pub name: CredentialName,
    /// `https://github.com`, `https://SUB.ghe.com`, or an Enterprise Server, without a trailing slash.
    pub url: String,
    /// The REST root, where it is not the one that follows from `url`.
    pub api_url: Option<String>,
    /// Who we are.
    pub auth: AuthSource,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for requests to GitHub.
    pub proxy: Option<String>,
    /// How often the queue of a repository that was active lately is read.
    pub poll_interval: Duration,
}

/// Who we are at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSource {
    /// A personal access token.
    Token(SecretSource),
    /// A GitHub App's installation.
    App {
        /// App id or client id.
        id: String,
        /// The installation; found by the scope's owner where it is not given.
        installation_id: Option<u64>,
        /// The App's private key, PEM.
        private_key: SecretSource,
    },
}

/// Where a secret is; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A systemd credential of this name, below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// The container engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineSettings {
    /// `unix:///run/docker.sock`.
    pub endpoint: String,
    /// A docker `config.json` with the registries' credentials.
    pub registry_auth: Option<SecretSource>,
    /// How many runners are made or taken away at the same time.
    pub concurrency: u32,
}

/// What all pools together may take, and what is kept of what is gone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostSettings {
    /// The name that tells this installation's runners from another's; from the machine id where it is not given.
    pub instance: Option<String>,
    /// Runners of all pools together.
    pub max_runners: u32,
    /// Processors that runners' limits together leave alone; none for no such budget.
    pub reserve_cpus: Option<f64>,
    /// Memory that runners' limits together leave alone; none for no such budget.
    pub reserve_memory: Option<Size>,
    /// Space that must be free where the engine keeps containers, or nothing is started.
    pub reserve_disk: Size,
    /// How long saved runner logs are kept.
    pub keep_logs: Duration,
    /// How long an image of ours that no pool names is kept.
    pub keep_images: Duration,
}

/// What listens on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpSettings {
    /// Where.
    pub listen: Listen,
    /// Addresses and networks of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Connections at the same time.
    pub connections: u32,
}

/// The API over TCP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiSettings {
    /// Where.
    pub listen: Listen,
    /// Certificate and key; none for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Bearer credentials that may look.
    pub read: Vec<SecretSource>,
    /// Bearer credentials that may look and steer.
    pub operate: Vec<SecretSource>,
    /// Origins of pages that may use it.
    pub cors_origins: Vec<String>,
    /// Connections at the same time.
    pub connections: u32,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsFiles {
    /// The certificate with its chain, PEM.
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// Where is listened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// At this address, unless the service manager passes a socket.
    Address(SocketAddr),
    /// At a socket that the service manager passes, and nowhere else.
    Passed,
}

/// What is done with the deliveries of webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookSettings {
    /// What signs deliveries.
    pub secret: SecretSource,
    /// A second secret that is good as well.
    pub old_secret: Option<SecretSource>,
    /// The path of the hook's address.
    pub path: String,
    /// The hook's public address.
    pub url: Option<String>,
    /// Whether only the networks that GitHub names may deliver.
    pub only_github: bool,
    /// The largest delivery that is read.
    pub max_body: Size,
    /// Requests a second of one address that may turn out bad.
    pub rate: u32,
}

/// What is kept of what was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistorySettings {
    /// Whether anything is.
    pub enabled: bool,
    /// Where the address of a PostgreSQL database is; none for a file in the state directory.
    pub url: Option<SecretSource>,
    /// How long jobs, runners and decisions are kept.
    pub retention: Duration,
    /// How long the audit trail is kept.
    pub audit_retention: Duration,
    /// How large the file may become.
    pub max_size: Size,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TelemetrySettings {
    /// The collector's address, without a trailing slash.
    pub endpoint: String,
    /// What is sent with each request, by the header's name in small letters.
    pub headers: BTreeMap<String, SecretSource>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The name of the service.
    pub service_name: String,
    /// The part of traces that is exported, from 0 to 1.
    pub sample: f64,
    /// How long the collector may take to answer.
    pub timeout: Duration,
}

impl HistorySettings {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for HistorySettings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self {
            enabled: true,
            url: None,
            retention: days(90),
            audit_retention: days(400),
            max_size: Size(4 << 30),
        }
    }
}
