//! A client of the Actions service, as small as can be.

use std::cell::Cell;

use githubsim::Sim;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::post;
use super::send;

const VERSION: &str = "api-version=6.0-preview";

/// An admin connection to the service.
pub(crate) struct Service<'a> {
    pub(crate) sim: &'a Sim,
    /// The service's path, with the slash at its end.
    pub(crate) path: String,
    pub(crate) token: String,
}

/// A session of a scale set.
pub(crate) struct Queue<'a> {
    pub(crate) service: &'a Service<'a>,
    pub(crate) set: u64,
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) last: Cell<u64>,
    pub(crate) opened: Value,
}

/// Registers with the service for a place: `acme` or `acme/app`.
pub(crate) async fn enter<'a>(sim: &'a Sim, place: &str) -> Service<'a> {
    let kind = if place.contains('/') { "repos" } else { "orgs" };
    let made = post(sim, &format!("/{kind}/{place}/actions/runners/registration-token"), Value::Null).await;
    assert_eq!(made.status, 201);
    let url = format!("{}/{place}", sim.base_url());
    let answer = register(sim, made.body["token"].as_str().unwrap(), &url).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = answer.body["url"].as_str().unwrap().strip_prefix(&sim.base_url()).unwrap().to_string();
    assert!(path.len() > 1 && path.ends_with('/'));
    Service { sim, path, token: answer.body["token"].as_str().unwrap().to_string() }
}

pub(crate) async fn register(sim: &Sim, token: &str, url: &str) -> Answer {
    let secret = format!("RemoteAuth {token}");
    let headers = [("authorization", secret.as_str()), ("content-type", "application/json")];
    let body = json!({ "url": url, "runner_event": "register" });
    send(sim, "POST", "/actions/runner-registration", &headers, body).await.unwrap()
}

impl Service<'_> {
    pub(crate) async fn with(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let joined = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}_apis/{path}{joined}{VERSION}", self.path);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(self.sim, method, &url, &headers, body).await.unwrap()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.with(&self.token, method, path, body).await
    }

    pub(crate) async fn set(&self, name: &str, labels: &[&str]) -> u64 {
        let labels: Vec<Value> = labels.iter().map(|l| json!({ "name": l, "type": "System" })).collect();
        let body = json!({ "name": name, "runnerGroupId": 1, "labels": labels });
        let made = self.call("POST", "runtime/runnerscalesets", body).await;
        assert_eq!(made.status, 200, "{made:?}");
        made.body["id"].as_u64().unwrap()
    }

    pub(crate) async fn try_open(&self, set: u64, owner: &str) -> Answer {
        let path = format!("runtime/runnerscalesets/{set}/sessions");
        self.call("POST", &path, json!({ "ownerName": owner })).await
    }

    pub(crate) async fn open(&self, set: u64) -> Queue<'_> {
        let made = self.try_open(set, "here").await;
        assert_eq!(made.status, 200, "{made:?}");
        let text = |name: &str| made.body[name].as_str().unwrap().to_string();
        let url = text("messageQueueUrl").strip_prefix(&self.sim.base_url()).unwrap().to_string();
        Queue {
            service: self,
            set,
            id: text("sessionId"),
            url,
            token: text("messageQueueAccessToken"),
            last: Cell::new(0),
            opened: made.body.clone(),
        }
    }

    /// Registers a runner in a set; gives its id and configuration.
    pub(crate) async fn jit(&self, set: u64, name: &str) -> (u64, String) {
        let path = format!("runtime/runnerscalesets/{set}/generatejitconfig");
        let made = self.call("POST", &path, json!({ "name": name, "workFolder": "" })).await;
        assert_eq!(made.status, 200, "{made:?}");
        let config = made.body["encodedJITConfig"].as_str().unwrap().to_string();
        (made.body["runner"]["id"].as_u64().unwrap(), config)
    }
}

/// The jobs in a message.
pub(crate) fn jobs(message: &Answer) -> Vec<Value> {
    serde_json::from_str(message.body["body"].as_str().unwrap()).unwrap()
}

/// The kinds of the jobs in a message.
pub(crate) fn kinds(message: &Answer) -> Vec<String> {
    jobs(message).iter().map(|j| j["messageType"].as_str().unwrap().to_string()).collect()
}

impl Queue<'_> {
    /// One poll, with this capacity.
    pub(crate) async fn poll(&self, capacity: &str) -> Answer {
        let last = match self.last.get() {
            0 => String::new(),
            n => format!("&lastMessageId={n}"),
        };
        let bearer = format!("Bearer {}", self.token);
        let accept = format!("application/json; {VERSION}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("accept", accept.as_str()),
            ("x-scalesetmaxcapacity", capacity),
        ];
        send(self.service.sim, "GET", &format!("{}{last}", self.url), &headers, Value::Null).await.unwrap()
    }

    /// Deletes a message and goes on behind it.
    pub(crate) async fn delete(&self, message: &Answer) -> Answer {
        let id = message.body["messageId"].as_u64().unwrap();
        self.last.set(id);
        let (path, query) = self.url.split_once('?').unwrap();
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        let path = format!("{path}/{id}?{query}");
        send(self.service.sim, "DELETE", &path, &headers, Value::Null).await.unwrap()
    }

    /// A poll that gives a message, which is deleted; gives its jobs' kinds.
    pub(crate) async fn next(&self, capacity: &str) -> Vec<String> {
        let message = self.poll(capacity).await;
        assert_eq!(message.status, 200, "{message:?}");
        assert_eq!(self.delete(&message).await.status, 204);
        kinds(&message)
    }

    pub(crate) async fn refresh(&self) -> Answer {
        let path = format!("runtime/runnerscalesets/{}/sessions/{}", self.set, self.id);
        self.service.call("PATCH", &path, Value::Null).await
    }

    pub(crate) async fn close(&self) -> Answer {
        let path = format!("runtime/runnerscalesets/{}/sessions/{}", self.set, self.id);
        self.service.call("DELETE", &path, Value::Null).await
    }
}
