//! Who may call what.

use serde_json::Value;
use serde_json::json;

use crate::cli_fleet;
use crate::cli_fleet::FakeDaemon;
use crate::peer::OPERATE;
use crate::peer::READ;
use crate::peer::Said;
use crate::peer::Served;
use crate::peer::call;
use crate::peer::calls;
use crate::peer::headers;
use crate::peer::over_streams;

/// What a control loop was asked that only looks.
fn looks(asked: &str) -> bool {
    asked.starts_with("explain ")
}

fn names(tools: &[Value]) -> Vec<String> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn only_looks(tool: &Value) -> bool {
    tool["annotations"]["readOnlyHint"] == true
}

/// Whoever adds a tool says here how it is called.
#[test]
fn every_tool_has_a_call_in_these_tests() {
    let api = Served::start(cli_fleet::snapshot());
    assert_eq!(names(&api.tools(OPERATE)), calls().iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn who_may_look_changes_nothing_by_any_tool() {
    let api = Served::start(cli_fleet::snapshot());
    let (all, shown) = (api.tools(OPERATE), api.tools(READ));
    assert!(shown.iter().all(only_looks), "{shown:#?}");
    assert_eq!(shown.len(), all.iter().filter(|tool| only_looks(tool)).count());
    let mut refused = 0;
    for (tool, (name, arguments)) in all.iter().zip(calls()) {
        let said = api.call(READ, name, &arguments);
        if only_looks(tool) {
            assert!(!said.failed || said.refused("no_history"), "{name}: {}", said.text);
        } else {
            refused += 1;
            assert!(
                said.refused("forbidden") && said.text.contains("credential scripts"),
                "{name}: {}",
                said.text
            );
        }
    }
    assert!(refused >= 4, "{refused}");
    let asked = api.asked.lock().unwrap();
    let changed: Vec<_> = asked.iter().filter(|asked| !looks(asked)).collect();
    assert_eq!(changed, [""; 0]);
}

/// Without this the one above could not fail.
#[test]
fn who_may_steer_is_let_through_everywhere() {
    let api = Served::start(cli_fleet::snapshot());
    for (name, arguments) in calls() {
        let said = api.call(OPERATE, name, &arguments);
        assert!(!said.failed || said.refused("no_history"), "{name}: {}", said.text);
    }
    let asked = api.asked.lock().unwrap().clone();
    for word in [
        "boost build 2 1800",
        "drain build false",
        "drain all true",
        "stop ghrunner-build-0-k7x2p-a1b2c3 true",
    ] {
        assert!(asked.iter().any(|asked| asked == word), "{word}: {asked:?}");
    }
}

/// What a tool says of itself holds: one that only looks asks nothing that could change something, whoever calls it.
#[test]
fn a_tool_that_says_it_only_looks_does() {
    let api = Served::start(cli_fleet::snapshot());
    for (tool, (name, arguments)) in api.tools(OPERATE).iter().zip(calls()) {
        if only_looks(tool) {
            api.call(OPERATE, name, &arguments);
        }
    }
    assert!(api.asked.lock().unwrap().iter().all(|asked| looks(asked)));
}

#[test]
fn nobody_is_answered_without_a_credential_nor_a_page_of_another_site() {
    let api = Served::start(cli_fleet::snapshot());
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let post = |credential: &str, further: &[&str]| {
        let headers = headers(credential);
        let all: Vec<&str> = headers.iter().map(String::as_str).chain(further.iter().copied()).collect();
        api.exchange("POST /mcp", &all, &list)
    };
    let (status, head, body) = post("no-credential-of-ours", &[]);
    assert!(
        status == 401 && head.contains("application/problem+json") && body.contains("unauthorized"),
        "{body}"
    );
    let (status, _, body) = post(OPERATE, &["origin: https://evil.example"]);
    assert!(status == 403 && body.contains("cross_site"), "{body}");
    let (status, head, _) = post(READ, &["origin: https://ops.example"]);
    assert!(status == 200 && head.contains("access-control-allow-origin: https://ops.example"), "{head}");
    let (status, _, body) = post(READ, &["mcp-protocol-version: 1999-01-01"]);
    assert_eq!(status, 400, "{body}");
}

#[test]
fn what_is_no_good_request_is_refused_as_everywhere() {
    let api = Served::start(cli_fleet::snapshot());
    let headers = headers(OPERATE);
    let headers = headers.each_ref().map(String::as_str);
    assert_eq!(api.exchange("GET /mcp", &headers, "").0, 405);
    assert_eq!(api.exchange("DELETE /mcp", &headers, "").0, 405);
    assert_eq!(api.exchange("POST /mcp/", &headers, "{}").0, 404);
    let (status, _, body) = api.exchange("POST /mcp", &headers, &" ".repeat(17 * 1024));
    assert!(status == 413 && body.contains("too_large"), "{body}");
    let (status, _, body) = api.exchange("POST /mcp", &headers, "{");
    assert!((400..500).contains(&status), "{status} {body}");
    // The protocol's own errors stay in its own form.
    let unknown =
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "drop_all_runners"}});
    let (_, head, body) = api.post(OPERATE, &unknown);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(
        answer["id"] == 7 && answer["error"]["message"].as_str().unwrap().contains("drop_all_runners"),
        "{body}"
    );
    assert_eq!(*api.asked.lock().unwrap(), [""; 0]);
}

#[test]
fn over_standard_input_the_same_tools_do_the_same() {
    let daemon = FakeDaemon::start();
    let requests: Vec<Value> = calls().iter().map(|(name, arguments)| call(name, arguments)).collect();
    for (answer, (name, _)) in over_streams(&daemon, false, &requests).iter().zip(calls()) {
        let said = Said::of(answer);
        assert!(!said.failed || said.refused("no_history"), "{name}: {}", said.text);
    }
    assert!(daemon.asked().iter().any(|asked| asked == "drain all true"), "{:?}", daemon.asked());
}

#[test]
fn read_only_over_standard_input_changes_nothing() {
    let daemon = FakeDaemon::start();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut requests = vec![list];
    requests.extend(calls().iter().map(|(name, arguments)| call(name, arguments)));
    let answers = over_streams(&daemon, true, &requests);
    let shown = answers[0]["result"]["tools"].as_array().unwrap();
    assert!(shown.len() >= 6 && shown.iter().all(only_looks), "{shown:#?}");
    let shown = names(shown);
    for (answer, (name, _)) in answers[1..].iter().zip(calls()) {
        let said = Said::of(answer);
        assert_eq!(said.refused("read_only"), !shown.contains(&name.to_owned()), "{name}: {}", said.text);
    }
    assert!(daemon.asked().iter().all(|asked| looks(asked)), "{:?}", daemon.asked());
}

#[test]
fn without_a_daemon_each_call_says_so() {
    let daemon = FakeDaemon::start();
    let nowhere = daemon.socket.with_file_name("nobody.sock");
    let mut child = cli_fleet::command(&nowhere)
        .arg("mcp")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let greeting = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let mut input = child.stdin.take().unwrap();
    let mut output = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut line = || serde_json::from_str::<Value>(&output.next().unwrap().unwrap()).unwrap();
    std::io::Write::write_all(
        &mut input,
        format!("{greeting}\n{begun}\n{}\n", call("plan", &json!({}))).as_bytes(),
    )
    .unwrap();
    assert_eq!(line()["result"]["serverInfo"]["name"], "ghrunner");
    let said = Said::of(&line());
    assert!(said.refused("not_running") && said.text.contains("nobody.sock"), "{}", said.text);
    // It ends with its input.
    drop(input);
    assert!(child.wait().unwrap().success());
}
