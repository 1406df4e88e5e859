//! What the tests over HTTP share: a state, a client, a stand-in runner as a process.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

pub(crate) mod service;

use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use githubsim::Builder;
use githubsim::Sim;
use githubsim::State;
use serde_json::Value;
use serde_json::json;

pub(crate) const TOKEN: &str = "ghp_admin";
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) fn state() -> State {
    let mut state = State::default()
        .organization("acme")
        .repository("acme/app")
        .repository("acme/web")
        .public_repository("acme/site")
        .group("acme", 3, "ci", &["app"])
        .classic_token(TOKEN, &["repo", "admin:org"])
        .classic_token("ghp_weak", &["repo"])
        .fine_grained_token("github_pat_org", "acme", &[("organization_self_hosted_runners", "write")])
        .fine_grained_token("github_pat_read", "acme", &[("organization_self_hosted_runners", "read")]);
    state.settings.lost_after = Duration::from_secs(2);
    state.settings.offline_after = Duration::from_secs(1);
    state
}

pub(crate) fn builder() -> Builder {
    Sim::builder().state(state())
}

pub(crate) async fn start() -> Sim {
    builder().start().await.unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// One request, with these headers beside the usual ones.
pub(crate) async fn send(
    sim: &Sim,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Result<Answer, String> {
    let url = format!("{}{path}", sim.base_url());
    let method = method.to_string();
    let headers: Vec<(String, String)> =
        headers.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    tokio::task::spawn_blocking(move || exchange(&method, &url, &headers, &body)).await.unwrap()
}

fn exchange(method: &str, url: &str, headers: &[(String, String)], body: &Value) -> Result<Answer, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .user_agent("tests")
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let sent = agent.run(request.body(text).unwrap());
    let mut answer = sent.map_err(|e| e.to_string())?;
    let text = answer.body_mut().read_to_string().map_err(|e| e.to_string())?;
    let kind = answer.headers().get("content-type").map_or("", |v| v.to_str().unwrap());
    let body = match text.trim_start_matches('\u{feff}') {
        "" => Value::Null,
        text if kind.starts_with("text/") => text.into(),
        text => serde_json::from_str(text).map_err(|e| e.to_string())?,
    };
    Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body, text })
}

pub(crate) async fn with_token(sim: &Sim, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {token}");
    send(sim, method, path, &[("authorization", &bearer)], body).await.unwrap()
}

pub(crate) async fn get(sim: &Sim, path: &str) -> Answer {
    with_token(sim, TOKEN, "GET", path, Value::Null).await
}

pub(crate) async fn post(sim: &Sim, path: &str, body: Value) -> Answer {
    with_token(sim, TOKEN, "POST", path, body).await
}

/// Registers a just-in-time runner of the organization; gives its id and configuration.
pub(crate) async fn jit(sim: &Sim, name: &str, labels: &[&str]) -> (u64, String) {
    let body = json!({ "name": name, "runner_group_id": 1, "labels": labels });
    let made = post(sim, "/orgs/acme/actions/runners/generate-jitconfig", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let config = made.body["encoded_jit_config"].as_str().unwrap().to_string();
    (made.body["runner"]["id"].as_u64().unwrap(), config)
}

/// The stand-in runner as a process, killed when dropped.
pub(crate) struct Runner(pub(crate) Child);

impl Runner {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_standin-runner"))
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub(crate) fn with_jit(config: &str, more: &[(&str, &str)]) -> Self {
        Self::start(&[&[("ACTIONS_RUNNER_INPUT_JITCONFIG", config)], more].concat())
    }

    /// Waits for its end; gives the exit code and what it said.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            let mut output = self.0.stdout.take().unwrap();
            std::io::Read::read_to_string(&mut output, &mut said).unwrap();
            (self.0.wait().unwrap().code(), said)
        })
        .await
        .unwrap()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
