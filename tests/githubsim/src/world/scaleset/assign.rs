//! Which jobs a scale set gets, and for how long.

use super::ScaleSet;
use super::Trouble;
use crate::clock::Moment;
use crate::world::Job;
use crate::world::JobStatus;
use crate::world::Scope;
use crate::world::World;

/// How often an assignment that nobody took is tried again before the job fails.
const MOST_WITHDRAWN: u32 = 3;

/// A job's place in a scale set.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub(crate) set: u64,
    pub(crate) since: Moment,
    /// Whether the set asked for it, as opposed to getting it.
    pub(crate) acquired: bool,
}

impl World {
    /// Whether a job may go to a scale set: labels (or the set's name), group and repository.
    fn suits(&self, set: &ScaleSet, job: &Job) -> bool {
        let has = |wanted: &String| {
            set.name.eq_ignore_ascii_case(wanted)
                || set.labels.iter().any(|l| l.name.eq_ignore_ascii_case(wanted))
        };
        let group = job.spec.group.as_ref();
        job.spec.labels.iter().all(has)
            && group.is_none_or(|g| self.group_name(set.scope, set.group).eq_ignore_ascii_case(g))
            && self
                .repository_by_id(job.repository)
                .is_some_and(|r| self.place_serves(set.scope, set.group, r))
    }

    /// The jobs in a scale set that are not over.
    pub(super) fn jobs_of_set(&self, id: u64) -> impl Iterator<Item = &Job> {
        let mine = move |j: &&Job| j.placement.as_ref().is_some_and(|p| p.set == id);
        self.jobs.values().filter(mine).filter(|j| j.status != JobStatus::Completed)
    }

    /// How many more jobs a set takes: as many as its client last said, and none without a client.
    fn room(&self, set: &ScaleSet) -> u64 {
        let capacity = set.session.as_ref().and_then(|s| s.capacity).unwrap_or(0);
        capacity.saturating_sub(self.jobs_of_set(set.id).count() as u64 + set.offered.len() as u64)
    }

    /// Gives waiting jobs to scale sets that have room, the oldest first. True if any was given.
    pub(crate) fn assign_to_sets(&mut self, now: Moment) -> bool {
        if self.scale_sets.is_empty() {
            return false;
        }
        self.forget_stale_offers();
        let mut rooms: Vec<(u64, u64)> =
            self.scale_sets.values().map(|s| (s.id, self.room(s))).filter(|(_, room)| *room > 0).collect();
        let mut any = false;
        for id in self.queue.clone() {
            let Some(job) = self.jobs.get(&id).filter(|j| j.placement.is_none() && j.eligible <= now.up)
            else {
                continue;
            };
            let fits = |(set, room): &&mut (u64, u64)| {
                let set = self.scale_sets.get(set);
                *room > 0 && set.is_some_and(|s| !s.offered.contains(&id) && self.suits(s, job))
            };
            let Some((set, room)) = rooms.iter_mut().find(fits) else {
                continue;
            };
            *room -= 1;
            any = true;
            let set = *set;
            if self.settings.acquire_jobs { self.offer(set, id) } else { self.place(set, id, false, now) }
        }
        any
    }

    fn offer(&mut self, set: u64, job: u64) {
        if let Some(set) = self.scale_sets.get_mut(&set) {
            set.offered.push(job);
        }
        self.tell_set(set, job, "JobAvailable", None);
    }

    fn place(&mut self, set: u64, job: u64, acquired: bool, now: Moment) {
        for other in self.scale_sets.values_mut() {
            other.offered.retain(|id| *id != job);
        }
        if let Some(job) = self.jobs.get_mut(&job) {
            job.placement = Some(Placement { set, since: now, acquired });
            job.completion_told = false;
        }
        self.tell_set(set, job, "JobAssigned", None);
    }

    /// Jobs offered to a set and not acquired yet; those that went elsewhere are left out.
    pub(crate) fn acquirable(&self, scope: Scope, set: u64) -> Result<Vec<&Job>, Trouble> {
        let set = self.set_in(scope, set)?;
        let open = |j: &&Job| j.status == JobStatus::Queued && j.placement.is_none();
        Ok(set.offered.iter().filter_map(|id| self.jobs.get(id)).filter(open).collect())
    }

    /// Takes the offered jobs that are still to be had; gives the request ids that were.
    pub(crate) fn acquire(
        &mut self,
        scope: Scope,
        set: u64,
        requests: &[u64],
        now: Moment,
    ) -> Result<Vec<u64>, Trouble> {
        let open: Vec<(u64, u64)> =
            self.acquirable(scope, set)?.into_iter().map(|j| (j.request_id(), j.id)).collect();
        let mut got = Vec::new();
        for (request, job) in open.into_iter().filter(|(request, _)| requests.contains(request)) {
            self.place(set, job, true, now);
            got.push(request);
        }
        Ok(got)
    }

    /// Forgets offers of jobs that went elsewhere.
    pub(super) fn forget_stale_offers(&mut self) {
        for set in self.scale_sets.values_mut() {
            let jobs = &self.jobs;
            set.offered.retain(|id| {
                jobs.get(id).is_some_and(|j| j.status == JobStatus::Queued && j.placement.is_none())
            });
        }
    }

    /// Takes jobs back from sets whose runners did not come for them, and fails those that were
    /// taken back too often.
    pub(crate) fn withdraw_unclaimed(&mut self, now: Moment) -> bool {
        let limit = self.settings.scale_set_pickup_timeout;
        let unclaimed = |j: &&Job| {
            j.status == JobStatus::Queued
                && j.placement.as_ref().is_some_and(|p| now.up.saturating_sub(p.since.up) >= limit)
        };
        let late: Vec<u64> = self.jobs.values().filter(unclaimed).map(|j| j.id).collect();
        for id in &late {
            self.tell_completed(*id, "canceled", now);
            let delay = self.settings.scale_set_requeue_delay;
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            job.placement = None;
            job.withdrawn += 1;
            job.eligible = now.up + delay * 2_u32.pow(job.withdrawn - 1);
            self.counters.jobs_withdrawn += 1;
            if job.withdrawn > MOST_WITHDRAWN {
                self.conclude(*id, "failure", now);
            }
        }
        !late.is_empty()
    }
}
