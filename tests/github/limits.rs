//! Limits: what is one, what is not, and that nothing is sent while one holds.

use std::time::Duration;

use ghrunner::github::Client;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::Tuning;
use ghrunner::model::CredentialName;
use ghrunner::model::ErrorClass;
use ghrunner::model::RunnerId;
use ghrunner::model::Scope;
use serde_json::json as value;

use crate::server::*;

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn runners() -> Reply {
    json(200, value!({ "total_count": 0, "runners": [] }))
}

#[tokio::test]
async fn while_a_limit_holds_nothing_is_sent_for_that_credential_and_others_go_on() {
    let hub = Hub::start(|asked| match asked.header("authorization") {
        "Bearer t0ken" => json(403, value!({ "message": "You have exceeded a secondary rate limit" }))
            .with("retry-after", "90"),
        _ => runners(),
    })
    .await;
    let hands = Hands::new();
    let mut partner = token_spec(&hub);
    partner.name = CredentialName::new("partner");
    partner.auth = ghrunner::github::Auth::Token(Source::new("other").loader());
    let client = client(vec![token_spec(&hub), partner.clone()], &hands);
    let until = ghrunner::model::Time(hands.now().0 + 90_000);
    for _ in 0..3 {
        let error = client.list(&name(), &org()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Limited(until), "{error}");
    }
    assert!(matches!(client.delete(&name(), &org(), RunnerId(1)).await, Err(GitHubError::Limited { .. })));
    assert_eq!(hub.lines().len(), 1);
    let state = client.states().into_iter().find(|s| s.name == "default").unwrap();
    assert_eq!(state.limited.unwrap().0, until);
    client.list(&partner.name, &org()).await.unwrap();
    hands.forward(91);
    client.list(&name(), &org()).await.unwrap_err();
    assert_eq!(hub.lines().len(), 3, "sent again once it is over");
}

#[tokio::test]
async fn the_hourly_budget_is_waited_for_until_it_is_new() {
    let hands = Hands::new();
    let reset = hands.now().0 / 1000 + 1800;
    let hub = Hub::start(move |_| {
        json(403, value!({ "message": "API rate limit exceeded for user ID 1." }))
            .with("x-ratelimit-limit", "5000")
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", reset.to_string())
            .with("x-ratelimit-resource", "core")
    })
    .await;
    let client = client(vec![token_spec(&hub)], &hands);
    for _ in 0..2 {
        let error = client.list(&name(), &org()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Limited(ghrunner::model::Time::from_secs(reset)));
    }
    assert_eq!(hub.lines().len(), 1);
    assert_eq!(client.states()[0].quota.as_ref().unwrap().remaining, 0);
}

#[tokio::test]
async fn a_missing_permission_or_an_empty_budget_on_a_404_is_no_limit() {
    let hub = Hub::start(|asked| {
        let (status, message) =
            if asked.method == "GET" { (403, "Resource not accessible") } else { (404, "Not Found") };
        json(status, value!({ "message": message }))
            .with("x-ratelimit-limit", "5000")
            .with("x-ratelimit-remaining", if status == 403 { "4999" } else { "0" })
            .with("x-ratelimit-reset", "1700001800")
            .with("x-accepted-github-permissions", "organization_self_hosted_runners=read")
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for sent in [1, 2] {
        let error = client.list(&name(), &org()).await.unwrap_err();
        assert!(
            matches!(&error, GitHubError::Forbidden { message, .. } if message.contains("self_hosted_runners=read")),
            "{error}"
        );
        client.delete(&name(), &org(), RunnerId(1)).await.unwrap();
        assert_eq!(hub.lines().len(), 2 * sent);
    }
    assert_eq!(client.states()[0].limited, None);
}

#[tokio::test]
async fn the_pace_stays_below_github_s() {
    let hub = Hub::start(|asked| if asked.method == "GET" { runners() } else { empty(204) }).await;
    let hands = Hands::new();
    let tuning = Tuning { points_per_minute: 12, ..patient() };
    let client = Client::tuned(vec![token_spec(&hub)], hands.clock(), tuning);
    for id in 0..2 {
        client.delete(&name(), &org(), RunnerId(id)).await.unwrap();
    }
    let error = client.delete(&name(), &org(), RunnerId(3)).await.unwrap_err();
    assert!(
        matches!(error.class(), ErrorClass::Limited(until) if until.since(hands.now()) == Duration::from_secs(60)),
        "{error}"
    );
    client.list(&name(), &org()).await.unwrap();
    client.list(&name(), &org()).await.unwrap();
    client.list(&name(), &org()).await.unwrap_err();
    hands.forward(60);
    client.delete(&name(), &org(), RunnerId(3)).await.unwrap();
    assert_eq!(hub.lines().len(), 5);
}

#[tokio::test]
async fn a_short_wait_is_slept_through() {
    let hub = Hub::start(|_| runners()).await;
    let started = tokio::time::Instant::now();
    let clock: ghrunner::github::Clock = std::sync::Arc::new(move || {
        ghrunner::model::Time(1_700_000_000_000 + 60 * started.elapsed().as_millis() as u64)
    });
    let tuning = Tuning { points_per_minute: 1, ..patient() };
    let client = Client::tuned(vec![token_spec(&hub)], clock, tuning);
    client.list(&name(), &org()).await.unwrap();
    // This clock runs sixty times as fast: 59.2 s of its minute are over after 0.99 s.
    tokio::time::sleep(Duration::from_millis(990)).await;
    client.list(&name(), &org()).await.unwrap();
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_a_time() {
    let hub = Hub::start(|_| empty(204)).await;
    let tuning = Tuning { concurrency: 3, ..patient() };
    let client = Client::tuned(vec![token_spec(&hub)], Hands::new().clock(), tuning);
    let (name, org) = (name(), org());
    let all = (0..30).map(|id| client.delete(&name, &org, RunnerId(id)));
    let done = futures_util::future::join_all(all).await;
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(hub.busiest.load(std::sync::atomic::Ordering::SeqCst), 3);
}
