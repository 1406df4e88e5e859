//! A receiver of OTLP over HTTP, with moods.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::rig::pause;

/// What it does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Taking,
    Refusing,
    Hanging,
}

#[derive(Debug)]
struct Kept {
    mood: Mood,
    requests: Vec<ExportTraceServiceRequest>,
    heads: Vec<String>,
}

pub(crate) struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Mutex::new(Kept { mood: Mood::Taking, requests: Vec::new(), heads: Vec::new() }));
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { address, kept }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.kept.lock().unwrap().mood = mood;
    }

    /// All spans that it took.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let kept = self.kept.lock().unwrap();
        let scopes = kept.requests.iter().flat_map(|r| &r.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }

    /// What the last request says of its sender.
    pub(crate) fn resource(&self) -> Vec<KeyValue> {
        let kept = self.kept.lock().unwrap();
        kept.requests.last().unwrap().resource_spans[0].resource.clone().unwrap().attributes
    }

    /// The heads of all requests, in small letters.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.kept.lock().unwrap().heads.clone()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Kept>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        while kept.lock().unwrap().mood == Mood::Hanging {
            pause(20);
        }
        let fits = head.starts_with("post /v1/traces http/1.1")
            && head.contains("content-type: application/x-protobuf");
        let mood = kept.lock().unwrap().mood;
        let status = match (mood, fits, ExportTraceServiceRequest::decode(&*body)) {
            (Mood::Refusing, ..) => 500,
            (_, true, Ok(request)) => {
                let mut kept = kept.lock().unwrap();
                kept.requests.push(request);
                kept.heads.push(head);
                200
            }
            _ => 400,
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A text among attributes; nothing where there is none.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> String {
    match value(attributes, key) {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

/// A number among attributes.
pub(crate) fn number(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match value(attributes, key)? {
        Value::IntValue(number) => Some(number),
        _ => None,
    }
}

fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}
