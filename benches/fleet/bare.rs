//! A client that does nothing but to create and start containers: what the engine itself can do.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::models::EventMessage;
use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bollard::query_parameters::EventsOptionsBuilder;
use bollard::query_parameters::InspectContainerOptions;
use bollard::query_parameters::InspectNetworkOptions;
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream;
use lab::Fleet;
use serde_json::Value;

/// What the daemon had the engine make: networks, and containers by name.
pub(crate) struct Recipe {
    networks: Vec<NetworkCreateRequest>,
    containers: Vec<(String, ContainerCreateBody)>,
}

impl Recipe {
    /// Reads back from the engine what now stands there of the fleet.
    pub(crate) async fn of(fleet: &Fleet) -> Self {
        let docker = fleet.docker();
        let mut recipe = Self { networks: Vec::new(), containers: Vec::new() };
        for name in fleet.networks().await.unwrap() {
            let found = docker.inspect_network(&name, None::<InspectNetworkOptions>).await.unwrap();
            let found = serde_json::to_value(found).unwrap();
            // Without what the engine chose by itself, such as the subnet.
            let keys = ["Name", "Driver", "Internal", "Attachable", "Options", "Labels"];
            let wanted: Value = keys.into_iter().map(|key| (key.to_owned(), found[key].clone())).collect();
            recipe.networks.push(serde_json::from_value(wanted).unwrap());
        }
        for name in fleet.names().await.unwrap() {
            let found = docker.inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
            let mut body = serde_json::to_value(found.config.unwrap()).unwrap();
            body["HostConfig"] = serde_json::to_value(found.host_config.unwrap()).unwrap();
            recipe.containers.push((name, serde_json::from_value(body).unwrap()));
        }
        recipe
    }

    /// The same containers for another instance and by other names, so that they can stand beside the fleet's.
    pub(crate) fn beside(mut self, other: &Fleet) -> Self {
        for (name, body) in &mut self.containers {
            *name = format!("{name}-{}", other.instance());
            let labels = body.labels.get_or_insert_default();
            labels.insert("io.ghrunner.instance".to_owned(), other.instance().to_owned());
        }
        self.networks.clear();
        self
    }

    /// Makes and starts it all, so many at a time.
    pub(crate) async fn make(&self, fleet: &Fleet, concurrency: usize) {
        let docker = fleet.docker();
        let there = fleet.networks().await.unwrap();
        for network in self.networks.iter().filter(|network| !there.contains(&network.name)) {
            docker.create_network(network.clone()).await.unwrap();
        }
        stream::iter(&self.containers)
            .for_each_concurrent(concurrency, async |(name, body)| {
                let options = CreateContainerOptionsBuilder::new().name(name).build();
                let made = docker.create_container(Some(options), body.clone()).await.unwrap();
                docker.start_container(&made.id, None).await.unwrap();
            })
            .await;
    }
}

/// Removes all containers of the fleet, by force.
pub(crate) async fn unmake(fleet: &Fleet) {
    let ids = fleet.ids().await.unwrap();
    stream::iter(ids).for_each_concurrent(8, async |id| fleet.remove(&id).await.unwrap()).await;
}

/// The same yardstick for everybody: the engine's own word that a container of the fleet was started.
pub(crate) struct Starts(std::pin::Pin<Box<dyn Stream<Item = EventMessage> + Send>>);

impl Starts {
    /// Listens from now on.
    pub(crate) async fn of(fleet: &Fleet) -> Self {
        let label = format!("io.ghrunner.instance={}", fleet.instance());
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", vec!["start".to_owned()]),
            ("label", vec![label]),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let events = fleet.docker().events(Some(options)).map(Result::unwrap);
        // The stream begins with its request, and the request with the first poll.
        let mut events: std::pin::Pin<Box<dyn Stream<Item = EventMessage> + Send>> = Box::pin(events);
        let none = tokio::time::timeout(Duration::from_millis(300), events.next()).await;
        assert!(none.is_err(), "nothing was to start yet");
        Self(events)
    }

    /// Waits until so many were started.
    pub(crate) async fn count(&mut self, wanted: u32) {
        for _ in 0..wanted {
            tokio::time::timeout(Duration::from_secs(120), self.0.next()).await.unwrap().unwrap();
        }
    }
}
