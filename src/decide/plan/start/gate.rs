//! What stands in the way of a start: the pool's own state first, then the host's.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::fleet::Fleet;
use super::super::fleet::Member;
use crate::decide::sources::set_of;
use crate::model::Demand;
use crate::model::DockerMode;
use crate::model::HeldReason;
use crate::model::ImageView;
use crate::model::InFlightKind;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::PullPolicy;
use crate::model::Scope;
use crate::model::SetId;
use crate::model::SetState;
use crate::model::Size;
use crate::model::Slot;
use crate::model::Time;

/// With `pull = "always"`, how long an answer of the registry counts: a burst of starts asks once.
const PULL_FRESH: Duration = Duration::from_secs(120);

/// A slot for one more runner of the pool in that scope, or why not.
pub(in crate::decide::plan) fn pool(
    fleet: &Fleet<'_>,
    pool: &Pool,
    scope: &Scope,
    taken: &BTreeSet<Slot>,
) -> Result<Slot, HeldReason> {
    let book = &fleet.world.book;
    let now = fleet.now;
    if let Some((until, reason)) = book.github_until.get(scope).filter(|(until, _)| *until > now) {
        return Err(HeldReason::GitHub { scope: scope.clone(), until: *until, reason: reason.clone() });
    }
    if let Some(backoff) = book.backoff.get(&pool.name) {
        if backoff.until > now {
            return Err(HeldReason::Backoff { until: backoff.until, reason: backoff.reason.clone() });
        }
        if unproven(fleet, pool) > 0 || taken.len() > standing(fleet, pool) {
            return Err(HeldReason::Probing { reason: backoff.reason.clone() });
        }
    }
    let failed = book.barren_within_hour(&pool.name, now);
    // 0 switches the breaker off.
    if pool.failed_starts_per_hour > 0 && failed >= pool.failed_starts_per_hour {
        return Err(HeldReason::StormBreaker { failed, until: storm_over(fleet, pool) });
    }
    let empty = fleet
        .littered
        .get(&pool.name)
        .map_or(0, |slots| slots.iter().filter(|slot| !fleet.stands_in(&pool.name, **slot)).count());
    // Runners in slots beyond a lowered `max` count, too, as long as they are there.
    if taken.len().saturating_sub(empty) >= pool.max as usize {
        return Err(HeldReason::AtMax { max: pool.max });
    }
    let free = (0..pool.max).map(Slot).find(|slot| !taken.contains(slot));
    free.ok_or_else(|| {
        let left = book.left_slots(now).filter(|(of, ..)| *of == pool.name).map(|(.., until)| until);
        left.min().map_or(HeldReason::AtMax { max: pool.max }, |until| HeldReason::RetryLater { until })
    })
}

/// The scale set that a runner of the pool in that scope belongs to, where the pool has one.
pub(in crate::decide::plan) fn set(
    fleet: &Fleet<'_>,
    pool: &Pool,
    scope: &Scope,
) -> Result<Option<SetId>, HeldReason> {
    if pool.demand != Demand::ScaleSet {
        return Ok(None);
    }
    let view = set_of(fleet.world, pool, scope);
    if let Some(id) = view.and_then(|view| view.id) {
        return Ok(Some(id));
    }
    let state = match view.map(|view| &view.state) {
        None => "it was not looked for yet".to_owned(),
        Some(SetState::Opening | SetState::Listening) => "it is being looked for or made".to_owned(),
        Some(SetState::Waiting { until, error }) => format!("{error}; next attempt at {until}"),
    };
    Err(HeldReason::ScaleSet { scope: scope.clone(), state })
}

/// Runners of the pool that have not come online yet.
fn unproven(fleet: &Fleet<'_>, pool: &Pool) -> usize {
    members(fleet, pool).filter(|m| matches!(m.phase, Phase::Creating | Phase::Starting)).count()
}

/// Slots that were taken before this pass planned anything.
fn standing(fleet: &Fleet<'_>, pool: &Pool) -> usize {
    super::taken_slots(fleet, pool).len()
}

fn members<'f, 'a>(fleet: &'f Fleet<'a>, pool: &Pool) -> impl Iterator<Item = &'f Member<'a>> {
    fleet.pools.get(&pool.name).into_iter().flatten()
}

/// When the oldest of the failures that count is an hour old.
fn storm_over(fleet: &Fleet<'_>, pool: &Pool) -> Time {
    let hour = Duration::from_secs(3600);
    let times = fleet.world.book.barren.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
    let mut counted: Vec<Time> = times.iter().copied().filter(|t| *t >= fleet.now - hour).collect();
    counted.sort_unstable();
    let surplus = counted.len().saturating_sub(pool.failed_starts_per_hour as usize);
    counted.get(surplus).map_or(fleet.now + hour, |t| *t + hour)
}

/// Whether the pool's images are there, or why not; `wanted` collects those that have to be pulled first.
pub(in crate::decide::plan) fn images<'a>(
    fleet: &Fleet<'_>,
    pool: &'a Pool,
    wanted: &mut BTreeSet<&'a str>,
) -> Result<(), HeldReason> {
    let mut held = Ok(());
    for image in images_of(pool) {
        if to_pull(fleet, pool, image) {
            wanted.insert(image);
        }
        if let ImageState::Absent(state) = image_state(fleet, pool, image) {
            held = held.and(Err(HeldReason::Image { state }));
        }
    }
    held
}

fn images_of(pool: &Pool) -> impl Iterator<Item = &str> {
    let dind = (pool.spec.docker == DockerMode::Dind).then_some(pool.spec.dind_image.as_str());
    std::iter::once(pool.spec.image.as_str()).chain(dind)
}

enum ImageState {
    Ready,
    /// Not to be used now, and why.
    Absent(String),
}

fn image_state(fleet: &Fleet<'_>, pool: &Pool, image: &str) -> ImageState {
    let Some(view) = fleet.world.engine.images.get(image) else {
        return ImageState::Absent(format!("image {image} was not looked up yet"));
    };
    if let Some(progress) = &view.progress {
        return ImageState::Absent(format!("image {image} is being pulled: {progress}"));
    }
    let has = view.id.is_some();
    match (pool.pull, &view.failed) {
        (PullPolicy::Never, _) if !has => ImageState::Absent(format!(
            "the engine has no image {image} and pull = \"never\"; load it, or allow pull = \"missing\""
        )),
        (_, Some((why, until))) if !has => {
            ImageState::Absent(format!("image {image} cannot be pulled: {why}; next attempt at {until}"))
        }
        _ if needs_pull(fleet, pool.pull, image, view) => {
            ImageState::Absent(format!("image {image} is to be pulled"))
        }
        _ => ImageState::Ready,
    }
}

/// Whether the registry has to be asked before the image may be used.
fn needs_pull(fleet: &Fleet<'_>, policy: PullPolicy, image: &str, view: &ImageView) -> bool {
    if view.failed.as_ref().is_some_and(|(_, until)| *until > fleet.now) {
        return false;
    }
    match policy {
        PullPolicy::Never => false,
        PullPolicy::Missing => view.id.is_none(),
        // A digest names one image for ever: there is nothing newer to ask for.
        PullPolicy::Always if image.contains("@sha256:") => view.id.is_none(),
        PullPolicy::Always => {
            view.id.is_none() || view.checked.is_none_or(|at| fleet.now.since(at) > PULL_FRESH)
        }
    }
}

/// Whether a start waits for a pull that is not under way yet.
fn to_pull(fleet: &Fleet<'_>, pool: &Pool, image: &str) -> bool {
    let under_way = || {
        let work = &fleet.world.book.in_flight;
        work.iter().any(|w| matches!(&w.kind, InFlightKind::Pull { image: pulled } if pulled == image))
    };
    fleet.world.engine.images.get(image).is_some_and(|view| {
        view.progress.is_none() && needs_pull(fleet, pool.pull, image, view) && !under_way()
    })
}

/// What the host can still take, as starts are admitted one after another.
#[derive(Clone)]
pub(in crate::decide::plan) struct Host {
    runners: u32,
    max_runners: u32,
    cpus: Option<Budget<f64>>,
    memory: Option<Budget<u64>>,
    disk: Option<HeldReason>,
}

#[derive(Clone)]
struct Budget<T> {
    used: T,
    most: T,
}

impl Host {
    pub(in crate::decide::plan) fn new(fleet: &Fleet<'_>) -> Self {
        let settings = &fleet.policy.config.host;
        let host = &fleet.world.host;
        let (cpus, memory) = spoken_for(fleet);
        let free = host.disk_free.filter(|free| *free < settings.reserve_disk);
        Self {
            runners: fleet.standing_runners(),
            max_runners: settings.max_runners,
            cpus: settings
                .reserve_cpus
                .zip(host.cpus)
                .map(|(reserve, all)| Budget { used: cpus, most: (all - reserve).max(0.0) }),
            memory: settings
                .reserve_memory
                .zip(host.memory)
                .map(|(reserve, all)| Budget { used: memory, most: all.0.saturating_sub(reserve.0) }),
            disk: free.map(|free| HeldReason::Disk {
                free: free.to_string(),
                reserve: settings.reserve_disk.to_string(),
            }),
        }
    }

    /// Whether one more runner of the pool fits, or why not.
    pub(in crate::decide::plan) fn has_room(&self, pool: &Pool) -> Result<(), HeldReason> {
        if let Some(reason) = &self.disk {
            return Err(reason.clone());
        }
        if self.runners >= self.max_runners {
            return Err(HeldReason::HostFull { max: self.max_runners });
        }
        let (cpus, memory) = appetite(pool);
        if let Some(budget) = &self.cpus
            && budget.used + cpus > budget.most
        {
            let left = (budget.most - budget.used).max(0.0);
            let short = format!("a runner needs {cpus} cpus, {left} are left beside host.reserve.cpus");
            return Err(HeldReason::HostBudget { short });
        }
        if let Some(budget) = &self.memory
            && budget.used.saturating_add(memory) > budget.most
        {
            let left = Size(budget.most.saturating_sub(budget.used));
            let short =
                format!("a runner needs {}, {left} are left beside host.reserve.memory", Size(memory));
            return Err(HeldReason::HostBudget { short });
        }
        Ok(())
    }

    /// Whether the disk is so full that nothing is started.
    pub(in crate::decide::plan) fn disk_is_short(&self) -> bool {
        self.disk.is_some()
    }

    /// How many more runners of the pool fit, up to `most`.
    pub(in crate::decide::plan) fn room_for(&self, pool: &Pool, most: u32) -> u32 {
        let mut host = self.clone();
        let mut count = 0;
        while count < most && host.has_room(pool).is_ok() {
            host.take(pool);
            count += 1;
        }
        count
    }

    /// Counts one more runner of the pool.
    pub(in crate::decide::plan) fn take(&mut self, pool: &Pool) {
        let (cpus, memory) = appetite(pool);
        self.runners += 1;
        if let Some(budget) = &mut self.cpus {
            budget.used += cpus;
        }
        if let Some(budget) = &mut self.memory {
            budget.used = budget.used.saturating_add(memory);
        }
    }
}

/// Processors and memory that one runner of the pool may take: with an inner engine beside it, which has the same
/// limits, twice its own.
fn appetite(pool: &Pool) -> (f64, u64) {
    let containers: u32 = if pool.spec.docker == DockerMode::Dind { 2 } else { 1 };
    let memory = pool.spec.memory.map_or(0, |m| m.0);
    (pool.spec.cpus * f64::from(containers), memory.saturating_mul(u64::from(containers)))
}

/// Processors and memory that the limits of all standing runners add up to.
fn spoken_for(fleet: &Fleet<'_>) -> (f64, u64) {
    let mut spoken = (0.0, 0_u64);
    for (name, members) in &fleet.pools {
        let Some((pool, _)) = fleet.policy.pool(name) else { continue };
        let (cpus, memory) = appetite(pool);
        for _ in members.iter().filter(|m| m.stands()) {
            spoken = (spoken.0 + cpus, spoken.1.saturating_add(memory));
        }
    }
    spoken
}
