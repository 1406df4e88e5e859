//! The real daemon: what an agent does is told of as what anybody does.

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::peer::Said;
use crate::peer::call;
use crate::rig::Rig;
use crate::rig::eventually;

/// One message over HTTP on the control socket.
fn over_the_socket(rig: &Rig, message: &Value) -> Value {
    let mut stream = UnixStream::connect(rig.path("run/s")).unwrap();
    let body = message.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\naccept: application/json, \
         text/event-stream\r\nx-request-id: the-agent\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// One message to the real command.
fn over_the_command(rig: &Rig, message: &Value) -> Value {
    let mut command = rig.command(&["mcp"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let greeting = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{greeting}\n{begun}\n{message}\n").as_bytes()).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let _ = lines.next().unwrap().unwrap();
    let answer = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    answer
}

#[test]
fn what_an_agent_does_is_in_the_journal_and_in_the_trail() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 1\nmax = 2"));
    let daemon = rig.daemon();
    rig.shows(&["build"]);
    let said = Said::of(&over_the_socket(&rig, &call("runner_stop_autoscaler", &json!({"pool": "build"}))));
    assert!(said.value["done"].as_str().unwrap().contains("is being drained"), "{}", said.text);
    let told = daemon.says("asked: POST /api/v1/pools/build/drain (200)");
    assert!(told.contains("the-agent") && told.contains("user "), "{told}");
    let shown = || {
        let status = over_the_socket(&rig, &call("runner_get_status", &json!({"pool": "build"})));
        Said::of(&status).value["pools"][0]["drained"].clone()
    };
    eventually(|| shown() == true).unwrap();
    let said = Said::of(&over_the_command(&rig, &call("runner_start_autoscaler", &json!({"all": true}))));
    assert!(said.value["done"].as_str().unwrap().contains("served again"), "{}", said.text);
    daemon.says("asked: POST /api/v1/resume (200)");
    eventually(|| shown() == false).unwrap();
    let trail = || {
        let asked = call("history_query", &json!({"what": "audit", "limit": 100}));
        Said::of(&over_the_socket(&rig, &asked)).value["audit"].as_array().unwrap().clone()
    };
    let has = |text: &str| {
        trail().iter().any(|entry| entry["kind"] == "call" && entry["text"].as_str().unwrap().contains(text))
    };
    eventually(|| has("POST /api/v1/pools/build/drain") && has("POST /api/v1/resume")).unwrap();
    // A call of a tool is no call by itself, only what it asks is.
    assert!(!has("/mcp"), "{:#?}", trail());
    assert_eq!(daemon.count("asked: POST /mcp"), 0);
}
