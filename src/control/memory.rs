//! Everything that the control loop knows between passes.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::listings::Listings;
use super::state::Boost;
use super::state::Marks;
use super::survey::Survey;
use crate::decide::Policy;
use crate::decide::phase;
use crate::decide::places;
use crate::decide::track;
use crate::model::Book;
use crate::model::Container;
use crate::model::CredentialName;
use crate::model::DemandView;
use crate::model::EngineView;
use crate::model::InFlightKind;
use crate::model::InstanceId;
use crate::model::JobState;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::PostMortem;
use crate::model::Repo;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Time;
use crate::model::World;
use crate::observe::Sighting;
use crate::observe::join;

/// How many runners that are gone are shown.
const ENDED_KEPT: usize = 200;
/// An idle runner of this age proves that starts of its pool work.
const PROVEN: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) book: Book,
    pub(super) listings: Listings,
    pub(super) survey: Survey,
    pub(super) mode: Mode,
    pub(super) admitted: BTreeMap<PoolName, Vec<Repo>>,
    pub(super) closed_to: BTreeMap<PoolName, Vec<Repo>>,
    /// What the sources of demand said last.
    pub(super) demand: DemandView,
    /// Runners that are gone, the latest first. Shared with every snapshot: it changes far less often than they do.
    pub(super) ended: Arc<Vec<PostMortem>>,
    /// Scopes that were kept from before, until the first pass has taken them up.
    remembered: Option<BTreeMap<Scope, CredentialName>>,
}

impl Memory {
    /// What was kept of an earlier life.
    pub(super) fn recall(mode: Mode, marks: &Marks) -> Self {
        let mut memory = Self { mode, ..Self::default() };
        memory.book.drained_pools =
            marks.drained_pools.iter().filter_map(|p| PoolName::parse(p).ok()).collect();
        let boosts = marks.boosts.iter();
        memory.book.boosts = boosts
            .filter_map(|(p, boost)| Some((PoolName::parse(p).ok()?, (boost.count, boost.until))))
            .collect();
        memory.survey.pulled.clone_from(&marks.images);
        let scopes = marks.scopes.iter();
        let scopes = scopes.filter_map(|(s, c)| Some((s.parse().ok()?, CredentialName::new(c))));
        memory.remembered = Some(scopes.collect());
        memory
    }

    /// What is to be kept for a later life.
    pub(super) fn marks(&self) -> Marks {
        let boosts = self.book.boosts.iter();
        Marks {
            drained_pools: self.book.drained_pools.iter().map(ToString::to_string).collect(),
            scopes: self
                .listings
                .speaks()
                .into_iter()
                .map(|(scope, credentials)| (scope.to_string(), credentials.to_string()))
                .collect(),
            images: self.survey.pulled.clone(),
            boosts: boosts
                .map(|(pool, (count, until))| (pool.to_string(), Boost { count: *count, until: *until }))
                .collect(),
        }
    }

    /// Puts together one look at the world.
    pub(super) fn world(
        &mut self,
        policy: &Policy,
        instance: &InstanceId,
        containers: Result<Vec<Container>, String>,
        now: Time,
    ) -> World {
        let (containers, error) = match containers {
            Ok(containers) => (containers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if error.is_none() {
            self.want_listings(policy, &containers, now);
        }
        let registrations = self.listings.views();
        let speaks = self.listings.speaks();
        let Sighting { runners, companions } = join(instance, containers, &registrations, &speaks);
        let mut world = World {
            instance: instance.clone(),
            as_of: now,
            runners,
            engine: EngineView {
                error,
                companions,
                leftovers: self.survey.leftovers(),
                images: self.survey.images(),
            },
            registrations,
            mode: self.mode,
            admitted: self.admitted.clone(),
            closed_to: self.closed_to.clone(),
            demand: self.demand.clone(),
            host: self.survey.host(),
            book: std::mem::take(&mut self.book),
        };
        if world.engine.error.is_none() {
            keep_book(policy, &mut world, now);
        }
        self.book.clone_from(&world.book);
        world
    }

    /// Scopes of the file's pools, of containers, and those kept from before; and where a runner is being made.
    fn want_listings(&mut self, policy: &Policy, containers: &[Container], now: Time) {
        let mut wanted = BTreeMap::new();
        if let Some(remembered) = self.remembered.take() {
            // An earlier life may have ended in the middle of a change of mode, before anything of it was kept.
            for pool in policy.config.pools.values().rev() {
                let scopes = places(pool, Mode::Organization, None);
                wanted.extend(scopes.into_iter().map(|scope| (scope, pool.credentials.clone())));
            }
            wanted.extend(remembered);
        }
        wanted.extend(containers.iter().map(|c| (c.scope.clone(), c.credentials.clone())));
        for pool in policy.config.pools.values().rev() {
            let admitted = self.admitted.get(&pool.name).map(Vec::as_slice);
            for scope in places(pool, self.mode, admitted) {
                wanted.insert(scope, pool.credentials.clone());
            }
        }
        wanted.retain(|_, credentials| policy.config.credentials.contains_key(credentials));
        self.listings.want(&wanted, now);
        for work in &self.book.in_flight {
            if let InFlightKind::Create { scope, .. } = &work.kind {
                self.listings.concerns(scope, now);
            }
        }
    }

    /// Keeps a post-mortem for people to see.
    pub(super) fn bury(&mut self, gone: PostMortem) {
        let ended = Arc::make_mut(&mut self.ended);
        ended.insert(0, gone);
        ended.truncate(ENDED_KEPT);
    }
}

/// Brings the book up to date with what is seen, and forgets what is gone.
fn keep_book(policy: &Policy, world: &mut World, now: Time) {
    let present: HashSet<&RunnerName> = world.runners.iter().map(|r| &r.name).collect();
    let there = |name: &RunnerName| present.contains(name);
    let book = &mut world.book;
    book.condemned.retain(there);
    book.drained_runners.retain(there);
    book.claimed = claimed(&world.demand).filter(|name| there(name)).cloned().collect();
    book.seen_busy.retain(|name, _| there(name));
    book.leave_until.retain(|_, until| *until > now);
    for container in world.runners.iter().filter_map(|r| r.container.as_ref()) {
        // Whatever had the slot's name was our own.
        book.leave_until.remove(&Book::slot_key(&container.pool, container.slot));
    }
    book.boosts.retain(|_, (_, until)| *until > now);
    book.github_until.retain(|_, (until, _)| *until > now);
    book.backoff.retain(|pool, _| policy.config.pools.contains_key(pool));
    for runner in &world.runners {
        if runner.registration.as_ref().is_some_and(|r| r.busy) {
            book.seen_busy.insert(runner.name.clone(), now);
        }
    }
    track(policy, world, now);
    let proven: Vec<PoolName> =
        world.runners.iter().filter(|r| proves(policy, world, r, now)).map(|r| r.pool.clone()).collect();
    for pool in proven {
        world.book.backoff.remove(&pool);
    }
}

/// Runners that GitHub says are in a job.
fn claimed(demand: &DemandView) -> impl Iterator<Item = &RunnerName> {
    demand.jobs.iter().filter_map(|job| match &job.state {
        JobState::Running { runner } => runner.as_ref(),
        JobState::Held | JobState::Queued => None,
    })
}

/// Whether the runner shows that starts of its pool work.
fn proves(policy: &Policy, world: &World, runner: &crate::model::Runner, now: Time) -> bool {
    world.book.backoff.contains_key(&runner.pool)
        && match phase(policy, world, runner, now) {
            Phase::Busy => true,
            Phase::Idle => world.book.idle_since.get(&runner.name).is_some_and(|at| now.since(*at) > PROVEN),
            _ => false,
        }
}
