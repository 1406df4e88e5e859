//! Making, finding and deleting registrations.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::JitRequest;
use ghrunner::github::Removal;
use ghrunner::model::GroupName;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

fn request(scope: &str, group: Option<&str>) -> JitRequest {
    JitRequest {
        scope: scope.parse().unwrap(),
        group: group.map(GroupName::new),
        set: None,
        name: RunnerName::new("ghrunner-build-0-k7x2p-a1"),
        labels: vec!["self-hosted".into(), "linux".into()],
        work_folder: "_work".into(),
    }
}

fn made() -> Reply {
    json(201, value!({ "runner": { "id": 42, "name": "x" }, "encoded_jit_config": "c2VjcmV0" }))
}

fn groups(list: Value) -> Reply {
    json(200, value!({ "total_count": list.as_array().unwrap().len(), "runner_groups": list }))
}

fn listed(id: u64) -> Reply {
    let runner = value!({ "id": id, "name": "ghrunner-build-0-k7x2p-a1", "os": "linux", "status": "offline", "busy": false, "labels": [] });
    json(200, value!({ "total_count": 1, "runners": [runner] }))
}

#[tokio::test]
async fn a_repository_registration_names_group_1_and_every_label() {
    let hub = Hub::start(|_| made()).await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let jit = client.register(&name(), &request("repos/acme/app", None)).await.unwrap();
    assert_eq!((jit.id, jit.config.reveal()), (RunnerId(42), "c2VjcmV0"));
    let asked = &hub.asked()[0];
    assert_eq!(asked.line(), "POST /api/v3/repos/acme/app/actions/runners/generate-jitconfig");
    assert_eq!(
        asked.json(),
        value!({ "name": "ghrunner-build-0-k7x2p-a1", "runner_group_id": 1, "labels": ["self-hosted", "linux"], "work_folder": "_work" })
    );
    assert_eq!(asked.header("authorization"), "Bearer t0ken");
    assert_eq!(asked.header("accept"), "application/vnd.github+json");
    assert_eq!(asked.header("x-github-api-version"), "2022-11-28");
    assert_eq!(asked.header("content-type"), "application/json");
    assert!(asked.header("user-agent").starts_with("ghrunner/"));
}

#[tokio::test]
async fn an_organization_s_group_is_looked_up_once_by_name_or_as_the_default() {
    let hub = Hub::start(|asked| match asked.method.as_str() {
        "GET" => groups(value!([
            { "id": 3, "name": "ci", "default": false, "visibility": "all", "allows_public_repositories": true },
            { "id": 9, "name": "Default", "default": true, "visibility": "all", "allows_public_repositories": true },
        ])),
        _ => made(),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for group in [Some("ci"), None, Some("CI")] {
        client.register(&name(), &request("orgs/acme", group)).await.unwrap();
    }
    let ids: Vec<Value> = hub
        .asked()
        .iter()
        .filter(|a| a.method == "POST")
        .map(|a| a.json()["runner_group_id"].clone())
        .collect();
    assert_eq!(ids, [3, 9, 3]);
    assert_eq!(hub.count("GET"), 1);
    assert_eq!(hub.lines()[0], "GET /orgs/acme/actions/runner-groups?per_page=100");

    let error = client.register(&name(), &request("orgs/acme", Some("gone"))).await.unwrap_err();
    assert!(matches!(&error, GitHubError::NotFound { what, .. } if what.contains("gone")), "{error}");
    assert_eq!(hub.count("GET"), 2, "a name that is not known is looked for once more");
}

#[tokio::test]
async fn a_group_that_was_made_anew_is_read_again_after_a_404() {
    let reads = AtomicUsize::new(0);
    let hub = Hub::start(move |asked| match asked.method.as_str() {
        "GET" => {
            let id = if reads.fetch_add(1, Ordering::SeqCst) == 0 { 3 } else { 4 };
            groups(value!([{ "id": id, "name": "ci", "default": false }]))
        }
        _ if asked.json()["runner_group_id"] == 4
            || reads.load(Ordering::SeqCst) == 1 && asked.json()["name"] == "first" =>
        {
            made()
        }
        _ => json(404, value!({ "message": "Not Found" })),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let first = JitRequest { name: RunnerName::new("first"), ..request("orgs/acme", Some("ci")) };
    client.register(&name(), &first).await.unwrap();
    client.register(&name(), &request("orgs/acme", Some("ci"))).await.unwrap();
    assert_eq!((hub.count("GET"), hub.count("POST")), (2, 3));
}

#[tokio::test]
async fn a_404_is_not_asked_again_when_the_group_is_the_same() {
    let hub = Hub::start(|asked| match asked.method.as_str() {
        "GET" => groups(value!([{ "id": 3, "name": "ci", "default": false }])),
        _ => json(404, value!({ "message": "Not Found" })),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for _ in 0..2 {
        let error = client.register(&name(), &request("orgs/acme", Some("ci"))).await.unwrap_err();
        assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
    }
    assert_eq!((hub.count("GET"), hub.count("POST")), (2, 2));
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_looked_up_and_deleted() {
    let secret = || json(201, value!({ "runner": { "id": "s3cret" }, "encoded_jit_config": "s3cret" }));
    let lost = [secret(), Reply::Reset, Reply::Hang, empty(502), Reply::Answer(201, vec![], "{}".into())];
    for reply in lost {
        let what = format!("{reply:?}");
        let hub = Hub::start(move |asked| match asked.method.as_str() {
            "POST" => reply.clone(),
            "GET" => listed(77),
            _ => empty(204),
        })
        .await;
        let client = impatient_client(vec![token_spec(&hub)], &Hands::new());
        let error = client.register(&name(), &request("repos/acme/app", None)).await.unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(
            hub.lines(),
            [
                "POST /repos/acme/app/actions/runners/generate-jitconfig",
                "GET /repos/acme/app/actions/runners?name=ghrunner-build-0-k7x2p-a1&per_page=100",
                "DELETE /repos/acme/app/actions/runners/77",
            ],
            "{what}"
        );
    }
}

#[tokio::test]
async fn mending_looks_twice_and_never_deletes_another_runner() {
    let hub = Hub::start(|asked| match asked.method.as_str() {
        "POST" => empty(500),
        _ => json(200, value!({ "total_count": 1, "runners": [
            { "id": 5, "name": "ghrunner-build-0-k7x2p-a1b", "os": "linux", "status": "online", "busy": false, "labels": [] },
        ] })),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.register(&name(), &request("repos/acme/app", None)).await.unwrap_err();
    assert!(matches!(error, GitHubError::Failed { status: 500, .. }), "{error}");
    assert_eq!((hub.count("GET"), hub.count("DELETE")), (2, 0));
}

#[tokio::test]
async fn what_was_surely_not_made_is_not_mended() {
    for (status, body) in
        [(409, "Already exists"), (422, "Validation Failed"), (403, "Forbidden"), (404, "Not Found")]
    {
        let hub = Hub::start(move |_| json(status, value!({ "message": body }))).await;
        let client = client(vec![token_spec(&hub)], &Hands::new());
        let error = client.register(&name(), &request("repos/acme/app", None)).await.unwrap_err();
        match (status, &error) {
            (409, GitHubError::NameTaken { .. })
            | (422, GitHubError::Refused { status: 422, .. })
            | (403, GitHubError::Forbidden { .. })
            | (404, GitHubError::NotFound { .. }) => {}
            _ => panic!("{status}: {error:?}"),
        }
        assert_eq!(hub.lines().len(), 1, "{status}");
    }
    let (hub, listener) = Hub::bind(|_| made()).await;
    drop(listener);
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.register(&name(), &request("repos/acme/app", None)).await.unwrap_err();
    assert!(matches!(&error, GitHubError::Unreachable { why, .. } if why.contains("refused")), "{error}");
    assert_eq!(client.states()[0].requests, 1, "no second look at a GitHub that is not there");
}

#[tokio::test]
async fn deleting_says_what_became_of_it() {
    let hub = Hub::start(|asked| match asked.target.rsplit('/').next().unwrap() {
        "1" => empty(204),
        "2" => json(404, value!({ "message": "Not Found" })),
        "3" => json(422, value!({ "message": "Bad request - Runner \"x\" is still running a job\"" })),
        _ => json(403, value!({ "message": "Must have admin rights" })),
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let scope: Scope = "orgs/acme".parse().unwrap();
    let name = name();
    let delete = |id| client.delete(&name, &scope, RunnerId(id));
    assert_eq!(delete(1).await, Ok(Removal::Removed));
    assert_eq!(delete(2).await, Ok(Removal::AlreadyGone));
    assert_eq!(delete(3).await, Ok(Removal::Busy));
    assert!(matches!(delete(4).await, Err(GitHubError::Forbidden { .. })));
}

#[tokio::test]
async fn a_renamed_repository_is_followed_with_method_and_body() {
    let hub = Hub::start(|asked| {
        if asked.target.starts_with("/repos/old/app") {
            let rest = asked.target.strip_prefix("/repos/old/app").unwrap();
            return empty(307).with("location", format!("/api/v3/repositories/99{rest}"));
        }
        match asked.method.as_str() {
            "POST" => made(),
            "DELETE" => empty(204),
            _ => listed(7),
        }
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    client.register(&name(), &request("repos/old/app", None)).await.unwrap();
    let scope: Scope = "repos/old/app".parse().unwrap();
    assert_eq!(client.delete(&name(), &scope, RunnerId(7)).await, Ok(Removal::Removed));
    assert_eq!(client.list(&name(), &scope).await.unwrap().len(), 1);
    let asked = hub.asked();
    assert_eq!(asked[1].line(), "POST /api/v3/repositories/99/actions/runners/generate-jitconfig");
    assert_eq!(
        (asked[1].body.as_str(), asked[1].header("authorization")),
        (asked[0].body.as_str(), "Bearer t0ken")
    );
    assert_eq!(asked[3].line(), "DELETE /api/v3/repositories/99/actions/runners/7");
}

#[tokio::test]
async fn a_redirect_elsewhere_or_in_a_circle_is_not_followed() {
    let other = Hub::start(|_| listed(1)).await;
    let away = other.url();
    let hub = Hub::start(move |asked| {
        if asked.target.starts_with("/orgs/away") {
            empty(301).with("location", format!("{away}/api/v3/orgs/away/actions/runners"))
        } else {
            empty(302).with("location", asked.target.replace("/orgs", "/api/v3/orgs"))
        }
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for org in ["orgs/away", "orgs/circle"] {
        let error = client.list(&name(), &org.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
    }
    assert_eq!(other.lines().len(), 0, "the token stays at home");
    assert_eq!(hub.count("GET /orgs/circle"), 4);
}

#[tokio::test]
async fn a_registration_token_is_kept_until_its_last_minutes() {
    let hands = Hands::new();
    let clock = hands.clone();
    let hub = Hub::start(move |_| {
        let end = ghrunner::model::Time(clock.now().0 + 3_600_000).to_string();
        json(201, value!({ "token": "AREG", "expires_at": end.replace('Z', ".000+00:00") }))
    })
    .await;
    let client = client(vec![token_spec(&hub)], &hands);
    let scope: Scope = "orgs/acme".parse().unwrap();
    for (secs, requests) in [(0, 1), (49 * 60, 1), (2 * 60, 2)] {
        hands.forward(secs);
        assert_eq!(client.registration_token(&name(), &scope).await.unwrap().reveal(), "AREG");
        assert_eq!(hub.count("POST /orgs/acme/actions/runners/registration-token"), requests);
    }
    let other: Scope = "repos/acme/app".parse().unwrap();
    client.registration_token(&name(), &other).await.unwrap();
    assert_eq!(hub.lines().len(), 3);
    assert_eq!(hub.asked()[0].header("content-length"), "0");
}
