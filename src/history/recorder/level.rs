//! What follows from two levels: decisions, use, and what changed about the daemon itself.

use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::mem::discriminant;
use std::time::Duration;

use super::clip;
use super::own;
use crate::control::PoolState;
use crate::control::Snapshot;
use crate::model::HeldReason;
use crate::model::JobState;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::Time;
use crate::model::history::DecisionRecord;
use crate::model::history::Record;
use crate::model::history::UsageRecord;

/// An hour, in milliseconds.
const HOUR: u64 = 3_600_000;
/// How often use is given on to be kept.
const FLUSH: Duration = Duration::from_secs(60);
/// Between two looks that lie further apart the machine slept, and nothing is known.
const LONGEST_GAP: Duration = Duration::from_secs(180);

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Level {
    before: Option<Before>,
    targets: BTreeMap<PoolName, Wants>,
    usage: BTreeMap<(PoolName, u64), UsageRecord>,
    flushed: Time,
}

/// The daemon itself, as it was.
#[derive(Debug)]
struct Before {
    at: Time,
    mode: Mode,
    loaded: Time,
    refused: Option<String>,
    counts: BTreeMap<PoolName, Counts>,
}

/// What runners of a pool do.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Counts {
    busy: u32,
    idle: u32,
    other: u32,
    waiting: u32,
}

/// What a pool wants, without the numbers that change with every look.
#[derive(Debug, PartialEq)]
struct Wants {
    target: u32,
    held: Vec<Discriminant<HeldReason>>,
}

impl Level {
    pub(super) fn look(&mut self, next: &Snapshot) -> Vec<Record> {
        let mut records = self.itself(next);
        records.extend(next.pools.iter().filter_map(|pool| self.decision(pool, next.as_of)));
        let counts = counts(next);
        self.count(next.as_of, &counts);
        self.before = Some(Before {
            at: next.as_of,
            mode: next.mode,
            loaded: next.config.loaded,
            refused: next.config.error.clone(),
            counts,
        });
        if next.as_of.since(self.flushed) >= FLUSH {
            self.flushed = next.as_of;
            records.extend(self.finish());
        }
        records
    }

    /// What was added up since it was last given on.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        let usage = std::mem::take(&mut self.usage);
        usage.into_values().map(|usage| Record::Usage(Box::new(usage))).collect()
    }

    /// What changed about the daemon.
    fn itself(&self, next: &Snapshot) -> Vec<Record> {
        let (at, path) = (next.as_of, next.config.path.as_str());
        let mut entries = Vec::new();
        let Some(before) = &self.before else {
            let text = format!("ghrunner {} began", next.version);
            entries.push(own(next.started, "start", path, &text, "done"));
            return entries.into_iter().map(|entry| Record::Audit(Box::new(entry))).collect();
        };
        if before.loaded != next.config.loaded {
            entries.push(own(next.config.loaded, "config", path, "the configuration changed", "in force"));
        }
        if before.refused != next.config.error
            && let Some(error) = &next.config.error
        {
            entries.push(own(at, "config", path, "the configuration changed", &format!("refused: {error}")));
        }
        if before.mode != next.mode {
            let text = format!("the mode changed from {:?} to {:?}", before.mode, next.mode).to_lowercase();
            entries.push(own(at, "mode", "", &text, "done"));
        }
        entries.into_iter().map(|entry| Record::Audit(Box::new(entry))).collect()
    }

    fn decision(&mut self, state: &PoolState, at: Time) -> Option<Record> {
        let report = &state.report;
        let mut held: Vec<_> = report.held.iter().map(|held| discriminant(&held.reason)).collect();
        held.dedup();
        let wants = Wants { target: report.target, held };
        let before = self.targets.get(&report.pool);
        if before == Some(&wants) {
            return None;
        }
        let record = DecisionRecord {
            at,
            pool: report.pool.to_string(),
            before: before.map(|wants| wants.target),
            target: report.target,
            have: report.phases.iter().map(|(_, count)| count).sum(),
            why: clip(&report.why),
            held: report.held.iter().take(20).map(|held| clip(&held.to_string())).collect(),
        };
        self.targets.insert(report.pool.clone(), wants);
        Some(Record::Decision(Box::new(record)))
    }

    /// Adds the time since the last look to what runners did then.
    fn count(&mut self, now: Time, next: &BTreeMap<PoolName, Counts>) {
        let Some(before) = &self.before else { return };
        let gap = now.since(before.at);
        if gap > LONGEST_GAP {
            return;
        }
        // What falls into two hours is the later one's: a pass takes far less than an hour.
        let (ms, hour) = (u64::try_from(gap.as_millis()).unwrap_or(0), now.0 - now.0 % HOUR);
        for (pool, after) in next {
            let then = before.counts.get(pool).copied().unwrap_or_default();
            let entry = self.usage.entry((pool.clone(), hour)).or_insert_with(|| UsageRecord {
                pool: pool.to_string(),
                hour: Time(hour),
                ..UsageRecord::default()
            });
            entry.seen_ms += ms;
            entry.busy_ms += ms * u64::from(then.busy);
            entry.idle_ms += ms * u64::from(then.idle);
            entry.other_ms += ms * u64::from(then.other);
            entry.max_runners = entry.max_runners.max(after.busy + after.idle + after.other);
            entry.max_busy = entry.max_busy.max(after.busy);
            entry.max_waiting = entry.max_waiting.max(after.waiting);
        }
    }
}

fn counts(next: &Snapshot) -> BTreeMap<PoolName, Counts> {
    let mut counts: BTreeMap<PoolName, Counts> = BTreeMap::new();
    for state in &next.pools {
        let of = counts.entry(state.report.pool.clone()).or_default();
        for (phase, count) in &state.report.phases {
            match phase {
                Phase::Busy => of.busy += count,
                Phase::Idle => of.idle += count,
                _ => of.other += count,
            }
        }
    }
    for explanation in &next.jobs {
        let waits = explanation.job.as_ref().is_some_and(|job| job.state == JobState::Queued);
        if let Some(of) = explanation.pool.as_ref().filter(|_| waits).and_then(|pool| counts.get_mut(pool)) {
            of.waiting += 1;
        }
    }
    counts
}
