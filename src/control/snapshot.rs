//! What the daemon shows of itself: one immutable value for each pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Explanation;
use crate::engine::EngineInfo;
use crate::github::CredentialState;
use crate::model::DemandView;
use crate::model::ImageView;
use crate::model::InstanceId;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::Plan;
use crate::model::Pool;
use crate::model::PoolReport;
use crate::model::PostMortem;
use crate::model::Runner;
use crate::model::Time;
use crate::model::history::HistoryHealth;

/// Everything people may see, as of the end of one pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// ghrunner's version.
    pub version: String,
    /// Which installation this is.
    pub instance: String,
    /// When the daemon started.
    pub started: Time,
    /// Whether a first complete look was had: the engine answered, and every scope was listed or refused.
    pub ready: bool,
    /// Whether the fleet was once as declared since the start, or as near to it as it can be for now.
    pub settled: bool,
    /// Organization or repository mode.
    pub mode: Mode,
    /// How many passes have ended.
    pub passes: u64,
    /// When the last one ended.
    pub as_of: Time,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// One line for people, as `systemctl status` shows it.
    pub status: String,
    /// The file and how it stands.
    pub config: ConfigState,
    /// Where mode and marks are kept; none for a daemon that forgets.
    pub state_dir: Option<String>,
    /// How the history stands; none where none is kept.
    pub history: Option<HistoryHealth>,
    /// What the engine is; none until it answered.
    pub engine: Option<EngineInfo>,
    /// Why it does not answer.
    pub engine_error: Option<String>,
    /// The credentials.
    pub credentials: Vec<CredentialState>,
    /// Pools as the file has them, with what the pass found, wanted and held back.
    pub pools: Vec<PoolState>,
    /// Runners as they live.
    pub runners: Vec<RunnerState>,
    /// Jobs that wait and run, each with its reason.
    pub jobs: Vec<Explanation>,
    /// What the sources of demand said last.
    pub demand: DemandView,
    /// The images that pools name.
    pub images: BTreeMap<String, ImageView>,
    /// Runners that are gone, the latest first, so many as are kept in memory.
    pub ended: Arc<Vec<PostMortem>>,
    /// The last pass's plan: what it began, what it held back.
    pub plan: Plan,
}

impl Snapshot {
    /// What there is to show before anything was seen.
    pub fn before_first_pass(instance: &InstanceId, config: &ConfigState, mode: Mode, started: Time) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: instance.to_string(),
            started,
            ready: false,
            settled: false,
            mode,
            passes: 0,
            as_of: started,
            took_ms: 0,
            status: "looking at engine and GitHub for the first time".to_owned(),
            config: config.clone(),
            state_dir: None,
            history: None,
            engine: None,
            engine_error: None,
            credentials: Vec::new(),
            pools: Vec::new(),
            runners: Vec::new(),
            jobs: Vec::new(),
            demand: DemandView::default(),
            images: BTreeMap::new(),
            ended: Arc::default(),
            plan: Plan::default(),
        }
    }
}

/// How the file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigState {
    /// Its path.
    pub path: String,
    /// When the configuration in force was read.
    pub loaded: Time,
    /// Why the file as it is now was refused, if it was: the last good one is in force.
    pub error: Option<String>,
    /// Since when.
    pub error_since: Option<Time>,
    /// What is legal and unwise.
    pub warnings: Vec<String>,
    /// Settings that changed in the file and need a restart.
    pub needs_restart: Vec<String>,
}

impl ConfigState {
    /// A file that was read and has nothing wrong.
    pub fn new(path: String, loaded: Time) -> Self {
        Self { path, loaded, error: None, error_since: None, warnings: Vec::new(), needs_restart: Vec::new() }
    }
}

/// A pool with its report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolState {
    /// What the file says; none for a pool that only containers remember.
    pub pool: Option<Pool>,
    /// Whether the operator drains it.
    pub drained: bool,
    /// How many runners more than the file says the operator wants, and until when.
    pub boost: Option<(u32, Time)>,
    /// The report.
    pub report: PoolReport,
}

/// A runner with its phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunnerState {
    /// What is known of it.
    pub runner: Runner,
    /// What that means.
    pub phase: Phase,
    /// Since when it has been busy or idle, if it is.
    pub since: Option<Time>,
    /// Whether the operator drains it.
    pub drained: bool,
}
