//! Pools, their runners, and the jobs that they serve.

use std::collections::BTreeMap;

use super::super::dto;
use super::Exposition;
use super::catalogue as of;
use crate::control::PoolState;
use crate::control::Snapshot;
use crate::model::Demand;
use crate::model::Held;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::Priority;
use crate::model::Time;

/// Phases with the words by which the API calls them.
const PHASES: [(Phase, &str); 9] = [
    (Phase::Creating, "creating"),
    (Phase::Starting, "starting"),
    (Phase::Idle, "idle"),
    (Phase::Busy, "busy"),
    (Phase::Draining, "draining"),
    (Phase::Exited, "exited"),
    (Phase::Failed, "failed"),
    (Phase::Lost, "lost"),
    (Phase::Stray, "stray"),
];

pub(super) fn put(out: &mut Exposition, snapshot: &Snapshot) {
    for state in &snapshot.pools {
        pool(out, state);
        if let Some(pool) = &state.pool {
            declared(out, pool);
            image(out, pool, snapshot);
        }
    }
    held(out, "", &snapshot.plan.report.held);
    jobs(out, snapshot);
}

fn pool(out: &mut Exposition, state: &PoolState) {
    let name = state.report.pool.as_str();
    out.put(&of::POOL_TARGET, &[name], state.report.target);
    out.put(&of::POOL_DRAINED, &[name], state.drained);
    for (phase, word) in PHASES {
        out.put(&of::RUNNERS, &[name, word], in_phase(state, &[phase]));
    }
    held(out, name, &state.report.held);
}

/// How many of a pool's runners are in one of these phases.
pub(super) fn in_phase(state: &PoolState, phases: &[Phase]) -> u32 {
    state.report.phases.iter().filter(|(phase, _)| phases.contains(phase)).map(|(_, count)| count).sum()
}

fn declared(out: &mut Exposition, pool: &Pool) {
    let name = [pool.name.as_str()];
    let demand = match pool.demand {
        Demand::Fixed => "fixed",
        Demand::Poll => "poll",
        Demand::Webhook => "webhook",
        Demand::ScaleSet => "scale-set",
    };
    let priority = match pool.priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Critical => "critical",
    };
    out.put(&of::POOL, &[name[0], demand, priority], true);
    out.put(&of::POOL_MIN, &name, pool.min);
    out.put(&of::POOL_MAX, &name, pool.max);
    out.put(&of::POOL_IDLE, &name, pool.min_idle);
}

fn image(out: &mut Exposition, pool: &Pool, snapshot: &Snapshot) {
    let name = pool.name.as_str();
    let image = &pool.spec.image;
    out.put_some(
        &of::RUNNER_VERSION,
        &[name, version(image).unwrap_or_default()],
        version(image).map(|_| true),
    );
    let Some(view) = snapshot.images.get(image) else { return };
    out.put_some(&of::IMAGE_BUILT, &[name], view.built);
    out.put(&of::IMAGE_THERE, &[name], view.id.is_some());
    out.put(&of::IMAGE_FAILED, &[name], view.failed.is_some());
}

/// The runner's version where an image's tag is one, as those of GitHub's own image are: `…/actions-runner:2.330.0`.
fn version(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit_once(':')?;
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let numbers: Vec<&str> = version.split('.').collect();
    let number =
        |text: &&str| !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    (numbers.len() == 3 && numbers.iter().all(number)).then_some(version)
}

fn held(out: &mut Exposition, pool: &str, held: &[Held]) {
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for held in held {
        *reasons.entry(dto::held_word(&held.reason)).or_default() += 1;
    }
    for (reason, count) in reasons {
        out.put(&of::HELD, &[pool, reason], count);
    }
}

fn jobs(out: &mut Exposition, snapshot: &Snapshot) {
    let mut states: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut waiting: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut unserved: BTreeMap<&str, u32> = BTreeMap::new();
    let mut oldest: BTreeMap<&str, Time> = BTreeMap::new();
    for state in snapshot.pools.iter().filter(|state| state.pool.is_some()) {
        for word in ["held", "queued", "running"] {
            states.insert((state.report.pool.as_str(), word), 0);
        }
    }
    for explanation in &snapshot.jobs {
        let Some(job) = &explanation.job else { continue };
        let why = explanation.why.code();
        let word = state_word(&job.state);
        match &explanation.pool {
            Some(pool) => *states.entry((pool.as_str(), word)).or_default() += 1,
            None if job.state == JobState::Queued => *unserved.entry(why).or_default() += 1,
            None => {}
        }
        if let (Some(pool), JobState::Queued) = (&explanation.pool, &job.state) {
            *waiting.entry((pool.as_str(), why)).or_default() += 1;
            let first = oldest.entry(pool.as_str()).or_insert(job.queued);
            *first = job.queued.min(*first);
        }
    }
    states.into_iter().for_each(|((pool, state), count)| out.put(&of::JOBS, &[pool, state], count));
    waiting.into_iter().for_each(|((pool, why), count)| out.put(&of::JOBS_WAITING, &[pool, why], count));
    unserved.into_iter().for_each(|(why, count)| out.put(&of::JOBS_UNSERVED, &[why], count));
    oldest.into_iter().for_each(|(pool, since)| out.put(&of::OLDEST_JOB, &[pool], since));
}

fn state_word(state: &JobState) -> &'static str {
    match state {
        JobState::Held => "held",
        JobState::Queued => "queued",
        JobState::Running { .. } => "running",
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_tag_that_is_a_version_tells_the_runners() {
        assert_eq!(version("ghcr.io/actions/actions-runner:2.330.0"), Some("2.330.0"));
        assert_eq!(version("localhost:5000/runner:v2.330.0@sha256:ab"), Some("2.330.0"));
        for other in ["ghcr.io/x/y:latest", "localhost:5000/runner", "runner:2.330", "runner:2.330.0-alpine"]
        {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
