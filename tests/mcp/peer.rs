//! The other end of the protocol, as plain JSON: over streams, and over HTTP.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::control::Snapshot;
use ghrunner::http::Api;
use ghrunner::http::ApiSettings;
use ghrunner::http::Bearers;
use ghrunner::http::Role;
use ghrunner::http::Transport;
use ghrunner::http::serve_tcp;
use ghrunner::mcp;
use ghrunner::model::Secret;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli_fleet;
use crate::cli_fleet::FakeDaemon;

/// Looks.
pub(crate) const READ: &str = "looks-and-does-nothing-else";
/// Steers.
pub(crate) const OPERATE: &str = "steers-as-it-likes";

/// Each tool with good arguments.
pub(crate) fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("explain_job", json!({"job": 456})),
        ("history_query", json!({"what": "jobs"})),
        ("plan", json!({})),
        ("runner_get_status", json!({})),
        ("runner_list_containers", json!({"pool": "build"})),
        ("runner_list_workflows", json!({})),
        ("runner_provision_for_workflow", json!({"pool": "build", "count": 2, "for": "30m"})),
        ("runner_start_autoscaler", json!({"pool": "build"})),
        ("runner_stop_autoscaler", json!({"all": true})),
        ("runner_stop_container", json!({"runner": "ghrunner-build-0-k7x2p-a1b2c3", "force": true})),
    ]
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) failed: bool,
    pub(crate) text: String,
    pub(crate) value: Value,
}

impl Said {
    pub(crate) fn of(answer: &Value) -> Self {
        let result = &answer["result"];
        assert!(result.is_object(), "{answer}");
        Self {
            failed: result["isError"] == true,
            text: result["content"][0]["text"].as_str().unwrap().to_owned(),
            value: result["structuredContent"].clone(),
        }
    }

    /// Whether it was refused with that word.
    pub(crate) fn refused(&self, word: &str) -> bool {
        self.failed && self.text.contains(&format!("[{word}]"))
    }
}

pub(crate) fn call(name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

/// Speaks over streams with a server of its own before a daemon: a greeting, then these requests; gives the answers.
pub(crate) fn over_streams(daemon: &FakeDaemon, read_only: bool, requests: &[Value]) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let socket = daemon.socket.clone();
        let server =
            tokio::spawn(
                async move { mcp::over_streams(&socket, read_only, tokio::io::split(theirs)).await },
            );
        let (input, mut output) = tokio::io::split(ours);
        let mut input = BufReader::new(input).lines();
        let mut answers = Vec::new();
        for request in greeting().iter().chain(requests) {
            output.write_all(format!("{request}\n").as_bytes()).await.unwrap();
            if !request["id"].is_null() {
                answers.push(serde_json::from_str(&input.next_line().await.unwrap().unwrap()).unwrap());
            }
        }
        output.shutdown().await.unwrap();
        drop((input, output));
        server.await.unwrap().unwrap();
        answers.split_off(1)
    })
}

fn greeting() -> [Value; 2] {
    let client = json!({"name": "test", "version": "1"});
    [
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
               "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ]
}

/// An API with agents over TCP, before a made-up fleet.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
    _settings: watch::Sender<Arc<ApiSettings>>,
}

impl Served {
    pub(crate) fn start(snapshot: Snapshot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (settings, follows) = watch::channel(Arc::new(ApiSettings {
            bearers: Bearers::new([
                ("scripts".to_owned(), Role::Read, Secret::new(READ)),
                ("ops".to_owned(), Role::Operate, Secret::new(OPERATE)),
            ]),
            origins: vec!["https://ops.example".to_owned()],
            transport: Transport::Plain,
        }));
        let (stop, asked) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let (token, log) = (stop.clone(), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let facade = cli_fleet::control_loop(snapshot, log, cli_fleet::Manner::default());
                let until = token.clone();
                let api = Api::new(facade).with_agents(move |inside| mcp::over_http(inside, &until));
                serve_tcp(listener, 64, api, follows, token).await.unwrap();
            });
        });
        Self { address, asked, stop, thread: Some(thread), _settings: settings }
    }

    /// One request as bytes: status, head, body.
    pub(crate) fn exchange(&self, line: &str, headers: &[&str], body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut request =
            format!("{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for header in headers {
            request += &format!("{header}\r\n");
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    /// One message, as whoever has that credential.
    pub(crate) fn post(&self, credential: &str, message: &Value) -> (u16, String, String) {
        self.exchange("POST /mcp", &headers(credential).each_ref().map(String::as_str), &message.to_string())
    }

    pub(crate) fn ask(&self, credential: &str, message: &Value) -> Value {
        let (status, _, body) = self.post(credential, message);
        assert_eq!(status, 200, "{message}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn call(&self, credential: &str, name: &str, arguments: &Value) -> Said {
        Said::of(&self.ask(credential, &call(name, arguments)))
    }

    /// The tools that are shown to whoever has that credential.
    pub(crate) fn tools(&self, credential: &str) -> Vec<Value> {
        let answer = self.ask(credential, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
        answer["result"]["tools"].as_array().unwrap().clone()
    }
}

pub(crate) fn headers(credential: &str) -> [String; 4] {
    [
        "host: x".to_owned(),
        format!("authorization: Bearer {credential}"),
        "content-type: application/json".to_owned(),
        "accept: application/json, text/event-stream".to_owned(),
    ]
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
