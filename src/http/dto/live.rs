//! `GET /events` and `GET /trend`: the fleet as it changes, and what it was like.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Ended;
use super::Explanation;
use super::Pool;
use super::Runner;
use super::Status;
use super::Timestamp;
use crate::control;

/// The data of a `snapshot` event: all there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Opening {
    /// The number of this state.
    pub seq: u64,
    /// Daemon, pools and runners.
    pub status: Status,
    /// Jobs that wait and run.
    pub jobs: Vec<KeyedJob>,
    /// Runners that are gone, the latest first.
    pub ended: Vec<Ended>,
    /// The fleet in some numbers.
    pub now: Sample,
}

/// The data of a `change` event: what is new since the event before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The number of the state that this leads to.
    pub seq: u64,
    /// As in a [`Status`], but for its pools and runners.
    pub status: serde_json::Value,
    /// Pools that are new or otherwise than before.
    pub pools: Vec<Pool>,
    /// Names of pools that are gone.
    pub pools_gone: Vec<String>,
    /// Runners that are new or otherwise than before.
    pub runners: Vec<Runner>,
    /// Names of runners that are gone.
    pub runners_gone: Vec<String>,
    /// Jobs that are new or otherwise than before.
    pub jobs: Vec<KeyedJob>,
    /// Keys of jobs that are gone.
    pub jobs_gone: Vec<String>,
    /// Runners that ended since, the latest first: to be put before those that are known.
    pub ended: Vec<Ended>,
    /// How many of the ended are kept in all: what is beyond is forgotten.
    pub ended_kept: usize,
    /// The fleet in some numbers.
    pub now: Sample,
}

/// A job with what tells it from others from one event to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyedJob {
    /// The key.
    pub key: String,
    /// The job, and why it waits.
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// The fleet in some numbers, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Jobs that wait for one of our runners.
    pub waiting: u32,
    /// How long the one that came first has waited, in seconds.
    pub oldest_wait_s: u64,
    /// Runners in a job.
    pub busy: u32,
    /// Runners that wait for one.
    pub idle: u32,
    /// Runners that are being made or start.
    pub coming: u32,
    /// Runners of any other phase.
    pub other: u32,
    /// How many runners there should be.
    pub target: u32,
    /// How many there may be.
    pub max: u32,
}

/// Samples of the last hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trend {
    /// Seconds between two samples.
    pub every_s: u64,
    /// How many are kept.
    pub kept: usize,
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
}

/// Who asks, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// `read` or `operate`.
    pub role: String,
    /// A name for people.
    pub who: String,
}

impl From<&control::Sample> for Sample {
    fn from(s: &control::Sample) -> Self {
        Self {
            at: s.at.into(),
            waiting: s.waiting,
            oldest_wait_s: s.oldest_wait.as_secs(),
            busy: s.busy,
            idle: s.idle,
            coming: s.coming,
            other: s.other,
            target: s.target,
            max: s.max,
        }
    }
}
