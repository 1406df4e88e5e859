//! From what the daemon shows and does to spans: a function of the values before and after, without a clock.
//!
//! Which jobs ended, when and how is what the history finds out, so that both say the same.

use std::collections::BTreeMap;

use super::ids;
use super::jobs;
use super::jobs::Told;
use super::lives::Lives;
use super::passes;
use super::span::Span;
use crate::control::Deed;
use crate::control::Snapshot;
use crate::history::Recorder;
use crate::model::Time;
use crate::model::history::Record;

/// What was seen before.
#[derive(Debug)]
pub(super) struct Tracer {
    instance: String,
    /// When the daemon started, as its snapshots tell.
    started: Time,
    recorder: Recorder,
    lives: Lives,
    /// GitHub's address, by pool.
    addresses: BTreeMap<String, String>,
}

impl Tracer {
    pub(super) fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            started: Time::default(),
            recorder: Recorder::default(),
            lives: Lives::default(),
            addresses: BTreeMap::new(),
        }
    }

    /// Takes a snapshot.
    pub(super) fn look(&mut self, snapshot: &Snapshot) -> Vec<Span> {
        self.started = snapshot.started;
        self.addresses = addresses(snapshot);
        let place = ids::pass(&self.instance, snapshot.started, snapshot.passes);
        self.lives.look(place, snapshot);
        let mut spans = vec![passes::pass(place, snapshot)];
        let records = self.recorder.look(snapshot);
        spans.extend(self.ended(records));
        spans
    }

    /// Takes an action that ended.
    pub(super) fn hear(&mut self, deed: &Deed) -> Vec<Span> {
        self.lives.hear(deed);
        let pass = ids::pass(&self.instance, self.started, deed.pass);
        let mut spans = vec![passes::action(pass, deed)];
        let records = self.recorder.hear(deed);
        spans.extend(self.ended(records));
        spans
    }

    /// Gives what still waits to be complete, before the daemon ends.
    pub(super) fn finish(&mut self) -> Vec<Span> {
        let records = self.recorder.finish();
        self.ended(records)
    }

    fn ended(&mut self, records: Vec<Record>) -> Vec<Span> {
        let mut spans = Vec::new();
        for record in records {
            match record {
                Record::Job(job) => spans.extend(jobs::job(&Told {
                    instance: &self.instance,
                    github: self.addresses.get(&job.pool).map_or("", String::as_str),
                    life: job.runner.as_ref().and_then(|runner| self.lives.get(runner)),
                    job: &job,
                })),
                Record::Runner(runner) => self.lives.forget(&runner.runner),
                _ => {}
            }
        }
        spans
    }
}

/// Where each pool's GitHub is.
fn addresses(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let of = |name: &str| snapshot.credentials.iter().find(|credential| credential.name == name);
    let pools = snapshot.pools.iter().filter_map(|state| {
        let pool = state.pool.as_ref()?;
        let address = of(pool.credentials.as_str())?.url.trim_end_matches('/');
        Some((pool.name.to_string(), address.to_owned()))
    });
    pools.collect()
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
