//! The clients against the API's own description: each can ask all of it, and understands what comes.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ghrunner::client;
use ghrunner::client::Call;
use ghrunner::client::ClientError;
use ghrunner::client::Endpoint;
use ghrunner::client::List;
use ghrunner::client::Raw;
use ghrunner::client::Request;
use ghrunner::client::Sheet;
use ghrunner::client::blocking;
use ghrunner::client::call;
use ghrunner::client::call::Filter;
use ghrunner::client::call::Question;
use ghrunner::http::dto;
use ghrunner::model::Mode;
use ghrunner::model::Secret;
use ghrunner::model::history::JobResult;
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

use crate::document;
use crate::served::OPERATE;
use crate::served::Served;

/// What no program wants: a page for people, and the metrics at their other path.
const LEFT_OUT: [&str; 2] = ["GET /docs", "GET /api/v1/metrics"];

const RUNNER: &str = "ghrunner-build-0-k7x2p-a1b2c3";

type Waiting = Box<dyn Fn(&blocking::Client) -> Result<(), ClientError>>;
type Awaited = Box<dyn Fn(client::Client) -> BoxFuture<'static, Result<(), ClientError>>>;

/// A call, with the name of its answer's shape where it has one, and asking it in both ways.
struct Known {
    request: Request,
    shape: Option<String>,
    waiting: Waiting,
    awaited: Awaited,
}

fn plain<T: Clone + Send + 'static>(call: Call<T>) -> Known {
    let (one, other) = (call.clone(), call.clone());
    Known {
        request: call.request().clone(),
        shape: None,
        waiting: Box::new(move |client| client.ask(one.clone()).map(drop)),
        awaited: Box::new(move |client| {
            let call = other.clone();
            async move { client.ask(call).await.map(drop) }.boxed()
        }),
    }
}

fn one<T: ToSchema + Clone + Send + 'static>(call: Call<T>) -> Known {
    Known { shape: Some(T::name().into_owned()), ..plain(call) }
}

fn list<P>(list: List<P>) -> Known
where
    P: Sheet + Clone + Send + 'static,
    P::Item: ToSchema + Send + 'static,
{
    let (one, other) = (list.clone(), list.clone());
    Known {
        request: list.request().clone(),
        shape: Some(P::Item::name().into_owned()),
        waiting: Box::new(move |client| client.all(one.clone()).map(drop)),
        awaited: Box::new(move |client| {
            let list = other.clone();
            async move { client.all(list).await.map(drop) }.boxed()
        }),
    }
}

fn raw(raw: Raw) -> Known {
    let (one, other) = (raw.clone(), raw.clone());
    Known {
        request: raw.request().clone(),
        shape: None,
        waiting: Box::new(move |client| client.read(one.clone()).map(drop)),
        awaited: Box::new(move |client| {
            let raw = other.clone();
            async move { client.read(raw).await.map(drop) }.boxed()
        }),
    }
}

/// Every call there is, with all that it can be told.
fn calls() -> Vec<Known> {
    let text = |text: &str| Some(text.to_owned());
    let filter = Filter {
        pool: text("build"),
        repo: text("acme/app"),
        result: Some(JobResult::NeverRan),
        since: text("7d"),
        until: text("1h"),
        after: text("7-7"),
        limit: Some(3),
    };
    let question = Question {
        repo: Some("acme/app".parse().unwrap()),
        run: Some(7),
        job: Some(9),
        labels: vec!["gpu".to_owned(), "linux".to_owned()],
    };
    let hour = Duration::from_secs(3600);
    let since: dto::Timestamp = serde_json::from_str("\"2026-01-31T12:00:00.000Z\"").unwrap();
    vec![
        one(call::health()),
        one(call::ready()),
        plain(call::openapi()),
        plain(call::metrics()),
        one(call::whoami()),
        one(call::status()),
        one(call::plan()),
        one(call::trend(Some(since))),
        raw(call::events(Some("1-1"))),
        one(call::reload()),
        one(call::set_mode(Mode::Repository, true)),
        plain(call::obstacles(Mode::Repository)),
        one(call::log_level()),
        one(call::set_log_level("info", Some(hour))),
        list(call::pools()),
        one(call::pool("build")),
        one(call::drain_pool("build")),
        one(call::resume_pool("build")),
        one(call::scale_up_pool("build", 2, hour)),
        one(call::scale_down_pool("build", Some(1))),
        one(call::scale_up_all(2, hour)),
        one(call::scale_down_all(None)),
        one(call::drain_all()),
        one(call::resume_all()),
        list(call::runners()),
        one(call::runner(RUNNER)),
        one(call::remove_runner(RUNNER, true)),
        one(call::remove_all_runners(false)),
        raw(call::logs(RUNNER, 10, false)),
        list(call::ended()),
        list(call::jobs()),
        one(call::explain_job(456)),
        plain(call::explain(&question)),
        list(call::past_jobs(&filter)),
        list(call::past_runners(&filter)),
        one(call::past_runner(RUNNER)),
        list(call::past_decisions(&filter)),
        one(call::stats(&filter)),
        one(call::stats_series(&filter, Some(hour))),
        list(call::audit(&filter)),
        plain(call::audit_entry(1)),
        plain(call::verify_audit()),
        raw(call::copy_history()),
    ]
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// The operation of the description that a request is. A path that is written out counts before one with a parameter.
fn operation<'a>(document: &'a Value, request: &Request) -> Option<(&'a str, &'a Value)> {
    let (target, method) = (request.target(), request.method().as_str().to_lowercase());
    let path = target.split('?').next().unwrap();
    let paths = document["paths"].as_object().unwrap();
    let found = paths.iter().filter(|(template, item)| fits(template, path) && item.get(&method).is_some());
    let (template, item) = found.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((template, &item[&method]))
}

#[test]
fn every_operation_can_be_asked_and_nothing_else() {
    let document = document();
    let mut lacking: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        lacking.extend(
            item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    assert!(lacking.len() > 35, "{}", lacking.len());
    lacking.retain(|operation| !LEFT_OUT.contains(&operation.as_str()));
    for known in calls() {
        let (method, target) = (known.request.method(), known.request.target());
        let (template, _) =
            operation(&document, &known.request).unwrap_or_else(|| panic!("{method} {target}"));
        lacking.retain(|operation| *operation != format!("{method} {template}"));
    }
    assert_eq!(lacking, [""; 0], "src/client/call.rs lacks these");
}

#[test]
fn what_is_sent_and_what_is_read_is_as_described() {
    let document = document();
    for known in calls() {
        let (template, operation) = operation(&document, &known.request).unwrap();
        let described: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| p["in"] == "query")
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        let target = known.request.target();
        let sent = target
            .split_once('?')
            .map(|(_, query)| query.split('&').map(|pair| pair.split('=').next().unwrap()));
        for name in sent.into_iter().flatten() {
            assert!(described.contains(&name), "{template}: {name} is not described");
        }
        assert!(known.request.json().is_none() || operation.get("requestBody").is_some(), "{template}");
        let Some(shape) = known.shape else { continue };
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let name = [&schema["$ref"], &schema["items"]["$ref"]].into_iter().find_map(|name| name.as_str());
        let name = name.unwrap_or_else(|| panic!("{template}: {schema}")).rsplit('/').next().unwrap();
        assert_eq!(name.strip_prefix("Page_").unwrap_or(name), shape, "{template}");
    }
}

/// No history is kept here, and the made-up control loop refuses each reload.
fn as_expected(request: &Request, answer: Result<(), ClientError>) {
    let target = request.target();
    let of_history = ["/history", "/audit", "/stats"].iter().any(|part| target.contains(part));
    match (answer, of_history, target.ends_with("/reload")) {
        (Err(why), true, _) => assert_eq!(why.code(), Some("no_history"), "{target}: {why}"),
        (Err(why), _, true) => assert_eq!(why.status(), Some(422), "{target}: {why}"),
        (answer, false, false) => answer.unwrap_or_else(|why| panic!("{target}: {why}")),
        (Ok(()), ..) => panic!("{target} should have been refused"),
    }
}

#[test]
fn all_of_it_is_answered_to_who_waits() {
    let api = Served::start();
    let place = Endpoint::network(format!("http://{}", api.address), Secret::new(OPERATE));
    let client = blocking::Client::new(&place).unwrap();
    for known in calls() {
        as_expected(&known.request, (known.waiting)(&client));
    }
}

#[tokio::test]
async fn all_of_it_is_answered_to_who_awaits() {
    let api = Served::start();
    let place = Endpoint::network(format!("http://{}", api.address), Secret::new(OPERATE));
    let client = client::Client::new(&place).unwrap();
    for known in calls() {
        as_expected(&known.request, (known.awaited)(client.clone()).await);
    }
}
