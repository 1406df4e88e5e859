//! What somebody else does at the engine, and what is somebody else's there.

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;
use bollard::models::NetworkCreateRequest;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use lab::Fleet;

use crate::bench::Bench;
use crate::bench::idle;
use crate::bench::phases;

const ONE: &str = "[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_somebody_removes_is_replaced_and_its_registration_goes() {
    let mut state = crate::bench::state();
    state.settings.lost_after = lab::secs(1);
    let mut bench = Bench::with("removed_by_hand", state).await;
    bench.start(ONE).await;
    bench.idle("a", 1).await;
    let idle = bench.fleet.ids().await.unwrap().remove(0);
    bench.fleet.remove(&idle).await.unwrap();
    bench.sim_until("a successor", |s| s.counters.registrations == 2 && s.runners.len() == 1).await;
    bench.idle("a", 1).await;
    bench.paired().await;

    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_network_of_a_pools_name_is_taken_away_and_the_pool_goes_on() {
    let mut bench = Bench::new("two_networks").await;
    let name = format!("ghrunner-{}", bench.fleet.pool("a"));
    let labels = HashMap::from([
        ("io.ghrunner.instance".to_owned(), bench.fleet.instance().to_owned()),
        ("io.ghrunner.pool".to_owned(), bench.fleet.pool("a")),
    ]);
    // What a daemon leaves that is killed while the engine makes its network, and its successor.
    let request =
        || NetworkCreateRequest { name: name.clone(), labels: Some(labels.clone()), ..Default::default() };
    for _ in 0..2 {
        bench.fleet.docker().create_network(request()).await.unwrap();
    }
    bench.start(ONE).await;
    bench.idle("a", 1).await;
    assert_eq!(bench.fleet.networks().await.unwrap().len(), 1);
    // And one that shows only after the daemon has looked.
    bench.fleet.docker().create_network(request()).await.unwrap();
    let job = bench.busy("acme/app", "a", 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench.sim_until("a successor", |s| s.counters.registrations == 2 && s.runners.len() == 1).await;
    bench.idle("a", 1).await;
    bench.empty().await;
    bench.finish().await;
}

mod slow {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_container_that_somebody_removes_in_its_job_is_replaced_and_its_registration_goes() {
        let mut state = crate::bench::state();
        state.settings.lost_after = lab::secs(2);
        let mut bench = Bench::with("removed_in_job", state).await;
        bench.start(ONE).await;
        bench.idle("a", 1).await;
        let job = bench.busy("acme/app", "a", 60).await;
        let busy = bench.fleet.ids().await.unwrap().remove(0);
        bench.fleet.remove(&busy).await.unwrap();
        assert_eq!(bench.outcome(job).await, "failure");
        // GitHub calls it busy for a while, and is asked again after a minute.
        let pool = bench.fleet.pool("a");
        bench.wait_long("its successor alone", lab::secs(90), |s| phases(s, &pool) == idle(1)).await;
        bench.paired().await;
        bench.empty().await;
        bench.finish().await;
    }
}

/// Things of somebody else with names and labels much like ours; gone when dropped.
struct Stranger {
    /// Of another instance.
    other: Fleet,
    /// Without any label, of our pool's own names.
    bare: String,
}

impl Stranger {
    async fn settle(bench: &Bench) -> Self {
        let other = Fleet::new(&lab::unique("z")).await.unwrap();
        let docker = bench.fleet.docker();
        let pool = bench.fleet.pool("a");
        let labels = HashMap::from([
            ("io.ghrunner.instance".to_owned(), other.instance().to_owned()),
            ("io.ghrunner.pool".to_owned(), pool.clone()),
            ("io.ghrunner.for".to_owned(), format!("ghrunner-{pool}-0")),
        ]);
        let create = async |name: &str, labels: Option<HashMap<String, String>>| {
            let body = ContainerCreateBody { image: Some(bench.image.clone()), labels, ..Default::default() };
            let options = CreateContainerOptionsBuilder::new().name(name).build();
            docker.create_container(Some(options), body).await.unwrap().id
        };
        create(&format!("ghrunner-x-{}", other.instance()), Some(labels.clone())).await;
        // In the very slot that our pool wants.
        let bare = create(&format!("ghrunner-{pool}-0"), None).await;
        other.owns_container(&bare);
        let request = VolumeCreateRequest {
            name: Some(format!("ghrunner-{pool}-1-work")),
            labels: Some(labels.clone()),
            ..Default::default()
        };
        docker.create_volume(request).await.unwrap();
        let name = format!("ghrunner-{pool}-x");
        let request = NetworkCreateRequest { name, labels: Some(labels), ..Default::default() };
        docker.create_network(request).await.unwrap();
        other.image("ok", &[]).await.unwrap();
        Self { other, bare }
    }

    async fn things(&self, bench: &Bench) -> Vec<String> {
        let mut all = self.other.names().await.unwrap();
        all.extend(self.other.volumes().await.unwrap());
        all.extend(self.other.networks().await.unwrap());
        let docker = bench.fleet.docker();
        all.push(docker.inspect_container(&self.bare, None).await.unwrap().id.unwrap());
        let image = format!("localhost/ghrunner-lab/ok:{}", self.other.instance());
        all.push(docker.inspect_image(&image).await.unwrap().id.unwrap());
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn things_of_others_are_left_alone_even_in_our_own_slots() {
    let mut bench = Bench::new("strangers").await;
    let stranger = Stranger::settle(&bench).await;
    let before = stranger.things(&bench).await;
    assert_eq!(before.len(), 5);
    bench.start("[pools.a-{P}]\norg = \"acme\"\nmin = 1\nmax = 3\n").await;
    bench.idle("a", 1).await;
    assert_eq!(bench.of_pool("a").await, [format!("ghrunner-{}-1", bench.fleet.pool("a"))]);
    assert!(bench.daemon.log().contains("a container named ghrunner-a-"), "who is in the way is told");
    bench.empty().await;
    assert_eq!(stranger.things(&bench).await, before);
    // The name costs a registration now and then, not one after the other.
    assert!(bench.sim.counters().registrations <= 4, "{:#?}", bench.sim.counters());
    bench.finish().await;
}
