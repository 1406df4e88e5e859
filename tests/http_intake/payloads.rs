//! GitHub's own payloads, whole and spoilt.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use ghrunner::demand::Book;
use ghrunner::demand::HookEvent;
use ghrunner::demand::Stage;
use ghrunner::demand::parse_hook;
use ghrunner::model::Time;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::bench::queued;

const NOW: Time = Time(1_700_000_000_000);

/// How many spoilt payloads are read, where `GHRUNNER_MUTATIONS` does not say.
const MUTATIONS: u64 = 20_000;

/// The folder of payloads beside the project: one folder for each event.
fn folder() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|up| up.join("shared/data/webhooks"));
    found.into_iter().find(|folder| folder.is_dir())
}

/// Events with their payloads, by file.
fn payloads() -> BTreeMap<String, (String, Vec<u8>)> {
    let Some(folder) = folder() else {
        eprintln!("shared/data/webhooks is not beside the project: GitHub's own payloads are not read");
        return BTreeMap::new();
    };
    let mut all = BTreeMap::new();
    for event in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let name = event.file_name().unwrap().to_str().unwrap().to_owned();
        for file in fs::read_dir(&event).unwrap().map(|entry| entry.unwrap().path()) {
            let key = format!("{name}/{}", file.file_name().unwrap().to_str().unwrap());
            all.insert(key, (name.clone(), fs::read(&file).unwrap()));
        }
    }
    all
}

/// The least of each kind, for where the folder is not there.
fn small() -> Vec<(String, Vec<u8>)> {
    let repository = r#"{"action":"renamed","repository":{"id":3,"full_name":"a/b"},"changes":{"repository":{"name":{"from":"c"}}}}"#;
    let run = r#"{"action":"completed","workflow_run":{"id":1,"run_attempt":1,"event":"push","name":"CI","path":"x/ci.yml"}}"#;
    let installation = r#"{"action":"removed","installation":{"account":{"login":"a"}},"repositories_removed":[{"full_name":"a/b"}]}"#;
    [
        ("workflow_job", queued(1).as_str()),
        ("repository", repository),
        ("workflow_run", run),
        ("installation_repositories", installation),
        ("check_run", r#"{"action":"completed","check_run":{"id":1}}"#),
        (
            "organization",
            r#"{"action":"renamed","organization":{"login":"a"},"changes":{"login":{"from":"b"}}}"#,
        ),
    ]
    .map(|(event, body)| (event.to_owned(), body.as_bytes().to_vec()))
    .to_vec()
}

#[test]
fn every_payload_of_githubs_is_understood() {
    for (file, (event, body)) in payloads() {
        let read = parse_hook(&event, &body).unwrap_or_else(|why| panic!("{file}: {why}"));
        let action: Value = serde_json::from_slice(&body).unwrap();
        let action = action["action"].as_str().unwrap_or_default().to_owned();
        match (event.as_str(), action.as_str(), &read) {
            ("workflow_job", action, HookEvent::Job(news)) => {
                let stage = match action {
                    "waiting" => Stage::Held,
                    "queued" => Stage::Queued,
                    "in_progress" => Stage::Running,
                    _ => Stage::Done,
                };
                assert_eq!(news.stage, stage, "{file}");
                assert!(
                    news.created.is_some() && !news.labels.is_empty() && news.repo_id > 0,
                    "{file}: {news:?}"
                );
            }
            ("workflow_run", action, HookEvent::Run(news)) => {
                assert_eq!(news.done, action == "completed", "{file}");
                assert!(!news.event.is_empty() && !news.workflow.is_empty(), "{file}: {news:?}");
            }
            ("repository", "renamed", HookEvent::Moved { from, to, .. }) => {
                assert_eq!(from.owner(), to.owner(), "{file}");
            }
            ("repository", "transferred", HookEvent::Moved { from, to, .. }) => {
                assert_ne!(from, to, "{file}");
            }
            ("check_run", "completed", HookEvent::CheckEnded(_)) | ("ping", _, HookEvent::Ping) => {}
            ("installation", "deleted", HookEvent::Access { lost: Some(_), .. }) => {}
            ("installation", "created" | "unsuspend", HookEvent::Access { lost: None, .. }) => {}
            ("installation_repositories", "added", HookEvent::Access { lost: None, .. }) => {}
            ("workflow_job" | "workflow_run" | "ping", ..)
            | ("check_run", "completed", _)
            | ("repository", "renamed" | "transferred", _)
            | ("installation", "deleted" | "created" | "unsuspend", _)
            | ("installation_repositories", ..) => panic!("{file}: {read:?}"),
            (_, _, read) => assert_eq!(*read, HookEvent::Nothing, "{file}"),
        }
    }
}

/// Whatever came through the signature must not end the daemon.
#[test]
fn a_spoilt_payload_is_read_or_refused() {
    let count = std::env::var("GHRUNNER_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(MUTATIONS);
    let all: Vec<(String, Vec<u8>)> = payloads().into_values().chain(small()).collect();
    let mut dice = StdRng::seed_from_u64(7);
    let (mut book, mut read, mut refused) = (Book::default(), 0_u64, 0_u64);
    for n in 0..count {
        let (event, body) = &all[dice.random_range(0..all.len())];
        let spoilt =
            if dice.random_bool(0.5) { spoil_text(body, &mut dice) } else { spoil_value(body, &mut dice) };
        match parse_hook(event, &spoilt) {
            Ok(news) => {
                read += 1;
                book.hear(&news, NOW);
            }
            Err(why) => {
                refused += 1;
                assert!(why.len() < 100, "{why}");
            }
        }
        if n % 1000 == 0 {
            book.prune(NOW);
            let _ = (book.heard(NOW), book.lost());
        }
    }
    assert!(read > count / 10 && refused > count / 10, "{read} read, {refused} refused");
}

/// Cuts, doubles and flips bytes, and puts pieces in.
fn spoil_text(body: &[u8], dice: &mut StdRng) -> Vec<u8> {
    const PIECES: [&[u8]; 10] =
        [b"\"", b"{", b"}", b"[", b"null", b"-1", b"1e999", b"\\u0000", b"\xff", b"99999999999999999999"];
    let mut body = body.to_vec();
    for _ in 0..dice.random_range(1..4) {
        let at = dice.random_range(0..=body.len());
        let end = (at + dice.random_range(0..20)).min(body.len());
        match dice.random_range(0..4) {
            0 => drop(body.drain(at..end)),
            1 => {
                let piece = body[at..end].to_vec();
                body.splice(at..at, piece);
            }
            2 => body[at..end].iter_mut().for_each(|byte| *byte ^= 1 << dice.random_range(0..8)),
            _ => drop(body.splice(at..at, PIECES[dice.random_range(0..PIECES.len())].iter().copied())),
        }
    }
    body
}

/// Puts another value somewhere, so that it stays JSON.
fn spoil_value(body: &[u8], dice: &mut StdRng) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(body).unwrap();
    for _ in 0..dice.random_range(1..4) {
        let mut at = &mut value;
        for _ in 0..dice.random_range(1..5) {
            let size = match at {
                Value::Object(map) => map.len(),
                Value::Array(items) => items.len(),
                _ => 0,
            };
            if size == 0 {
                break;
            }
            let which = dice.random_range(0..size);
            at = match at {
                Value::Object(map) => map.values_mut().nth(which).unwrap(),
                Value::Array(items) => &mut items[which],
                _ => unreachable!(),
            };
        }
        *at = other(dice);
    }
    serde_json::to_vec(&value).unwrap()
}

fn other(dice: &mut StdRng) -> Value {
    let deep = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    match dice.random_range(0..10) {
        0 => Value::Null,
        1 => Value::from(dice.random::<u64>()),
        2 => Value::from(dice.random::<i64>()),
        3 => Value::from(dice.random::<f64>()),
        4 => Value::from(""),
        5 => Value::from("a/../b"),
        6 => Value::from("9999-12-31T23:59:60.999999999+14:00"),
        7 => Value::from("ä\u{0}\u{202e}".repeat(dice.random_range(0..100))),
        8 => deep(dice.random_range(0..200)),
        _ => Value::Object(serde_json::Map::new()),
    }
}
