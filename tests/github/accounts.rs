//! The repositories of an account.

use ghrunner::github::AccountRepo;
use ghrunner::github::Client;
use ghrunner::github::GitHubError;
use ghrunner::github::Queue as _;
use ghrunner::model::Time;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

fn repositories() -> Value {
    value!([
        { "id": 1, "full_name": "Alice/app", "private": true, "pushed_at": "2023-11-14T22:00:00Z" },
        { "id": 2, "full_name": "Alice/web", "pushed_at": "2023-11-14T23:00:00+01:00", "archived": true },
        { "id": 3, "full_name": "Alice/new", "pushed_at": null },
        { "id": 4, "full_name": "bob/app", "pushed_at": "2023-11-14T22:00:00Z" },
    ])
}

fn not_found() -> Reply {
    json(404, value!({ "message": "Not Found" }))
}

async fn of_alice(client: &Client) -> Vec<AccountRepo> {
    client.repositories(&name(), "alice").await.unwrap()
}

fn expected() -> Vec<AccountRepo> {
    let pushed = Some(Time::from_secs(1_699_999_200));
    vec![
        AccountRepo { repo: "Alice/app".parse().unwrap(), pushed, archived: false },
        AccountRepo { repo: "Alice/web".parse().unwrap(), pushed, archived: true },
        AccountRepo { repo: "Alice/new".parse().unwrap(), pushed: None, archived: false },
    ]
}

#[tokio::test]
async fn a_token_sees_all_of_its_own_account() {
    let hub = Hub::start(|asked| match asked.target.as_str() {
        "/user" => json(200, value!({ "login": "Alice" })),
        "/user/repos?affiliation=owner&per_page=100" => json(200, repositories()),
        _ => not_found(),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    assert_eq!(of_alice(&client).await, expected());
    assert_eq!(of_alice(&client).await, expected());
    assert_eq!(hub.count("GET /user"), 3, "whose token it is, is asked once");
}

#[tokio::test]
async fn of_others_it_sees_what_they_show() {
    for (who, there) in [
        (json(200, value!({ "login": "bob" })), "/orgs/alice/repos?type=all&per_page=100"),
        (json(200, value!({ "login": "bob" })), "/users/alice/repos?type=owner&per_page=100"),
        (
            json(403, value!({ "message": "Resource not accessible" })),
            "/users/alice/repos?type=owner&per_page=100",
        ),
    ] {
        let hub = Hub::start(move |asked| match asked.target.as_str() {
            "/user" => who.clone(),
            target if target == there => json(200, repositories()),
            _ => not_found(),
        })
        .await;
        let client = client(vec![token_spec(&hub)], &Hands::new());
        assert_eq!(of_alice(&client).await, expected());
    }
}

#[tokio::test]
async fn an_app_sees_those_of_its_installation_at_a_user_or_an_organization() {
    for kind in ["users", "orgs"] {
        let hub = Hub::start(move |asked| match asked.target.as_str() {
            target if target == format!("/{kind}/alice/installation") => json(200, value!({ "id": 7 })),
            "/app/installations/7/access_tokens" => {
                json(201, value!({ "token": "ghs_x", "expires_at": "2033-01-01T00:00:00Z" }))
            }
            "/installation/repositories?per_page=100" => {
                json(200, value!({ "total_count": 4, "repositories": repositories() }))
            }
            _ => not_found(),
        })
        .await;
        let client = client(vec![app_spec(&hub, None)], &Hands::new());
        assert_eq!(of_alice(&client).await, expected(), "{kind}");
        let error = client.repositories(&name(), "carol").await.unwrap_err();
        assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_or_makes_no_sense_is_an_error() {
    let hub = Hub::start(|asked| match asked.target.as_str() {
        "/user" => json(200, value!({ "login": "bob" })),
        "/orgs/odd/repos?type=all&per_page=100" => {
            json(200, value!([{ "id": 1, "full_name": "odd/x", "pushed_at": "long ago" }]))
        }
        _ => not_found(),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.repositories(&name(), "alice").await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
    let error = client.repositories(&name(), "odd").await.unwrap_err();
    assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
}
