//! One request, and who sent it.

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::world::Credential;
use crate::world::Refusal;

/// A request as the REST API sees it: the base path is taken off.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Without the query and without `/api/v3`.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What to put before paths in links: `http://host:port` or `http://host:port/api/v3`.
    pub(crate) api: String,
    /// `http://host:port`.
    pub(crate) web: String,
    /// Where runners reach the simulator.
    pub(crate) service: String,
}

/// What an injected fault does to GitHub's behaviour, as opposed to its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    /// Accept the deletion of a busy runner.
    pub(crate) delete_busy: bool,
    /// Say of busy runners that they are not.
    pub(crate) hide_busy: bool,
    /// Leave out of listings each runner whose name matches.
    pub(crate) omit: Option<String>,
    /// Say of each scale set that it has this many jobs.
    pub(crate) statistics: Option<u64>,
    /// Open sessions without telling where their messages are.
    pub(crate) no_queue_url: bool,
    /// Give no messages, only let polls wait.
    pub(crate) withhold: bool,
    /// Give the last message again, deleted or not.
    pub(crate) duplicate: bool,
    /// Tell of running jobs that they are over.
    pub(crate) early_completed: bool,
    /// End the scale set's session first; `true` so that nobody knows it any more.
    pub(crate) end_session: Option<bool>,
    /// Delete the scale set first.
    pub(crate) drop_set: bool,
    /// Never make the delivery.
    pub(crate) lose: bool,
    /// Make the delivery after the next one.
    pub(crate) reorder: bool,
    /// Sign the delivery with another secret.
    pub(crate) mis_sign: bool,
}

/// Who sent it.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Known(Credential),
    Nobody,
}

impl Who {
    pub(crate) fn known(&self) -> Result<&Credential, Refusal> {
        match self {
            Self::Known(credential) => Ok(credential),
            Self::Nobody => Err(Refusal::Unauthorized("Requires authentication")),
        }
    }

    pub(crate) fn budget_name(&self) -> Option<String> {
        match self {
            Self::Known(credential) => Some(credential.budget().0),
            Self::Nobody => None,
        }
    }
}

impl Call {
    /// Takes a request apart; `/api/v3` before the path is an Enterprise Server's address.
    pub(crate) fn new(
        method: &str,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
        web: String,
        service: String,
    ) -> Self {
        let (path, api) = match path.strip_prefix("/api/v3") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (rest, format!("{web}/api/v3")),
            _ => (path, web.clone()),
        };
        let query = self::query(query.unwrap_or_default());
        Self { method: method.into(), path: path.into(), query, headers, body, api, web, service }
    }

    /// The simulator's own view, as of a request to this path.
    pub(crate) fn at_path(&self, path: &str) -> Self {
        let (web, service) = (self.web.clone(), self.service.clone());
        Self::new("GET", path, None, HeaderMap::new(), Bytes::new(), web, service)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|s| !s.is_empty()).collect()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; an empty one is `T`'s default.
    pub(crate) fn json<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        let value: serde_json::Value = serde_json::from_slice(&self.body)
            .map_err(|_| Refusal::BadRequest("Problems parsing JSON".into()))?;
        if !value.is_object() && !value.is_array() {
            return Err(Refusal::BadRequest("Body should be a JSON object".into()));
        }
        serde_json::from_value(value).map_err(|e| Refusal::Invalid(format!("Invalid request.\n\n{e}")))
    }
}

/// A path part that is a number.
pub(crate) fn number(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

/// Takes `%41` escapes out of a path or query part.
pub(crate) fn unescaped(text: &str, plus: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if plus && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parts of a query string.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (unescaped(k, true), unescaped(v, true)))
        .collect()
}
