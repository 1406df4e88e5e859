//! Both clients against the real router, and against servers that behave badly.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use ghrunner::client::Client;
use ghrunner::client::ClientError;
use ghrunner::client::Endpoint;
use ghrunner::client::Event;
use ghrunner::client::blocking;
use ghrunner::client::call;
use ghrunner::http::ApiSettings;
use ghrunner::http::Certificate;
use ghrunner::http::Transport;
use ghrunner::http::dto;
use ghrunner::model::Phase;
use ghrunner::model::Secret;

use crate::cli_fleet;
use crate::cli_fleet::FakeDaemon;
use crate::served::OPERATE;
use crate::served::READ;
use crate::served::Served;
use crate::served::fs_read;
use crate::served::settings;

/// The same, awaited or waited for.
fn await_it<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn both(place: &Endpoint) -> (Client, blocking::Client) {
    (Client::new(place).unwrap(), blocking::Client::new(place).unwrap())
}

/// What both clients say to one call; they must not differ.
fn told<T>(place: &Endpoint, call: &ghrunner::client::Call<T>) -> Result<T, ClientError>
where
    T: Clone + std::fmt::Debug + PartialEq,
{
    let waited = blocking::Client::new(place).unwrap().ask(call.clone());
    let awaited = await_it(async { Client::new(place).unwrap().ask(call.clone()).await });
    match (&waited, &awaited) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(one), Err(other)) => {
            assert_eq!(std::mem::discriminant(one), std::mem::discriminant(other), "{one} / {other}");
            assert_eq!(one.code(), other.code());
        }
        (one, other) => panic!("{one:?} / {other:?}"),
    }
    waited
}

fn of_tls() -> Served {
    let key = Secret::new(String::from_utf8(fs_read("server-key.pem")).unwrap());
    let certificate = Certificate::of_pem(&fs_read("server.pem"), &key).unwrap();
    Served::with(cli_fleet::snapshot(), ApiSettings { transport: Transport::Tls(certificate), ..settings() })
}

fn secure(api: &Served, credential: &str) -> Endpoint {
    Endpoint::network(format!("https://localhost:{}", api.address.port()), Secret::new(credential))
}

#[test]
fn over_tls_each_does_what_its_role_lets_it() {
    let api = of_tls();
    let (read, operate) = (
        secure(&api, READ).with_ca_file("tests/github/ca.pem"),
        secure(&api, OPERATE).with_ca_file("tests/github/ca.pem"),
    );
    assert_eq!(told(&read, &call::whoami()).unwrap().role, "read");
    assert_eq!(told(&operate, &call::whoami()).unwrap().role, "operate");
    let refused = told(&read, &call::drain_pool("build")).unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(403), Some("forbidden")));
    assert_eq!(*api.asked.lock().unwrap(), [""; 0]);
    told(&operate, &call::drain_pool("build")).unwrap();
    assert_eq!(*api.asked.lock().unwrap(), ["drain build true", "drain build true"]);
    let wrong = secure(&api, "wrong").with_ca_file("tests/github/ca.pem");
    assert_eq!(told(&wrong, &call::plan()).unwrap_err().code(), Some("unauthorized"));
}

#[test]
fn a_certificate_of_nobody_who_is_trusted_ends_the_talk_before_the_credential() {
    let api = of_tls();
    let why = told(&secure(&api, READ), &call::whoami()).unwrap_err();
    assert!(matches!(why, ClientError::Broken(_)), "{why}");
    assert!(why.to_string().contains("certificate"), "{why}");
    for bad in ["tests/github/nothing-there.pem", "tests/http_api/client.rs"] {
        assert!(
            matches!(Client::new(&secure(&api, READ).with_ca_file(bad)), Err(ClientError::Endpoint(_))),
            "{bad}"
        );
        assert!(blocking::Client::new(&secure(&api, READ).with_ca_file(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_problem_comes_whole() {
    let daemon = FakeDaemon::start();
    let place = Endpoint::socket(&daemon.socket);
    match told(&place, &call::pool("biuld")).unwrap_err() {
        ClientError::Refused(problem) => {
            assert_eq!((problem.status, problem.code.as_str()), (404, "no_such_pool"));
            assert!(problem.detail.contains("build") && problem.request_id.is_some(), "{problem:?}");
        }
        other => panic!("{other}"),
    }
    for name in ["", ".", "..", "a/b", "a?b", "%2e", "ü"] {
        assert_eq!(
            told(&place, &call::remove_runner(name, true)).unwrap_err().status(),
            Some(404),
            "{name:?}"
        );
    }
    assert!(!daemon.asked().iter().any(|asked| asked.starts_with("stop all")), "{:?}", daemon.asked());
}

#[test]
fn where_nobody_listens_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for place in [
        Endpoint::socket(dir.path().join("none")),
        Endpoint::network(format!("http://{free}"), Secret::new("x")),
    ] {
        let why = told(&place, &call::status()).unwrap_err();
        assert!(matches!(why, ClientError::NotRunning { .. }), "{place:?}: {why}");
    }
}

#[test]
fn lists_are_read_to_their_end_or_only_as_far_as_is_wanted() {
    let mut snapshot = cli_fleet::snapshot();
    snapshot.runners = (0..2500).map(|slot| cli_fleet::runner(slot, Phase::Idle)).collect();
    let daemon = FakeDaemon::with(snapshot);
    let (awaited, waited) = both(&Endpoint::socket(&daemon.socket));
    let slots = |runners: Vec<dto::Runner>| runners.iter().map(|runner| runner.slot).collect::<Vec<_>>();
    let all: Vec<u32> = (0..2500).collect();
    assert_eq!(slots(waited.all(call::runners()).unwrap()), all);
    assert_eq!(waited.ask(call::runners().page()).unwrap().len(), 1000, "one page is one page");
    assert_eq!(
        slots(waited.items(call::runners()).take(1001).collect::<Result<_, _>>().unwrap()),
        all[..1001]
    );
    await_it(async {
        assert_eq!(slots(awaited.all(call::runners()).await.unwrap()), all);
        let some = awaited.items(call::runners()).take(1001).try_collect().await.unwrap();
        assert_eq!(slots(some), all[..1001]);
    });
}

#[test]
fn output_is_had_as_it_comes() {
    let daemon = FakeDaemon::start();
    let (awaited, waited) = both(&Endpoint::socket(&daemon.socket));
    let mut text = String::new();
    waited.read(call::logs("ghrunner-build-0", 5, false)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "√ Connected to GitHub\nListening for Jobs\n");
    // One that goes on is had before its end, which never comes.
    let mut first = vec![0; text.len()];
    waited.read(call::logs("endless", 5, true)).unwrap().read_exact(&mut first).unwrap();
    assert_eq!(first, text.as_bytes());
    await_it(async {
        let mut parts = awaited.read(call::logs("endless", 5, true)).await.unwrap();
        let mut had = Vec::new();
        while had.len() < text.len() {
            had.extend_from_slice(&parts.next().await.unwrap().unwrap());
        }
        assert_eq!(had, text.as_bytes());
    });
    assert!(daemon.asked().contains(&"logs endless 5 true".to_owned()), "{:?}", daemon.asked());
}

#[test]
fn the_fleet_is_heard_as_it_changes() {
    let daemon = FakeDaemon::start();
    let (_, waited) = both(&Endpoint::socket(&daemon.socket));
    let mut events = waited.events(None).unwrap();
    let opening = events.next().unwrap().unwrap();
    assert!(matches!(&opening.event, Event::Snapshot(all) if all.status.pools.len() == 1), "{opening:?}");
    waited.ask(call::drain_all()).unwrap();
    let change = events.next().unwrap().unwrap();
    assert!(matches!(&change.event, Event::Change(change) if change.pools[0].drained), "{change:?}");
    // Who comes back hears only what was missed.
    let mut again = waited.events(opening.id.as_deref()).unwrap();
    assert_eq!(again.next().unwrap().unwrap().id, change.id);
    drop(daemon);
    assert!(events.next().is_none_or(|last| last.is_err()), "it ends with the daemon");
    assert!(events.next().is_none());
}

#[test]
fn the_fleet_is_heard_by_who_awaits_it() {
    let daemon = FakeDaemon::start();
    let (awaited, waited) = both(&Endpoint::socket(&daemon.socket));
    await_it(async {
        let mut events = std::pin::pin!(awaited.events(None).await.unwrap());
        let opening = events.next().await.unwrap().unwrap();
        assert!(matches!(&opening.event, Event::Snapshot(_)), "{opening:?}");
        awaited.ask(call::drain_all()).await.unwrap();
        let change = events.next().await.unwrap().unwrap();
        assert!(matches!(&change.event, Event::Change(change) if change.pools[0].drained), "{change:?}");
        let mut again = std::pin::pin!(awaited.events(opening.id.as_deref()).await.unwrap());
        assert_eq!(again.next().await.unwrap().unwrap().id, change.id);
    });
    drop(waited);
}

/// A server that says the same to everybody, and keeps what it was told.
struct Canned {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn says(answer: impl Into<Vec<u8>>) -> Self {
        let (answer, listener) = (answer.into(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&heard);
        std::thread::spawn(move || {
            // Ends with the test's process.
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap_or(0);
                log.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
                let _ = stream.write_all(&answer);
                if answer.is_empty() {
                    open.push(stream);
                }
            }
        });
        Self { address, heard }
    }

    fn with(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::says(format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        ))
    }

    fn place(&self) -> Endpoint {
        Endpoint::network(format!("http://{}", self.address), Secret::new("the-credential"))
    }
}

#[test]
fn what_a_later_daemon_adds_is_passed_over() {
    let api = Served::start();
    let mut status: serde_json::Value = serde_json::from_str(&api.get("/api/v1/status").body).unwrap();
    status["added_later"] = serde_json::json!({"x": [1]});
    for list in ["pools", "runners", "credentials"] {
        status[list][0]["added_later"] = serde_json::json!("y");
    }
    let later = Canned::with("200 OK", "x-added-later: 1\r\n", &status.to_string());
    assert_eq!(told(&later.place(), &call::status()).unwrap().pools[0].name, "build");
    let heard = later.heard.lock().unwrap();
    for request in heard.iter().map(|request| request.to_lowercase()) {
        assert!(request.starts_with("get /api/v1/status http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: bearer the-credential\r\n"), "{request}");
    }
    assert_eq!(heard.len(), 2);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Canned::with("200 OK", "", "{}");
    let place = format!("location: http://{}/api/v1/whoami\r\n", other.address);
    for status in ["301 Moved", "307 Temporary Redirect"] {
        let why = told(&Canned::with(status, &place, "").place(), &call::whoami()).unwrap_err();
        assert!(matches!(why, ClientError::Malformed(_)), "{why}");
    }
    assert_eq!(*other.heard.lock().unwrap(), [""; 0]);
}

#[test]
fn an_answer_that_is_none_of_the_daemons_is_told_as_that() {
    let why = told(&Canned::with("502 Bad Gateway", "", "<html>").place(), &call::plan()).unwrap_err();
    assert!(matches!(&why, ClientError::Malformed(text) if text.contains("502")), "{why}");
    let why = told(&Canned::with("200 OK", "", "<html>").place(), &call::plan()).unwrap_err();
    assert!(matches!(why, ClientError::Malformed(_)), "{why}");
    let why = told(&Canned::says("nonsense\r\n\r\n").place(), &call::plan()).unwrap_err();
    assert!(matches!(why, ClientError::Broken(_)), "{why}");
    let large = Canned::with("404 Not Found", "", &"x".repeat(2 << 20));
    let why = told(&large.place(), &call::plan()).unwrap_err();
    assert!(matches!(why, ClientError::TooLarge { .. }), "{why}");
}

#[test]
fn nobody_waits_for_ever() {
    let silent = Canned::says("");
    let soon = Duration::from_millis(300);
    let why = told(&silent.place(), &call::plan().within(soon)).unwrap_err();
    assert!(matches!(why, ClientError::Late { after } if after == soon), "{why}");
    let (awaited, waited) = both(&silent.place());
    let logs = || call::logs("x", 1, true).within(soon);
    assert!(matches!(waited.read(logs()).err(), Some(ClientError::Late { .. })));
    assert!(matches!(await_it(async { awaited.read(logs()).await.err() }), Some(ClientError::Late { .. })));
}
