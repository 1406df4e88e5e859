//! Webhooks: hooks over the REST API, and deliveries to a receiver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use common::*;
use githubsim::JobSpec;
use githubsim::Sim;
use ring::hmac;
use serde_json::Value;
use serde_json::json;

const SECRET: &str = "It's a secret";

/// What a receiver got, and how it answers.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<Mutex<u16>>,
}

#[derive(Clone, Debug)]
struct Got {
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// `EVENT/ACTION`, or only the event where there is no action.
    fn what(&self) -> String {
        match self.json()["action"].as_str() {
            Some(action) => format!("{}/{action}", self.header("x-github-event")),
            None => self.header("x-github-event").to_string(),
        }
    }

    fn signed_with(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let hex = self.header("x-hub-signature-256").strip_prefix("sha256=").unwrap();
        let tag = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
        hmac::verify(&key, self.body.as_bytes(), &tag.collect::<Vec<u8>>()).is_ok()
    }
}

async fn receive(Shared(to): Shared<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    to.got.lock().unwrap().push(Got { headers, body });
    StatusCode::from_u16(*to.status.lock().unwrap()).unwrap()
}

impl Receiver {
    /// Listens; gives itself and its address.
    async fn start() -> (Self, String) {
        let me = Self { status: Arc::new(Mutex::new(202)), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().fallback(receive).with_state(me.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (me, url)
    }

    fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    fn whats(&self) -> Vec<String> {
        self.all().iter().map(Got::what).collect()
    }

    fn answer_with(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    async fn wait_for(&self, count: usize) -> Vec<Got> {
        let limit = tokio::time::Instant::now() + SOON;
        while self.all().len() < count {
            assert!(tokio::time::Instant::now() < limit, "only {:?}", self.whats());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.all()
    }
}

/// A simulator with a hook of the organization.
async fn hooked(events: &[&str]) -> (Sim, Receiver) {
    let (receiver, url) = Receiver::start().await;
    let mut state = state().hook("acme", &url, SECRET, events);
    state.tokens[0].scopes.as_mut().unwrap().push("admin:org_hook".into());
    (Sim::builder().state(state).start().await.unwrap(), receiver)
}

fn job() -> JobSpec {
    JobSpec::new("acme/app", &["self-hosted"]).lasting(Duration::from_millis(100))
}

async fn tried(sim: &Sim, count: usize) {
    let limit = tokio::time::Instant::now() + SOON;
    while sim.with_world(|w, _| w.hook_views()[0].deliveries.len()) < count {
        assert!(tokio::time::Instant::now() < limit);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_job_is_told_of_from_queue_to_end() {
    let (sim, receiver) = hooked(&["workflow_job", "workflow_run"]).await;
    let id = sim.queue_job(&job().on("push", "topic")).unwrap()[0];
    let (_, config) = jit(&sim, "r", &["self-hosted"]).await;
    assert_eq!(Runner::with_jit(&config, &[]).end().await.0, Some(0));
    let got = receiver.wait_for(6).await;
    assert_eq!(
        receiver.whats(),
        [
            "workflow_run/requested",
            "workflow_job/queued",
            "workflow_job/in_progress",
            "workflow_run/in_progress",
            "workflow_job/completed",
            "workflow_run/completed"
        ]
    );
    assert!(got.iter().all(|g| g.signed_with(SECRET)));
    let queued = got[1].json();
    assert_eq!(
        (&queued["workflow_job"]["id"], &queued["workflow_job"]["status"]),
        (&json!(id), &json!("queued"))
    );
    assert_eq!(queued["workflow_job"]["labels"], json!(["self-hosted"]));
    assert_eq!(queued["workflow_job"]["head_branch"], "topic");
    assert_eq!(queued["workflow_job"]["runner_name"], Value::Null);
    assert_eq!(queued["repository"]["full_name"], "acme/app");
    assert_eq!(queued["organization"]["login"], "acme");
    assert_eq!(got[2].json()["workflow_job"]["runner_name"], "r");
    assert_eq!(got[4].json()["workflow_job"]["conclusion"], "success");
    assert_eq!(got[5].json()["workflow_run"]["conclusion"], "success");
    for name in ["x-github-delivery", "x-github-hook-id"] {
        assert!(!got[0].header(name).is_empty());
    }
    assert!(got[0].header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(got[0].header("content-type"), "application/json");
    sim.stop().await;
}

#[tokio::test]
async fn a_hook_is_made_pinged_changed_and_deleted() {
    let (sim, receiver) = hooked(&["workflow_job"]).await;
    let (second, url) = Receiver::start().await;
    let config = json!({ "url": url, "content_type": "form", "secret": SECRET });
    let body = json!({ "name": "web", "config": config, "events": ["repository"] });
    let hooks = "/repos/acme/app/hooks";
    let made = post(&sim, hooks, body.clone()).await;
    assert_eq!((made.status, &made.body["config"]["secret"]), (201, &json!("********")));
    let ping = &second.wait_for(1).await[0];
    assert_eq!(
        (ping.header("x-github-event"), ping.header("content-type")),
        ("ping", "application/x-www-form-urlencoded")
    );
    assert!(ping.body.starts_with("payload=%7B") && ping.signed_with(SECRET));
    assert_eq!(post(&sim, hooks, body).await.status, 422);
    assert_eq!(post(&sim, hooks, json!({ "config": {} })).await.status, 422);
    let path = format!("{hooks}/{}", made.body["id"]);
    let json = json!({ "config": { "url": url, "content_type": "json" }, "events": ["repository"] });
    assert_eq!(with_token(&sim, TOKEN, "PATCH", &path, json).await.body["config"]["content_type"], "json");
    sim.with_world(|w, _| w.rename_repository("acme/app", "application")).unwrap();
    let renamed = second.wait_for(2).await[1].json();
    assert_eq!(renamed["changes"]["repository"]["name"]["from"], "app");
    assert_eq!(renamed["repository"]["full_name"], "acme/application");
    let path = path.replace("acme/app/", "acme/application/");
    assert_eq!(with_token(&sim, TOKEN, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(get(&sim, &path).await.status, 404);
    assert_eq!(with_token(&sim, "ghp_weak", "GET", "/orgs/acme/hooks", Value::Null).await.status, 404);
    assert_eq!(receiver.all().len(), 0);
    sim.stop().await;
}

#[tokio::test]
async fn a_failed_delivery_is_listed_and_made_again() {
    let (sim, receiver) = hooked(&["workflow_job"]).await;
    receiver.answer_with(500);
    sim.queue_job(&JobSpec { count: 3, ..job() }).unwrap();
    tried(&sim, 3).await;
    receiver.answer_with(200);
    let hooks = get(&sim, "/orgs/acme/hooks").await;
    let path = format!("/orgs/acme/hooks/{}/deliveries", hooks.body[0]["id"]);
    let page = get(&sim, &format!("{path}?per_page=2&status=failure")).await;
    assert_eq!(page.body.as_array().unwrap().len(), 2);
    assert_eq!(
        (&page.body[0]["status_code"], &page.body[0]["event"], &page.body[0]["action"]),
        (&json!(500), &json!("workflow_job"), &json!("queued"))
    );
    let link = page.header("link");
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let rest = get(&sim, next.strip_prefix(&sim.base_url()).unwrap()).await;
    assert_eq!((rest.body.as_array().unwrap().len(), rest.header("link")), (1, ""));
    let one = format!("{path}/{}", rest.body[0]["id"]);
    let whole = get(&sim, &one).await;
    assert_eq!(whole.body["request"]["payload"]["action"], "queued");
    assert_eq!(whole.body["request"]["headers"]["x-github-event"], "workflow_job");
    let again = post(&sim, &format!("{one}/attempts"), Value::Null).await;
    assert_eq!((again.status, again.body), (202, json!({})));
    let got = receiver.wait_for(4).await;
    assert_eq!(got[3].header("x-github-delivery"), got[0].header("x-github-delivery"));
    tried(&sim, 4).await;
    let newest = get(&sim, &format!("{path}?per_page=1")).await;
    assert_eq!((&newest.body[0]["redelivery"], &newest.body[0]["status"]), (&json!(true), &json!("OK")));
    sim.stop().await;
}

#[tokio::test]
async fn deliveries_are_lost_doubled_forged_and_overtaken_on_request() {
    let (sim, receiver) = hooked(&["workflow_job"]).await;
    sim.faults("HOOK **/workflow_job/queued drop count=1").unwrap();
    sim.queue_job(&job()).unwrap();
    sim.faults("HOOK ** duplicate count=1").unwrap();
    let waits = JobSpec { waiting: true, ..job() };
    sim.queue_job(&waits).unwrap();
    let got = receiver.wait_for(2).await;
    assert_eq!(receiver.whats(), ["workflow_job/waiting", "workflow_job/waiting"]);
    assert_eq!(got[0].header("x-github-delivery"), got[1].header("x-github-delivery"));
    sim.faults("HOOK ** mis-sign count=1").unwrap();
    sim.queue_job(&job()).unwrap();
    assert!(!receiver.wait_for(3).await[2].signed_with(SECRET));
    sim.faults("HOOK ** reorder count=1").unwrap();
    let id = sim.queue_job(&job()).unwrap()[0];
    sim.with_world(|w, now| w.cancel_job(id, now)).unwrap();
    receiver.wait_for(5).await;
    assert_eq!(receiver.whats()[3..], ["workflow_job/completed", "workflow_job/queued"]);
    sim.faults("HOOK ** reset count=1").unwrap();
    sim.queue_job(&job()).unwrap();
    tried(&sim, 6).await;
    let codes = sim.with_world(|w, _| w.hook_views()[0].deliveries.last().unwrap().code);
    assert_eq!((codes, receiver.all().len()), (502, 5));
    sim.stop().await;
}

#[tokio::test]
async fn faults_of_requests_leave_deliveries_alone() {
    let (sim, receiver) = hooked(&["*"]).await;
    sim.faults("* ** status=503").unwrap();
    sim.with_world(|w, _| w.archive_repository("acme/app", true)).unwrap();
    assert_eq!(receiver.wait_for(1).await[0].what(), "repository/archived");
    sim.stop().await;
}

#[tokio::test]
async fn meta_names_where_deliveries_come_from() {
    let (sim, _) = hooked(&["*"]).await;
    assert_eq!(get(&sim, "/meta").await.body["hooks"], json!(["127.0.0.0/8", "::1/128"]));
    sim.stop().await;
}
