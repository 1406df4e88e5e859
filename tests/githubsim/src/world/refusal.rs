//! Why GitHub says no. Statuses and bodies are made of it at the edge.

/// A refusal in GitHub's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400.
    #[error("{0}")]
    BadRequest(String),
    /// 401.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("Not Found")]
    NotFound,
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 422.
    #[error("{0}")]
    Invalid(String),
    /// 301 (or 307 for writes): the repository is now called this.
    #[error("Moved Permanently")]
    Moved(String),
    /// 403 with no requests left until then (seconds since 1970).
    #[error("API rate limit exceeded for {0}")]
    RateLimited(String),
}

impl Refusal {
    /// 401 of a token that is unknown, expired or revoked.
    pub(crate) const BAD_CREDENTIALS: Self = Self::Unauthorized("Bad credentials");

    /// 403 of somebody who is no administrator.
    pub(crate) fn not_admin() -> Self {
        Self::Forbidden("Must have admin rights to Repository.".into())
    }
}
