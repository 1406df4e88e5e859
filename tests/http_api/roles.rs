//! Every operation of the description, asked for by nobody in particular, by one who may look, and by one who may steer.

use crate::document;
use crate::served::Answer;
use crate::served::OPERATE;
use crate::served::READ;
use crate::served::Served;
use crate::served::bearer;

/// What nobody needs a credential for. It is written down here once more, so that a further one is meant.
const OPEN: [&str; 4] = ["/docs", "/health", "/openapi.json", "/ready"];

/// One request that would succeed if it were let through.
struct Operation {
    method: String,
    path: String,
    body: &'static str,
}

impl Operation {
    fn ask(&self, api: &Served, headers: &[String]) -> Answer {
        api.ask(&format!("{} {}", self.method, self.path), headers, self.body)
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether the answer goes on for as long as somebody listens.
    fn is_endless(&self) -> bool {
        self.path.ends_with("/events")
    }

    /// What comes of it for whoever may ask it. No history is kept here, and the made-up control loop refuses each reload.
    fn expected(&self) -> u16 {
        let of_history = ["/history", "/audit", "/stats"].iter().any(|part| self.path.contains(part));
        if of_history {
            404
        } else if self.path.ends_with("/reload") {
            422
        } else {
            200
        }
    }

    fn is_open(&self) -> bool {
        OPEN.contains(&self.path.as_str())
    }
}

/// A good request for each operation of the description.
fn operations() -> Vec<Operation> {
    let document = document();
    let mut all = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = if template.contains("/runners/") { "ghrunner-build-0-k7x2p-a1b2c3" } else { "build" };
            let path = template.replace("{name}", name).replace("{id}", "456").replace("{seq}", "1");
            assert!(!path.contains('{'), "{template}: say here what stands for its parameter");
            let body = match (template.rsplit('/').next().unwrap(), operation["requestBody"].is_null()) {
                (_, true) => "",
                ("mode", _) => r#"{"mode":"repository"}"#,
                ("log-level", _) => r#"{"level":"info"}"#,
                ("scale-up" | "scale-down", _) => r#"{"count":1}"#,
                _ => panic!("{template}: say here what its body is"),
            };
            let query = if template.ends_with("/obstacles") { "?mode=repository" } else { "" };
            all.push(Operation { method: method.to_uppercase(), path: path + query, body });
        }
    }
    assert!(all.len() > 25, "{}", all.len());
    all
}

/// What a control loop was asked that only looks.
fn looks(asked: &str) -> bool {
    ["explain ", "logs ", "obstacles "].iter().any(|word| asked.starts_with(word))
}

#[test]
fn nobody_does_anything_without_a_credential() {
    let wrong = bearer("no-credential-of-ours");
    for operation in operations() {
        // Each at one of its own, since one address may not try for long.
        let api = Served::start();
        for headers in [vec![], vec![wrong.clone()], vec!["authorization: Basic eDp5".to_owned()]] {
            let answer = operation.ask(&api, &headers);
            if operation.is_open() {
                assert_eq!((operation.method.as_str(), answer.status), ("GET", 200), "{}", operation.line());
            } else {
                assert_eq!(answer.status, 401, "{}", operation.line());
                assert!(answer.header("www-authenticate").unwrap().starts_with("bearer"), "{}", answer.head);
                assert_eq!(answer.problem().code, "unauthorized");
            }
        }
        assert_eq!(*api.asked.lock().unwrap(), [""; 0], "it did not come as far as the control loop");
    }
}

#[test]
fn who_tries_many_credentials_is_told_to_wait_and_locks_nobody_out() {
    let api = Served::start();
    let ask = |credential: &str| api.ask("POST /api/v1/drain", &[bearer(credential)], "");
    // A token comes each second, and the machine may be slow.
    let taken = (0..1000).take_while(|n| ask(&format!("guess-{n}")).status == 401).count();
    assert!((10..1000).contains(&taken), "{taken}");
    let many = (0..1000).map(|n| ask(&format!("another-{n}")));
    let refused = many.into_iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(refused.problem().code, "too_many_guesses");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // This machine may be a proxy with everybody behind it: a good credential is good all the same.
    assert_eq!((ask(READ).status, ask(OPERATE).status), (403, 200));
    assert_eq!(api.ask("GET /health", &[], "").status, 200);
    assert_eq!(api.ask("GET /api/v1/plan", &[], "").status, 401, "none at all is no guess");
}

#[test]
fn who_may_look_changes_nothing() {
    let api = Served::start();
    let mut looked = 0;
    for operation in operations() {
        if operation.is_endless() {
            continue;
        }
        let answer = operation.ask(&api, &[bearer(READ)]);
        if operation.method == "GET" {
            looked += 1;
            assert_eq!(answer.status, operation.expected(), "{}: {}", operation.line(), answer.body);
        } else {
            assert_eq!(answer.status, 403, "{}", operation.line());
            assert!(answer.problem().detail.contains("scripts"), "{}", answer.body);
        }
    }
    assert!(looked > 10, "{looked}");
    let asked = api.asked.lock().unwrap();
    let changed: Vec<_> = asked.iter().filter(|asked| !looks(asked)).collect();
    assert_eq!(changed, [""; 0]);
}

/// Without this the two above could not fail.
#[test]
fn who_may_steer_is_let_through_everywhere() {
    let api = Served::start();
    for operation in operations().into_iter().filter(|operation| !operation.is_endless()) {
        let answer = operation.ask(&api, &[bearer(OPERATE)]);
        assert_eq!(answer.status, operation.expected(), "{}: {}", operation.line(), answer.body);
    }
    let asked = api.asked.lock().unwrap().clone();
    for word in [
        "drain build true",
        "drain build false",
        "boost build 1",
        "lower build",
        "drain all",
        "stop ",
        "mode ",
        "reload",
    ] {
        assert!(asked.iter().any(|asked| asked.starts_with(word)), "{word}: {asked:?}");
    }
}
