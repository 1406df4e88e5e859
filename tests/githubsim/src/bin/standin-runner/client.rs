//! The runner protocol over HTTP.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use ureq::Agent;

/// How long a poll is held.
pub(crate) const HOLD: Duration = Duration::from_secs(30);
/// What the stand-in says it is.
pub(crate) const VERSION: &str = "2.335.0";

/// Why a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// The server said no.
    #[error("{0}")]
    Status(u16, String),
    /// The server is away.
    #[error("{0}")]
    Away(String),
}

impl Failure {
    /// Whether to try again.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Status(500.., _))
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Status(status, _) => *status,
            Self::Away(_) => 0,
        }
    }
}

fn agent(limit: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(limit))
        .user_agent("VSServices/2.335.0.0 (stand-in runner)")
        .build()
        .into()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
    let mut answer = answer.map_err(|e| Failure::Away(e.to_string()))?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().map_err(|e| Failure::Away(e.to_string()))?;
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status < 300 {
        return Ok(body);
    }
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    Err(Failure::Status(status, message.to_string()))
}

/// Posts JSON, gives JSON (`null` for none).
pub(crate) fn post(url: &str, body: &Value) -> Result<Value, Failure> {
    read(agent(Duration::from_secs(15)).post(url).send_json(body))
}

/// One runner's connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    base: String,
}

impl Session {
    /// Opens the session of a registration.
    pub(crate) fn open(server: &str, secret: &str) -> Result<Self, Failure> {
        let body = json!({ "secret": secret, "version": VERSION });
        let made = post(&format!("{server}sessions"), &body)?;
        let id = made.get("session_id").and_then(Value::as_str).unwrap_or_default();
        Ok(Self { base: format!("{server}sessions/{id}") })
    }

    /// Waits for a job. `Null`: none yet.
    pub(crate) fn poll(&self) -> Result<Value, Failure> {
        let url = format!("{}/message?hold_ms={}", self.base, HOLD.as_millis());
        read(agent(HOLD + Duration::from_secs(10)).get(&url).call())
    }

    /// Tells how a job goes: `started`, `renewed` or `finished`.
    pub(crate) fn report(&self, job: u64, event: &str, conclusion: &str) -> Result<(), Failure> {
        let url = format!("{}/jobs/{job}/{event}", self.base);
        post(&url, &json!({ "conclusion": conclusion })).map(|_| ())
    }

    /// Says good-bye; not being heard is no harm.
    pub(crate) fn close(&self) {
        let _ = agent(Duration::from_secs(3)).delete(&self.base).call();
    }
}
