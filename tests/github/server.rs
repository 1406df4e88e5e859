//! A small HTTP/1.1 server whose every answer a test chooses, and which keeps what it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use ghrunner::github::Auth;
use ghrunner::github::Client;
use ghrunner::github::Clock;
use ghrunner::github::CredentialSpec;
use ghrunner::github::SecretLoader;
use ghrunner::github::Tuning;
use ghrunner::model::CredentialName;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the server does.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer(u16, Vec<(String, String)>, String),
    /// Closes the connection without a word.
    Reset,
    /// Never answers.
    Hang,
}

impl Reply {
    pub(crate) fn with(self, name: &str, value: impl Into<String>) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name.to_owned(), value.into()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

pub(crate) fn json(status: u16, body: serde_json::Value) -> Reply {
    Reply::Answer(status, vec![("content-type".into(), "application/json".into())], body.to_string())
}

pub(crate) fn empty(status: u16) -> Reply {
    Reply::Answer(status, vec![], String::new())
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server, with everything that it was asked.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Script>,
    pub(crate) busiest: Arc<AtomicU64>,
    running: Arc<AtomicU64>,
}

impl Hub {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let (hub, listener) = Self::bind(script).await;
        let serving = hub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hub = serving.clone();
                tokio::spawn(async move { hub.serve(stream).await });
            }
        });
        hub
    }

    pub(crate) async fn bind(
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            script: Arc::new(script),
            busiest: Arc::default(),
            running: Arc::default(),
        };
        (hub, listener)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Request lines without `/api/v3`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|a| a.line().replace("/api/v3", "")).collect()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(asked) = read_request(&mut stream).await {
            self.asked.lock().unwrap().push(asked.clone());
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.busiest.fetch_max(running, Ordering::SeqCst);
            let mut seen = asked.clone();
            seen.target = seen.target.replace("/api/v3", "");
            let reply = (self.script)(&seen);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            match reply {
                Reply::Reset => return,
                Reply::Hang => std::future::pending().await,
                Reply::Answer(status, headers, body) => {
                    let mut head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n", body.len());
                    for (name, value) in headers {
                        head += &format!("{name}: {value}\r\n");
                    }
                    head += "\r\n";
                    if status != 304 && status != 204 {
                        head += &body;
                    }
                    if stream.write_all(head.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    while bytes.len() < end + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body = String::from_utf8(bytes[end..].to_vec()).unwrap();
    Some(Asked { method, target, headers, body })
}

/// A clock that only moves when it is told to.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000_000)))
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn forward(&self, secs: u64) {
        self.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }
}

/// A secret that a test may change.
#[derive(Clone)]
pub(crate) struct Source(pub Arc<Mutex<Result<String, String>>>);

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::new(Mutex::new(Ok(text.to_owned()))))
    }

    pub(crate) fn set(&self, text: Result<&str, &str>) {
        *self.0.lock().unwrap() = text.map(str::to_owned).map_err(str::to_owned);
    }

    pub(crate) fn loader(&self) -> SecretLoader {
        let source = self.0.clone();
        Arc::new(move || source.lock().unwrap().clone().map(Secret::new))
    }
}

pub(crate) fn name() -> CredentialName {
    CredentialName::default_name()
}

pub(crate) fn spec(url: String, auth: Auth) -> CredentialSpec {
    CredentialSpec { name: name(), url, api_url: None, auth, ca_file: None, proxy: None }
}

pub(crate) fn token_spec(hub: &Hub) -> CredentialSpec {
    spec(hub.url(), Auth::Token(Source::new("t0ken").loader()))
}

pub(crate) fn app_spec(hub: &Hub, installation_id: Option<u64>) -> CredentialSpec {
    let private_key = Source::new(include_str!("app-pkcs1.pem")).loader();
    spec(hub.url(), Auth::App { id: "Iv23app".into(), installation_id, private_key })
}

/// Patient enough for a loaded machine.
pub(crate) fn patient() -> Tuning {
    Tuning { mend_timeout: std::time::Duration::from_secs(10), ..Tuning::default() }
}

/// Impatient, for a server that never answers.
pub(crate) fn impatient_client(specs: Vec<CredentialSpec>, hands: &Hands) -> Client {
    let tuning = Tuning { request_timeout: std::time::Duration::from_millis(500), ..patient() };
    Client::tuned(specs, hands.clock(), tuning)
}

pub(crate) fn client(specs: Vec<CredentialSpec>, hands: &Hands) -> Client {
    Client::tuned(specs, hands.clock(), patient())
}
