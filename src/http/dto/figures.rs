//! Figures of the history: how times are spread, what jobs and runners come to, and where the audit trail stands.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::history;

/// Shapes that have the fields of the model's values of the same names, each way.
macro_rules! alike {
    ($($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
            pub struct $name { $($(#[$doc])* pub $field: $kind,)* }

            impl From<history::$name> for $name {
                fn from(value: history::$name) -> Self {
                    Self { $($field: value.$field.into(),)* }
                }
            }

            impl From<$name> for history::$name {
                fn from(value: $name) -> Self {
                    Self { $($field: value.$field.into(),)* }
                }
            }
        )*
    };
}

alike! {
    /// How times are spread, in milliseconds.
    Spread {
        /// How many there are.
        count: u64,
        /// Their mean.
        mean_ms: u64,
        /// Half are no longer than this.
        p50_ms: u64,
        /// Nineteen of twenty are no longer than this.
        p95_ms: u64,
        /// Ninety-nine of a hundred are no longer than this.
        p99_ms: u64,
    }

    /// What the jobs of a pool or repository come to.
    Figures {
        /// Whose; empty where it is not known.
        name: String,
        /// Jobs that ended.
        jobs: u64,
        /// Of those, the ones that succeeded.
        succeeded: u64,
        /// Failed.
        failed: u64,
        /// Were cancelled.
        cancelled: u64,
        /// Lost their runner.
        lost: u64,
        /// Went before they ran.
        never_ran: u64,
        /// How long they waited for a runner.
        wait: Spread,
        /// How long they ran.
        run: Spread,
        /// Time of runners in a job, in milliseconds.
        busy_ms: u64,
        /// Time that runners stood before their job, or without ever having one, in milliseconds.
        idle_ms: u64,
        /// Runners that are gone.
        runners: u64,
        /// Of those, the ones that never had a job.
        barren: u64,
        /// The most memory that a job took, in bytes, as far as that was seen.
        memory: Quantiles,
        /// Processors that a job used on average, in thousandths, as far as that was seen.
        processors: Quantiles,
    }

    /// How sizes are spread.
    Quantiles {
        /// How many there are.
        count: u64,
        /// Half are no larger than this.
        p50: u64,
        /// Nineteen of twenty are no larger than this.
        p95: u64,
        /// Ninety-nine of a hundred are no larger than this.
        p99: u64,
    }

    /// How a pool's runners were used, as seen pass by pass.
    PoolUse {
        /// The pool.
        pool: String,
        /// How much of the time was seen, in milliseconds.
        seen_ms: u64,
        /// Time of runners in a job.
        busy_ms: u64,
        /// Time of runners that waited for one.
        idle_ms: u64,
        /// Time of runners that came or went.
        other_ms: u64,
        /// The part of all that which was spent in jobs, from 0 to 1; none where there were no runners.
        utilisation: Option<f64>,
        /// The most runners at a time.
        max_runners: u32,
        /// The most runners in a job at a time.
        max_busy: u32,
        /// Of the hours in which anything ran, nineteen of twenty had no more runners in a job at a time than this.
        p95_busy: u32,
        /// Of all hours, half had no more.
        p50_busy: u32,
        /// The most jobs that waited at a time.
        max_waiting: u32,
        /// Hours that were seen.
        hours: u64,
        /// Of those, the ones in which a runner was in a job.
        busy_hours: u64,
    }

    /// How runners were used within a step, as seen pass by pass.
    Use {
        /// How much of the step was seen, in milliseconds.
        seen_ms: u64,
        /// Time of runners in a job.
        busy_ms: u64,
        /// Time of runners that waited for one.
        idle_ms: u64,
        /// Time of runners that came or went.
        other_ms: u64,
        /// The most runners that one pool had at a time.
        max_runners: u32,
        /// The most runners of one pool that were in a job at a time.
        max_busy: u32,
        /// The most jobs that waited for one pool at a time.
        max_waiting: u32,
    }

    /// How many times fall between two bounds.
    Bar {
        /// More than this, in milliseconds.
        above_ms: u64,
        /// No more than this.
        upto_ms: u64,
        /// How many.
        count: u64,
    }

    /// Where the audit trail stands.
    AuditHead {
        /// The number of its last entry; 0 for none.
        seq: u64,
        /// That entry's digest.
        hash: String,
    }

    /// What a look through the audit trail found.
    AuditVerdict {
        /// Entries that were looked at.
        entries: u64,
        /// The first one's number; those before it went with their time.
        first: u64,
        /// Where the trail ends.
        head: AuditHead,
        /// What is wrong, if something is: where, and what.
        broken: Option<String>,
    }
}
