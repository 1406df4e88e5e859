//! The Actions service as its clients met it: every trap is one test here.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ghrunner::github::Client;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::JitRequest;
use ghrunner::github::ScaleSets as _;
use ghrunner::github::Session;
use ghrunner::github::SetError;
use ghrunner::github::SetNews;
use ghrunner::github::SetSpec;
use ghrunner::github::Tuning;
use ghrunner::model::GroupName;
use ghrunner::model::JobId;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::SetId;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

const SET: SetId = SetId(7);
const SETS: &str = "/tenant/1/_apis/runtime/runnerscalesets";

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

/// A JWT that ends then, in seconds, and is not like any other.
fn jwt(exp: u64, n: usize) -> String {
    format!("e30.{}.sig{n}", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)))
}

/// How long the scripted service's tokens last from the clock's beginning.
const LASTS: u64 = 3600;

/// A server with the way into the service in front of a script for the rest.
async fn service(rest: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Hub {
    let opened = AtomicUsize::new(0);
    Hub::start(move |asked| {
        let origin = format!("http://{}", asked.header("host"));
        if asked.target.ends_with("/registration-token") {
            return json(201, value!({ "token": "regtok", "expires_at": "2999-01-01T00:00:00Z" }));
        }
        if asked.target == "/actions/runner-registration" {
            assert_eq!(asked.header("authorization"), "RemoteAuth regtok");
            let n = opened.fetch_add(1, Ordering::SeqCst);
            let token = jwt(1_700_000_000 + LASTS * (1 + n as u64), n);
            return json(200, value!({ "url": format!("{origin}/tenant/1/"), "token": token }));
        }
        rest(asked)
    })
    .await
}

fn session_json(host: &str, token: &str) -> Value {
    value!({
        "sessionId": "s 1", "ownerName": "k7x2p", "messageQueueUrl": format!("http://{host}/queue/msg?sid=5"),
        "messageQueueAccessToken": token, "statistics": { "totalAssignedJobs": 3, "totalIdleRunners": 1 },
    })
}

fn session(hub: &Hub) -> Session {
    Session {
        id: "s 1".into(),
        set: SET,
        queue_url: format!("{}/queue/msg?sid=5", hub.url()),
        token: ghrunner::model::Secret::new("q0"),
        statistics: Default::default(),
    }
}

fn trouble(status: u16, kind: &str, message: &str) -> Reply {
    json(status, value!({ "typeName": format!("GitHub.Runner.{kind}, GitHub.Runner"), "message": message }))
}

fn spec(labels: &[&str]) -> SetSpec {
    let labels = labels.iter().map(|l| (*l).to_owned()).collect();
    SetSpec { name: "gpu & co".into(), group: Some(GroupName::new("c i")), labels }
}

fn set_json(labels: &[&str]) -> Value {
    let labels: Vec<Value> = labels.iter().map(|l| value!({ "type": "System", "name": l })).collect();
    value!({ "id": 7, "name": "gpu & co", "labels": labels, "createdOn": "2026-05-05T12:00:00.1234567Z" })
}

fn list(entries: &[Value]) -> Reply {
    json(200, value!({ "count": entries.len(), "value": entries }))
}

fn news(kind: &str, id: i64) -> Value {
    value!({
        "messageType": kind, "runnerRequestId": id, "ownerName": "acme", "repositoryName": "app", "jobId": "guid",
        "jobWorkflowRef": "acme/app/.github/workflows/ci.yml@refs/heads/main", "requestLabels": ["gpu"],
        "queueTime": "2026-05-05T12:00:00.1234567Z", "runnerAssignTime": "0001-01-01T00:00:00Z",
    })
}

fn message(id: i64, items: &[Value]) -> Reply {
    let body = Value::from(items).to_string();
    json(
        200,
        value!({ "messageId": id, "messageType": "RunnerScaleSetJobMessages", "body": body, "statistics": { "totalAssignedJobs": 1 } }),
    )
}

/// What a server answers in turn; the last again and again.
fn in_turn(replies: Vec<Reply>) -> impl Fn() -> Reply + Send + Sync {
    let next = AtomicUsize::new(0);
    move || {
        let at = next.fetch_add(1, Ordering::SeqCst);
        replies[at.min(replies.len() - 1)].clone()
    }
}

fn token_client(hub: &Hub) -> Client {
    client(vec![token_spec(hub)], &Hands::new())
}

fn github(error: SetError) -> GitHubError {
    match error {
        SetError::GitHub(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_way_in_leads_over_two_exchanges_and_is_kept() {
    let hub = service(|asked| match asked.method.as_str() {
        "DELETE" => empty(204),
        _ => panic!("{asked:?}"),
    })
    .await;
    let client = token_client(&hub);
    for _ in 0..2 {
        client.delete_set(&name(), &org(), SET).await.unwrap();
    }
    let delete = format!("DELETE {SETS}/7?api-version=6.0-preview");
    assert_eq!(
        hub.lines(),
        [
            "POST /orgs/acme/actions/runners/registration-token",
            "POST /actions/runner-registration",
            &delete,
            &delete
        ]
    );
    let asked = hub.asked();
    assert_eq!(asked[0].header("authorization"), "Bearer t0ken");
    assert_eq!(asked[1].json(), value!({ "url": format!("{}/acme", hub.url()), "runner_event": "register" }));
    assert_eq!(asked[1].header("content-type"), "application/json");
    assert_eq!(asked[2].header("authorization"), format!("Bearer {}", jwt(1_700_000_000 + LASTS, 0)));
    let agent: Value = serde_json::from_str(asked[2].header("user-agent")).unwrap();
    assert_eq!((&agent["system"], &agent["scale_set_id"]), (&value!("ghrunner"), &value!(7)));
}

#[tokio::test]
async fn the_way_in_is_renewed_a_minute_before_its_end_and_once_after_a_401() {
    let refused = AtomicUsize::new(0);
    let hub = service(move |asked| {
        // The first token is good for a single call.
        let first = asked.header("authorization").ends_with(".sig1");
        if first && refused.fetch_add(1, Ordering::SeqCst) == 1 { empty(401) } else { empty(204) }
    })
    .await;
    let hands = Hands::new();
    let client = client(vec![token_spec(&hub)], &hands);
    let opened = || hub.count("POST /actions/runner-registration");
    client.delete_set(&name(), &org(), SET).await.unwrap();
    hands.forward(LASTS - 90);
    client.delete_set(&name(), &org(), SET).await.unwrap();
    assert_eq!(opened(), 1);
    hands.forward(31);
    client.delete_set(&name(), &org(), SET).await.unwrap();
    assert_eq!(opened(), 2);
    client.delete_set(&name(), &org(), SET).await.unwrap();
    assert_eq!(opened(), 3, "a 401 opens it anew");

    let hub = service(|_| empty(401)).await;
    let client = token_client(&hub);
    let error = github(client.delete_set(&name(), &org(), SET).await.unwrap_err());
    assert!(matches!(error, GitHubError::Rejected { .. }), "{error}");
    assert_eq!((hub.count("DELETE"), hub.count("POST /actions")), (2, 2), "and only once");
}

#[tokio::test]
async fn a_registration_token_that_is_not_known_everywhere_yet_is_tried_again() {
    let answers = in_turn(vec![empty(401), json(403, value!({ "message": "no" })), empty(204)]);
    let hub = Hub::start(move |asked| match asked.target.as_str() {
        target if target.ends_with("/registration-token") => {
            json(201, value!({ "token": "regtok", "expires_at": "2999-01-01T00:00:00Z" }))
        }
        "/actions/runner-registration" => match answers() {
            Reply::Answer(204, ..) => json(
                201,
                value!({ "url": format!("http://{}/rest", asked.header("host")), "token": "opaque" }),
            ),
            refused => refused,
        },
        _ => empty(204),
    })
    .await;
    let client = token_client(&hub);
    client.delete_set(&name(), &org(), SET).await.unwrap();
    assert_eq!((hub.count("POST /actions"), hub.count("POST /orgs")), (3, 1));
    assert_eq!(hub.count("DELETE /rest/_apis/runtime/runnerscalesets/7?api-version=6.0-preview"), 1);
}

#[tokio::test]
async fn a_way_in_that_leads_elsewhere_or_nowhere_is_refused() {
    let odd = [
        value!({ "url": "https://u:p@evil.example/", "token": "s3cret" }),
        value!({ "url": "ftp://evil.example/", "token": "s3cret" }),
        value!({ "url": "", "token": "s3cret" }),
        value!({ "url": "https://h.example/", "token": "" }),
        value!("s3cret"),
    ];
    for answer in odd {
        let hub = Hub::start(move |asked| match asked.target.as_str() {
            "/actions/runner-registration" => json(200, answer.clone()),
            _ => json(201, value!({ "token": "regtok", "expires_at": "2999-01-01T00:00:00Z" })),
        })
        .await;
        let error = github(token_client(&hub).delete_set(&name(), &org(), SET).await.unwrap_err());
        assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(hub.asked().len(), 2, "nothing is sent there");
    }
}

#[tokio::test]
async fn a_set_is_found_by_its_encoded_name_in_its_group() {
    let hub = service(|asked| match asked.target.split('?').next().unwrap() {
        "/tenant/1/_apis/runtime/runnergroups/" => {
            list(&[value!({ "id": 3, "name": "C I", "isDefaultGroup": false })])
        }
        _ => list(&[set_json(&["gpu & co", "big"])]),
    })
    .await;
    let set = token_client(&hub).ensure_set(&name(), &org(), &spec(&["gpu & co", "BIG"])).await.unwrap();
    assert_eq!((set.id, set.refused_labels.len()), (SET, 0));
    assert_eq!(
        hub.lines()[2..],
        [
            "GET /tenant/1/_apis/runtime/runnergroups/?groupName=c%20i&api-version=6.0-preview".to_owned(),
            format!("GET {SETS}?runnerGroupId=3&name=gpu%20%26%20co&api-version=6.0-preview"),
        ]
    );
    let repository = SetSpec { group: None, ..spec(&["gpu & co", "big"]) };
    token_client(&hub).ensure_set(&name(), &"repos/acme/app".parse().unwrap(), &repository).await.unwrap();
    assert_eq!(hub.count(&format!("GET {SETS}?runnerGroupId=1&")), 1);
}

#[tokio::test]
async fn a_set_that_is_not_there_is_made_though_the_list_shows_what_it_does_not_count() {
    let hub = service(|asked| match asked.method.as_str() {
        "GET" if asked.target.contains("runnergroups") => list(&[value!({ "id": 3, "name": "c i" })]),
        "GET" => json(200, value!({ "count": 0, "value": [{ "id": 99 }] })),
        _ => json(200, set_json(&["gpu & co"])),
    })
    .await;
    let set = token_client(&hub).ensure_set(&name(), &org(), &spec(&["gpu & co", "big"])).await.unwrap();
    assert_eq!((set.id, set.refused_labels), (SET, vec!["big".to_owned()]));
    let made = hub.asked().last().unwrap().json();
    let expected = value!({
        "name": "gpu & co", "runnerGroupId": 3, "RunnerSetting": { "disableUpdate": true },
        "labels": [{ "type": "System", "name": "gpu & co" }, { "type": "System", "name": "big" }],
    });
    assert_eq!(made, expected);
}

#[tokio::test]
async fn a_set_made_by_another_at_the_same_moment_is_taken() {
    let found = in_turn(vec![list(&[]), list(&[set_json(&["gpu & co"])])]);
    let hub = service(move |asked| match asked.method.as_str() {
        "GET" => found(),
        _ => trouble(400, "RunnerScaleSetExistsException", "exists"),
    })
    .await;
    let spec = SetSpec { group: None, ..spec(&[]) };
    let set = token_client(&hub).ensure_set(&name(), &org(), &spec).await.unwrap();
    assert_eq!(set.id, SET);
    let twice = service(|_| list(&[set_json(&[]), set_json(&[])])).await;
    let error = github(token_client(&twice).ensure_set(&name(), &org(), &spec).await.unwrap_err());
    assert!(matches!(error, GitHubError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn labels_that_differ_are_sent_and_what_the_service_kept_is_told() {
    for (answer, refused) in [
        (json(200, set_json(&["gpu & co", "big"])), vec![]),
        (json(200, set_json(&["gpu & co"])), vec!["big".to_owned()]),
        (trouble(400, "InvalidOperation", "labels cannot be changed"), vec!["big".to_owned()]),
    ] {
        let hub = service(move |asked| match asked.method.as_str() {
            "GET" => list(&[set_json(&["gpu & co"])]),
            _ => answer.clone(),
        })
        .await;
        let spec = SetSpec { group: None, ..spec(&["gpu & co", "big"]) };
        let set = token_client(&hub).ensure_set(&name(), &org(), &spec).await.unwrap();
        assert_eq!(set.refused_labels, refused);
        let patched = hub.asked().last().unwrap().clone();
        assert_eq!(patched.line(), format!("PATCH {SETS}/7?api-version=6.0-preview"));
        assert_eq!(patched.json().as_object().unwrap().len(), 1, "only what changes is sent");
    }
}

#[tokio::test]
async fn a_group_that_is_not_there_is_said_to_be() {
    let hub = service(|_| list(&[])).await;
    let error = github(token_client(&hub).ensure_set(&name(), &org(), &spec(&[])).await.unwrap_err());
    assert!(matches!(&error, GitHubError::NotFound { what, .. } if what.contains("\"c i\"")), "{error}");
}

#[tokio::test]
async fn a_session_begins_with_statistics_a_queue_and_a_token() {
    let hub = service(|asked| match asked.method.as_str() {
        "POST" => json(200, session_json(asked.header("host"), "q0")),
        _ => empty(204),
    })
    .await;
    let client = token_client(&hub);
    let session = client.open_session(&name(), &org(), SET, "k7x2p").await.unwrap();
    assert_eq!((session.id.as_str(), session.statistics.assigned, session.statistics.idle), ("s 1", 3, 1));
    let asked = hub.asked();
    assert_eq!(asked[2].line(), format!("POST {SETS}/7/sessions?api-version=6.0-preview"));
    assert_eq!(asked[2].json(), value!({ "ownerName": "k7x2p" }));
    client.close_session(&name(), &org(), SET, "s 1").await.unwrap();
    assert_eq!(hub.lines()[3], format!("DELETE {SETS}/7/sessions/s%201?api-version=6.0-preview"));
}

#[tokio::test]
async fn a_session_that_is_of_no_use_is_an_error_and_is_closed_again() {
    for (key, bad) in [
        ("messageQueueUrl", value!("")),
        ("messageQueueUrl", Value::Null),
        ("messageQueueUrl", value!("gopher://x/")),
        ("messageQueueAccessToken", value!("")),
        ("statistics", Value::Null),
    ] {
        let hub = service(move |asked| match asked.method.as_str() {
            "POST" => {
                let mut session = session_json(asked.header("host"), "q0");
                session[key] = bad.clone();
                json(200, session)
            }
            _ => empty(204),
        })
        .await;
        let error = github(token_client(&hub).open_session(&name(), &org(), SET, "k").await.unwrap_err());
        assert!(matches!(error, GitHubError::Malformed { .. }), "{key}: {error}");
        assert_eq!(hub.count("DELETE"), 1, "{key}");
    }
}

/// The table of exceptions, at the calls that meet them.
#[tokio::test]
async fn every_exception_at_a_session_is_told_apart() {
    let text = "The session identifier s is not valid.";
    let gone = SetError::SessionGone(text.into());
    for (status, kind, at_open, at_poll) in [
        (409, "RunnerScaleSetSessionConflictException", SetError::SessionTaken(text.into()), None),
        (400, "RunnerScaleSetSessionExpiredException", gone.clone(), Some(gone.clone())),
        (404, "RunnerScaleSetNotFoundException", SetError::SetGone, Some(SetError::SetGone)),
        (404, "SomeException", SetError::SetGone, Some(gone.clone())),
    ] {
        let hub = service(move |_| trouble(status, kind, text)).await;
        let client = token_client(&hub);
        assert_eq!(client.open_session(&name(), &org(), SET, "k").await.unwrap_err(), at_open, "{kind}");
        if let Some(at_poll) = at_poll {
            let mut session = session(&hub);
            let error = client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap_err();
            assert_eq!(error, at_poll, "{kind}");
            let error = client.acknowledge(&name(), &org(), &mut session, 5).await.unwrap_err();
            assert_eq!(error, at_poll, "{kind}");
            client.close_session(&name(), &org(), SET, "s").await.unwrap();
        }
    }
    let hub = service(|_| Reply::Answer(409, vec![], "already has an active session".into())).await;
    let error = token_client(&hub).open_session(&name(), &org(), SET, "k").await.unwrap_err();
    assert_eq!(error, SetError::SessionTaken("already has an active session".into()));
}

#[tokio::test]
async fn a_poll_says_where_it_stands_and_what_it_can_run() {
    let hub = service(|asked| match asked.target.as_str() {
        "/queue/msg?sid=5&lastMessageId=100000171" => message(100_000_172, &[news("JobAssigned", 5)]),
        _ => empty(202),
    })
    .await;
    let client = token_client(&hub);
    let mut session = session(&hub);
    assert_eq!(client.next_message(&name(), &org(), &mut session, 0, 0).await.unwrap(), None);
    let got =
        client.next_message(&name(), &org(), &mut session, 100_000_171, u32::MAX).await.unwrap().unwrap();
    assert_eq!((got.id, got.statistics.unwrap().assigned), (100_000_172, 1));
    assert!(matches!(&got.news[..], [SetNews::Assigned(job)] if job.id == JobId::Request(5)));
    let asked = hub.asked();
    assert_eq!(asked[0].line(), "GET /queue/msg?sid=5");
    assert_eq!(asked[0].header("authorization"), "Bearer q0");
    assert_eq!(asked[0].header("accept"), "application/json; api-version=6.0-preview");
    assert_eq!(asked[0].header("x-scalesetmaxcapacity"), "0");
    assert_eq!(asked[1].header("x-scalesetmaxcapacity"), "2147483647");
    assert_eq!(asked.len(), 2, "a poll needs nothing of the other plane");
}

#[tokio::test]
async fn success_without_a_body_is_no_news() {
    for reply in [
        empty(200),
        empty(202),
        Reply::Answer(200, vec![], "\u{feff}".into()),
        Reply::Answer(200, vec![], "\r\n".into()),
    ] {
        let hub = service(move |_| reply.clone()).await;
        let got = token_client(&hub).next_message(&name(), &org(), &mut session(&hub), 0, 1).await.unwrap();
        assert_eq!(got, None);
    }
}

#[tokio::test]
async fn a_mark_in_front_an_unknown_kind_and_an_empty_body_do_no_harm() {
    let plain = value!({ "messageId": 5, "messageType": "RunnerScaleSetJobMessages", "body": "" });
    let marked = Reply::Answer(200, vec![], format!("\u{feff}{plain}"));
    let strange = json(200, value!({ "messageId": 5, "messageType": "Surprise", "body": "?" }));
    for reply in [marked, strange] {
        let hub = service(move |_| reply.clone()).await;
        let got = token_client(&hub).next_message(&name(), &org(), &mut session(&hub), 0, 1).await.unwrap();
        assert_eq!(got.map(|m| (m.id, m.news.len())), Some((5, 0)));
    }
}

#[tokio::test]
async fn other_answers_to_a_poll_are_errors_that_say_what_to_do() {
    for (reply, expected) in [
        (
            Reply::Answer(400, vec![("content-type".into(), "text/plain".into())], "bad capacity".into()),
            "refused",
        ),
        (empty(500), "failed"),
        (empty(502), "failed"),
        (empty(429).with("retry-after", "17"), "limited"),
        (empty(503).with("retry-after", "17"), "limited"),
        (empty(301).with("location", "http://evil.example/"), "malformed"),
        (Reply::Answer(200, vec![], "{\"messageId\":".into()), "malformed"),
        (Reply::Reset, "unreachable"),
    ] {
        let hub = service(move |_| reply.clone()).await;
        let error =
            token_client(&hub).next_message(&name(), &org(), &mut session(&hub), 0, 1).await.unwrap_err();
        let is = match github(error) {
            GitHubError::Refused { message, .. } if message == "bad capacity" => "refused",
            GitHubError::Failed { .. } => "failed",
            GitHubError::Limited { until, .. }
                if until == Hands::new().now() + std::time::Duration::from_secs(17) =>
            {
                "limited"
            }
            GitHubError::Malformed { .. } => "malformed",
            GitHubError::Unreachable { .. } => "unreachable",
            other => panic!("{other}"),
        };
        assert_eq!(is, expected);
        assert_eq!(hub.count("GET"), 1, "trying again is for whoever asked");
    }
}

#[tokio::test]
async fn a_poll_has_a_time_and_a_size_of_its_own() {
    let hub = service(|_| Reply::Hang).await;
    let tuning = Tuning { poll_timeout: std::time::Duration::from_millis(300), ..patient() };
    let client = Client::tuned(vec![token_spec(&hub)], Hands::new().clock(), tuning);
    let error = github(client.next_message(&name(), &org(), &mut session(&hub), 0, 1).await.unwrap_err());
    assert!(matches!(&error, GitHubError::Unreachable { why, .. } if why.contains("0.3 s")), "{error}");

    let hub = service(|_| Reply::Answer(200, vec![], "x".repeat(20_000))).await;
    let tuning = Tuning { body_limit: 10_000, ..patient() };
    let client = Client::tuned(vec![token_spec(&hub)], Hands::new().clock(), tuning);
    let error = github(client.next_message(&name(), &org(), &mut session(&hub), 0, 1).await.unwrap_err());
    assert!(matches!(&error, GitHubError::Malformed { why, .. } if why.contains("10000 bytes")), "{error}");
}

/// A queue whose first token is worthless, and whose renewal moves it.
async fn renewing(renewal: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Hub {
    service(move |asked| match (asked.method.as_str(), asked.header("authorization")) {
        ("PATCH", _) => renewal(asked),
        (_, "Bearer q0") => empty(401),
        ("GET", _) => message(9, &[news("JobAvailable", 5)]),
        ("DELETE", _) => empty(204),
        _ => json(200, value!({ "count": 1, "value": [5, 6] })),
    })
    .await
}

#[tokio::test]
async fn a_queue_s_401_renews_the_session_once_and_asks_again() {
    let hub = renewing(|asked| {
        let mut renewed = session_json(asked.header("host"), "q1");
        renewed["messageQueueUrl"] = value!(format!("http://{}/moved", asked.header("host")));
        json(200, renewed)
    })
    .await;
    let client = token_client(&hub);
    let mut one = session(&hub);
    let got = client.next_message(&name(), &org(), &mut one, 3, 1).await.unwrap();
    assert_eq!(got.map(|m| m.id), Some(9));
    assert_eq!((one.token.reveal(), one.queue_url.ends_with("/moved")), ("q1", true), "what is new is kept");
    assert_eq!(hub.lines().last().unwrap(), "GET /moved?lastMessageId=3");
    assert_eq!(hub.count(&format!("PATCH {SETS}/7/sessions/s%201?api-version=6.0-preview")), 1);

    let mut two = session(&hub);
    client.acknowledge(&name(), &org(), &mut two, 9).await.unwrap();
    assert_eq!(hub.lines().last().unwrap(), "DELETE /moved/9");

    let mut three = session(&hub);
    let taken =
        client.acquire(&name(), &org(), &mut three, &[JobId::Request(5), JobId::Job(8)]).await.unwrap();
    assert_eq!(taken, [JobId::Request(5)], "as many as are counted");
    let asked = hub.asked().last().unwrap().clone();
    assert_eq!(asked.line(), format!("POST {SETS}/7/acquirejobs?api-version=6.0-preview"));
    assert_eq!(
        (asked.json(), asked.header("authorization")),
        (value!([5]), "Bearer q1"),
        "the queue's token"
    );
    assert_eq!(client.acquire(&name(), &org(), &mut three, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_renewal_that_fails_says_whether_the_session_is_over() {
    let evicted = "session ID that doesn't exist in redis";
    for (reply, over) in [
        (trouble(404, "RunnerAdminException", evicted), true),
        (trouble(400, "RunnerScaleSetSessionExpiredException", "expired"), true),
        (empty(404), true),
        (json(200, session_json("127.0.0.1:1", "q0")), true),
        (empty(500), false),
    ] {
        // A renewed session whose token is worthless, too, stays at the same place.
        let hub = renewing(move |asked| match &reply {
            Reply::Answer(200, ..) => json(200, session_json(asked.header("host"), "q0")),
            other => other.clone(),
        })
        .await;
        let client = token_client(&hub);
        let mut session = session(&hub);
        let error = client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap_err();
        assert_eq!(matches!(error, SetError::SessionGone(_)), over, "{error}");
        assert_eq!(hub.count("PATCH"), 1);
    }
}

#[tokio::test]
async fn only_204_acknowledges() {
    for status in [200, 202, 404, 500] {
        let hub = service(move |_| empty(status)).await;
        let client = token_client(&hub);
        client.acknowledge(&name(), &org(), &mut session(&hub), 9).await.unwrap_err();
        let asked = &hub.asked()[0];
        assert_eq!(
            (asked.line().as_str(), asked.header("content-type")),
            ("DELETE /queue/msg/9?sid=5", "application/json")
        );
    }
}

#[tokio::test]
async fn offers_are_listed_where_the_service_lists_them() {
    let offers = json(200, value!({ "count": 1, "value": [news("JobAvailable", 5)] }));
    for (reply, expected) in [(offers, 1), (empty(204), 0), (empty(200), 0), (empty(404), 0)] {
        let hub = service(move |_| reply.clone()).await;
        let jobs = token_client(&hub).available_jobs(&name(), &org(), SET).await.unwrap();
        assert_eq!(jobs.len(), expected);
        assert_eq!(hub.lines()[2], format!("GET {SETS}/7/acquirablejobs?api-version=6.0-preview"));
    }
    let hub = service(|_| trouble(404, "RunnerScaleSetNotFoundException", "gone")).await;
    let error = token_client(&hub).available_jobs(&name(), &org(), SET).await.unwrap_err();
    assert_eq!(error, SetError::SetGone);
}

#[tokio::test]
async fn a_set_that_is_gone_is_deleted_and_one_with_jobs_is_not() {
    let hub = service(|_| trouble(404, "RunnerScaleSetNotFoundException", "gone")).await;
    token_client(&hub).delete_set(&name(), &org(), SET).await.unwrap();
    let hub = service(|_| trouble(400, "JobStillRunningException", "a job runs")).await;
    let error = github(token_client(&hub).delete_set(&name(), &org(), SET).await.unwrap_err());
    assert!(matches!(error, GitHubError::Refused { status: 400, .. }), "{error}");
}

fn request(set: Option<SetId>) -> JitRequest {
    JitRequest {
        scope: org(),
        group: Some(GroupName::new("ci")),
        set,
        name: RunnerName::new("ghrunner-build-0-k7x2p-a1"),
        labels: vec!["gpu".into()],
        work_folder: "_work".into(),
    }
}

#[tokio::test]
async fn a_runner_of_a_set_is_registered_there() {
    for key in ["encodedJITConfig", "encodedJitConfig"] {
        let hub = service(move |_| {
            json(200, value!({ "runner": { "id": 42, "name": "x", "runnerScaleSetId": 7 }, key: "c2VjcmV0" }))
        })
        .await;
        let jit = token_client(&hub).register(&name(), &request(Some(SET))).await.unwrap();
        assert_eq!((jit.id, jit.config.reveal()), (RunnerId(42), "c2VjcmV0"));
        let asked = hub.asked().last().unwrap().clone();
        assert_eq!(asked.line(), format!("POST {SETS}/7/generatejitconfig?api-version=6.0-preview"));
        assert_eq!(asked.json(), value!({ "name": "ghrunner-build-0-k7x2p-a1", "workFolder": "_work" }));
        assert_eq!(hub.asked().len(), 3, "the set has the group; nobody looks it up");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_registration_in_a_set_is_told() {
    for (reply, expected) in [
        (
            trouble(409, "TaskAgentExistsException", "exists"),
            "a runner named ghrunner-build-0-k7x2p-a1 exists already",
        ),
        (trouble(404, "RunnerScaleSetNotFoundException", "gone"), "GitHub knows no scale set 7 in orgs/acme"),
        (empty(404), "GitHub knows no scale set 7 in orgs/acme"),
        (empty(429), "credential default is limited until"),
        (
            trouble(400, "InvalidException", "no"),
            "GitHub refused to register a runner in scale set 7 of orgs/acme: no",
        ),
    ] {
        let hub = service(move |_| reply.clone()).await;
        let error = token_client(&hub).register(&name(), &request(Some(SET))).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(hub.count("GET"), 0, "nothing was made, nothing is mended");
    }
}

#[tokio::test]
async fn a_registration_in_a_set_whose_answer_was_lost_is_looked_up_and_deleted() {
    let secret = || json(200, value!({ "runner": { "id": "x" }, "encodedJITConfig": "s3cret" }));
    for reply in [Reply::Reset, Reply::Hang, empty(502), empty(200), secret()] {
        let hub = service(move |asked| match asked.method.as_str() {
            "POST" => reply.clone(),
            "GET" => {
                let runner = value!({ "id": 77, "name": "ghrunner-build-0-k7x2p-a1", "status": "offline", "busy": false });
                json(200, value!({ "total_count": 1, "runners": [runner] }))
            }
            _ => empty(204),
        })
        .await;
        let client = impatient_client(vec![token_spec(&hub)], &Hands::new());
        let error = client.register(&name(), &request(Some(SET))).await.unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        let end: Vec<String> = hub.lines().split_off(3);
        assert_eq!(
            end,
            [
                "GET /orgs/acme/actions/runners?name=ghrunner-build-0-k7x2p-a1&per_page=100",
                "DELETE /orgs/acme/actions/runners/77",
            ]
        );
    }
}

/// Which token goes where: the rule that no plane's token is seen by another's host.
#[tokio::test]
async fn each_plane_hears_its_own_token_only() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |what: &'static str| {
        let seen = seen.clone();
        move |asked: &Asked| seen.lock().unwrap().push(format!("{what} {}", asked.header("authorization")))
    };
    let queue_note = note("queue");
    let queue = Hub::start(move |asked| {
        queue_note(asked);
        if asked.method == "GET" { message(1, &[]) } else { empty(204) }
    })
    .await;
    let (service_note, queue_url) = (note("service"), format!("{}/q", queue.url()));
    let actions = Hub::start(move |asked| {
        service_note(asked);
        let session = value!({
            "sessionId": "s", "messageQueueUrl": queue_url, "messageQueueAccessToken": "queue-token", "statistics": {},
        });
        if asked.target.contains("acquire") { list(&[value!(5)]) } else { json(200, session) }
    })
    .await;
    let (rest_note, url) = (note("rest"), actions.url());
    let rest = Hub::start(move |asked| {
        rest_note(asked);
        if asked.target.starts_with("/actions") {
            json(200, value!({ "url": url, "token": "admin-token" }))
        } else {
            json(201, value!({ "token": "regtok", "expires_at": "2999-01-01T00:00:00Z" }))
        }
    })
    .await;
    let client = token_client(&rest);
    let mut session = client.open_session(&name(), &org(), SET, "k").await.unwrap();
    client.next_message(&name(), &org(), &mut session, 0, 1).await.unwrap();
    client.acquire(&name(), &org(), &mut session, &[JobId::Request(5)]).await.unwrap();
    client.acknowledge(&name(), &org(), &mut session, 1).await.unwrap();
    client.renew_session(&name(), &org(), &session).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "rest Bearer t0ken",
            "rest RemoteAuth regtok",
            "service Bearer admin-token",
            "queue Bearer queue-token",
            "service Bearer queue-token",
            "queue Bearer queue-token",
            "service Bearer admin-token",
        ]
    );
}
