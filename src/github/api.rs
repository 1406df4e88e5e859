//! The calls that ghrunner makes to GitHub, and what it may answer.

use std::future::Future;

use serde::Deserialize;
use serde::Serialize;

use super::AccessList;
use crate::model::CredentialName;
use crate::model::ErrorClass;
use crate::model::GroupName;
use crate::model::Registration;
use crate::model::Repo;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::SetId;
use crate::model::Time;

/// What a just-in-time registration needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JitRequest {
    /// Where to register.
    pub scope: Scope,
    /// The runner group by name (organizations only); none for the default group.
    pub group: Option<GroupName>,
    /// The scale set to register in, at the Actions service; none registers by REST.
    pub set: Option<SetId>,
    /// The runner's name.
    pub name: RunnerName,
    /// Its labels; none is added by GitHub.
    pub labels: Vec<String>,
    /// Its work folder.
    pub work_folder: String,
}

/// A runner that GitHub now lists, and the single-use configuration with which it comes online.
#[derive(Debug, Clone)]
pub struct Jit {
    /// GitHub's number for it.
    pub id: RunnerId,
    /// The configuration, base64 as GitHub gave it.
    pub config: Secret,
}

/// What became of a registration that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is deleted.
    Removed,
    /// It was gone already.
    AlreadyGone,
    /// GitHub refuses: the runner is in a job.
    Busy,
}

/// What is left of a credential's budget, by GitHub's last answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests an hour.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When the hour is over.
    pub reset: Time,
}

/// How a credential stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialState {
    /// Its name.
    pub name: String,
    /// GitHub's address.
    pub url: String,
    /// Its budget, once GitHub has answered.
    pub quota: Option<Quota>,
    /// Nothing is sent until then, and why.
    pub limited: Option<(Time, String)>,
    /// Why it is refused or cannot be read, if it is.
    pub refused: Option<String>,
    /// Requests sent since the start.
    pub requests: u64,
    /// Of those, answered "not modified".
    pub not_modified: u64,
}

/// What a credential may do in a scope, for `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether runners can be listed there.
    pub list: Result<(), GitHubError>,
    /// The runner group's number, where one was asked for.
    pub group: Option<Result<u64, GitHubError>>,
    /// GitHub's clock minus ours, in milliseconds.
    pub clock_skew_ms: Option<i64>,
    /// When the credential expires, where GitHub tells (`github-authentication-token-expiration`).
    pub expires: Option<String>,
    /// The token's classic scopes, where it has some (`x-oauth-scopes`).
    pub classic_scopes: Option<String>,
}

/// What went wrong at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// The secret cannot be read, or is no token or key.
    #[error("credential {credential}: {why}")]
    Unusable {
        /// The credential's name.
        credential: CredentialName,
        /// What is wrong with it, and where it was looked for.
        why: String,
    },
    /// GitHub does not accept the credential (401).
    #[error("GitHub rejects credential {credential} for {call}: {message}")]
    Rejected {
        /// The credential's name.
        credential: CredentialName,
        /// What was asked.
        call: String,
        /// GitHub's words.
        message: String,
    },
    /// The credential may not do this (403).
    #[error("credential {credential} may not {call}: {message}; `ghrunner doctor` tells what it needs")]
    Forbidden {
        /// The credential's name.
        credential: CredentialName,
        /// What was asked.
        call: String,
        /// GitHub's words, with the permission it names.
        message: String,
    },
    /// A primary or secondary limit; nothing is sent until then.
    #[error("credential {credential} is limited until {until}: {message}")]
    Limited {
        /// The credential's name.
        credential: CredentialName,
        /// Until when.
        until: Time,
        /// GitHub's words.
        message: String,
    },
    /// There is no such thing, or the credential cannot see it (404).
    #[error("GitHub knows no {what}, or credential {credential} cannot see it{}", in_brackets(.needs.as_deref()))]
    NotFound {
        /// The credential's name.
        credential: CredentialName,
        /// What was asked for.
        what: String,
        /// The permission that it takes to see it, where GitHub names it.
        needs: Option<String>,
    },
    /// A runner of that name exists (409).
    #[error("a runner named {name} exists already")]
    NameTaken {
        /// The name.
        name: RunnerName,
    },
    /// GitHub refuses what was sent (422 and other 4xx).
    #[error("GitHub refused to {call}: {message} (status {status})")]
    Refused {
        /// What was asked.
        call: String,
        /// HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// GitHub is in trouble (5xx).
    #[error("GitHub failed to {call}: status {status}")]
    Failed {
        /// What was asked.
        call: String,
        /// HTTP status.
        status: u16,
    },
    /// No answer: connection, TLS, timeout.
    #[error("no answer from {url}: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// The system's words.
        why: String,
    },
    /// An answer that is not what GitHub describes.
    #[error("GitHub's answer to {call} makes no sense: {why}")]
    Malformed {
        /// What was asked.
        call: String,
        /// What is wrong.
        why: String,
    },
}

fn in_brackets(needs: Option<&str>) -> String {
    needs.map_or_else(String::new, |needs| format!(" (it {needs})"))
}

impl GitHubError {
    /// What it means for whoever goes on.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unusable { .. } | Self::Rejected { .. } | Self::Forbidden { .. } => ErrorClass::Auth,
            Self::Limited { until, .. } => ErrorClass::Limited(*until),
            Self::NotFound { .. } | Self::Refused { .. } => ErrorClass::Terminal,
            Self::NameTaken { .. }
            | Self::Failed { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. } => ErrorClass::Retry,
        }
    }
}

/// GitHub, for all credentials. One that fails leaves the calls of the others alone.
pub trait GitHub: Send + Sync + 'static {
    /// Registers a single-use runner. Whatever goes wrong after GitHub may have made it is mended here: the name is
    /// looked up and deleted before the error is returned.
    fn register(
        &self,
        credentials: &CredentialName,
        request: &JitRequest,
    ) -> impl Future<Output = Result<Jit, GitHubError>> + Send;

    /// A registration token of the scope, kept and reused until its last minutes.
    fn registration_token(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> impl Future<Output = Result<Secret, GitHubError>> + Send;

    /// All runners of a scope: complete, or an error.
    fn list(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> impl Future<Output = Result<Vec<Registration>, GitHubError>> + Send;

    /// The runner of that name, if there is one.
    fn find(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        name: &RunnerName,
    ) -> impl Future<Output = Result<Option<Registration>, GitHubError>> + Send;

    /// Deletes a registration.
    fn delete(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        id: RunnerId,
    ) -> impl Future<Output = Result<Removal, GitHubError>> + Send;

    /// Cancels a run; one that has ended already is no error.
    fn cancel_run(
        &self,
        credentials: &CredentialName,
        repo: &Repo,
        run: u64,
    ) -> impl Future<Output = Result<(), GitHubError>> + Send;

    /// The repositories that may use a runner group (all of the organization's with visibility `all`).
    fn admitted(
        &self,
        credentials: &CredentialName,
        org: &str,
        group: Option<&GroupName>,
    ) -> impl Future<Output = Result<AccessList, GitHubError>> + Send;

    /// What a credential may do in a scope.
    fn access(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        group: Option<&GroupName>,
    ) -> impl Future<Output = Access> + Send;

    /// GitHub's host for a credential, such as `https://github.com`.
    fn url(&self, credentials: &CredentialName) -> String;

    /// How the credentials stand.
    fn states(&self) -> Vec<CredentialState>;
}
