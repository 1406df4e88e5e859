//! An API over TCP before a made-up fleet, and requests as bytes.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::control::Snapshot;
use ghrunner::http::ApiSettings;
use ghrunner::http::Bearers;
use ghrunner::http::Certificate;
use ghrunner::http::Problem;
use ghrunner::http::Role;
use ghrunner::http::Transport;
use ghrunner::http::serve_tcp;
use ghrunner::model::Phase;
use ghrunner::model::Secret;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli_fleet;

/// Looks.
pub(crate) const READ: &str = "looks-and-does-nothing-else";
/// Steers.
pub(crate) const OPERATE: &str = "steers-as-it-likes";

/// An API that is served as long as this lives.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    settings: watch::Sender<Arc<ApiSettings>>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn problem(&self) -> Problem {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        problem
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(crate) fn settings() -> ApiSettings {
    ApiSettings {
        bearers: Bearers::new([
            ("scripts".to_owned(), Role::Read, Secret::new(READ)),
            ("ops".to_owned(), Role::Operate, Secret::new(OPERATE)),
        ]),
        origins: vec!["https://ops.example".to_owned()],
        transport: Transport::Plain,
    }
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with(cli_fleet::snapshot(), settings())
    }

    pub(crate) fn with(snapshot: Snapshot, settings: ApiSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (settings, follows) = watch::channel(Arc::new(settings));
        let (stop, asked) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let (token, log) = (stop.clone(), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let facade = cli_fleet::control_loop(snapshot, log, cli_fleet::Manner::default());
                serve_tcp(listener, 64, facade, follows, token).await.unwrap();
            });
        });
        Self { address, asked, settings, stop, thread: Some(thread) }
    }

    pub(crate) fn exchange(&self, request: &str) -> Answer {
        exchange(self.address, request)
    }

    /// One request with these further header lines.
    pub(crate) fn ask(&self, line: &str, headers: &[String], body: &str) -> Answer {
        let mut request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        self.exchange(&format!("{request}\r\n{body}"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[bearer(READ)], "")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Sends one request and reads until the server closes.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer::read(&text)
}

pub(crate) fn bearer(credential: &str) -> String {
    format!("authorization: Bearer {credential}")
}

#[test]
fn an_answer_has_an_id_that_a_problem_names_too() {
    let api = Served::start();
    let own = api.ask("GET /api/v1/pools/nope", &[bearer(READ), "X-Request-Id: deploy-17".to_owned()], "");
    assert_eq!(own.header("x-request-id"), Some("deploy-17"));
    assert_eq!(own.problem().request_id.as_deref(), Some("deploy-17"));
    assert_eq!(own.problem().code, "no_such_pool");
    let made = api.get("/api/v1/status");
    assert_eq!(made.header("x-request-id").map(str::len), Some(16));
    assert_eq!(made.header("cache-control"), Some("no-store"));
}

#[test]
fn whatever_goes_wrong_is_a_problem() {
    let api = Served::start();
    for (line, body, status, code) in [
        ("GET /nowhere", "", 404, "no_such_path"),
        ("GET /api/v1/jobs/many/explain", "", 400, "bad_request"),
        ("GET /api/v1/jobs/7?x=%ff", "", 404, "no_such_path"),
        ("GET /api/v1/pools/%ff", "", 400, "bad_request"),
        ("GET /api/v1/pools?limit=0", "", 400, "bad_query"),
        ("GET /api/v1/pools?limits=1", "", 400, "bad_request"),
        ("PATCH /api/v1/pools", "", 405, "wrong_method"),
        ("POST /api/v1/pools/build/scale-up", "{", 400, "bad_request"),
        ("POST /api/v1/pools/build/scale-up", "", 415, "bad_body"),
        ("POST /api/v1/pools/build/scale-up", r#"{"count":0}"#, 422, "bad_body"),
        ("POST /api/v1/pools/build/scale-up", r#"{"count":1,"for":"8d"}"#, 422, "bad_body"),
        ("POST /api/v1/pools/build/scale-up", r#"{"count":1,"fro":"8d"}"#, 422, "bad_body"),
        ("PUT /api/v1/log-level", r#"{"level":"info","for":"soon"}"#, 422, "bad_body"),
    ] {
        let answer = api.ask(line, &[bearer(OPERATE)], body);
        assert_eq!(
            (answer.status, answer.problem().code.as_str()),
            (status, code),
            "{line} {body}: {}",
            answer.body
        );
    }
    let large = api.ask("POST /api/v1/mode", &[bearer(OPERATE)], &" ".repeat(17 * 1024));
    assert_eq!((large.status, large.problem().code.as_str()), (413, "too_large"));
    assert_eq!(*api.asked.lock().unwrap(), [""; 0]);
}

#[test]
fn a_list_is_read_a_page_at_a_time() {
    let mut snapshot = cli_fleet::snapshot();
    snapshot.runners = (0..7).map(|slot| cli_fleet::runner(slot, Phase::Idle)).collect();
    let api = Served::with(snapshot, settings());
    let (mut slots, mut path) = (Vec::new(), "/api/v1/runners?limit=3".to_owned());
    loop {
        let answer = api.get(&path);
        let page: Vec<serde_json::Value> = serde_json::from_str(&answer.body).unwrap();
        assert!(page.len() <= 3);
        slots.extend(page.iter().map(|runner| runner["slot"].as_u64().unwrap()));
        let Some(link) = answer.header("link") else { break };
        path = link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned();
    }
    assert_eq!(slots, (0..7).collect::<Vec<_>>());
}

#[test]
fn readiness_is_told_to_anybody_and_names_nothing() {
    let api = Served::start();
    assert_eq!(api.ask("GET /health", &[], "").body, r#"{"status":"ok"}"#);
    assert_eq!(api.ask("GET /ready", &[], "").status, 200);
    let mut starting = cli_fleet::snapshot();
    (starting.ready, starting.engine) = (false, None);
    let api = Served::with(starting, settings());
    let answer = api.ask("GET /ready", &[], "");
    assert_eq!((answer.status, answer.problem().code.as_str()), (503, "not_ready"));
    assert!(answer.problem().detail.contains("container engine"), "{}", answer.body);
}

#[test]
fn only_pages_of_the_origins_in_the_file_are_let_in() {
    let api = Served::start();
    let ask = |origin: &str| {
        let headers = [format!("origin: {origin}"), "access-control-request-method: POST".to_owned()];
        api.ask("OPTIONS /api/v1/drain", &headers, "")
    };
    let good = ask("https://ops.example");
    assert_eq!(good.status, 204);
    assert_eq!(good.header("access-control-allow-origin"), Some("https://ops.example"));
    assert!(good.header("access-control-allow-headers").unwrap().contains("authorization"));
    let other = ask("https://evil.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (401, None));
    let read = api.ask("GET /api/v1/plan", &[bearer(READ), "origin: https://ops.example".to_owned()], "");
    assert_eq!(read.header("access-control-allow-origin"), Some("https://ops.example"));
    let without = api.ask("GET /api/v1/plan", &["origin: https://ops.example".to_owned()], "");
    assert_eq!(without.status, 401, "an origin is no credential");
}

#[test]
fn changed_credentials_hold_at_once() {
    let api = Served::start();
    assert_eq!(api.get("/api/v1/status").status, 200);
    let new = Bearers::new([("new".to_owned(), Role::Read, Secret::new("another"))]);
    api.settings.send_replace(Arc::new(ApiSettings { bearers: new, ..settings() }));
    let old = api.get("/api/v1/status");
    assert_eq!(old.status, 401);
    assert!(old.header("www-authenticate").unwrap().contains("invalid_token"), "{}", old.head);
    assert_eq!(api.ask("GET /api/v1/status", &[bearer("another")], "").status, 200);
}

#[test]
fn a_forced_removal_names_the_job_that_it_cuts_off() {
    let mut snapshot = cli_fleet::snapshot();
    let name = snapshot.runners[0].runner.name.clone();
    let job = snapshot.jobs[0].job.as_mut().unwrap();
    job.state = ghrunner::model::JobState::Running { runner: Some(name.clone()) };
    let api = Served::with(snapshot, settings());
    let remove = |query: &str| {
        let answer = api.ask(&format!("DELETE /api/v1/runners/{name}{query}"), &[bearer(OPERATE)], "");
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    let gently = remove("");
    assert_eq!((gently["kills"].as_bool(), gently["job"].is_null()), (Some(false), true), "{gently}");
    let forced = remove("?force=true");
    assert_eq!(
        (forced["kills"].as_bool(), forced["job"]["id"].as_u64()),
        (Some(true), Some(456)),
        "{forced}"
    );
    assert!(
        forced["done"].as_str().unwrap().contains("job CI / test of acme/app (run 123) fails"),
        "{forced}"
    );
    assert_eq!(*api.asked.lock().unwrap(), [format!("stop {name} false"), format!("stop {name} true")]);
}

#[test]
fn the_page_of_the_api_may_run_and_fetch_nothing() {
    let api = Served::start();
    let page = api.ask("GET /docs", &[], "");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(page.body.contains("/api/v1/pools/{name}/scale-up") && !page.body.contains("<script"));
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new("tests/github").join(name)
}

/// What the server shows, or none if it breaks off.
pub(crate) async fn over_tls(address: SocketAddr, credential: &str) -> Option<String> {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.ok()?;
    let request = format!(
        "GET /api/v1/plan HTTP/1.1\r\nhost: x\r\n{}\r\nconnection: close\r\n\r\n",
        bearer(credential)
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.ok()?;
    Some(String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_of_the_moment_and_never_left_off() {
    let chain = fs_read("server.pem");
    let key = Secret::new(String::from_utf8(fs_read("server-key.pem")).unwrap());
    let certificate = Certificate::of_pem(&chain, &key).unwrap();
    let broken = ApiSettings { transport: Transport::Broken, ..settings() };
    let api = Served::with(cli_fleet::snapshot(), broken);
    assert_eq!(over_tls(api.address, READ).await, None, "without a certificate nobody is answered");
    let mut plain = TcpStream::connect(api.address).unwrap();
    let _ = plain.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut nothing = Vec::new();
    let _ = plain.read_to_end(&mut nothing);
    assert_eq!(nothing, b"", "least of all in the clear");
    api.settings.send_replace(Arc::new(ApiSettings { transport: Transport::Tls(certificate), ..settings() }));
    let text = over_tls(api.address, READ).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[test]
fn a_certificate_and_a_key_that_do_not_go_together_are_told_in_words() {
    let key = |name| Secret::new(String::from_utf8(fs_read(name)).unwrap());
    let refused = |chain: &str, name| Certificate::of_pem(&fs_read(chain), &key(name)).unwrap_err();
    assert!(refused("server.pem", "app-pkcs8.pem").contains("do not go together"));
    assert!(refused("server.pem", "server.pem").contains("no private key"));
    assert!(refused("server-key.pem", "server-key.pem").contains("holds none"));
}

pub(crate) fn fs_read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}
