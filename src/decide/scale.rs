//! How many runners each pool should have, and where.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::Policy;
use super::hours::Numbers;
use super::hours::numbers;
use super::phase::is_busy;
use super::places;
use super::queue::Queue;
use super::queue::Queues;
use super::queue::Waiting;
use super::rank::Rank;
use super::share::Want;
use super::share::share;
use super::sources::doubts;
use super::sources::set_of;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::InFlightKind;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::RepoPattern;
use crate::model::Runner;
use crate::model::Scope;
use crate::model::Time;
use crate::model::World;

/// How long jobs wait for company where `scale_up_threshold` asks for it: a single one is served, too, only later.
const COMPANY: Duration = Duration::from_secs(300);

/// The target of each pool that the file has.
pub type Targets = BTreeMap<PoolName, Target>;

/// How many runners a pool should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Scope by scope.
    pub places: Vec<Place>,
    /// Whether the places are known; if not, nothing may be concluded from a scope's absence here.
    pub known: bool,
    /// Why so many, in words.
    pub why: String,
    /// The jobs that wait for the pool's runners, the first first.
    pub waiting: Vec<Waiting>,
    /// Why its demand is not known as it should be.
    pub doubts: Vec<HeldReason>,
}

/// How many runners should be registered in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The scope.
    pub scope: Scope,
    /// How many.
    pub count: u32,
    /// How many are in a job there.
    pub busy: u32,
    /// How many jobs need one there, those that have one included.
    pub needed: u32,
    /// The jobs that wait for one there, the first first.
    pub ranks: Vec<Rank>,
}

impl Target {
    /// Why places may be unknown.
    pub(super) const UNKNOWN: &str =
        "the runner group's access list, which says where to register, could not be read yet";

    /// All places together.
    pub fn total(&self) -> u32 {
        self.places.iter().map(|place| place.count).sum()
    }

    fn without_places(known: bool, why: &str) -> Self {
        Self { places: Vec::new(), known, why: why.to_owned(), waiting: Vec::new(), doubts: Vec::new() }
    }
}

/// A runner in a job.
struct Busy<'a> {
    scope: &'a Scope,
    since: Time,
    /// Whether GitHub names its job.
    named: bool,
}

/// The target of each pool: `clamp(max(min, needed + min_idle), ..max)` in each of its places, and no more than `max`
/// over all of them. Needed are the runners that are in a job, and one for each job that waits; of the latter as many do
/// not count as runners took a job that the sources of demand have not told of yet, ended or not.
pub fn scale(policy: &Policy, world: &World, now: Time) -> Targets {
    let mut queues = Queues::new(policy, world);
    let mut standing: HashMap<&PoolName, Vec<&Runner>> = HashMap::new();
    for runner in world.runners.iter().filter(|r| r.container.is_some()) {
        standing.entry(&runner.pool).or_default().push(runner);
    }
    let pools = policy.config.pools.values();
    pools
        .map(|pool| {
            let standing = standing.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
            let busy = busy(world, &queues, standing, now);
            let queue = queues.take(&pool.name);
            (pool.name.clone(), target(pool, world, queue, standing, &busy, now))
        })
        .collect()
}

fn busy<'a>(world: &World, queues: &Queues<'_>, standing: &[&'a Runner], now: Time) -> Vec<Busy<'a>> {
    let mut busy = Vec::new();
    for runner in standing.iter().filter(|r| r.runs()) {
        let named = queues.names(&runner.name);
        if named || is_busy(&world.book, runner, now) {
            let since = world.book.busy_since.get(&runner.name).copied().unwrap_or(now);
            busy.push(Busy { scope: &runner.scope, since, named });
        }
    }
    busy
}

fn target(
    pool: &Pool,
    world: &World,
    queue: Queue<'_>,
    standing: &[&Runner],
    busy: &[Busy<'_>],
    now: Time,
) -> Target {
    if world.book.drained_pools.contains(&pool.name) {
        return Target::without_places(true, "the pool is being drained");
    }
    if world.mode == Mode::Repository
        && pool.scope.organization().is_some()
        && pool.rollback.is_empty()
        && !world.admitted.contains_key(&pool.name)
    {
        return Target::without_places(false, Target::UNKNOWN);
    }
    let named = places(pool, world.mode, world.admitted.get(&pool.name).map(Vec::as_slice));
    let doubts = doubts(pool, world, &named);
    let found = found_places(pool, world, &queue, standing, &named);
    let numbers = numbers(pool, &world.book, now);
    let mut wants: Vec<Want> = named
        .iter()
        .map(|scope| (scope, true))
        .chain(found.iter().map(|scope| (scope, false)))
        .map(|(scope, named)| want(pool, world, &queue, busy, scope, named))
        .collect();
    let young = |(job, _): &(&crate::model::Job, Waiting)| now.since(job.queued) < COMPANY;
    let alone = queue.waiting.iter().all(young) && few(pool, world, standing, numbers, &wants);
    let mut waiting: Vec<Waiting> = queue.waiting.into_iter().map(|(_, waiting)| waiting).collect();
    if alone {
        let threshold = pool.scaling.up_threshold;
        hold(&mut waiting, |_| true, &HeldReason::UpThreshold { threshold });
        wants.iter_mut().for_each(Want::leave_waiting);
    }
    for want in &mut wants {
        want.count(pool, numbers);
        if want.extra < want.waiting {
            let later: BTreeSet<Rank> = want.ranks.iter().skip(want.extra as usize).copied().collect();
            hold(&mut waiting, |job| later.contains(&job.rank), &HeldReason::UpFactor);
        }
    }
    let why = reason(pool, world, &wants, numbers, now);
    let places = share(wants, numbers.max);
    for place in &places {
        let served = place.count.saturating_sub(place.busy) as usize;
        let later: BTreeSet<Rank> = place.ranks.iter().skip(served).copied().collect();
        hold(&mut waiting, |job| later.contains(&job.rank), &HeldReason::AtMax { max: numbers.max });
    }
    Target { places, known: true, why, waiting, doubts }
}

/// Holds the jobs that fit and are not held yet.
fn hold(waiting: &mut [Waiting], fits: impl Fn(&Waiting) -> bool, reason: &HeldReason) {
    for job in waiting.iter_mut().filter(|job| job.held.is_none() && fits(job)) {
        job.held = Some(reason.clone());
    }
}

/// Repositories of an account in which a job waits or a runner stands: where a pattern such as `alice/*` has its places.
fn found_places(
    pool: &Pool,
    world: &World,
    queue: &Queue<'_>,
    standing: &[&Runner],
    named: &[Scope],
) -> BTreeSet<Scope> {
    let PoolScope::Repositories(patterns) = &pool.scope else { return BTreeSet::new() };
    let owners: Vec<&String> = patterns
        .iter()
        .filter_map(|pattern| match pattern {
            RepoPattern::AllOf(owner) => Some(owner),
            RepoPattern::One(_) => None,
        })
        .collect();
    if owners.is_empty() {
        return BTreeSet::new();
    }
    let waited_in = queue.waiting.iter().map(|(_, waiting)| &waiting.scope);
    let standing = standing.iter().map(|runner| &runner.scope);
    let made_in = world.book.in_flight.iter().filter_map(|work| match &work.kind {
        InFlightKind::Create { pool: of, scope, .. } if *of == pool.name => Some(scope),
        _ => None,
    });
    let owned = |scope: &&Scope| match scope {
        Scope::Repository(repo) => owners.iter().any(|owner| repo.owner().eq_ignore_ascii_case(owner)),
        Scope::Enterprise(_) | Scope::Organization(_) => false,
    };
    let all = waited_in.chain(standing).chain(made_in);
    all.filter(owned).filter(|scope| !named.contains(scope)).cloned().collect()
}

/// What one place needs.
fn want(
    pool: &Pool,
    world: &World,
    queue: &Queue<'_>,
    busy: &[Busy<'_>],
    scope: &Scope,
    named: bool,
) -> Want {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let here = || busy.iter().filter(|runner| runner.scope == scope);
    let working = count(here().count());
    let jobs = || queue.waiting.iter().filter(|(_, job)| job.held.is_none() && job.scope == *scope);
    let queued = count(jobs().count());
    let worked = || world.book.worked.values().filter(|w| w.pool == pool.name && w.scope == *scope);
    let waiting = match pool.demand {
        Demand::Fixed => 0,
        Demand::Poll | Demand::Webhook => {
            let oldest = jobs().map(|(job, _)| world.demand.heard(job)).min();
            let took = oldest.map_or(0, |oldest| {
                let first = jobs().map(|(job, _)| job.queued).min().unwrap_or(oldest);
                let ended = worked().filter(|w| !w.told && w.began > oldest && w.began >= first);
                here().filter(|r| !r.named && r.since > oldest).count() + ended.count()
            });
            queued - queued.min(count(took))
        }
        Demand::ScaleSet => {
            let assigned = set_of(world, pool, scope).and_then(|set| set.statistics);
            let assigned = assigned.map_or(0, |(statistics, as_of)| {
                let ended = worked().filter(|w| w.ended > as_of).count();
                statistics.assigned.saturating_sub(count(ended))
            });
            let told = queue.told.get(scope).copied().unwrap_or(0);
            assigned.max(told).saturating_sub(working)
        }
    };
    let ranks = jobs().map(|(_, job)| job.rank).take(waiting as usize).collect();
    Want { scope: scope.clone(), named, busy: working, waiting, extra: 0, ranks, count: 0 }
}

/// Whether so few jobs wait that no first start is worth it yet.
fn few(pool: &Pool, world: &World, standing: &[&Runner], numbers: Numbers, wants: &[Want]) -> bool {
    let threshold = pool.scaling.up_threshold;
    let waiting: u32 = wants.iter().map(|want| want.waiting).sum();
    if threshold <= 1 || waiting == 0 || waiting >= threshold {
        return false;
    }
    let under_way = world.book.in_flight.iter().filter(|work| match &work.kind {
        InFlightKind::Create { pool: of, runner, .. } => {
            *of == pool.name && !standing.iter().any(|r| r.name == *runner)
        }
        _ => false,
    });
    let places = wants.iter().filter(|want| want.named).count();
    standing.len() + under_way.count() <= places.saturating_mul(numbers.min as usize)
}

fn reason(pool: &Pool, world: &World, wants: &[Want], numbers: Numbers, now: Time) -> String {
    let sum = |of: fn(&Want) -> u32| wants.iter().map(of).sum::<u32>();
    let (busy, waiting) = (sum(|w| w.busy), sum(|w| w.waiting));
    let total: u64 = wants.iter().map(|w| u64::from(w.count)).sum();
    let each =
        if wants.len() > 1 { format!(" in each of {} repositories", wants.len()) } else { String::new() };
    let Numbers { min, min_idle, .. } = numbers;
    let mut why = match (busy, min_idle, waiting) {
        _ if wants.is_empty() && pool.demand == Demand::Fixed => "no repository to register in".to_owned(),
        _ if wants.is_empty() => "no job waits".to_owned(),
        (0, 0, 0) => format!("min {min}{each}"),
        (_, spare, 0) => format!("the larger of min {min} and {busy} busy + min_idle {spare}{each}"),
        (_, spare, jobs) => {
            let parts = [
                (busy, format!("{busy} busy")),
                (jobs, format!("{jobs} waiting")),
                (spare, format!("min_idle {spare}")),
            ];
            let parts: Vec<String> =
                parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
            let sum = parts.join(" + ");
            if min > 0 { format!("the larger of min {min} and {sum}{each}") } else { sum }
        }
    };
    let boost = world.book.boosts.get(&pool.name).filter(|(count, until)| *count > 0 && *until > now);
    if let Some((count, until)) = boost {
        let _ = write!(why, ", and {count} more until {until}");
    }
    if total > u64::from(numbers.max) {
        let _ = write!(why, ", no more than max {}", numbers.max);
    }
    why
}
