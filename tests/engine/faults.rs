//! What the engine room does when things are not as they should be.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::models::NetworkCreateRequest;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters as query;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use ghrunner::engine::Admission;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::EngineEvent;
use ghrunner::model::ContainerState;
use ghrunner::model::ErrorClass;
use ghrunner::model::InstanceId;
use ghrunner::model::Leftover;
use ghrunner::model::Role;
use ghrunner::model::Size;
use ghrunner::model::Time;

use crate::lab;
use crate::lab::Lab;

#[tokio::test]
async fn an_absent_engine_is_an_error_of_each_call() {
    let instance = InstanceId::new("nobody");
    let engine = lab::engine("unix:///nonexistent/docker.sock", &instance, lab::no_auth());
    let err = engine.list().await.unwrap_err();
    assert_eq!(err.class(), ErrorClass::Retry);
    let text = err.to_string();
    assert!(text.contains("unix:///nonexistent/docker.sock") && text.contains("no such file"), "{text}");

    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let engine = lab::engine(&format!("unix://{}", socket.display()), &instance, lab::no_auth());
    let text = engine.list().await.unwrap_err().to_string();
    assert!(text.contains("connection refused"), "{text}");
}

#[tokio::test]
async fn an_engine_that_says_nothing_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    let _silent = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::time::pause();
    let engine = lab::engine(&format!("unix://{}", socket.display()), &InstanceId::new("x"), lab::no_auth());
    let err = engine.list().await.unwrap_err();
    assert!(
        matches!(err, EngineError::TimedOut { within, .. } if within == Duration::from_secs(10)),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_calls_survive_a_restart_of_the_engine() {
    let lab = Lab::new("restart").await;
    let mut door = Door::open(&lab.endpoint).await;
    let engine = lab::engine(&door.endpoint(), &lab.instance, lab::no_auth());
    let mut events = pin!(engine.events());
    assert_eq!(events.next().await, Some(EngineEvent::Connected));
    assert_eq!(engine.list().await.unwrap(), []);

    door.shut();
    let err = engine.list().await.unwrap_err();
    assert!(matches!(err, EngineError::Unreachable { .. }), "{err}");
    let id = lab.engine.create(&lab.runner(0, "idle")).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
    assert!(early.is_err(), "nothing is told while the engine is away: {early:?}");

    door.reopen().await;
    let again = tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap();
    assert_eq!(again, Some(EngineEvent::Connected));
    assert_eq!(engine.list().await.unwrap()[0].id, id);
    lab.engine.remove(&lab.listed(&id).await.unwrap()).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match events.next().await.unwrap() {
                EngineEvent::Container { action, .. } if action == "destroy" => return,
                _ => {}
            }
        }
    });
    told.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_tell_why() {
    let lab = Lab::new("dead").await;
    let failed = lab.runner(0, "exit 7");
    let id = lab.started(&failed).await;
    lab.ended(&id).await;
    assert_eq!(lab.listed(&id).await.unwrap().state, ContainerState::Exited(Some(7)));
    let end = lab.engine.end(&id).await.unwrap().unwrap();
    assert_eq!((end.exit_code, end.oom_killed, end.error), (Some(7), false, None));
    assert!(end.started.unwrap() <= end.finished.unwrap());
    assert_eq!(lab.engine.output(&id, 4096).await.unwrap(), "leaving with 7\n");

    let mut absent = lab.runner(2, "idle");
    absent.plan.spec.command = Some(vec!["/no/such/program".to_owned()]);
    let id = lab.engine.create(&absent).await.unwrap();
    assert_eq!(lab.engine.end(&id).await.unwrap().unwrap().exit_code, None, "it has not ended yet");
    let err = lab.engine.start(&absent, &id).await.unwrap_err();
    assert_eq!(err.class(), ErrorClass::Terminal, "{err}");
    let end = lab.engine.end(&id).await.unwrap().unwrap();
    let error = end.error.unwrap_or_default();
    assert!(error.contains("/no/such/program") || lab.is_podman().await, "{error}");
}

/// The engine misses about three kills of a hundred, for good and without an event, so one of several has to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_for_memory_is_told_with_the_limit() {
    let lab = Lab::new("hungry").await;
    let mut told = false;
    for slot in 0..6 {
        let mut hungry = lab.runner(slot, "memory");
        hungry.plan.spec.memory = Some(Size(8 << 20));
        let id = lab.started(&hungry).await;
        lab.ended(&id).await;
        let end = lab.engine.end(&id).await.unwrap().unwrap();
        assert_eq!((end.exit_code, end.memory), (Some(137), Some(Size(8 << 20))));
        told = end.oom_killed;
        // Podman 4 never sees it under cgroup v1.
        if told || lab.is_podman().await {
            break;
        }
    }
    assert!(told || lab.is_podman().await);

    let killed = lab.started(&lab.runner(6, "idle")).await;
    lab.docker.kill_container(killed.as_str(), None::<query::KillContainerOptions>).await.unwrap();
    lab.ended(&killed).await;
    let end = lab.engine.end(&killed).await.unwrap().unwrap();
    assert_eq!((end.exit_code, end.oom_killed), (Some(137), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_its_last_bytes_and_can_be_followed() {
    let lab = Lab::new("output").await;
    let id = lab.started(&lab.runner(0, "print")).await;
    lab.ended(&id).await;
    let end = lab.engine.output(&id, 30).await.unwrap();
    // What came by stdout and what by stderr is in the order in which the engine read them.
    assert!(end.len() <= 30 && end.starts_with("line 9") && end.ends_with('\n'), "{end:?}");
    assert_eq!(lab.engine.output(&id, 1 << 20).await.unwrap().lines().count(), 1000);

    let parts: Vec<_> = lab.engine.follow(&id, 2, false).try_collect().await.unwrap();
    assert_eq!(parts.concat().iter().filter(|byte| **byte == b'\n').count(), 2);

    let id = lab.started(&lab.runner(1, "idle")).await;
    let mut live = pin!(lab.engine.follow(&id, 10, true));
    assert_eq!(live.next().await.unwrap().unwrap(), "Listening for Jobs\n");
    lab.engine.stop(&id, Duration::from_secs(5)).await.unwrap();
    assert!(live.next().await.is_none(), "it ends with the container");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_named() {
    let lab = Lab::new("noimage").await;
    let mut new = lab.runner(0, "idle");
    new.plan.spec.image = "ghrunner-test/absent:1".to_owned();
    let err = lab.engine.create(&new).await.unwrap_err();
    assert!(matches!(&err, EngineError::NoSuchImage { image } if image == "ghrunner-test/absent:1"), "{err}");
    assert_eq!(lab.engine.image("ghrunner-test/absent:1").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_never_touched() {
    let lab = Lab::new("strange").await;
    let new = lab.runner(0, "idle");
    let id = lab.engine.create(&new).await.unwrap();
    let container = lab.listed(&id).await.unwrap();

    // Things named as ours would be, without our labels or with another instance's.
    let network = format!("ghrunner-{}-x", lab.pool);
    let request = NetworkCreateRequest { name: network.clone(), ..Default::default() };
    lab.docker.create_network(request).await.unwrap();
    let volume = format!("{}-work", container.name);
    let request = VolumeCreateRequest { name: Some(volume.clone()), ..Default::default() };
    lab.docker.create_volume(request).await.unwrap();
    let sidecar = format!("{}-dind", container.name);
    let options = query::CreateContainerOptionsBuilder::new().name(&sidecar).build();
    let body = ContainerCreateBody {
        image: Some(lab.image.clone()),
        entrypoint: Some(vec!["/home/runner/run.sh".to_owned()]),
        labels: Some([("io.ghrunner.instance".to_owned(), format!("not-{}", lab.instance))].into()),
        ..Default::default()
    };
    let stranger = lab.docker.create_container(Some(options), body).await.unwrap().id;

    assert_eq!(lab.engine.list().await.unwrap().len(), 1);
    lab.engine.remove(&container).await.unwrap();
    let leftovers = [
        Leftover::Volume { name: volume.clone(), runner_container: container.name.clone() },
        Leftover::Network { name: network.clone(), pool: lab.pool.clone() },
    ];
    for leftover in &leftovers {
        lab.engine.collect(leftover).await.unwrap();
    }
    let found = lab.engine.leftovers().await.unwrap();
    assert!(!found.iter().any(|leftover| leftovers.contains(leftover)), "{found:?}");
    lab.docker.inspect_volume(&volume).await.unwrap();
    lab.docker.inspect_network(&network, None).await.unwrap();
    lab.docker.inspect_container(&stranger, None).await.unwrap();

    let mut dind = lab.runner(0, "idle");
    dind.plan.spec.docker = ghrunner::model::DockerMode::Dind;
    dind.plan.spec.dind_image.clone_from(&lab.image);
    let err = lab.engine.create(&dind).await.unwrap_err();
    assert!(matches!(&err, EngineError::NameTaken { name } if *name == volume), "{err}");

    lab.docker.remove_container(&stranger, None).await.unwrap();
    lab.docker.remove_volume(&volume, None::<query::RemoveVolumeOptions>).await.unwrap();
    lab.docker.remove_network(&network).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_network_of_our_name_is_not_joined() {
    let lab = Lab::new("netname").await;
    let name = format!("ghrunner-{}", lab.pool);
    let request = NetworkCreateRequest { name: name.clone(), ..Default::default() };
    lab.docker.create_network(request).await.unwrap();
    let err = lab.engine.create(&lab.runner(0, "idle")).await.unwrap_err();
    lab.docker.remove_network(&name).await.unwrap();
    assert!(err.to_string().contains("did not make"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_cannot_be_read_are_nobodys() {
    let lab = Lab::new("labels").await;
    let id = lab.engine.create(&lab.runner(0, "idle")).await.unwrap();
    let options = query::CreateContainerOptionsBuilder::new().name(&format!("odd-{}", lab.pool)).build();
    let body = ContainerCreateBody {
        image: Some(lab.image.clone()),
        cmd: Some(vec!["x".to_owned()]),
        labels: Some([("io.ghrunner.instance".to_owned(), lab.instance.to_string())].into()),
        ..Default::default()
    };
    lab.docker.create_container(Some(options), body).await.unwrap();
    let listed = lab.engine.list().await.unwrap();
    assert_eq!(listed.iter().map(|container| &container.id).collect::<Vec<_>>(), [&id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_creates_make_one_network_and_a_pruned_one_is_made_again() {
    let lab = Lab::new("net").await;
    let mut creates = tokio::task::JoinSet::new();
    for slot in 0..8 {
        let (engine, new) = (lab.engine.clone(), lab.runner(slot, "idle"));
        creates.spawn(async move { engine.create(&new).await.map(|id| (new, id)).unwrap() });
    }
    let made = creates.join_all().await;
    let networks = lab.engine.leftovers().await.unwrap();
    let [Leftover::Network { name, .. }] = networks.as_slice() else { panic!("{networks:?}") };

    let (new, id) = &made[0];
    if !lab.is_podman().await {
        // Podman keeps a network that a container was made for, even one that never ran.
        lab.docker.remove_network(name).await.unwrap();
    }
    lab.engine.start(new, id).await.unwrap();
    assert_eq!(lab.engine.leftovers().await.unwrap(), networks);

    let in_use = lab.engine.collect(&networks[0]).await.unwrap_err();
    assert_eq!(in_use.class(), ErrorClass::Retry, "{in_use}");
    let in_use = Leftover::Image { reference: lab.image.clone(), last_named: Time(0) };
    if lab.is_podman().await {
        // Two imports of one tree are one image there, and a name less is no harm to it.
        return;
    }
    let err = lab.engine.collect(&in_use).await.unwrap_err();
    assert_eq!(err.class(), ErrorClass::Retry, "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_removed_as_soon_as_its_last_container_lets_go_of_it() {
    let lab = Lab::new("letgo").await;
    let id = lab.started(&lab.runner(0, "idle")).await;
    let leftovers = lab.engine.leftovers().await.unwrap();
    let [network @ Leftover::Network { .. }] = leftovers.as_slice() else { panic!("{leftovers:?}") };
    let kill = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        lab.engine.stop(&id, Duration::from_secs(1)).await
    };
    let (collected, stopped) = tokio::join!(lab.engine.collect(network), kill);
    stopped.unwrap();
    collected.unwrap();
    assert_eq!(lab.engine.leftovers().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_has_few_rights() {
    let lab = Lab::new("rights").await;
    let id = lab.started(&lab.runner(0, "status")).await;
    lab.ended(&id).await;
    let status = lab.engine.output(&id, 4096).await.unwrap();
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID.
    assert!(status.contains("CapBnd:\t00000000000000fb"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("oom_score_adj 500"), "{status}");

    let mut sudo = lab.runner(1, "status");
    sudo.plan.spec.sudo = true;
    let id = lab.started(&sudo).await;
    lab.ended(&id).await;
    let status = lab.engine.output(&id, 4096).await.unwrap();
    assert!(status.contains("CapBnd:\t00000000200000fb") && status.contains("NoNewPrivs:\t0"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_of_the_image_stands_beside_the_slots() {
    let lab = Lab::new("canary").await;
    lab.engine.create(&lab.runner(0, "idle")).await.unwrap();
    let mut new = lab.runner(0, "idle");
    new.admission = Admission::Nothing;
    let id = lab.started(&new).await;
    lab.ended(&id).await;
    assert_eq!(lab.engine.output(&id, 100).await.unwrap(), "2.999.0\n");
    let canary = lab.listed(&id).await.unwrap();
    assert_eq!(canary.role, Role::Canary);
    lab.engine.remove(&canary).await.unwrap();
    assert_eq!(lab.engine.list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_describes_itself() {
    let lab = Lab::new("info").await;
    let info = lab.engine.info().await.unwrap();
    assert!(info.product == "Docker" || info.product == "Podman", "{info:?}");
    assert!(info.cpus.unwrap() >= 1.0 && info.memory.unwrap() > Size(1 << 28), "{info:?}");
    assert!(info.disk_free.unwrap() > Size(1 << 20), "{info:?}");
    assert!(info.api_version.starts_with("1.") && !info.runtimes.is_empty(), "{info:?}");
}

/// A socket of ours before the engine's, which can be shut with all that goes through it.
struct Door {
    dir: tempfile::TempDir,
    behind: String,
    guests: Arc<std::sync::Mutex<tokio::task::JoinSet<()>>>,
    keeper: Option<tokio::task::JoinHandle<()>>,
}

impl Door {
    async fn open(endpoint: &str) -> Self {
        let behind = endpoint.strip_prefix("unix://").unwrap().to_owned();
        let mut door =
            Self { dir: tempfile::tempdir().unwrap(), behind, guests: Arc::default(), keeper: None };
        door.reopen().await;
        door
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.dir.path().join("door.sock").display())
    }

    async fn reopen(&mut self) {
        let path = self.dir.path().join("door.sock");
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        let (behind, guests) = (self.behind.clone(), self.guests.clone());
        self.keeper = Some(tokio::spawn(async move {
            while let Ok((mut guest, _)) = listener.accept().await {
                let behind = behind.clone();
                guests.lock().unwrap().spawn(async move {
                    let mut host = tokio::net::UnixStream::connect(behind).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut guest, &mut host).await;
                });
            }
        }));
    }

    fn shut(&mut self) {
        std::fs::remove_file(self.dir.path().join("door.sock")).unwrap();
        self.keeper.take().unwrap().abort();
        self.guests.lock().unwrap().abort_all();
    }
}
