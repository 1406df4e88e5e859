//! A pool's `max`, shared among its places.

use super::hours::Numbers;
use super::rank::Rank;
use super::scale::Place;
use crate::model::Pool;
use crate::model::Scope;

/// What one place needs, and what it is to have.
pub(super) struct Want {
    pub(super) scope: Scope,
    /// Whether the file names it, rather than a pattern.
    pub(super) named: bool,
    pub(super) busy: u32,
    /// Jobs that wait for a runner here.
    pub(super) waiting: u32,
    /// Runners for those.
    pub(super) extra: u32,
    pub(super) ranks: Vec<Rank>,
    pub(super) count: u32,
}

impl Want {
    /// Lets the jobs wait that do.
    pub(super) fn leave_waiting(&mut self) {
        self.waiting = 0;
        self.ranks.clear();
    }

    /// Works out how many runners the place is to have. Where a pattern found it, only jobs make it one.
    pub(super) fn count(&mut self, pool: &Pool, numbers: Numbers) {
        self.extra = times(self.waiting, pool.scaling.up_factor);
        let needed = self.busy.saturating_add(self.extra);
        let lively = self.named || needed > 0;
        let (min, min_idle, boost) = match lively {
            true => (if self.named { numbers.min } else { 0 }, numbers.min_idle, numbers.boost),
            false => (0, 0, 0),
        };
        self.count = min.max(needed.saturating_add(min_idle)).saturating_add(boost);
    }

    fn place(self, count: u32) -> Place {
        let Self { scope, busy, extra, ranks, .. } = self;
        Place { scope, count, busy, needed: busy.saturating_add(extra), ranks }
    }
}

/// So many runners for each job, and one at least.
fn times(jobs: u32, factor: f64) -> u32 {
    // Both are small and positive: a float holds them exactly, and `as` saturates.
    (f64::from(jobs) * factor).ceil() as u32
}

/// Gives each place what it wants, or, where that is more than `max`, first what is busy there, then one for each job
/// that waits, the first first, and then one by one to whoever has least, in the order of the places.
pub(super) fn share(wants: Vec<Want>, max: u32) -> Vec<Place> {
    let total: u64 = wants.iter().map(|w| u64::from(w.count)).sum();
    if total <= u64::from(max) {
        return wants
            .into_iter()
            .map(|want| {
                let count = want.count;
                want.place(count)
            })
            .collect();
    }
    let mut left = max;
    let mut given: Vec<u32> = Vec::with_capacity(wants.len());
    for want in &wants {
        let first = want.busy.min(left);
        left -= first;
        given.push(first);
    }
    let mut jobs: Vec<(Rank, usize)> = Vec::new();
    for (at, want) in wants.iter().enumerate() {
        jobs.extend(want.ranks.iter().take(want.extra as usize).map(|rank| (*rank, at)));
    }
    jobs.sort_unstable();
    for (_, at) in jobs.into_iter().take(left as usize) {
        given[at] += 1;
        left -= 1;
    }
    let needed = |want: &Want| want.busy.saturating_add(want.extra);
    for most in [needed, |want: &Want| want.count] {
        while left > 0 {
            let poorest = (0..wants.len()).filter(|i| given[*i] < most(&wants[*i])).min_by_key(|i| given[*i]);
            let Some(i) = poorest else { break };
            given[i] += 1;
            left -= 1;
        }
    }
    wants.into_iter().zip(given).map(|(want, count)| want.place(count)).collect()
}
