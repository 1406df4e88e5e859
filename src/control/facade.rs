//! The one door through which people see and steer the fleet.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Archive;
use super::ArchiveError;
use super::Clock;
use super::Explanation;
use super::Obstacle;
use super::Question;
use super::Sample;
use super::Snapshot;
use super::TREND_EVERY;
use super::Trend;
use crate::engine::EngineError;
use crate::model::Meter;
use crate::model::Mode;
use crate::model::Plan;
use crate::model::PoolName;
use crate::model::RunnerName;
use crate::model::Time;
use crate::model::history::AuditRecord;
use crate::model::history::HistoryQuery;
use crate::model::history::JobRecord;
use crate::model::history::Page;
use crate::model::history::Stats;
use crate::model::history::StatsQuery;

/// Something asked of the control loop, with a place for its answer.
#[derive(Debug)]
pub enum Command {
    /// Look and plan, begin nothing.
    Plan(oneshot::Sender<Plan>),
    /// Read the file again.
    Reload(oneshot::Sender<Result<(), FacadeError>>),
    /// Drain a pool, or end that.
    DrainPool {
        /// Its name.
        pool: PoolName,
        /// Drain or resume.
        drain: bool,
        /// The answer.
        answer: oneshot::Sender<Result<(), FacadeError>>,
    },
    /// Drain all pools of the file, or end that.
    DrainAll {
        /// Drain or resume.
        drain: bool,
        /// The answer: how many pools.
        answer: oneshot::Sender<Result<usize, FacadeError>>,
    },
    /// Keep more runners of a pool than the file says, for a time.
    BoostPool {
        /// Its name.
        pool: PoolName,
        /// How many; 0 ends it.
        count: u32,
        /// For how long.
        time: Duration,
        /// The answer: until when.
        answer: oneshot::Sender<Result<Time, FacadeError>>,
    },
    /// Take a boost back, or a part of it.
    LowerBoost {
        /// The pool's name.
        pool: PoolName,
        /// How many runners fewer; none for all.
        count: Option<u32>,
        /// The answer: what is left, and until when.
        answer: oneshot::Sender<Result<Option<(u32, Time)>, FacadeError>>,
    },
    /// Look, and say why a job waits.
    Explain {
        /// Which.
        question: Question,
        /// The answer: one for each job that is meant.
        answer: oneshot::Sender<Vec<Explanation>>,
    },
    /// Let a runner go when it is idle; with `force`, at once and busy or not.
    StopRunner {
        /// Its name at GitHub, or its container's.
        runner: String,
        /// Busy or not.
        force: bool,
        /// The answer: the runner's name at GitHub.
        answer: oneshot::Sender<Result<RunnerName, FacadeError>>,
    },
    /// Let all runners go, as `StopRunner` does with one.
    StopAll {
        /// Busy or not.
        force: bool,
        /// The answer: their names at GitHub.
        answer: oneshot::Sender<Vec<RunnerName>>,
    },
    /// Look for what speaks against a change of mode; change nothing.
    Obstacles {
        /// The mode to change to.
        mode: Mode,
        /// The answer.
        answer: oneshot::Sender<Vec<Obstacle>>,
    },
    /// Change between organization and repository mode.
    SetMode {
        /// The mode.
        mode: Mode,
        /// Only say what would change.
        dry_run: bool,
        /// The answer: the plan that follows.
        answer: oneshot::Sender<Result<Plan, FacadeError>>,
    },
    /// A runner's output.
    Logs {
        /// Its name at GitHub, or its container's.
        runner: String,
        /// How many lines back to begin.
        tail: usize,
        /// Whether to go on until it ends.
        follow: bool,
        /// The answer.
        answer: oneshot::Sender<Result<LogStream, FacadeError>>,
    },
}

/// A runner's output as it comes.
pub struct LogStream(pub BoxStream<'static, Result<bytes::Bytes, EngineError>>);

impl std::fmt::Debug for LogStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogStream")
    }
}

/// Why something asked was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FacadeError {
    /// There is no such pool.
    #[error("there is no pool {name}{}", suggestion(.nearest))]
    NoSuchPool {
        /// What was asked for.
        name: String,
        /// The nearest there is.
        nearest: Option<String>,
    },
    /// There is no such runner.
    #[error("there is no runner {name}; `ghrunner runners list` shows all")]
    NoSuchRunner {
        /// What was asked for.
        name: String,
    },
    /// The file is not good; the last good configuration stays.
    #[error("{report}")]
    BadConfig {
        /// All that is wrong with it.
        report: String,
    },
    /// The state directory cannot be written.
    #[error("cannot write {path}: {why}")]
    State {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The engine did not answer.
    #[error("{0}")]
    Engine(String),
    /// The history gives no answer.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The daemon is shutting down.
    #[error("the daemon is shutting down")]
    Closing,
}

fn suggestion(name: &Option<String>) -> String {
    name.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default()
}

/// The one door. Cheap to clone; every view of the fleet goes through it, so that no two disagree.
#[derive(Debug, Clone)]
pub struct Facade {
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    meter: Arc<Meter>,
    trend: Arc<Trend>,
    archive: Option<Arc<dyn Archive>>,
}

impl Facade {
    /// A door to a control loop that reads `commands` and publishes `snapshots`.
    pub fn new(commands: mpsc::Sender<Command>, snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { commands, snapshots, meter: Arc::default(), trend: Arc::default(), archive: None }
    }

    /// The same door, with what was counted where things happen.
    pub fn metered(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// What was counted where things happen.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The same door, with a record of what was behind it.
    #[must_use]
    pub fn with_archive(mut self, archive: Arc<dyn Archive>) -> Self {
        self.archive = Some(archive);
        self
    }

    /// The fleet as of the last pass.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// A receiver that wakes on each new snapshot.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// The samples of the last hours that were taken after that moment, oldest first.
    pub fn trend(&self, after: Time) -> Vec<Sample> {
        self.trend.since(after)
    }

    /// Samples the fleet until `stop`, for [`Self::trend`].
    pub async fn keep_trend(self, clock: Clock, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(TREND_EVERY)).await.is_some() {
            self.sample(clock.now());
        }
    }

    /// Samples the fleet as it is now. Before the first complete look there is nothing to tell but noughts that may be
    /// wrong.
    pub fn sample(&self, now: Time) {
        let snapshot = self.snapshot();
        if snapshot.ready {
            self.trend.add(Sample::of(&snapshot, now));
        }
    }

    /// What a pass would do now.
    ///
    /// # Errors
    /// The daemon is shutting down.
    pub async fn plan(&self) -> Result<Plan, FacadeError> {
        self.ask(Command::Plan).await
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// The file is not good; the last good configuration stays.
    pub async fn reload(&self) -> Result<(), FacadeError> {
        self.ask(Command::Reload).await?
    }

    /// Drains a pool, or ends that.
    ///
    /// # Errors
    /// There is no such pool, or the mark cannot be kept.
    pub async fn drain_pool(&self, pool: PoolName, drain: bool) -> Result<(), FacadeError> {
        self.ask(|answer| Command::DrainPool { pool, drain, answer }).await?
    }

    /// Drains all pools of the file, or ends that; says how many there are.
    ///
    /// # Errors
    /// The marks cannot be kept.
    pub async fn drain_all(&self, drain: bool) -> Result<usize, FacadeError> {
        self.ask(|answer| Command::DrainAll { drain, answer }).await?
    }

    /// Keeps `count` more runners of a pool than the file says, for a time; says until when.
    ///
    /// # Errors
    /// There is no such pool, or the mark cannot be kept.
    pub async fn boost_pool(&self, pool: PoolName, count: u32, time: Duration) -> Result<Time, FacadeError> {
        self.ask(|answer| Command::BoostPool { pool, count, time, answer }).await?
    }

    /// Takes a pool's boost back, or `count` runners of it; says what is left, and until when.
    ///
    /// # Errors
    /// There is no such pool, or the mark cannot be kept.
    pub async fn lower_boost(
        &self,
        pool: PoolName,
        count: Option<u32>,
    ) -> Result<Option<(u32, Time)>, FacadeError> {
        self.ask(|answer| Command::LowerBoost { pool, count, answer }).await?
    }

    /// Why a job waits, or would: one answer for each job that is meant.
    ///
    /// # Errors
    /// The daemon is shutting down.
    pub async fn explain(&self, question: Question) -> Result<Vec<Explanation>, FacadeError> {
        self.ask(|answer| Command::Explain { question, answer }).await
    }

    /// Lets a runner go when it is idle; with `force`, at once.
    ///
    /// # Errors
    /// There is no such runner.
    pub async fn stop_runner(&self, runner: String, force: bool) -> Result<RunnerName, FacadeError> {
        self.ask(|answer| Command::StopRunner { runner, force, answer }).await?
    }

    /// Lets all runners go when they are idle; with `force`, at once. Says which.
    ///
    /// # Errors
    /// The daemon is shutting down.
    pub async fn stop_all(&self, force: bool) -> Result<Vec<RunnerName>, FacadeError> {
        self.ask(|answer| Command::StopAll { force, answer }).await
    }

    /// What speaks against a change to this mode, by the file and by what GitHub lets the credentials do.
    ///
    /// # Errors
    /// The daemon is shutting down.
    pub async fn obstacles(&self, mode: Mode) -> Result<Vec<Obstacle>, FacadeError> {
        self.ask(|answer| Command::Obstacles { mode, answer }).await
    }

    /// Changes between organization and repository mode, or says what that would do.
    ///
    /// # Errors
    /// The mode cannot be kept.
    pub async fn set_mode(&self, mode: Mode, dry_run: bool) -> Result<Plan, FacadeError> {
        self.ask(|answer| Command::SetMode { mode, dry_run, answer }).await?
    }

    /// A runner's output.
    ///
    /// # Errors
    /// There is no such runner, or the engine does not answer.
    pub async fn logs(&self, runner: String, tail: usize, follow: bool) -> Result<LogStream, FacadeError> {
        self.ask(|answer| Command::Logs { runner, tail, follow, answer }).await?
    }

    /// The record of what was.
    ///
    /// # Errors
    /// None is kept.
    pub fn archive(&self) -> Result<&Arc<dyn Archive>, FacadeError> {
        Ok(self.archive.as_ref().ok_or(ArchiveError::Off)?)
    }

    /// Jobs that ended, the latest first.
    ///
    /// # Errors
    /// No history is kept, or it cannot be read.
    pub async fn history(&self, query: HistoryQuery) -> Result<Page<JobRecord>, FacadeError> {
        Ok(self.archive()?.jobs(query).await?)
    }

    /// The audit trail, the latest first.
    ///
    /// # Errors
    /// No history is kept, or it cannot be read.
    pub async fn audit(&self, query: HistoryQuery) -> Result<Page<AuditRecord>, FacadeError> {
        Ok(self.archive()?.audit(query).await?)
    }

    /// What the history comes to.
    ///
    /// # Errors
    /// No history is kept, or it cannot be read.
    pub async fn stats(&self, query: StatsQuery) -> Result<Stats, FacadeError> {
        Ok(self.archive()?.stats(query).await?)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, FacadeError> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| FacadeError::Closing)?;
        receiver.await.map_err(|_| FacadeError::Closing)
    }
}
