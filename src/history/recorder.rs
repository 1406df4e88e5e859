//! From what the daemon shows and does to records: a function of the values before and after, without a clock.
//!
//! Snapshots are levels, and some may be skipped: a job that came and went between two of them is known only from its
//! runner's end, without the time that it waited. Ends of runners and actions come as deeds, none of which is skipped.

mod jobs;
mod level;

use jobs::Jobs;
use level::Level;

use crate::control::Deed;
use crate::control::Snapshot;
use crate::model::Time;
use crate::model::history::AuditEntry;
use crate::model::history::Record;

/// The longest text that is kept of one thing.
const LONGEST: usize = 2000;

/// What was seen before.
#[derive(Debug, Default)]
pub struct Recorder {
    jobs: Jobs,
    level: Level,
}

impl Recorder {
    /// Takes a snapshot.
    pub fn look(&mut self, next: &Snapshot) -> Vec<Record> {
        let mut records = self.level.look(next);
        // Before the first complete look nothing that is absent is gone.
        if next.ready {
            records.extend(self.jobs.look(next));
        }
        records
    }

    /// Takes an action that ended.
    pub fn hear(&mut self, deed: &Deed) -> Vec<Record> {
        if let Some(gone) = &deed.gone {
            self.jobs.bury(deed, gone);
        }
        vec![Record::Audit(Box::new(action(deed)))]
    }

    /// Gives what still waits to be complete, before the daemon ends.
    pub fn finish(&mut self) -> Vec<Record> {
        let mut records = self.level.finish();
        records.extend(self.jobs.finish());
        records
    }
}

fn action(deed: &Deed) -> AuditEntry {
    let subject = if deed.runner.is_empty() { &deed.pool } else { &deed.runner };
    AuditEntry {
        at: deed.at,
        who: "daemon".to_owned(),
        kind: "action".to_owned(),
        subject: clip(subject),
        text: clip(&deed.text),
        outcome: match &deed.outcome {
            Ok(()) => "done".to_owned(),
            Err(why) => clip(why),
        },
    }
}

/// An entry of the daemon itself.
pub(super) fn own(at: Time, kind: &str, subject: &str, text: &str, outcome: &str) -> AuditEntry {
    AuditEntry {
        at,
        who: "daemon".to_owned(),
        kind: kind.to_owned(),
        subject: clip(subject),
        text: clip(text),
        outcome: clip(outcome),
    }
}

/// A text that any database takes: bounded, and without the one character that PostgreSQL refuses.
pub(super) fn clip(text: &str) -> String {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    text[..end].replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests;
