//! An intake that listens on loopback, and requests as bytes.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::demand::Heard;
use ghrunner::demand::HookSettings;
use ghrunner::demand::HookSource;
use ghrunner::demand::Inlet;
use ghrunner::github::Clock;
use ghrunner::github::Delivery;
use ghrunner::github::GitHubError;
use ghrunner::github::Hooks;
use ghrunner::http::Intake;
use ghrunner::http::IntakeLimits;
use ghrunner::http::IntakeSettings;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::PoolName;
use ghrunner::model::Scope;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use ghrunner::model::Wanted;
use ghrunner::model::WantedPool;
use ring::hmac;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "a secret of ours";

/// GitHub as far as it is asked here.
#[derive(Default)]
pub(crate) struct Networks(pub(crate) Mutex<Vec<String>>);

impl Hooks for Networks {
    async fn deliveries(
        &self,
        _: &CredentialName,
        _: &Scope,
        _: &str,
        _: Time,
    ) -> Result<Vec<Delivery>, GitHubError> {
        Ok(Vec::new())
    }

    async fn redeliver(&self, _: &CredentialName, _: &Scope, _: &Delivery) -> Result<(), GitHubError> {
        Ok(())
    }

    async fn hook_networks(&self, _: &CredentialName, _: &Scope) -> Result<Vec<String>, GitHubError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

pub(crate) struct Bench {
    pub(crate) address: SocketAddr,
    pub(crate) settings: watch::Sender<Arc<IntakeSettings>>,
    pub(crate) view: watch::Receiver<Arc<Heard>>,
    pub(crate) inlet: Inlet,
    source: Option<HookSource<Networks>>,
    stop: CancellationToken,
    _wanted: watch::Sender<Arc<Wanted>>,
    _hooks: watch::Sender<Arc<HookSettings>>,
}

pub(crate) fn settings() -> IntakeSettings {
    IntakeSettings {
        path: "/webhook".to_owned(),
        secrets: vec![Secret::new(SECRET)],
        only_github: false,
        trusted_proxies: vec![],
        max_body: 5 << 20,
        rate: 100_000,
    }
}

impl Bench {
    /// An intake whose deliveries are written into a book.
    pub(crate) fn start(settings: IntakeSettings) -> Self {
        let mut bench = Self::without_book(settings, IntakeLimits::default());
        bench.open_book();
        bench
    }

    /// An intake whose deliveries nobody takes out of the channel.
    pub(crate) fn without_book(settings: IntakeSettings, limits: IntakeLimits) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, settings, limits)
    }

    pub(crate) fn on(
        listener: std::net::TcpListener,
        settings: IntakeSettings,
        limits: IntakeLimits,
    ) -> Self {
        let pool = WantedPool {
            demand: Demand::Webhook,
            credentials: CredentialName::default_name(),
            repos: vec![],
            accounts: vec![],
            active_within: Duration::ZERO,
            group: None,
            labels: vec![],
            set: None,
            capacity: [("orgs/acme".parse().unwrap(), 1)].into(),
            nudge: 0,
        };
        let wanted = Wanted { pools: [(PoolName::parse("a").unwrap(), pool)].into() };
        let hooks = HookSettings { url: None, only_github: settings.only_github };
        let (wanted_in, wanted) = watch::channel(Arc::new(wanted));
        let (hooks_in, hooks) = watch::channel(Arc::new(hooks));
        let (view_in, view) = watch::channel(Arc::default());
        let stop = CancellationToken::new();
        let began = tokio::time::Instant::now();
        let clock: Clock = Arc::new(move || Time(1_700_000_000_000) + began.elapsed());
        let github = Arc::new(Networks(Mutex::new(vec!["127.0.0.2/32".to_owned()])));
        let (source, inlet) = HookSource::new(github, clock, wanted, hooks, None, stop.clone(), view_in);
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (settings_in, settings) = watch::channel(Arc::new(settings));
        let intake = Intake::new(settings, inlet.clone(), limits, stop.clone());
        tokio::spawn(intake.serve(listener));
        Self {
            address,
            settings: settings_in,
            view,
            inlet,
            source: Some(source),
            stop,
            _wanted: wanted_in,
            _hooks: hooks_in,
        }
    }

    pub(crate) fn open_book(&mut self) {
        tokio::spawn(self.source.take().unwrap().run());
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut IntakeSettings)) {
        let mut settings = IntakeSettings::clone(&self.settings.borrow());
        change(&mut settings);
        self.settings.send_replace(Arc::new(settings));
    }

    pub(crate) async fn send(&self, post: Post) -> u16 {
        post.send(self.address).await
    }

    /// Waits until the book says so.
    pub(crate) async fn until(&mut self, such: impl FnMut(&Arc<Heard>) -> bool) -> Arc<Heard> {
        self.view.wait_for(such).await.unwrap().clone()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) from: &'static str,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn queued(id: u64) -> String {
    format!(
        r#"{{"action":"queued","workflow_job":{{"id":{id},"run_id":1,"name":"build","labels":["self-hosted"]}},"repository":{{"id":3,"full_name":"acme/app"}}}}"#
    )
}

impl Post {
    /// A delivery without a signature.
    pub(crate) fn unsigned(event: &str, body: &str) -> Self {
        let headers = [("host", "x"), ("content-type", "application/json"), ("x-github-event", event)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { from: "127.0.0.1", line: "POST /webhook".to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    /// A job that waits, as GitHub would tell of it.
    pub(crate) fn job(id: u64) -> Self {
        Self::unsigned("workflow_job", &queued(id)).guid(&format!("guid-{id}")).signed(SECRET)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn guid(self, guid: &str) -> Self {
        self.with("x-github-delivery", guid)
    }

    pub(crate) fn from(self, from: &'static str) -> Self {
        Self { from, ..self }
    }

    pub(crate) fn line(self, line: &str) -> Self {
        Self { line: line.to_owned(), ..self }
    }

    pub(crate) fn signed(self, secret: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &self.body);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.with("x-hub-signature-256", &format!("sha256={hex}"))
    }

    pub(crate) fn head(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} HTTP/1.1\r\n{headers}", self.line)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = format!("{}content-length: {}\r\n\r\n", self.head(), self.body.len());
        [head.as_bytes(), &self.body].concat()
    }

    pub(crate) async fn send(&self, to: SocketAddr) -> u16 {
        let mut stream = connect(self.from, to).await;
        stream.write_all(&self.bytes()).await.unwrap();
        status(&mut stream).await.unwrap()
    }
}

/// Any address of 127.0.0.0/8 is this machine's.
pub(crate) async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of the next answer; none if the connection ended before.
pub(crate) async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().ok()
}

/// Runs one test of this binary alone, in a process of its own.
pub(crate) fn child(test: &str) -> Vec<String> {
    let exe = std::env::current_exe().unwrap().display().to_string();
    [&exe, "--exact", test, "--nocapture"].map(str::to_owned).to_vec()
}

/// Whether this process is such a child.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

pub(crate) const CHILD: &str = "GHRUNNER_TEST_CHILD";

pub(crate) fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(CHILD, "1");
    command
}
