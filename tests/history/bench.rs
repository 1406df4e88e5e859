//! A history of a test's own.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ghrunner::control::Archive;
use ghrunner::control::Clock;
use ghrunner::control::ConfigState;
use ghrunner::control::Snapshot;
use ghrunner::history::FILE;
use ghrunner::history::HEAD_FILE;
use ghrunner::history::History;
use ghrunner::history::Options;
use ghrunner::history::Place;
use ghrunner::history::Retention;
use ghrunner::model::InstanceId;
use ghrunner::model::Mode;
use ghrunner::model::Secret;
use ghrunner::model::Time;
use ghrunner::model::history::AuditEntry;
use ghrunner::model::history::AuditRecord;
use ghrunner::model::history::HistoryHealth;
use ghrunner::model::history::HistoryQuery;
use ghrunner::model::history::JobRecord;
use ghrunner::model::history::JobResult;
use ghrunner::model::history::Record;
use ghrunner::model::history::RunnerRecord;
use tokio::sync::watch;

/// How long something may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A database, and where its trail's end is noted.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) place: Place,
    pub(crate) instance: String,
    pub(crate) retention: Retention,
    pub(crate) first_expiry: Duration,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Bench {
    pub(crate) fn sqlite() -> Self {
        Self::sqlite_of(1 << 30)
    }

    pub(crate) fn sqlite_of(max_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::File { path: dir.path().join(FILE), max_bytes };
        Self::with(dir, place)
    }

    /// None where nobody gave an address.
    pub(crate) fn postgres() -> Option<Self> {
        let url = std::env::var("GHRUNNER_TEST_POSTGRES").ok()?;
        Some(Self::with(tempfile::tempdir().unwrap(), Place::Server(Secret::new(url))))
    }

    fn with(dir: tempfile::TempDir, place: Place) -> Self {
        // Tests share the server, each as an installation of its own.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let instance = format!("t{}x{number}", std::process::id());
        let retention = Retention { records: 90 * DAY, audit: 400 * DAY, sums: 360 * DAY };
        Self { dir, place, instance, retention, first_expiry: Duration::from_secs(3600) }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    pub(crate) fn head_file(&self) -> PathBuf {
        self.dir.path().join(HEAD_FILE)
    }

    /// Starts the history, and gives the other end of its snapshots.
    pub(crate) fn start(&self) -> (Arc<History>, watch::Sender<Arc<Snapshot>>) {
        let (snapshots, seen) = watch::channel(Arc::new(snapshot(&self.instance)));
        let (_, ends) = History::ends(&self.place);
        let options = Options {
            place: self.place.clone(),
            instance: self.instance.clone(),
            head_file: self.head_file(),
            retention: self.retention,
            clock: Clock::system(),
            first_expiry: self.first_expiry,
        };
        (Arc::new(History::start(options, ends, seen)), snapshots)
    }

    pub(crate) async fn fill(&self, records: Vec<Record>) {
        ghrunner::history::write_all(self.place.clone(), &self.instance, records).await.unwrap();
    }

    /// A connection beside the history, for who breaks things.
    pub(crate) async fn beside(&self) -> sqlx::AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match &self.place {
            Place::File { path, .. } => format!("sqlite://{}", path.display()),
            Place::Server(url) => url.reveal().to_owned(),
        };
        <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap()
    }

    pub(crate) async fn run(&self, connection: &mut sqlx::AnyConnection, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
    }
}

pub(crate) fn snapshot(instance: &str) -> Snapshot {
    let now = Clock::system().now();
    let config = ConfigState::new("/pools.toml".into(), now);
    let snapshot = Snapshot::before_first_pass(&InstanceId::new(instance), &config, Mode::Organization, now);
    Snapshot { ready: true, settled: true, ..snapshot }
}

pub(crate) fn job(n: u64, ended: Time) -> JobRecord {
    let run = Duration::from_secs(60 + n % 600);
    let wait = Duration::from_millis(500 * (1 + n % 100));
    JobRecord {
        key: format!("job {n}"),
        repo: format!("acme/app-{}", n % 5),
        run: Some(n / 4),
        workflow: "ci".into(),
        name: format!("test {n}"),
        labels: vec!["self-hosted".into(), "linux".into()],
        pool: if n.is_multiple_of(3) { "gpu".into() } else { "build".into() },
        runner: Some(format!("ghrunner-build-{n}")),
        image: Some("sha256:0123".into()),
        queued: Some(ended - run - wait),
        started: Some(ended - run),
        ended,
        result: if n.is_multiple_of(10) { JobResult::Failed } else { JobResult::Succeeded },
        // Of some nothing was seen.
        peak_memory: (!n.is_multiple_of(7)).then(|| (100 + n % 900) << 20),
        cpu_ms: (!n.is_multiple_of(7)).then(|| (60_000 + n % 600 * 1000) * (1 + n % 4)),
    }
}

pub(crate) fn runner(n: u64, ended: Time) -> RunnerRecord {
    let job = job(n, ended);
    RunnerRecord {
        pool: job.pool,
        runner: format!("ghrunner-build-{n}"),
        repo: job.repo,
        image: None,
        created: ended - Duration::from_secs(1000),
        started: job.started,
        ended,
        exit_code: Some(0),
        oom_killed: n.is_multiple_of(7),
        ran_job: true,
        job: Some(job.name),
        verdict: "ran its job".into(),
        last_lines: vec!["one".into(), "two".into()],
    }
}

pub(crate) fn note(text: &str) -> AuditEntry {
    AuditEntry {
        at: Clock::system().now(),
        who: "root (user 0)".into(),
        kind: "call".into(),
        subject: "/api/v1/drain".into(),
        text: text.into(),
        outcome: "done".into(),
    }
}

/// Waits until that holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for what is written, whatever is wrong at first.
pub(crate) async fn trail(history: &History, text: &str) -> Vec<AuditRecord> {
    let all = || async {
        let query = HistoryQuery { limit: 1000, ..HistoryQuery::default() };
        history.audit(query).await.map(|page| page.items).unwrap_or_default()
    };
    eventually(text, || async { all().await.iter().any(|record| record.entry.text == text) }).await;
    all().await
}

/// Waits for a trouble whose text holds this.
pub(crate) async fn ill(history: &History, word: &str) -> HistoryHealth {
    let holds = || async { history.health().trouble.is_some_and(|why| why.contains(word)) };
    eventually(word, holds).await;
    history.health()
}

pub(crate) async fn well(history: &History) {
    eventually("it is well again", || async { history.health().trouble.is_none() }).await;
}

/// The file's bytes, some of them written over.
pub(crate) fn spoil(path: &Path, from: usize, length: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let end = (from + length).min(bytes.len());
    bytes[from..end].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}
