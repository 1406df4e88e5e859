//! One pass: look, decide, begin, publish.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::super::Snapshot;
use super::super::listings::Listed;
use super::super::settle::in_flight;
use super::super::status;
use super::super::survey::lock;
use super::Control;
use super::Event;
use super::LONGEST_REST;
use super::PASS_SHARE;
use crate::decide;
use crate::engine::Engine;
use crate::execute::execute;
use crate::github::AccessList;
use crate::github::GitHub;
use crate::model::Action;
use crate::model::ContainerId;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::Plan;
use crate::model::Pool;
use crate::model::Role;
use crate::model::Runner;
use crate::model::Scope;
use crate::model::Time;
use crate::model::Usage;
use crate::model::World;

/// While something is on its way.
const LIVELY: Duration = Duration::from_secs(2);
/// Shortly after an engine event.
const ECHOING: Duration = Duration::from_millis(300);
/// How often a runner group's access list is read again in repository mode.
const ACCESS_FRESH: Duration = Duration::from_secs(300);
/// How long the start goes on after the first complete look: jobs may come without end, and an image may take long.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// How often old logs are looked for.
const LOGS_EVERY: Duration = Duration::from_secs(3600);

impl<E: Engine, G: GitHub> Control<E, G> {
    /// Looks, decides, begins what was decided, and publishes what was found.
    pub(super) async fn pass(&mut self) {
        let begun = Instant::now();
        while self.tasks.try_join_next().is_some() {}
        let (world, plan) = self.look().await;
        let now = self.clock.now();
        self.passes += 1;
        self.told.held(&plan, self.passes);
        self.read_listings(&world, now);
        self.read_access_lists(now);
        self.listen(&world, now);
        for action in &plan.actions {
            self.begin(action.clone(), now);
        }
        if self.looked.is_none() && world.engine.error.is_none() && self.memory.listings.complete() {
            self.looked = Some(now);
        }
        self.settled |= self.looked.is_some_and(|since| {
            let under_way = !self.memory.book.in_flight.is_empty();
            status::is_settled(&plan, under_way) || now.since(since) > SETTLES_WITHIN
        });
        let took = begun.elapsed();
        self.next = Instant::now() + self.rest(&world, &plan, now);
        self.resting_until = Instant::now() + (took * PASS_SHARE).min(LONGEST_REST);
        self.publish(&world, plan, took);
        self.sample(&world, now);
        self.keep_marks();
        self.expire_logs(now);
    }

    /// One look at the world and the plan that follows from it. Begins nothing.
    pub(super) async fn look(&mut self) -> (World, Plan) {
        let now = self.clock.now();
        let surveyed = self.memory.survey.refresh(&*self.ports.engine, &self.policy.config, now).await;
        let containers = match surveyed {
            Ok(()) => self.ports.engine.list().await,
            Err(error) => Err(error),
        };
        let containers = containers.map_err(|error| error.to_string());
        if containers.is_err() {
            self.memory.survey.expire();
        }
        let now = self.clock.now();
        let world = self.memory.world(&self.policy, &self.ports.instance, containers, now);
        let targets = decide::scale(&self.policy, &world, now);
        let plan = decide::plan(&self.policy, &targets, &world, now, self.rng.next_u64());
        if cfg!(debug_assertions) {
            let notes = decide::check(&self.policy, &world, &plan, now);
            assert!(notes.is_empty(), "a plan breaks rules: {notes:?}");
        }
        (world, plan)
    }

    /// Begins to ask for what runners in a job take of the machine, each with its inner engine.
    fn sample(&mut self, world: &World, now: Time) {
        let last = Arc::clone(&self.last);
        let sidecars = world.engine.companions.iter().filter(|container| container.role == Role::Dind);
        let inner: BTreeMap<_, _> = sidecars.map(|container| (&container.runner_name, container)).collect();
        let candidates = last.runners.iter().map(|state| {
            let name = &state.runner.name;
            let both = state.runner.container.iter().chain(inner.get(name).copied());
            (name, state.phase, both.map(|container| &container.id).collect())
        });
        let candidates: Vec<_> = candidates.collect();
        for (runner, containers) in self.samples.due(&candidates, now) {
            let (engine, events) = (Arc::clone(&self.ports.engine), self.events.clone());
            self.tasks.spawn(async move {
                let begun = Instant::now();
                let found = usage(&*engine, &containers).await;
                // Nobody hears it once the loop has ended.
                let _ = events.send(Event::Sampled { runner, found, took: begun.elapsed() });
            });
        }
    }

    /// Begins an action beside the loop.
    fn begin(&mut self, action: Action, now: Time) {
        self.memory.book.in_flight.push(in_flight(&action, now));
        let (ports, clock, events, pass) = (self.ports.clone(), self.clock, self.events.clone(), self.passes);
        let progress = Arc::clone(&self.memory.survey.progress);
        if let Action::Pull { image } = &action {
            lock(&progress).insert(image.clone(), "begun".to_owned());
        }
        let permits = match &action {
            Action::Create(_) => Some(Arc::clone(&self.makers)),
            Action::Pull { .. } => None,
            _ => Some(Arc::clone(&self.removers)),
        };
        tracing::debug!(pass, "Begun: {action}");
        self.tasks.spawn(async move {
            // The semaphores are never closed; without a permit the action would still be right, only not bounded.
            let _permit = match permits {
                Some(permits) => permits.acquire_owned().await.ok(),
                None => None,
            };
            let image = match &action {
                Action::Pull { image } => image.clone(),
                _ => String::new(),
            };
            let tell = |words: String| {
                lock(&progress).insert(image.clone(), words);
            };
            let outcome = execute(&ports, &action, || clock.now(), tell).await;
            // The loop that would hear of it is gone only when the daemon ends.
            let _ = events.send(Event::Done { action: Box::new(action), outcome: Box::new(outcome), pass });
        });
    }

    /// Scopes in which some runner does anything but wait.
    fn lively<'w>(&self, world: &'w World, now: Time) -> BTreeSet<&'w Scope> {
        let acts = |runner: &&Runner| decide::phase(&self.policy, world, runner, now) != Phase::Idle;
        world.runners.iter().filter(acts).map(|runner| &runner.scope).collect()
    }

    /// Begins reading the listings that are due.
    pub(super) fn read_listings(&mut self, world: &World, now: Time) {
        let lively = self.lively(world, now);
        let due = self.memory.listings.due(now, |scope| lively.contains(scope));
        for (credentials, scope) in due {
            let (github, events) = (Arc::clone(&self.ports.github), self.events.clone());
            self.tasks.spawn(async move {
                let result = github.list(&credentials, &scope).await;
                let _ = events.send(Event::Listed(Listed { scope, asked: now, result }));
            });
        }
    }

    /// Tells the sources of demand what follows from this look, if it is something new.
    fn listen(&self, world: &World, now: Time) {
        let wanted = decide::wanted(&self.policy, world, now);
        self.wanted.send_if_modified(|before| {
            let new = **before != wanted;
            if new {
                *before = Arc::new(wanted);
            }
            new
        });
    }

    /// Begins reading the access lists that say where to register, or whose queues to read.
    fn read_access_lists(&mut self, now: Time) {
        let fresh = self.access_asked.is_some_and(|at| now.since(at) < ACCESS_FRESH);
        let mode = self.memory.mode;
        if !fresh && self.needs_access(mode) {
            self.access_asked = Some(now);
            self.ask_access(mode, None);
        }
    }

    /// Whether some access list matters in `mode`.
    pub(super) fn needs_access(&self, mode: Mode) -> bool {
        self.policy.config.pools.values().any(|pool| asks_access(pool, mode))
    }

    /// Reads the access lists that matter in `mode`.
    pub(super) fn ask_access(&mut self, mode: Mode, then: Option<super::ModeChange>) {
        let pools = self.policy.config.pools.values();
        let asked: Vec<Pool> = pools.filter(|pool| asks_access(pool, mode)).cloned().collect();
        let (github, events) = (Arc::clone(&self.ports.github), self.events.clone());
        self.tasks.spawn(async move {
            let mut lists = super::Admitted::new();
            for pool in asked {
                let list = access_list(&*github, &pool).await;
                lists.insert(pool.name, list);
            }
            let _ = events.send(Event::Admitted { lists, then });
        });
    }

    /// How long until the next pass if nothing happens: until the first wait is over, at most a heartbeat.
    fn rest(&self, world: &World, plan: &Plan, now: Time) -> Duration {
        let on_its_way = !self.memory.book.in_flight.is_empty()
            || world.engine.error.is_some()
            || plan.report.pools.iter().flat_map(|p| &p.phases).any(|(phase, _)| *phase != Phase::Idle);
        let lively = self.lively(world, now);
        let waits = plan.report.pools.iter().flat_map(|p| &p.held).filter_map(|held| until(&held.reason));
        let soonest =
            waits.filter(|until| *until > now).map(|until| until.since(now)).min().unwrap_or(self.heartbeat);
        let longest = match on_its_way {
            _ if Instant::now() < self.echo_until => ECHOING,
            true => LIVELY,
            false => self.heartbeat,
        };
        let listing = self.memory.listings.next_due(now, |scope| lively.contains(scope));
        soonest.min(listing).clamp(Duration::from_millis(100), longest.min(self.heartbeat))
    }

    fn publish(&mut self, world: &World, plan: Plan, took: Duration) {
        let now = self.clock.now();
        let jobs = decide::explanations(&self.policy, world, &plan, now);
        self.told.jobs(&jobs, self.passes);
        let history = self.deeds.health();
        let snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.ports.instance.to_string(),
            started: self.started,
            ready: self.looked.is_some(),
            settled: self.settled,
            mode: self.memory.mode,
            passes: self.passes,
            as_of: now,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            status: match self.looked {
                Some(_) => status::line(&self.config, world, &plan) + &status::unkept(history.as_ref()),
                None => status::waiting(world),
            },
            config: self.config.clone(),
            state_dir: self.state.place(),
            history,
            engine: self.memory.survey.info.clone(),
            engine_error: world.engine.error.clone(),
            credentials: self.ports.github.states(),
            pools: status::pools(&self.policy, world, &plan),
            runners: status::runners(&self.policy, world, now),
            jobs,
            demand: world.demand.clone(),
            images: world.engine.images.clone(),
            ended: Arc::clone(&self.memory.ended),
            plan,
        };
        self.measure.looked(&snapshot, took);
        self.last = Arc::new(snapshot);
        self.snapshots.send_replace(Arc::clone(&self.last));
    }

    /// Keeps what a later life needs, when it changed.
    pub(super) fn keep_marks(&mut self) {
        let marks = self.memory.marks();
        if marks.same_but_for_times(&self.marks) {
            return;
        }
        match self.state.set_marks(&marks) {
            Ok(()) => {
                self.marks = marks;
                if self.unkept.take().is_some() {
                    tracing::info!("State is kept again");
                }
            }
            // The next pass tries again: a full disk gets space, and then the file must not be older than the fleet.
            Err(error) => {
                let error = error.to_string();
                if self.unkept.as_ref() != Some(&error) {
                    tracing::warn!("{error}; it is tried again with every pass");
                    self.unkept = Some(error);
                }
            }
        }
    }

    fn expire_logs(&mut self, now: Time) {
        if self.logs_expired.is_some_and(|at| now.since(at) < LOGS_EVERY) {
            return;
        }
        self.logs_expired = Some(now);
        let (logs, keep) = (self.ports.logs.clone(), self.policy.config.host.keep_logs);
        self.tasks.spawn(async move {
            if let Err(error) = logs.expire(now, keep).await {
                tracing::warn!("Old logs cannot be removed: {error}");
            }
        });
    }
}

/// What containers take together; none where the first, the runner's own, does not tell.
async fn usage<E: Engine>(engine: &E, containers: &[ContainerId]) -> Option<Usage> {
    let mut sum: Option<Usage> = None;
    for container in containers {
        let found = engine.usage(container).await.unwrap_or_else(|error| {
            tracing::debug!(%container, "What a runner takes of the machine is not known: {error}");
            None
        });
        let (so_far, more) = match (sum, found) {
            (None, None) => return None,
            (None, Some(own)) => (own, Usage::default()),
            (Some(so_far), more) => (so_far, more.unwrap_or_default()),
        };
        sum = Some(Usage { memory: so_far.memory + more.memory, cpu_ms: so_far.cpu_ms + more.cpu_ms });
    }
    sum
}

/// Whether the pool's access list says where it registers, or which repositories' queues it serves.
pub(super) fn asks_access(pool: &Pool, mode: Mode) -> bool {
    let places = mode == Mode::Repository && pool.rollback.is_empty();
    let queues = matches!(pool.demand, Demand::Poll | Demand::Webhook);
    pool.scope.organization().is_some() && (places || queues)
}

/// The repositories that a pool's runner group admits.
pub(super) async fn access_list<G: GitHub>(github: &G, pool: &Pool) -> Result<AccessList, String> {
    let crate::model::PoolScope::Organization { org, group } = &pool.scope else {
        return Ok(AccessList::default());
    };
    github.admitted(&pool.credentials, org, group.as_ref()).await.map_err(|error| error.to_string())
}

/// Until when a reason holds, where it says.
fn until(reason: &HeldReason) -> Option<Time> {
    match reason {
        HeldReason::Backoff { until, .. }
        | HeldReason::StormBreaker { until, .. }
        | HeldReason::GitHub { until, .. }
        | HeldReason::RetryLater { until } => Some(*until),
        _ => None,
    }
}
