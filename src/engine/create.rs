//! Making and starting a runner, with the inner engine beside it where its pool asks for one.

use std::sync::atomic::Ordering;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;

use crate::model::ContainerId;
use crate::model::Time;

use super::EngineError;
use super::NewRunner;
use super::body;
use super::body::HostFacts;
use super::containers;
use super::dind;
use super::error::lacks_disk_limit;
use super::error::lacks_network;
use super::link::Link;
use super::link::WORK;
use super::names;
use super::network;

/// Makes the container, after its network and, for an inner engine, after volumes and sidecar: the runner joins the
/// sidecar's network, and fills the volumes from its image before the sidecar first runs.
pub(super) async fn create(link: &Link, new: &NewRunner, now: Time) -> Result<ContainerId, EngineError> {
    if body::joins_pool_network(new) {
        network::ensure(link, &new.instance, &new.plan.pool).await?;
    }
    if !body::has_sidecar(new) {
        return container(link, new, now).await;
    }
    dind::prepare(link, new).await?;
    let sidecar = dind::create(link, new, now).await?;
    let made = container(link, new, now).await;
    if made.is_err() {
        // If this fails too, the sidecar is found by its labels.
        let _ = containers::remove(link, sidecar.as_str(), true).await;
    }
    made
}

async fn container(link: &Link, new: &NewRunner, now: Time) -> Result<ContainerId, EngineError> {
    named(link, &names::container(new), |facts| body::runner(new, facts, now)).await
}

/// Makes one container under `name`. If the storage turns out not to limit disks after all, once more without, and from
/// then on without.
pub(super) async fn named(
    link: &Link,
    name: &str,
    body: impl Fn(&HostFacts) -> ContainerCreateBody + Send,
) -> Result<ContainerId, EngineError> {
    let session = link.session().await?;
    let mut facts = session.facts.clone();
    facts.disk_limit &= !session.no_disk_limit.load(Ordering::Relaxed);
    match once(link, name, body(&facts)).await {
        Err(err) if facts.disk_limit && lacks_disk_limit(&err) => {
            tracing::warn!("the engine's storage cannot limit disks; going on without: {err}");
            session.no_disk_limit.store(true, Ordering::Relaxed);
            facts.disk_limit = false;
            once(link, name, body(&facts)).await
        }
        other => other,
    }
}

async fn once(link: &Link, name: &str, body: ContainerCreateBody) -> Result<ContainerId, EngineError> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    let image = body.image.clone().unwrap_or_default();
    let made = link
        .call("create a container", WORK, async |session| {
            session.docker.create_container(Some(options), body).await
        })
        .await;
    match made {
        Ok(made) => Ok(ContainerId::new(made.id)),
        // Named as the file names it: engines fill in registry and tag.
        Err(EngineError::NoSuchImage { .. }) => Err(EngineError::NoSuchImage { image }),
        Err(err) => Err(err),
    }
}

/// Starts what [`create`] made.
pub(super) async fn start(link: &Link, new: &NewRunner, id: &ContainerId) -> Result<(), EngineError> {
    if body::has_sidecar(new) {
        dind::start(link, new).await?;
    }
    started(link, new, id.as_str()).await
}

/// Starts one container. If its pool's network is gone (somebody pruned networks), makes it again and starts once more.
pub(super) async fn started(link: &Link, new: &NewRunner, id_or_name: &str) -> Result<(), EngineError> {
    let start = async || {
        link.call("start a container", WORK, async |session| {
            session.docker.start_container(id_or_name, None).await
        })
        .await
    };
    match start().await {
        Err(err) if body::joins_pool_network(new) && lacks_network(&err) => {
            link.session().await?.networks.forget(&new.plan.pool).await;
            network::ensure(link, &new.instance, &new.plan.pool).await?;
            start().await
        }
        other => other,
    }
}
