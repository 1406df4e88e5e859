//! What a set of credentials is made of, as this room takes it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::CredentialName;
use crate::model::Meter;
use crate::model::Secret;
use crate::model::Time;

/// Reads a secret anew. It is called before the first request, again when GitHub answers 401 (so that a rotated file is
/// picked up) and after [`super::Client::replace`]; the error says where it was looked for and what is wrong.
pub type SecretLoader = Arc<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Where GitHub is and how to speak to it.
#[derive(Debug, Clone)]
pub struct CredentialSpec {
    /// The credentials' name.
    pub name: CredentialName,
    /// `https://github.com`, `https://SUB.ghe.com`, or an Enterprise Server.
    pub url: String,
    /// The REST root, where it is not the one that follows from `url`.
    pub api_url: Option<String>,
    /// Who we are.
    pub auth: Auth,
    /// Certificates to trust beside the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Proxy for requests to GitHub, `http://[user:password@]host:port` or `https://…`.
    pub proxy: Option<String>,
}

/// Who we are at GitHub.
#[derive(Clone)]
pub enum Auth {
    /// A personal access token.
    Token(SecretLoader),
    /// A GitHub App's installation.
    App {
        /// App id or client id.
        id: String,
        /// The installation; found by the scope's owner where it is not given.
        installation_id: Option<u64>,
        /// The App's private key, PEM.
        private_key: SecretLoader,
    },
}

impl Auth {
    /// The secret behind it.
    pub(super) fn loader(&self) -> &SecretLoader {
        match self {
            Self::Token(loader) | Self::App { private_key: loader, .. } => loader,
        }
    }

    /// Whether two speak for the same account, as far as can be told without the secret.
    pub(super) fn same_account(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(_), Self::Token(_)) => true,
            (
                Self::App { id, installation_id, .. },
                Self::App { id: id2, installation_id: installation2, .. },
            ) => id == id2 && installation_id == installation2,
            _ => false,
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::App { id, installation_id, .. } => f
                .debug_struct("App")
                .field("id", id)
                .field("installation_id", installation_id)
                .finish_non_exhaustive(),
        }
    }
}

impl CredentialSpec {
    /// Whether what is known of the other's limits, tokens and listings holds for this one too.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.name == other.name
            && self.url == other.url
            && self.api_url == other.api_url
            && self.ca_file == other.ca_file
            && self.proxy == other.proxy
            && self.auth.same_account(&other.auth)
    }
}

/// How patient and how greedy the client is; the defaults fit GitHub, tests take smaller ones.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// For TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// For one request with its answer's body.
    pub request_timeout: Duration,
    /// For one wait for a scale set's message, which GitHub answers after about 50 seconds if there is none.
    pub poll_timeout: Duration,
    /// Points a minute for each credential. GitHub allows 900 (GET 1, writes 5), and other tools may share the account:
    /// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>.
    pub points_per_minute: u32,
    /// Requests at a time for each credential. GitHub allows 100 for all that an account does.
    pub concurrency: usize,
    /// The largest answer that is read; a page of 100 runners is about 60 KiB, of 100 repositories about 700 KiB.
    pub body_limit: usize,
    /// How long the mending after a lost registration may take.
    pub mend_timeout: Duration,
    /// How long nothing is sent for a credential that GitHub has just rejected and that has not changed since: repeated
    /// logins with bad credentials lock the account out
    /// (<https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#failed-login-limit>).
    pub rejected_pause: Duration,
    /// Counts and times the calls.
    pub meter: Arc<Meter>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            poll_timeout: Duration::from_secs(80),
            points_per_minute: 850,
            concurrency: 20,
            body_limit: 8 << 20,
            mend_timeout: Duration::from_secs(20),
            rejected_pause: Duration::from_secs(30),
            meter: Arc::default(),
        }
    }
}
