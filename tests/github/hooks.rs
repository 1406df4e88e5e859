//! Deliveries that GitHub keeps: found by the hook's address, page by page, and asked for again.

use ghrunner::github::Auth;
use ghrunner::github::GitHubError;
use ghrunner::github::Hooks as _;
use ghrunner::model::Scope;
use ghrunner::model::Time;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

const URL: &str = "https://ci.example/webhook";

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn hook(id: u64, url: &str) -> Value {
    value!({ "id": id, "name": "web", "active": true, "events": ["workflow_job"], "config": { "url": url, "content_type": "json" } })
}

/// A delivery so many seconds after the epoch.
fn delivery(id: u64, code: i64) -> Value {
    value!({
        "id": id, "guid": format!("g{id}"), "delivered_at": format!("{}", Time::from_secs(id)), "redelivery": false,
        "duration": 0.1, "status": "x", "status_code": code, "event": "workflow_job", "action": "queued",
        "installation_id": null, "repository_id": 3
    })
}

/// Deliveries 300 to 1, a hundred on a page, with cursors.
fn page(asked: &Asked) -> Reply {
    let from: u64 = asked.target.rsplit_once("&cursor=").map_or(300, |(_, cursor)| cursor.parse().unwrap());
    let all: Vec<Value> =
        (1..=from).rev().take(100).map(|id| delivery(id, 200 + 302 * (id as i64 % 2))).collect();
    let reply = json(200, Value::Array(all));
    match from.checked_sub(100).filter(|next| *next > 0) {
        None => reply,
        Some(next) => {
            let base = asked.target.split("&cursor=").next().unwrap();
            let link = format!("<http://{}/api/v3{base}&cursor={next}>; rel=\"next\"", asked.header("host"));
            reply.with("link", link)
        }
    }
}

#[tokio::test]
async fn deliveries_are_read_back_to_the_moment_and_no_further() {
    let hub = Hub::start(|asked| match asked.target.as_str() {
        "/orgs/acme/hooks?per_page=100" => {
            json(200, value!([hook(1, "https://other.example/"), hook(2, &format!("{URL}/"))]))
        }
        _ => page(asked),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let found = client.deliveries(&name(), &org(), URL, Time::from_secs(150)).await.unwrap();
    assert_eq!((found.len(), found[0].id, found[150].id), (151, 300, 150));
    assert_eq!((found[0].delivered, found[1].delivered, found[0].hook), (true, false, 2));
    assert_eq!((found[0].guid.as_str(), found[0].event.as_str()), ("g300", "workflow_job"));
    assert_eq!(
        hub.lines(),
        [
            "GET /orgs/acme/hooks?per_page=100",
            "GET /orgs/acme/hooks/2/deliveries?per_page=100",
            "GET /orgs/acme/hooks/2/deliveries?per_page=100&cursor=200",
        ]
    );
    client.redeliver(&name(), &org(), &found[1]).await.unwrap();
    assert_eq!(hub.lines()[3], "POST /orgs/acme/hooks/2/deliveries/299/attempts");
}

#[tokio::test]
async fn pages_that_never_end_come_to_an_end() {
    let hub = Hub::start(|asked| {
        if asked.target.contains("deliveries") {
            let link = format!("<http://{}/api/v3{}x>; rel=\"next\"", asked.header("host"), asked.target);
            json(200, value!([delivery(9, 500)])).with("link", link)
        } else {
            json(200, value!([hook(1, URL)]))
        }
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    assert_eq!(client.deliveries(&name(), &org(), URL, Time(0)).await.unwrap().len(), 50);
}

#[tokio::test]
async fn without_such_a_hook_or_the_right_to_see_it_that_is_said() {
    let hub = Hub::start(|_| json(200, value!([hook(1, "https://other.example/")]))).await;
    let asked = client(vec![token_spec(&hub)], &Hands::new());
    let error = asked.deliveries(&name(), &org(), URL, Time(0)).await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains(URL), "{error}");
    let hub = Hub::start(|_| json(404, value!({ "message": "Not Found" }))).await;
    let asked = client(vec![token_spec(&hub)], &Hands::new());
    let error = asked.deliveries(&name(), &org(), URL, Time(0)).await.unwrap_err();
    assert!(error.to_string().contains("webhooks of orgs/acme"), "{error}");
    for broken in [value!([{ "id": 1 }]), value!({})] {
        let hub = Hub::start(move |_| json(200, broken.clone())).await;
        let asked = client(vec![token_spec(&hub)], &Hands::new());
        let error = asked.deliveries(&name(), &org(), URL, Time(0)).await.unwrap_err();
        assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_app_has_a_hook_of_its_own() {
    let hub = Hub::start(|asked| match asked.target.as_str() {
        "/app/installations/7/access_tokens" => {
            json(201, value!({ "token": "ghs_x", "expires_at": "2030-01-01T00:00:00Z" }))
        }
        "/orgs/acme/hooks?per_page=100" => {
            json(403, value!({ "message": "Resource not accessible by integration" }))
        }
        "/app/hook/config" => json(200, value!({ "url": URL, "content_type": "json" })),
        _ if asked.method == "POST" => json(202, value!({})),
        _ => json(200, value!([delivery(5, 502)])),
    })
    .await;
    let client = client(vec![app_spec(&hub, Some(7))], &Hands::new());
    let found = client.deliveries(&name(), &org(), URL, Time(0)).await.unwrap();
    assert_eq!((found.len(), found[0].hook, found[0].delivered), (1, 0, false));
    client.redeliver(&name(), &org(), &found[0]).await.unwrap();
    let lines = hub.lines();
    let last = &lines[lines.len() - 3..];
    assert_eq!(
        last,
        [
            "GET /app/hook/config",
            "GET /app/hook/deliveries?per_page=100",
            "POST /app/hook/deliveries/5/attempts"
        ]
    );
    let bearers: Vec<bool> =
        hub.asked().iter().rev().take(3).map(|a| a.header("authorization").contains("ghs_")).collect();
    assert_eq!(bearers, [false; 3], "an App's hook is the App's, not its installation's");
}

#[tokio::test]
async fn the_networks_of_hooks_are_read() {
    let hub =
        Hub::start(|_| json(200, value!({ "hooks": ["192.30.252.0/22"], "web": ["10.0.0.0/8"] }))).await;
    let spec = spec(hub.url(), Auth::Token(Source::new("t0ken").loader()));
    let client = client(vec![spec], &Hands::new());
    assert_eq!(client.hook_networks(&name(), &org()).await.unwrap(), ["192.30.252.0/22"]);
    assert_eq!(hub.lines(), ["GET /meta"]);
}
