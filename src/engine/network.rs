//! A pool's network: a bridge of its own, on which runners do not see each other.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use bollard::models::Network;
use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::InspectNetworkOptions;
use bollard::query_parameters::ListNetworksOptionsBuilder;

use crate::model::InstanceId;
use crate::model::PoolName;

use super::EngineError;
use super::error::is_gone;
use super::labels;
use super::link::LOOK;
use super::link::Link;
use super::link::WORK;
use super::names;

/// Turns off traffic between containers of one bridge.
const NO_TRAFFIC_BETWEEN: (&str, &str) = ("com.docker.network.bridge.enable_icc", "false");

/// The waits for an engine to let go of the network of a container that is gone.
const LET_GO: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Engines lose count when containers of one network come and go at the same moment, and count anew when they start:
/// <https://github.com/moby/moby/issues/42119>.
const MISCOUNTED: &str = "nothing is attached to it, but the engine has lost count of what was; it can be removed once \
    the engine has been restarted";

/// Networks seen to exist, so that a hundred creates ask once.
#[derive(Debug, Default)]
pub(super) struct KnownNetworks(tokio::sync::Mutex<HashSet<PoolName>>);

impl KnownNetworks {
    /// The next create looks again.
    pub(super) async fn forget(&self, pool: &PoolName) {
        self.0.lock().await.remove(pool);
    }
}

/// Makes sure that the pool's network is there.
pub(super) async fn ensure(link: &Link, instance: &InstanceId, pool: &PoolName) -> Result<(), EngineError> {
    let session = link.session().await?;
    // Held while the network is made, so that only one create makes it.
    let mut known = session.networks.0.lock().await;
    if known.contains(pool) {
        return Ok(());
    }
    if !is_there(link, instance, pool).await? {
        create(link, instance, pool).await?;
    }
    known.insert(pool.clone());
    Ok(())
}

async fn is_there(link: &Link, instance: &InstanceId, pool: &PoolName) -> Result<bool, EngineError> {
    let name = names::network(pool);
    let found = named(link, &name).await?;
    if found.iter().any(|network| !is_ours(network, instance)) {
        return Err(EngineError::Refused {
            call: "use a network",
            status: 409,
            message: format!("there is a network {name} that this installation of ghrunner did not make"),
        });
    }
    // A daemon that was killed while it made the network, and its successor, made one each.
    if found.len() > 1 {
        leave_one(link, found).await?;
        return Ok(true);
    }
    Ok(!found.is_empty())
}

/// Removes all but one of several networks of one name, which an engine of API 1.41 allows and then can use none of. The
/// smallest id stays, whoever looks; one in use stays as well.
async fn leave_one(link: &Link, found: Vec<Network>) -> Result<(), EngineError> {
    let mut ids: Vec<String> = found.into_iter().filter_map(|network| network.id).collect();
    ids.sort();
    let mut left = ids.len();
    for id in ids.iter().rev() {
        if left == 1 {
            break;
        }
        match remove(link, id).await {
            Ok(()) => left -= 1,
            Err(EngineError::Refused { status: 409, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes the instance's networks of this name; mostly there is one.
pub(super) async fn remove_all(link: &Link, instance: &InstanceId, name: &str) -> Result<(), EngineError> {
    let mut first = Ok(());
    for network in named(link, name).await?.into_iter().filter(|network| is_ours(network, instance)) {
        if let Some(id) = network.id {
            first = first.and(remove_soon(link, &id).await);
        }
    }
    first
}

/// Removes a network that may be in use for a moment yet: an engine takes a container out of its lists before it has let
/// go of the container's network.
async fn remove_soon(link: &Link, id: &str) -> Result<(), EngineError> {
    for wait in LET_GO {
        match remove(link, id).await {
            Err(EngineError::Refused { status: 409, .. }) => tokio::time::sleep(wait).await,
            other => return other,
        }
    }
    match remove(link, id).await {
        Err(EngineError::Refused { call, status: 409, .. }) if !attached(link, id).await? => {
            Err(EngineError::Refused { call, status: 409, message: MISCOUNTED.to_owned() })
        }
        other => other,
    }
}

/// Whether a running container is attached to the network.
async fn attached(link: &Link, id: &str) -> Result<bool, EngineError> {
    let options = None::<InspectNetworkOptions>;
    let found = link
        .call("inspect a network", LOOK, async |session| session.docker.inspect_network(id, options).await)
        .await?;
    Ok(found.containers.is_some_and(|containers| !containers.is_empty()))
}

async fn remove(link: &Link, id: &str) -> Result<(), EngineError> {
    let removed =
        link.call("remove a network", WORK, async |session| session.docker.remove_network(id).await).await;
    match removed {
        // In use, which engines of API 1.41 call forbidden: it may pass.
        Err(EngineError::Refused { call, status: 403, message }) if message.contains("active endpoints") => {
            Err(EngineError::Refused { call, status: 409, message })
        }
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

async fn create(link: &Link, instance: &InstanceId, pool: &PoolName) -> Result<(), EngineError> {
    let name = names::network(pool);
    let (key, value) = NO_TRAFFIC_BETWEEN;
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([(key.to_owned(), value.to_owned())])),
        labels: Some(labels::of_network(instance, pool)),
        ..Default::default()
    };
    link.call("create a network", WORK, async |session| session.docker.create_network(request).await).await?;
    let found = named(link, &name).await?;
    if found.len() > 1 { leave_one(link, found).await } else { Ok(()) }
}

/// All networks of exactly this name (the engine's own filter matches parts of names).
async fn named(link: &Link, name: &str) -> Result<Vec<Network>, EngineError> {
    let filters = HashMap::from([("name", vec![name])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let found = link
        .call("list networks", LOOK, async |session| session.docker.list_networks(Some(options)).await)
        .await?;
    Ok(found.into_iter().filter(|network| network.name.as_deref() == Some(name)).collect())
}

fn is_ours(network: &Network, instance: &InstanceId) -> bool {
    network.labels.as_ref().is_some_and(|found| labels::are_mine(found, instance))
}
