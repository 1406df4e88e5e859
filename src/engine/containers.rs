//! Containers: listing, looking, stopping, removing.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::models::ContainerSummary;
use bollard::models::ContainerSummaryStateEnum;
use bollard::models::ContainerTopResponse;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use bollard::query_parameters::StopContainerOptionsBuilder;
use bollard::query_parameters::TopOptionsBuilder;

use crate::model::Container;
use crate::model::ContainerId;
use crate::model::ContainerState;
use crate::model::ImageId;
use crate::model::InstanceId;
use crate::model::Size;
use crate::model::Time;

use super::End;
use super::EngineError;
use super::Worker;
use super::error::is_being_removed;
use super::error::is_gone;
use super::error::is_not_running;
use super::error::is_unreadable;
use super::labels;
use super::labels::Unreadable;
use super::link::LOOK;
use super::link::Link;
use super::link::WORK;
use super::stamp;

/// How much longer than a container's grace its stop may take.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

/// What `ps` is asked for, in a form that both procps and the engine's own check of it take.
const PS: &str = "-eo pid,comm,args";

/// The same for Podman, which reads `/proc` itself when it is given bare column names, and else runs a `ps` that it expects
/// inside the container.
const PS_OF_PODMAN: &str = "pid,comm,args";

/// The process that runs a job; its name fits the fifteen letters that the kernel keeps.
const WORKER: &str = "Runner.Worker";

/// Podman shows a container whose process just ended as `stopped`, a state that the API does not have, until it has cleaned
/// up after it: some tens of milliseconds as measured. A list is all or nothing, so it is asked for again.
const STOPPED_RETRIES: u32 = 8;
const STOPPED_WAIT: Duration = Duration::from_millis(250);

/// All containers of ours, in any state.
pub(super) async fn list(
    link: &Link,
    instance: &InstanceId,
    unreadable: &Unreadable,
) -> Result<Vec<Container>, EngineError> {
    let found = labelled(link, vec![labels::mine(instance)]).await?;
    Ok(found.into_iter().filter_map(|summary| read(summary, unreadable)).collect())
}

/// All containers with these labels, in any state.
pub(super) async fn labelled(link: &Link, wanted: Vec<String>) -> Result<Vec<ContainerSummary>, EngineError> {
    let filters = HashMap::from([("label", wanted.clone())]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let ask = async || {
        let options = Some(options.clone());
        link.call("list containers", LOOK, async |session| session.docker.list_containers(options).await)
            .await
    };
    let mut answer = ask().await;
    for _ in 0..STOPPED_RETRIES {
        if !answer.as_ref().is_err_and(is_unreadable) {
            break;
        }
        tokio::time::sleep(STOPPED_WAIT).await;
        answer = ask().await;
    }
    let mut found = answer?;
    found.retain(|summary| summary.labels.as_ref().is_some_and(|labels| labels::are_all(labels, &wanted)));
    Ok(found)
}

fn read(summary: ContainerSummary, unreadable: &Unreadable) -> Option<Container> {
    let id = ContainerId::new(summary.id?);
    let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    let name = name.trim_start_matches('/').to_owned();
    let marks = match labels::read(&summary.labels.unwrap_or_default()) {
        Ok(marks) => marks,
        Err(why) => {
            unreadable.say_once(&id, &name, &why);
            return None;
        }
    };
    let listed = Time::from_secs(summary.created.and_then(|secs| u64::try_from(secs).ok()).unwrap_or(0));
    Some(Container {
        id,
        name,
        role: marks.role,
        pool: marks.pool,
        slot: marks.slot,
        runner_name: marks.runner_name,
        runner_id: marks.runner_id,
        scope: marks.scope,
        credentials: marks.credentials,
        spec_hash: marks.spec_hash,
        image_id: ImageId::new(summary.image_id.unwrap_or_default()),
        created: marks.created.unwrap_or(listed),
        state: state(summary.state, summary.status.as_deref().unwrap_or_default()),
    })
}

fn state(state: Option<ContainerSummaryStateEnum>, status: &str) -> ContainerState {
    match state {
        Some(ContainerSummaryStateEnum::CREATED) => ContainerState::Created,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerState::Exited(exit_code(status)),
        // `dead`: its removal failed half-way, and can only be tried again.
        Some(ContainerSummaryStateEnum::DEAD) => ContainerState::Exited(None),
        Some(ContainerSummaryStateEnum::REMOVING) => ContainerState::Removing,
        // Alive, or not known to be dead.
        _ => ContainerState::Running,
    }
}

/// The number in `Exited (137) 2 seconds ago`, which is all that a list tells of it.
fn exit_code(status: &str) -> Option<i64> {
    let (_, rest) = status.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

/// Whether a job runs in the container.
pub(super) async fn worker(link: &Link, id: &ContainerId) -> Result<Worker, EngineError> {
    let columns = if link.session().await?.is_podman { PS_OF_PODMAN } else { PS };
    let options = TopOptionsBuilder::new().ps_args(columns).build();
    let top = link
        .call("list a container's processes", LOOK, async |session| {
            session.docker.top_processes(id.as_str(), Some(options)).await
        })
        .await;
    match top {
        Ok(top) if has_worker(&top) => Ok(Worker::Running),
        Ok(_) => Ok(Worker::Absent),
        Err(err) if is_gone(&err) || is_not_running(&err) => Ok(Worker::NotRunning),
        // Podman breaks off its answer for a container that ended.
        Err(EngineError::Refused { .. }) if !runs(link, id).await? => Ok(Worker::NotRunning),
        Err(err) => Err(err),
    }
}

async fn runs(link: &Link, id: &ContainerId) -> Result<bool, EngineError> {
    let state = look(link, id).await?.and_then(|found| found.state);
    Ok(state.is_some_and(|state| state.running.unwrap_or(true)))
}

/// Looks in every column but the pid's: a runner may start its worker under another name, and then its path still tells.
fn has_worker(top: &ContainerTopResponse) -> bool {
    top.processes.iter().flatten().flatten().any(|cell| cell.contains(WORKER))
}

/// Asks it to end, and kills it after `grace`.
pub(super) async fn stop(link: &Link, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
    let secs = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptionsBuilder::new().t(secs).build();
    let stopped = link
        .call("stop a container", grace + BEYOND_GRACE, async |session| {
            session.docker.stop_container(id.as_str(), Some(options)).await
        })
        .await;
    match stopped {
        Err(err) if is_gone(&err) || is_not_running(&err) || is_being_removed(&err) => Ok(()),
        other => other,
    }
}

/// Removes one container with its anonymous volumes. Without `force`, the engine refuses if it runs.
pub(super) async fn remove(link: &Link, id_or_name: &str, force: bool) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new().v(true).force(force).build();
    let removed = link
        .call("remove a container", WORK, async |session| {
            session.docker.remove_container(id_or_name, Some(options)).await
        })
        .await;
    match removed {
        Err(err) if is_gone(&err) || is_being_removed(&err) => Ok(()),
        other => other,
    }
}

/// How it ended; none if it is gone.
pub(super) async fn end(link: &Link, id: &ContainerId) -> Result<Option<End>, EngineError> {
    let Some(found) = look(link, id).await? else { return Ok(None) };
    let state = found.state.unwrap_or_default();
    // 0 is none.
    let limit = found.host_config.and_then(|host| host.memory).and_then(|bytes| u64::try_from(bytes).ok());
    let memory = limit.filter(|bytes| *bytes > 0).map(Size);
    let started = state.started_at.as_deref().and_then(stamp::parse);
    let finished = state.finished_at.as_deref().and_then(stamp::parse);
    Ok(Some(End {
        // A container that never ended shows 0 here.
        exit_code: state.exit_code.filter(|_| finished.is_some()),
        oom_killed: state.oom_killed.unwrap_or_default(),
        memory,
        error: state.error.filter(|text| !text.is_empty()),
        // The engine notes a start when its process runs already: one that ended at once would seem to have ended before.
        started: started.map(|at| finished.map_or(at, |end| at.min(end))),
        finished,
    }))
}

async fn look(link: &Link, id: &ContainerId) -> Result<Option<ContainerInspectResponse>, EngineError> {
    let found = link
        .call("look into a container", LOOK, async |session| {
            session.docker.inspect_container(id.as_str(), None).await
        })
        .await;
    match found {
        Ok(found) => Ok(Some(found)),
        Err(err) if is_gone(&err) => Ok(None),
        Err(err) => Err(err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_state_and_exit_code() {
        use ContainerSummaryStateEnum as S;
        for (listed, status, wanted) in [
            (S::CREATED, "Created", ContainerState::Created),
            (S::RUNNING, "Up 2 seconds", ContainerState::Running),
            (S::PAUSED, "Up 2 seconds (Paused)", ContainerState::Running),
            (S::RESTARTING, "Restarting (1) 2 seconds ago", ContainerState::Running),
            (S::EXITED, "Exited (137) 2 seconds ago", ContainerState::Exited(Some(137))),
            (S::EXITED, "Exited", ContainerState::Exited(None)),
            (S::DEAD, "Dead", ContainerState::Exited(None)),
            (S::REMOVING, "Removal In Progress", ContainerState::Removing),
        ] {
            assert_eq!(state(Some(listed), status), wanted, "{status}");
        }
        assert_eq!(state(None, ""), ContainerState::Running, "what is not known to be dead is alive");
    }

    #[test]
    fn a_worker_is_seen_in_name_or_arguments() {
        let top = |rows: &[[&str; 3]]| ContainerTopResponse {
            titles: None,
            processes: Some(
                rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect(),
            ),
        };
        let listener = ["1", "Runner.Listener", "/home/runner/bin/Runner.Listener run"];
        assert!(!has_worker(&top(&[listener])));
        assert!(has_worker(&top(&[
            listener,
            ["9", "Runner.Worker", "/home/runner/bin/Runner.Worker spawnclient 1 2"]
        ])));
        assert!(has_worker(&top(&[[
            "9",
            "dotnet",
            "dotnet /home/runner/bin/Runner.Worker.dll spawnclient 1 2"
        ]])));
        assert!(!has_worker(&ContainerTopResponse { titles: None, processes: None }));
    }
}
