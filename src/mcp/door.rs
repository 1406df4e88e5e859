//! The way to the API: what a tool may ask of it, and what comes back.

use futures_util::future::BoxFuture;
use http::Extensions;
use http::Method;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::ClientError;
use crate::http::Problem;
use crate::model::percent::encode;

/// The most pages of one list: a million items.
const MAX_PAGES: usize = 1000;

/// One call of the API.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Its method.
    pub(super) method: Method,
    /// Path and query, escaped.
    pub(super) target: String,
    /// What is sent along, as JSON.
    pub(super) body: Option<Value>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// The JSON.
    pub(super) body: bytes::Bytes,
    /// Where a list goes on.
    pub(super) next: Option<String>,
}

/// A way to the API.
pub(super) trait Door: Send + Sync {
    /// Whether whoever sent a request may steer, by the request's extensions. What an agent is shown follows from it; what
    /// it may do does not.
    fn may_steer(&self, from: &Extensions) -> bool;

    /// Asks the API, as whoever sent the request that these extensions are of.
    fn call<'a>(&'a self, from: &'a Extensions, call: Call) -> BoxFuture<'a, Result<Answer, Problem>>;
}

/// What a tool that only looks is handed.
#[derive(Clone, Copy)]
pub(super) struct Looker<'a> {
    door: &'a dyn Door,
    from: &'a Extensions,
}

/// What a tool that steers is handed.
#[derive(Clone, Copy)]
pub(super) struct Steerer<'a>(Looker<'a>);

impl<'a> Looker<'a> {
    /// Through this door, as whoever these extensions name.
    pub(super) fn new(door: &'a dyn Door, from: &'a Extensions) -> Self {
        Self { door, from }
    }

    /// `GET`.
    pub(super) async fn get<T: DeserializeOwned>(&self, target: impl Into<String>) -> Result<T, Problem> {
        read(&self.call(Method::GET, target.into(), None).await?)
    }

    /// All pages of a list.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Problem> {
        let (mut all, mut target) = (Vec::new(), path.to_owned());
        for _ in 0..MAX_PAGES {
            let answer = self.call(Method::GET, target, None).await?;
            all.append(&mut read(&answer)?);
            match answer.next {
                Some(next) => target = next,
                None => break,
            }
        }
        Ok(all)
    }

    async fn call(&self, method: Method, target: String, body: Option<Value>) -> Result<Answer, Problem> {
        self.door.call(self.from, Call { method, target, body }).await
    }
}

impl<'a> Steerer<'a> {
    /// Through this door, as whoever these extensions name.
    pub(super) fn new(door: &'a dyn Door, from: &'a Extensions) -> Self {
        Self(Looker::new(door, from))
    }

    /// Who steers looks, too.
    pub(super) fn look(&self) -> &Looker<'a> {
        &self.0
    }

    /// `POST` without a body.
    pub(super) async fn order<T: DeserializeOwned>(&self, target: impl Into<String>) -> Result<T, Problem> {
        read(&self.0.call(Method::POST, target.into(), None).await?)
    }

    /// `POST`.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        target: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        let body = serde_json::to_value(body).map_err(|error| malformed(&error))?;
        read(&self.0.call(Method::POST, target.into(), Some(body)).await?)
    }

    /// `DELETE`.
    pub(super) async fn delete<T: DeserializeOwned>(&self, target: impl Into<String>) -> Result<T, Problem> {
        read(&self.0.call(Method::DELETE, target.into(), None).await?)
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Problem> {
    serde_json::from_slice(&answer.body).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("the daemon's answer makes no sense to this version of ghrunner: {error}");
    Problem::new(StatusCode::BAD_GATEWAY, "malformed", detail)
}

/// What a call that came to nothing means, as the daemon itself would say it.
pub(super) fn problem(error: ClientError) -> Problem {
    let (status, code) = match error {
        ClientError::Refused(problem) => return *problem,
        ClientError::NotRunning { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_running"),
        ClientError::Permission { .. } => (StatusCode::FORBIDDEN, "forbidden"),
        ClientError::Late { .. } => (StatusCode::GATEWAY_TIMEOUT, "too_slow"),
        ClientError::Malformed(_) => (StatusCode::BAD_GATEWAY, "malformed"),
        _ => (StatusCode::BAD_GATEWAY, "broken"),
    };
    let detail = match &error {
        ClientError::NotRunning { .. } => {
            format!(
                "{error}: ghrunner is not running; `systemctl status ghrunner` says why, and --socket names another socket"
            )
        }
        _ => error.to_string(),
    };
    Problem::new(status, code, detail)
}

/// A path of the API with a name in it.
pub(super) fn named(before: &str, name: &str, after: &str) -> String {
    format!("/api/v1/{before}/{}{after}", encode(name))
}

/// A path with those of its parameters that are given.
pub(super) fn asking(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let pairs: Vec<String> = given.map(|(key, value)| format!("{key}={}", encode(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_given_leaves_its_place() {
        assert_eq!(named("pools", "../mode?x=1", "/drain"), "/api/v1/pools/..%2Fmode%3Fx%3D1/drain");
        let given = [("pool", Some("a&b=c".to_owned())), ("repo", None), ("limit", Some("3".to_owned()))];
        assert_eq!(asking("/api/v1/history", &given), "/api/v1/history?pool=a%26b%3Dc&limit=3");
        assert_eq!(asking("/api/v1/history", &given[1..2]), "/api/v1/history");
    }

    #[test]
    fn a_refusal_keeps_its_words_and_any_other_trouble_gets_some() {
        let refused = Problem::new(StatusCode::NOT_FOUND, "no_such_pool", "there is no pool x");
        assert_eq!(problem(ClientError::Refused(Box::new(refused))).code, "no_such_pool");
        let away = problem(ClientError::NotRunning { at: "/run/x.sock".to_owned() });
        assert_eq!((away.code.as_str(), away.status), ("not_running", 503));
        assert!(
            away.detail.contains("/run/x.sock") && away.detail.contains("systemctl status"),
            "{}",
            away.detail
        );
        let late = problem(ClientError::Late { after: std::time::Duration::from_secs(60) });
        assert_eq!(late.code, "too_slow");
        assert!(late.detail.contains("60 s"), "{}", late.detail);
    }
}
