//! What is started: who lacks a runner, in which order, and what stands in the way.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use sha2::Digest;
use sha2::Sha256;

use super::Draft;
use super::fleet::Fleet;
use crate::decide::Place;
use crate::decide::Rank;
use crate::decide::Target;
use crate::decide::hours::numbers;
use crate::decide::rank::level;
use crate::model::Action;
use crate::model::CreateRunner;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::SpecHash;

pub(super) mod gate;

pub(super) use gate::Host;

/// Starts that may be under way for each one that the engine does at a time: enough that it never waits for the
/// next pass, few enough that an image which exits at once is found out before many are registered.
const AHEAD: u32 = 2;

/// One runner that a place lacks.
struct Lack<'a> {
    pool: &'a Pool,
    hash: &'a SpecHash,
    place: &'a Place,
    /// What it is for.
    call: Call,
    /// How well its pool stands already, in thousandths of its target: the poorest comes first.
    served: u64,
    stand: u32,
    target: &'a Target,
}

/// How urgent a start is: by priority, which a job gains by waiting; then what should stand whatever waits, before jobs,
/// the first first, before spare ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    level: Reverse<i64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Standing,
    Job(Rank),
    /// GitHub counts a job for the scale set that nobody has told of.
    Counted,
    Spare,
}

impl Lack<'_> {
    fn reason(&self) -> String {
        format!("{} of {} stand: {}", self.stand, self.place.count, self.target.why)
    }
}

/// Plans starts for what pools lack: the most urgent first, then for the pool that has least of what it should have.
pub(super) fn start<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>, seed: u64) {
    let under_way = fleet.pools.values().flatten().filter(|m| m.phase == Phase::Creating && m.held).count();
    let limit = fleet.policy.config.engine.concurrency.saturating_mul(AHEAD);
    let room = limit.saturating_sub(u32::try_from(under_way).unwrap_or(u32::MAX));
    let mut lacks = lacking(fleet, draft);
    lacks.sort_by_key(|l| (l.call, l.served, &l.pool.name));
    let mut host = Host::new(fleet);
    let mut slots: BTreeMap<&str, BTreeSet<Slot>> = BTreeMap::new();
    let mut refused: BTreeMap<&'a str, (u32, HeldReason, &'a Pool)> = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    let mut begun = 0;
    for lack in lacks {
        if begun >= room {
            break;
        }
        let taken = slots.entry(lack.pool.name.as_str()).or_insert_with(|| taken_slots(fleet, lack.pool));
        let verdict = gate::set(fleet, lack.pool, &lack.place.scope)
            .and_then(|set| gate::pool(fleet, lack.pool, &lack.place.scope, taken).map(|slot| (slot, set)))
            .and_then(|found| host.has_room(lack.pool).map(|()| found))
            .and_then(|found| gate::images(fleet, lack.pool, &mut wanted).map(|()| found));
        match verdict {
            Ok((slot, set)) => {
                host.take(lack.pool);
                taken.insert(slot);
                begun += 1;
                let new = CreateRunner { set, ..create(fleet, lack, slot, seed) };
                draft.plan.actions.push(Action::Create(Box::new(new)));
            }
            Err(reason) => {
                refused.entry(lack.pool.name.as_str()).or_insert((0, reason, lack.pool)).0 += 1;
            }
        }
    }
    for (count, reason, pool) in refused.into_values() {
        draft.hold(&pool.name, format!("{count} start{}", if count == 1 { "" } else { "s" }), reason);
    }
    for image in wanted {
        draft.plan.actions.push(Action::Pull { image: image.to_owned() });
    }
}

/// Every runner that some place lacks, as many of a pool as could be begun at once.
fn lacking<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) -> Vec<Lack<'a>> {
    let most = fleet.policy.config.engine.concurrency.saturating_mul(AHEAD);
    let mut lacks = Vec::new();
    for (name, target) in fleet.targets {
        let Some((pool, hash)) = fleet.policy.pool(name) else { continue };
        if !target.known {
            draft.hold(&pool.name, "all starts", unknown_places(pool));
            continue;
        }
        for doubt in &target.doubts {
            draft.hold(&pool.name, "starts for waiting jobs", doubt.clone());
        }
        hold_jobs(draft, pool, target);
        let serving = draft.serving(fleet.pools.get(name).map(Vec::as_slice).unwrap_or_default());
        for place in &target.places {
            let serving = serving.get(&place.scope).map_or(0, Vec::len);
            let serving = u32::try_from(serving).unwrap_or(u32::MAX);
            for i in serving..place.count.min(serving.saturating_add(most)) {
                lacks.push(Lack {
                    pool,
                    hash,
                    place,
                    call: call(fleet, pool, place, i),
                    served: u64::from(i) * 1000 / u64::from(place.count.max(1)),
                    stand: i,
                    target,
                });
            }
        }
    }
    lacks
}

/// What the runner of that number, counted from 0, is for in its place. Those in a job come first, then one for each job
/// that waits.
fn call(fleet: &Fleet<'_>, pool: &Pool, place: &Place, number: u32) -> Call {
    let (own, now) = (level(pool.priority), fleet.now);
    let stands = pool.demand == Demand::Fixed || number < numbers(pool, &fleet.world.book, now).min;
    let job = number.checked_sub(place.busy).and_then(|at| place.ranks.get(at as usize));
    let urgency = job.map_or(own, |rank| rank.level(now));
    let (level, kind) = match job {
        _ if stands => (own.max(urgency), Kind::Standing),
        Some(rank) => (urgency, Kind::Job(*rank)),
        None if number < place.needed => (own, Kind::Counted),
        None => (own, Kind::Spare),
    };
    Call { level: Reverse(level), kind }
}

/// Tells of jobs for which no runner is wanted now: how many for each reason.
fn hold_jobs<'a>(draft: &mut Draft<'a>, pool: &'a Pool, target: &Target) {
    let mut held: Vec<(&HeldReason, u32)> = Vec::new();
    for reason in target.waiting.iter().filter_map(|job| job.held.as_ref()) {
        match held.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => held.push((reason, 1)),
        }
    }
    for (reason, count) in held {
        let what = format!("{count} waiting job{}", if count == 1 { "" } else { "s" });
        draft.hold(&pool.name, what, reason.clone());
    }
}

fn unknown_places(pool: &Pool) -> HeldReason {
    let scope = Scope::Organization(pool.scope.organization().unwrap_or_default().to_owned());
    HeldReason::ListingIncomplete { scope, error: Target::UNKNOWN.to_owned() }
}

/// Slots of the pool in which something stands or is being made or removed.
pub(super) fn taken_slots(fleet: &Fleet<'_>, pool: &Pool) -> BTreeSet<Slot> {
    let of = |slots: &HashMap<&PoolName, BTreeSet<Slot>>| slots.get(&pool.name).cloned().unwrap_or_default();
    let mut taken = of(&fleet.standing);
    taken.append(&mut of(&fleet.littered));
    taken
}

fn create(fleet: &Fleet<'_>, lack: Lack<'_>, slot: Slot, seed: u64) -> CreateRunner {
    let pool = lack.pool;
    // In repository mode the pool's runners stand where there are no groups.
    let group = pool.scope.group().filter(|_| !matches!(lack.place.scope, Scope::Repository(_))).cloned();
    CreateRunner {
        pool: pool.name.clone(),
        slot,
        name: RunnerName::compose(&pool.name, slot, &fleet.world.instance, &nonce(fleet, pool, slot, seed)),
        scope: lack.place.scope.clone(),
        credentials: pool.credentials.clone(),
        group,
        set: None,
        labels: pool.labels.clone(),
        registration: pool.registration,
        spec: pool.spec.clone(),
        spec_hash: lack.hash.clone(),
        reason: lack.reason(),
    }
}

/// Six characters from seed, time, pool and slot: another pool's change does not shift them.
fn nonce(fleet: &Fleet<'_>, pool: &Pool, slot: Slot, seed: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let digest = Sha256::digest(format!("{seed} {} {} {slot}", fleet.now.0, pool.name));
    digest.iter().take(6).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}
