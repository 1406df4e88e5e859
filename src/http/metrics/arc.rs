//! The same fleet under the names that the Actions Runner Controller gives its scale sets, so that what was made for those
//! shows this fleet, too: <https://github.com/actions/actions-runner-controller>, `cmd/ghalistener/metrics`.
//!
//! Each pool stands for a scale set, whatever its demand is; its namespace is this installation. Of that listener's labels
//! `repository`, `job_name`, `job_workflow_*`, `event_name` and `job_result` are left out, which have no bound.

use super::Exposition;
use super::catalogue as of;
use super::fleet::in_phase;
use crate::control::PoolState;
use crate::control::Snapshot;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::Pool;
use crate::model::PoolReadings;
use crate::model::PoolScope;
use crate::model::Readings;
use crate::model::SetState;
use crate::model::SetStatistics;

pub(super) fn put(out: &mut Exposition, snapshot: &Snapshot, readings: &Readings) {
    for state in &snapshot.pools {
        let Some(pool) = &state.pool else { continue };
        let (organization, enterprise) = match &pool.scope {
            PoolScope::Organization { org, .. } => (org.as_str(), ""),
            PoolScope::Enterprise { slug, .. } => ("", slug.as_str()),
            PoolScope::Repositories(_) => ("", ""),
        };
        let labels = [pool.set_name(), snapshot.instance.as_str(), organization, enterprise];
        jobs(out, &labels, pool, snapshot);
        runners(out, &labels, pool, state);
        let listening = snapshot.demand.sets.iter().filter(|set| set.pool == pool.name);
        let listening = listening.filter(|set| set.state == SetState::Listening).count();
        out.put(&of::GHA_LISTENERS, &labels, listening);
        if let Some(read) = readings.pools.get(&pool.name) {
            counted(out, &labels, read);
        }
    }
}

/// GitHub's own count where there is one, else what is known of jobs.
fn jobs(out: &mut Exposition, labels: &[&str], pool: &Pool, snapshot: &Snapshot) {
    let sets = snapshot.demand.sets.iter().filter(|set| set.pool == pool.name);
    let counts: Vec<SetStatistics> = sets.filter_map(|set| Some(set.statistics?.0)).collect();
    let (assigned, running) = if counts.is_empty() {
        let mine = snapshot.jobs.iter().filter(|e| e.pool.as_ref() == Some(&pool.name));
        let states: Vec<&JobState> = mine.filter_map(|e| Some(&e.job.as_ref()?.state)).collect();
        let running = states.iter().filter(|state| matches!(state, JobState::Running { .. })).count();
        let held = states.iter().filter(|state| ***state == JobState::Held).count();
        (states.len() - held, running)
    } else {
        let sum = |of: fn(&SetStatistics) -> u32| counts.iter().map(|count| of(count) as usize).sum();
        (sum(|count| count.assigned), sum(|count| count.running))
    };
    out.put(&of::GHA_ASSIGNED, labels, assigned);
    out.put(&of::GHA_RUNNING, labels, running);
}

fn runners(out: &mut Exposition, labels: &[&str], pool: &Pool, state: &PoolState) {
    let (idle, busy) = (in_phase(state, &[Phase::Idle, Phase::Draining]), in_phase(state, &[Phase::Busy]));
    out.put(&of::GHA_REGISTERED, labels, idle + busy);
    out.put(&of::GHA_BUSY, labels, busy);
    out.put(&of::GHA_IDLE, labels, idle);
    out.put(&of::GHA_MIN, labels, pool.min);
    out.put(&of::GHA_MAX, labels, pool.max);
    out.put(&of::GHA_DESIRED, labels, state.report.target);
    out.put(&of::GHA_PENDING, labels, in_phase(state, &[Phase::Creating, Phase::Starting]));
    out.put(&of::GHA_ALIVE, labels, idle + busy);
    out.put(&of::GHA_FAILED, labels, in_phase(state, &[Phase::Failed, Phase::Stray]));
}

fn counted(out: &mut Exposition, labels: &[&str], read: &PoolReadings) {
    out.put(&of::GHA_STARTED, labels, read.started);
    out.put(&of::GHA_COMPLETED, labels, read.completed);
    out.put(&of::GHA_STARTUP, labels, read.queue_wait.clone());
    out.put(&of::GHA_EXECUTION, labels, read.job_time.clone());
}
