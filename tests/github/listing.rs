//! Listings: all pages or an error.

use std::sync::Arc;
use std::sync::Mutex;

use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::model::GroupName;
use ghrunner::model::Scope;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn runner(id: u64) -> Value {
    value!({ "id": id, "name": format!("r{id}"), "os": "linux", "status": "online", "busy": id == 1, "labels": [{ "name": "x64" }] })
}

/// A listing of so many runners, in pages of a hundred.
fn page(asked: &Asked, ids: &[u64]) -> Reply {
    let number: usize = asked.target.rsplit_once("&page=").map_or(1, |(_, n)| n.parse().unwrap());
    let pages: Vec<&[u64]> = ids.chunks(100).collect();
    let runners: Vec<Value> =
        pages.get(number - 1).unwrap_or(&&[][..]).iter().map(|id| runner(*id)).collect();
    let reply = json(200, value!({ "total_count": ids.len(), "runners": runners }));
    let base =
        format!("http://{}/api/v3{}", asked.header("host"), asked.target.split("&page=").next().unwrap());
    if number < pages.len() {
        reply.with(
            "link",
            format!(
                "<{base}&page={}>; rel=\"next\", <{base}&page={}>; rel=\"last\"",
                number + 1,
                pages.len()
            ),
        )
    } else {
        reply
    }
}

#[tokio::test]
async fn all_pages_are_read() {
    let hub = Hub::start(|asked| page(asked, &(1..=250).collect::<Vec<_>>())).await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let runners = client.list(&name(), &org()).await.unwrap();
    assert_eq!(runners.len(), 250);
    assert!(runners[0].online && runners[0].busy && !runners[1].busy);
    assert_eq!(runners[0].labels, ["x64"]);
    assert_eq!(
        hub.lines(),
        [
            "GET /orgs/acme/actions/runners?per_page=100",
            "GET /orgs/acme/actions/runners?per_page=100&page=2",
            "GET /orgs/acme/actions/runners?per_page=100&page=3",
        ]
    );
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_an_error_and_never_a_part() {
    for broken in [empty(502), Reply::Reset, Reply::Hang, json(200, value!({ "runners": [] }))] {
        let hub = Hub::start(move |asked| {
            if asked.target.ends_with("&page=2") {
                broken.clone()
            } else {
                page(asked, &(1..=150).collect::<Vec<_>>())
            }
        })
        .await;
        let client = impatient_client(vec![token_spec(&hub)], &Hands::new());
        client.list(&name(), &org()).await.unwrap_err();
    }
}

#[tokio::test]
async fn the_next_page_is_not_fetched_from_elsewhere() {
    let other = Hub::start(|asked| page(asked, &[1])).await;
    let away = other.url();
    let hub =
        Hub::start(move |asked| page(asked, &[1]).with("link", format!("<{away}/x>; rel=\"next\""))).await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
    assert_eq!(other.lines().len(), 0);

    let hub = Hub::start(|asked| {
        page(asked, &[1]).with("link", "</api/v3/orgs/acme/actions/runners?per_page=100&page=1>; rel=next")
    })
    .await;
    let client = crate::server::client(vec![token_spec(&hub)], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert!(error.to_string().contains("never end"), "{error}");
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again_for_the_same_token() {
    let hub = Hub::start(|asked| {
        let tag = format!("W/\"{}\"", asked.header("authorization").len());
        if asked.header("if-none-match") == tag {
            empty(304)
        } else {
            page(asked, &(1..=150).collect::<Vec<_>>()).with("etag", tag)
        }
    })
    .await;
    let source = Source::new("t0ken");
    let auth = ghrunner::github::Auth::Token(source.loader());
    let client = client(vec![spec(hub.url(), auth.clone())], &Hands::new());
    for _ in 0..3 {
        assert_eq!(client.list(&name(), &org()).await.unwrap().len(), 150);
    }
    let state = &client.states()[0];
    assert_eq!((state.requests, state.not_modified), (6, 4));

    client.replace(vec![spec(hub.url(), auth.clone())]);
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(client.states()[0].not_modified, 6, "a reload that changes nothing forgets nothing");

    source.set(Ok("another-t0ken"));
    client.replace(vec![spec(hub.url(), auth)]);
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(client.states()[0].not_modified, 6);
    assert!(hub.asked()[8..].iter().all(|asked| asked.header("if-none-match").is_empty()));
}

#[tokio::test]
async fn a_listing_during_which_a_runner_went_is_read_once_more() {
    // After the first page is read, runner 5 goes: 101 moves to the first page and would be missed.
    let ids = Arc::new(Mutex::new((1..=150).collect::<Vec<u64>>()));
    let hub = Hub::start({
        let ids = ids.clone();
        move |asked| {
            let reply = page(asked, &ids.lock().unwrap());
            ids.lock().unwrap().retain(|id| *id != 5);
            reply
        }
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let runners = client.list(&name(), &org()).await.unwrap();
    assert_eq!(runners.len(), 149);
    assert!(runners.iter().any(|r| r.id.0 == 101));
    assert_eq!(hub.lines().len(), 4);
}

#[tokio::test]
async fn a_listing_that_stays_short_is_an_error() {
    let hub = Hub::start(|asked| {
        let Reply::Answer(status, headers, body) = page(asked, &[1, 2]) else { unreachable!() };
        Reply::Answer(status, headers, body.replace("\"total_count\":2", "\"total_count\":3"))
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
    assert_eq!(hub.lines().len(), 2);
}

fn group(visibility: &str, public: bool) -> Reply {
    let group = value!({ "id": 3, "name": "ci", "default": true, "visibility": visibility, "allows_public_repositories": public });
    json(200, value!({ "total_count": 1, "runner_groups": [group] }))
}

#[tokio::test]
async fn the_admitted_repositories_follow_the_group_s_visibility() {
    let repositories = || {
        value!([
            { "id": 1, "full_name": "acme/app", "private": true },
            { "id": 2, "full_name": "acme/site", "private": false },
            { "id": 3, "full_name": "acme/old", "private": true, "archived": true },
        ])
    };
    let expected = [
        ("all", true, vec!["acme/app", "acme/site"]),
        ("all", false, vec!["acme/app"]),
        ("private", true, vec!["acme/app"]),
        ("selected", true, vec!["acme/app", "acme/site"]),
    ];
    for (visibility, public, admitted) in expected {
        let hub = Hub::start(move |asked| match asked.target.split('?').next().unwrap() {
            "/orgs/acme/actions/runner-groups" => group(visibility, public),
            "/orgs/acme/actions/runner-groups/3/repositories" if visibility == "selected" => {
                json(200, value!({ "total_count": 3, "repositories": repositories() }))
            }
            "/orgs/acme/repos" if visibility != "selected" => json(200, repositories()),
            _ => json(404, value!({ "message": "Not Found" })),
        })
        .await;
        let client = client(vec![token_spec(&hub)], &Hands::new());
        for group in [None, Some(GroupName::new("ci"))] {
            let repos = client.admitted(&name(), "acme", group.as_ref()).await.unwrap().repos;
            assert_eq!(
                repos.iter().map(ToString::to_string).collect::<Vec<_>>(),
                admitted,
                "{visibility} {public}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let hub = Hub::start(|_| Reply::Answer(200, vec![], " ".repeat(20_000))).await;
    let tuning = ghrunner::github::Tuning { body_limit: 10_000, ..patient() };
    let client = ghrunner::github::Client::tuned(vec![token_spec(&hub)], Hands::new().clock(), tuning);
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert!(error.to_string().contains("larger than 10000 bytes"), "{error}");
}
