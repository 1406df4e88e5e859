//! `GET /api/v1/stats/series`.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Spread;
use super::Timestamp;
use super::Use;
use crate::model::history;

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// When it began.
    pub start: Timestamp,
    /// Jobs that ended in it.
    pub jobs: u64,
    /// Of those, the ones that succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Lost their runner.
    pub lost: u64,
    /// Went before they ran.
    pub never_ran: u64,
    /// How long those that ended in it had waited for a runner.
    pub wait: Spread,
    /// How long they had run.
    pub run: Spread,
    /// How runners were used; none where nobody looked, and for a single repository.
    #[serde(rename = "use")]
    pub usage: Option<Use>,
}

/// What the history came to, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// When the first step begins: whole steps since the beginning of 1970, in UTC.
    pub since: Timestamp,
    /// When the last one ends, or the moment of asking.
    pub until: Timestamp,
    /// How long a step is, in milliseconds.
    pub step_ms: u64,
    /// The part by which a percentile may be wrong.
    pub error: f64,
    /// Every step, the oldest first; those without a job, too.
    pub points: Vec<Point>,
}

impl From<history::Series> for Series {
    fn from(series: history::Series) -> Self {
        let point = |point: history::Point| Point {
            start: point.start.into(),
            jobs: point.jobs,
            succeeded: point.succeeded,
            failed: point.failed,
            cancelled: point.cancelled,
            lost: point.lost,
            never_ran: point.never_ran,
            wait: point.wait.into(),
            run: point.run.into(),
            usage: point.usage.map(Into::into),
        };
        Self {
            since: series.since.into(),
            until: series.until.into(),
            step_ms: series.step_ms,
            error: series.error,
            points: series.points.into_iter().map(point).collect(),
        }
    }
}
