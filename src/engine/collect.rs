//! Removing: a runner with all that was made for it, and what is left over. Only what carries this instance's labels.

use std::collections::HashMap;

use bollard::query_parameters::ListNetworksOptionsBuilder;
use bollard::query_parameters::ListVolumesOptionsBuilder;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use bollard::query_parameters::RemoveVolumeOptions;

use crate::model::Container;
use crate::model::InstanceId;
use crate::model::Leftover;
use crate::model::PoolName;
use crate::model::Role;

use super::EngineError;
use super::containers;
use super::error::is_gone;
use super::labels;
use super::link::LOOK;
use super::link::Link;
use super::link::WORK;
use super::names;
use super::network;

/// Removes a container and all that was made for it. Goes on at errors, and returns the first.
///
/// A runner's container goes first and is not forced: if it runs after all, the engine refuses and nothing is touched.
pub(super) async fn container(
    link: &Link,
    instance: &InstanceId,
    container: &Container,
) -> Result<(), EngineError> {
    containers::remove(link, container.id.as_str(), container.role != Role::Runner).await?;
    let owner = names::beside(&container.name);
    let has_sidecar = container.role != Role::Dind && owner == container.name;
    let sidecars = if has_sidecar { sidecars_of(link, instance, owner).await } else { Ok(()) };
    let volumes = volumes_of(link, instance, owner).await;
    sidecars.and(volumes)
}

async fn sidecars_of(link: &Link, instance: &InstanceId, owner: &str) -> Result<(), EngineError> {
    let wanted = vec![labels::mine(instance), format!("{}={owner}", labels::FOR)];
    let mut first = Ok(());
    for found in containers::labelled(link, wanted).await? {
        // A trial's is told by its name alone; docker writes a slash before it.
        let named = |name: &String| name.trim_start_matches('/') == names::sidecar(owner);
        let is_sidecar =
            found.labels.as_ref().is_some_and(labels::is_sidecar) || found.names.iter().flatten().any(named);
        if is_sidecar && let Some(id) = found.id {
            first = first.and(containers::remove(link, &id, true).await);
        }
    }
    first
}

async fn volumes_of(link: &Link, instance: &InstanceId, owner: &str) -> Result<(), EngineError> {
    let mut first = Ok(());
    for name in
        volumes_labelled(link, vec![labels::mine(instance), format!("{}={owner}", labels::FOR)]).await?
    {
        first = first.and(volume(link, &name.0).await);
    }
    first
}

/// Names and labels.
async fn volumes_labelled(
    link: &Link,
    wanted: Vec<String>,
) -> Result<Vec<(String, HashMap<String, String>)>, EngineError> {
    let filters = HashMap::from([("label", wanted.clone())]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let found = link
        .call("list volumes", LOOK, async |session| session.docker.list_volumes(Some(options)).await)
        .await?;
    let found = found.volumes.unwrap_or_default().into_iter().map(|volume| (volume.name, volume.labels));
    Ok(found.filter(|(_, labels)| labels::are_all(labels, &wanted)).collect())
}

/// Removes one volume, whose labels the caller has seen.
pub(super) async fn volume(link: &Link, name: &str) -> Result<(), EngineError> {
    let removed = link
        .call("remove a volume", WORK, async |session| {
            session.docker.remove_volume(name, None::<RemoveVolumeOptions>).await
        })
        .await;
    gone_is_fine(removed)
}

/// Volumes and networks of ours, whether anything uses them or not.
pub(super) async fn leftovers(link: &Link, instance: &InstanceId) -> Result<Vec<Leftover>, EngineError> {
    let mut found = Vec::new();
    for (name, labels) in volumes_labelled(link, vec![labels::mine(instance)]).await? {
        if let Some(runner_container) = labels.get(labels::FOR) {
            found.push(Leftover::Volume { name, runner_container: runner_container.clone() });
        }
    }
    for (name, pool) in networks(link, instance).await? {
        found.push(Leftover::Network { name, pool });
    }
    Ok(found)
}

async fn networks(link: &Link, instance: &InstanceId) -> Result<Vec<(String, PoolName)>, EngineError> {
    let filters = HashMap::from([("label", vec![labels::mine(instance)])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let found = link
        .call("list networks", LOOK, async |session| session.docker.list_networks(Some(options)).await)
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|network| {
            let labels = network.labels.filter(|labels| labels::are_mine(labels, instance))?;
            let pool = PoolName::parse(labels.get(labels::POOL)?).ok()?;
            Some((network.name?, pool))
        })
        .collect())
}

/// Removes a leftover, once the engine itself says that it is ours.
pub(super) async fn leftover(
    link: &Link,
    instance: &InstanceId,
    leftover: &Leftover,
) -> Result<(), EngineError> {
    match leftover {
        Leftover::Volume { name, .. } => {
            let ours = volumes_labelled(link, vec![labels::mine(instance)]).await?;
            if ours.iter().any(|(known, _)| known == name) { volume(link, name).await } else { Ok(()) }
        }
        Leftover::Network { name, pool } => {
            // First, so that a create which comes after this looks again.
            link.session().await?.networks.forget(pool).await;
            network::remove_all(link, instance, name).await
        }
        Leftover::Image { reference, .. } => image(link, reference).await,
    }
}

/// Takes the reference away, and the image with it if that was its last. An image in use stays.
async fn image(link: &Link, reference: &str) -> Result<(), EngineError> {
    let options = RemoveImageOptionsBuilder::new().force(false).noprune(false).build();
    let removed = link
        .call("remove an image", WORK, async |session| {
            session.docker.remove_image(reference, Some(options), None).await
        })
        .await;
    gone_is_fine(removed.map(drop))
}

fn gone_is_fine(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(err) if is_gone(&err) => Ok(()),
        other => other,
    }
}
