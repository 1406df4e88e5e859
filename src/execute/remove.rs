//! Taking a runner away, or clearing away what is left of one.

use std::time::Duration;

use super::Done;
use super::Failure;
use super::Outcome;
use super::Ports;
use super::Veto;
use crate::decide::Ending;
use crate::decide::verdict;
use crate::engine::End;
use crate::engine::Engine;
use crate::engine::Worker;
use crate::github::GitHub;
use crate::github::Removal;
use crate::model::Container;
use crate::model::PostMortem;
use crate::model::RegistrationRef;
use crate::model::RetireReason;
use crate::model::RunnerId;
use crate::model::Time;

/// Between deregistering and the second look: a listener that was just given a job needs this long to start the
/// job's process, and GitHub has been seen to accept the delete of such a runner.
const SETTLE: Duration = Duration::from_secs(3);
/// How many looks are taken in that time.
const SETTLE_LOOKS: u32 = 3;

/// How long a runner may take to end when told: an idle one needs a moment, a busy one (only with force) uploads
/// its job's logs.
const GRACE_IDLE: Duration = Duration::from_secs(10);
const GRACE_FORCED: Duration = Duration::from_secs(30);

/// How much of a runner's output is read for its post-mortem.
const OUTPUT_READ: usize = 64 * 1024;
/// How many of its last lines are kept.
const LINES_KEPT: usize = 20;

/// Takes a runner away if it is surely idle: look in the container, deregister, look again, stop. With `force`,
/// stops it first.
pub(super) async fn retire<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
    force: bool,
    now: impl Fn() -> Time + Send + Sync,
) -> Outcome {
    if force {
        ports.engine.stop(&container.id, GRACE_FORCED).await.map_err(Failure::Engine)?;
        return bury(ports, container, runner_id, Seen { busy: false, stopped: true }, now).await;
    }
    match look(ports, container).await? {
        Worker::Running => return Err(Failure::Busy(Veto::Container)),
        Worker::NotRunning => return Ok(Done::Ended),
        Worker::Absent => {}
    }
    let settled = withdraw(ports, container, runner_id).await?;
    ports.engine.stop(&container.id, GRACE_IDLE).await.map_err(Failure::Engine)?;
    let seen = Seen { busy: false, stopped: settled == Worker::Absent };
    let post_mortem = examine(ports, container, seen, &now).await?;
    ports.logs.keep(&*ports.engine, container).await;
    ports.engine.remove(container).await.map_err(Failure::Engine)?;
    Ok(Done::Gone(Box::new(post_mortem)))
}

/// Takes the runner off GitHub's list, and makes sure that it was given no job before that.
///
/// One that registers itself may do so while we look. What was not registered is therefore asked for once more, after
/// the last look, and is as any other if it is by then. Gives what the last look showed.
async fn withdraw<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
) -> Result<Worker, Failure> {
    let removal = release(ports, container, runner_id).await?;
    let mut seen = settle(ports, container).await?;
    let may_come = runner_id.is_none() && removal == Removal::AlreadyGone && seen != Worker::Running;
    if may_come && release(ports, container, None).await? == Removal::Removed {
        seen = settle(ports, container).await?;
    }
    match seen {
        Worker::Running => Err(Failure::Busy(Veto::ContainerAfterDelete)),
        quiet => Ok(quiet),
    }
}

/// Deletes the registration of a runner that is not in a job.
async fn release<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
) -> Result<Removal, Failure> {
    match unregister(ports, container, runner_id).await? {
        Removal::Busy => Err(Failure::Busy(Veto::GitHub)),
        removal => Ok(removal),
    }
}

/// A runner that we took away says so: how its process ended then is our doing, and no failure of its own. Where it
/// was taken away for failing, what it said stays beside the reason.
pub(super) fn explained(done: Done, reason: &RetireReason, force: bool) -> Done {
    let Done::Gone(mut gone) = done else { return done };
    gone.verdict = match reason {
        RetireReason::NeverOnline | RetireReason::Unregistered => format!("{reason}; {}", gone.verdict),
        _ if force => format!("stopped by force because {reason}"),
        _ => format!("taken away while idle because {reason}"),
    };
    Done::Gone(gone)
}

/// Looks again and again for [`SETTLE`]: whether a job shows after all, or the runner leaves by itself, as a listener
/// does when its registration is gone.
async fn settle<E: Engine, G: GitHub>(ports: &Ports<E, G>, container: &Container) -> Result<Worker, Failure> {
    for _ in 0..SETTLE_LOOKS {
        tokio::time::sleep(SETTLE / SETTLE_LOOKS).await;
        let found = look(ports, container).await?;
        if found != Worker::Absent {
            return Ok(found);
        }
    }
    Ok(Worker::Absent)
}

async fn look<E: Engine, G: GitHub>(ports: &Ports<E, G>, container: &Container) -> Result<Worker, Failure> {
    ports.engine.worker(&container.id).await.map_err(Failure::Engine)
}

/// Deletes the runner's registration, by its number or, where that is not known, by its name.
async fn unregister<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
) -> Result<Removal, Failure> {
    let github = &ports.github;
    let (credentials, scope) = (&container.credentials, &container.scope);
    let id = match runner_id {
        Some(id) => Some(id),
        None => {
            let found =
                github.find(credentials, scope, &container.runner_name).await.map_err(Failure::GitHub)?;
            found.map(|registration| registration.id)
        }
    };
    match id {
        Some(id) => github.delete(credentials, scope, id).await.map_err(Failure::GitHub),
        None => Ok(Removal::AlreadyGone),
    }
}

/// How a runner's end came about.
#[derive(Clone, Copy)]
struct Seen {
    busy: bool,
    /// By us.
    stopped: bool,
}

/// Clears away a runner whose container ended.
pub(super) async fn reap<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
    seen_busy: bool,
    now: impl Fn() -> Time + Send + Sync,
) -> Outcome {
    bury(ports, container, runner_id, Seen { busy: seen_busy, stopped: false }, now).await
}

/// Post-mortem, logs, registration, container: in this order, so that being cut off loses nothing that is needed.
async fn bury<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    runner_id: Option<RunnerId>,
    seen: Seen,
    now: impl Fn() -> Time + Send + Sync,
) -> Outcome {
    let post_mortem = examine(ports, container, seen, &now).await?;
    ports.logs.keep(&*ports.engine, container).await;
    // GitHub removes an ephemeral runner by itself when its job ends; asking again would cost a request for every
    // job. One whose job was cut off is found in the next listing.
    if !post_mortem.ran_job || seen.stopped {
        match unregister(ports, container, runner_id).await {
            Ok(_) => {}
            // The container goes all the same: its registration is single-use, and is found in the next listing.
            Err(error) => {
                tracing::warn!(pool = %container.pool, runner = %container.runner_name, "A registration stays for now: {error}");
            }
        }
    }
    ports.engine.remove(container).await.map_err(Failure::Engine)?;
    Ok(Done::Gone(Box::new(post_mortem)))
}

async fn examine<E: Engine, G: GitHub>(
    ports: &Ports<E, G>,
    container: &Container,
    seen: Seen,
    now: &(impl Fn() -> Time + Send + Sync),
) -> Result<PostMortem, Failure> {
    let end: End = ports.engine.end(&container.id).await.map_err(Failure::Engine)?.unwrap_or_default();
    // Output that cannot be read must not keep a dead container standing.
    let output = ports.engine.output(&container.id, OUTPUT_READ).await.unwrap_or_default();
    let found = verdict(Ending {
        exit_code: end.exit_code,
        oom_killed: end.oom_killed,
        stopped: seen.stopped,
        engine_error: end.error.as_deref(),
        output: &output,
        seen_busy: seen.busy,
        memory: end.memory,
    });
    let mut last_lines: Vec<String> = output.lines().rev().take(LINES_KEPT).map(str::to_owned).collect();
    last_lines.reverse();
    Ok(PostMortem {
        pool: container.pool.clone(),
        runner: container.runner_name.clone(),
        created: container.created,
        ended: now(),
        exit_code: end.exit_code,
        oom_killed: end.oom_killed,
        ran_job: found.ran_job,
        job: found.job,
        verdict: found.text,
        last_lines,
    })
}

/// Deletes a registration that has no container.
pub(super) async fn deregister<E: Engine, G: GitHub>(ports: &Ports<E, G>, reg: &RegistrationRef) -> Outcome {
    match ports.github.delete(&reg.credentials, &reg.scope, reg.id).await {
        Ok(Removal::Removed | Removal::AlreadyGone) => Ok(Done::Deregistered),
        Ok(Removal::Busy) => Err(Failure::Busy(Veto::GitHub)),
        Err(error) => Err(Failure::GitHub(error)),
    }
}

/// Removes a sidecar or trial that nothing needs.
pub(super) async fn companion<E: Engine, G: GitHub>(ports: &Ports<E, G>, container: &Container) -> Outcome {
    ports.engine.stop(&container.id, GRACE_IDLE).await.map_err(Failure::Engine)?;
    ports.engine.remove(container).await.map_err(Failure::Engine)?;
    Ok(Done::Collected)
}
