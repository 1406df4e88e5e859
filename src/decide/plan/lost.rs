//! Jobs whose runner is gone: GitHub takes minutes to notice, and a workflow waits that long for nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Draft;
use super::fleet::Fleet;
use crate::decide::Policy;
use crate::model::Action;
use crate::model::HeldReason;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::OnLostJob;
use crate::model::Pool;
use crate::model::RunnerName;
use crate::model::Time;
use crate::model::World;

/// How long a runner must be gone. A job's end reaches GitHub's listings within seconds, and a runner's container ends
/// with its job.
const GONE_FOR: Duration = Duration::from_secs(120);

/// A look at a queue must be so much younger than the runner's end to say anything.
const LOOK_AFTER: Duration = Duration::from_secs(60);

/// Tells of lost jobs, and cancels their runs where the pool says so.
pub(super) fn cancel<'a>(fleet: &Fleet<'a>, draft: &mut Draft<'a>) {
    let mut cancelled = BTreeSet::new();
    for (pool, job, runner, since) in lost(fleet.policy, fleet.world, fleet.now) {
        let reason = HeldReason::RunnerGone { runner: runner.clone(), since };
        draft.hold(
            &pool.name,
            format!("the end of job {:?} of {} (run {})", job.name, job.repo, job.run),
            reason,
        );
        let key = Action::run_key(&job.repo, job.run);
        let asked = fleet.left_until(&key).is_some() || fleet.collecting.contains(key.as_str());
        if pool.scaling.on_lost_job == OnLostJob::Cancel && !asked && cancelled.insert(key) {
            draft.plan.actions.push(Action::CancelRun {
                pool: pool.name.clone(),
                credentials: pool.credentials.clone(),
                repo: job.repo.clone(),
                run: job.run,
                job: job.name.clone(),
                runner: runner.clone(),
            });
        }
    }
}

/// Jobs that GitHub believes to run on a runner of ours that has been gone for a while, and was when GitHub was asked.
fn lost<'a>(
    policy: &'a Policy,
    world: &'a World,
    now: Time,
) -> impl Iterator<Item = (&'a Pool, &'a Job, &'a RunnerName, Time)> {
    // Only a listing tells that a job still runs: a scale set's message that it ended may have been missed.
    let listed = world.demand.jobs.iter().filter(|job| matches!(job.id, JobId::Job(_)));
    listed.filter_map(move |job| {
        let JobState::Running { runner: Some(runner) } = &job.state else { return None };
        let since = *world.book.gone_since.get(runner)?;
        let (pool, _) = policy.pool(&runner.made_by(&world.instance)?.0)?;
        let looked = world.demand.repos.get(&job.repo)?.as_of?;
        let surely = now.since(since) > GONE_FOR && looked > since + LOOK_AFTER;
        surely.then_some((pool, job, runner, since))
    })
}
