//! The inner engine beside a runner: its volumes, its container, and waiting until it answers.

use std::time::Duration;

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::models::VolumeCreateRequest;
use futures_util::StreamExt;

use crate::model::ContainerId;
use crate::model::NetworkMode;
use crate::model::Time;

use super::EngineError;
use super::NewRunner;
use super::body;
use super::body::Privilege;
use super::collect;
use super::containers;
use super::create;
use super::error::is_gone;
use super::error::refuses_privileged;
use super::labels;
use super::link::Link;
use super::link::WORK;
use super::logs;
use super::names;
use super::names::SlotVolume;

/// How long an inner engine may take to answer; what GitHub's own charts allow it.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How much of its last words an error shows.
const LAST_WORDS_BYTES: usize = 2048;
const LAST_WORDS_LINES: usize = 5;

/// Makes the slot's volumes, empty and surely of this runner.
pub(super) async fn prepare(link: &Link, new: &NewRunner) -> Result<(), EngineError> {
    if new.plan.spec.network == NetworkMode::Host {
        return Err(EngineError::Refused {
            call: "create a sidecar",
            status: 400,
            message: "an inner engine in the host's network would rewrite the host's packet filter"
                .to_owned(),
        });
    }
    for volume in SlotVolume::ALL {
        fresh_volume(link, new, &volume.name(&names::container(new))).await?;
    }
    Ok(())
}

/// A volume that no other runner wrote to. The engine gives back one that exists as if it had just made it; labels tell.
async fn fresh_volume(link: &Link, new: &NewRunner, name: &str) -> Result<(), EngineError> {
    let make = async || {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels::of_slot(new)),
            ..Default::default()
        };
        link.call("create a volume", WORK, async |session| session.docker.create_volume(request).await).await
    };
    let is_this_runners = |found: &std::collections::HashMap<String, String>| {
        labels::are_mine(found, &new.instance)
            && found.get(labels::RUNNER).is_some_and(|runner| runner == new.plan.name.as_str())
    };
    let made = make().await?;
    if is_this_runners(&made.labels) {
        return Ok(());
    }
    if !labels::are_mine(&made.labels, &new.instance) {
        return Err(EngineError::NameTaken { name: name.to_owned() });
    }
    collect::volume(link, name).await?;
    if is_this_runners(&make().await?.labels) {
        Ok(())
    } else {
        Err(EngineError::NameTaken { name: name.to_owned() })
    }
}

/// Makes the sidecar; it is started with the runner.
pub(super) async fn create(link: &Link, new: &NewRunner, now: Time) -> Result<ContainerId, EngineError> {
    let session = link.session().await?;
    let privilege = *session.privilege.get_or_try_init(|| try_privileged(link, new, now)).await?;
    let name = names::sidecar(&names::container(new));
    create::named(link, &name, |facts| body::sidecar(new, facts, now, privilege)).await
}

/// Whether the engine can give `--privileged`, which only a start tells: one that lacks a capability itself cannot. Asked
/// once for each connection, under the name that the sidecar then takes, with a command that ends at once.
async fn try_privileged(link: &Link, new: &NewRunner, now: Time) -> Result<Privilege, EngineError> {
    let name = names::sidecar(&names::container(new));
    let id = create::named(link, &name, |_| body::trial_of_privileges(new, now)).await?;
    let started = link
        .call("start a container", WORK, async |session| {
            session.docker.start_container(id.as_str(), None).await
        })
        .await;
    containers::remove(link, id.as_str(), true).await?;
    match started {
        Err(err) if refuses_privileged(&err) => {
            tracing::warn!(
                "the engine cannot give --privileged, and inner engines get all capabilities but SYS_RESOURCE: {err}"
            );
            Ok(Privilege::AllButResource)
        }
        Err(err @ (EngineError::Unreachable { .. } | EngineError::TimedOut { .. })) => Err(err),
        // Whatever else is wrong is wrong with the sidecar too, whose start tells.
        _ => Ok(Privilege::Full),
    }
}

/// Starts the sidecar and waits until its engine answers.
pub(super) async fn start(link: &Link, new: &NewRunner) -> Result<(), EngineError> {
    let name = names::sidecar(&names::container(new));
    create::started(link, new, &name).await?;
    match tokio::time::timeout(READY_WITHIN, answers(link, &name)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(not_ready(link, name, "it ended").await),
        Ok(Err(err)) => Err(err),
        Err(_) => {
            let within = humantime::format_duration(READY_WITHIN);
            Err(not_ready(link, name, &format!("it did not answer within {within}")).await)
        }
    }
}

/// Whether the probe in the sidecar came to its end, which it does once the inner engine answers.
async fn answers(link: &Link, name: &str) -> Result<bool, EngineError> {
    let probe = ExecConfig {
        attach_stdout: Some(true),
        cmd: Some(body::PROBE.iter().map(|&word| word.to_owned()).collect()),
        ..Default::default()
    };
    let run = async {
        let exec = link
            .call("look at an inner engine", WORK, async |session| {
                session.docker.create_exec(name, probe).await
            })
            .await?;
        let attached = link
            .call("look at an inner engine", WORK, async |session| {
                session.docker.start_exec(&exec.id, None).await
            })
            .await?;
        if let StartExecResults::Attached { mut output, .. } = attached {
            while output.next().await.is_some() {}
        }
        link.call("look at an inner engine", WORK, async |session| {
            session.docker.inspect_exec(&exec.id).await
        })
        .await
    };
    match run.await {
        Ok(ended) => Ok(ended.exit_code == Some(0)),
        // The sidecar ended before, or while, the probe was put into it.
        Err(EngineError::Refused { status: 409, .. }) => Ok(false),
        Err(err) if is_gone(&err) => Ok(false),
        Err(err) => Err(err),
    }
}

async fn not_ready(link: &Link, name: String, what: &str) -> EngineError {
    let words = logs::output(link, &name, LAST_WORDS_BYTES).await.unwrap_or_default();
    let lines: Vec<&str> = words.lines().rev().take(LAST_WORDS_LINES).collect();
    let last = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    let why = if last.is_empty() { what.to_owned() } else { format!("{what}; its last lines:\n{last}") };
    EngineError::SidecarNotReady { name, why }
}
