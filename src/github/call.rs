//! One call to GitHub, and how it can fail.

use http::Method;

use super::GitHubError;

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below the REST root without a leading slash, or a whole address that GitHub gave.
    pub(super) target: String,
    /// The body, as JSON.
    pub(super) body: Option<String>,
    /// What kind of call it is, the same for every scope.
    pub(super) kind: &'static str,
    /// What it does, to follow "GitHub refused to …".
    pub(super) label: String,
    /// What is not there when GitHub answers 404.
    pub(super) what: String,
    /// The tag of what we have, and the generation of the token that it was given to.
    pub(super) etag: Option<(u64, String)>,
}

impl Call {
    /// A call without a body.
    pub(super) fn new(
        method: Method,
        kind: &'static str,
        target: String,
        label: String,
        what: String,
    ) -> Self {
        Self { method, target, body: None, kind, label, what, etag: None }
    }

    /// What GitHub counts for it against the secondary limit
    /// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit>).
    pub(super) fn points(&self) -> u32 {
        if matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) { 1 } else { 5 }
    }

    /// An answer that is not what GitHub describes.
    pub(super) fn malformed(&self, why: impl Into<String>) -> GitHubError {
        GitHubError::Malformed { call: self.label.clone(), why: why.into() }
    }
}

/// A failure, and whether GitHub may have done what was asked all the same.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) error: GitHubError,
    pub(super) lost: bool,
}

impl Fault {
    /// A failure after which nobody knows whether it was done.
    pub(super) fn lost(error: GitHubError) -> Self {
        Self { error, lost: true }
    }
}

impl From<GitHubError> for Fault {
    fn from(error: GitHubError) -> Self {
        Self { error, lost: false }
    }
}

impl From<Fault> for GitHubError {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}
