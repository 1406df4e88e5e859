//! A real inner engine beside a runner. Its image is built by `tests/images/dind.sh` (debootstrap, once).

use std::process::Command;
use std::time::Duration;

use bollard::models::ContainerConfig;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;
use ghrunner::engine::Admission;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::NewRunner;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::DockerMode;
use ghrunner::model::Leftover;
use ghrunner::model::Role;

use crate::lab::Lab;

/// The image of the inner engine; none, said loudly, where it cannot be built.
fn image() -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/dind.sh");
    let built = Command::new("sh").arg(script).output().unwrap();
    if built.status.success() {
        return Some(String::from_utf8(built.stdout).unwrap().trim().to_owned());
    }
    let why = String::from_utf8_lossy(&built.stderr);
    println!("SKIPPED: no image for the inner engine (debootstrap missing, or no mirror?): {why}");
    None
}

fn with_engine(lab: &Lab, slot: u32, stand_in: &str, image: &str) -> NewRunner {
    let mut new = lab.runner(slot, stand_in);
    new.plan.spec.docker = DockerMode::Dind;
    new.plan.spec.dind_image = image.to_owned();
    new.plan.spec.memory = None;
    new.plan.spec.pids = Some(512);
    new.plan.spec.cpus = 0.0;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_has_an_inner_engine_that_goes_with_it() {
    let Some(image) = image() else { return };
    let lab = Lab::new("trial").await;
    let mut new = with_engine(&lab, 0, "", &image);
    new.admission = Admission::Nothing;
    new.plan.spec.image.clone_from(&image);
    new.plan.spec.command = Some(["docker", "version"].map(str::to_owned).to_vec());
    let id = lab.started(&new).await;
    lab.ended(&id).await;
    assert_eq!(lab.engine.end(&id).await.unwrap().unwrap().exit_code, Some(0));
    let both = lab.engine.list().await.unwrap();
    assert_eq!(both.iter().map(|c| c.role).collect::<Vec<_>>(), [Role::Canary, Role::Canary]);
    let canary = lab.listed(&id).await.unwrap();
    lab.engine.remove(&canary).await.unwrap();
    assert_eq!(lab.engine.list().await.unwrap(), []);
    let left = lab.engine.leftovers().await.unwrap();
    assert!(!left.iter().any(|l| matches!(l, Leftover::Volume { .. })), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_an_engine_of_its_own_that_goes_with_it() {
    let Some(image) = image() else { return };
    let lab = Lab::new("dind").await;
    // The same image serves as the runner's, since it has a docker client; with tools as the official one has them.
    let tools = "mkdir -p /home/runner/externals/node20 && echo a-node > /home/runner/externals/node20/node";
    let runner_image = changed(&lab, &image, "runner", tools).await;
    let mut new = with_engine(&lab, 0, "", &image);
    new.plan.spec.image.clone_from(&runner_image);
    new.plan.spec.user = Some("1001".to_owned());
    // A job container is a shell and its libraries; it finds work folder and tools under the runner's own paths.
    let script = "set -ex; docker version -f '{{.Server.Version}}'; echo from-runner > /home/runner/_work/file; \
        tar -c -h -C / bin/dash lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 | docker import - inner:1; \
        docker run --rm -v /home/runner/_work:/home/runner/_work -v /home/runner/externals:/__e \
            -v /var/run/docker.sock:/var/run/docker.sock inner:1 /bin/dash -c \
            'read x < /home/runner/_work/file; read y < /__e/node20/node; echo job saw $x and $y'; \
        grep docker0 /proc/net/dev; echo all-well";
    new.plan.spec.command = Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
    let id = lab.started(&new).await;
    let listed = lab.engine.list().await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let sidecar = listed.iter().find(|container| container.role == Role::Dind).unwrap();
    assert_eq!(sidecar.state, ContainerState::Running);
    assert_eq!(sidecar.runner_name, new.plan.name);
    lab.ended(&id).await;
    let output = lab.engine.output(&id, 8192).await.unwrap();
    let saw = "job saw from-runner and a-node";
    assert!(
        output.contains(saw) && output.contains("all-well"),
        "{output}\n{}",
        lab.engine.output(&sidecar.id, 8192).await.unwrap()
    );

    assert_eq!(volumes(&lab).await, 4);
    lab.engine.remove(&lab.listed(&id).await.unwrap()).await.unwrap();
    assert_eq!(lab.engine.list().await.unwrap(), []);
    assert_eq!(volumes(&lab).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_dies_is_said_with_its_last_words() {
    let lab = Lab::new("sick").await;
    // Has no shell, let alone an engine.
    let new = with_engine(&lab, 0, "idle", &lab.image);
    let id = lab.engine.create(&new).await.unwrap();
    let err = lab.engine.start(&new, &id).await.unwrap_err();
    assert!(matches!(err, EngineError::Refused { .. }), "{err}");

    let Some(image) = image() else { return };
    let mut new = with_engine(&lab, 1, "idle", &image);
    let script = "printf '#!/bin/sh\\nsleep 0.5; echo no engine today; exit 1\\n' > /usr/local/bin/dockerd-entrypoint.sh";
    new.plan.spec.dind_image = changed(&lab, &image, "broken", script).await;
    let id = lab.engine.create(&new).await.unwrap();
    let err = lab.engine.start(&new, &id).await.unwrap_err();
    assert!(
        matches!(&err, EngineError::SidecarNotReady { why, .. } if why.contains("no engine today")),
        "{err}"
    );
    lab.engine.remove(&lab.listed(&id).await.unwrap()).await.unwrap();
}

/// `image` after `script` ran in it, under a reference that goes with the lab.
async fn changed(lab: &Lab, image: &str, what: &str, script: &str) -> String {
    let words = |text: &[&str]| Some(text.iter().map(|&word| word.to_owned()).collect());
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: words(&["sh", "-c", script]),
        labels: Some([("io.ghrunner.instance".to_owned(), lab.instance.to_string())].into()),
        ..Default::default()
    };
    let made = lab.docker.create_container(None::<query::CreateContainerOptions>, body).await.unwrap();
    lab.docker.start_container(&made.id, None).await.unwrap();
    lab.ended(&ContainerId::new(made.id.clone())).await;
    let reference = format!("ghrunner-test/{what}:{}", lab.instance);
    lab.owns_image(&reference);
    let (repo, tag) = reference.split_once(':').unwrap();
    let options = query::CommitContainerOptionsBuilder::new().container(&made.id).repo(repo).tag(tag).build();
    lab.docker.commit_container(options, ContainerConfig::default()).await.unwrap();
    lab.docker.remove_container(&made.id, None).await.unwrap();
    reference
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_never_inherits_a_volume() {
    let lab = Lab::new("inherit").await;
    let first = with_engine(&lab, 0, "idle", &lab.image);
    let id = lab.engine.create(&first).await.unwrap();
    let name = lab.pool.container_name(first.plan.slot);
    let before = lab.docker.inspect_volume(&format!("{name}-work")).await.unwrap();
    // As after a crash half-way: the containers are gone, the volumes not.
    for container in [id.as_str(), &format!("{name}-dind")] {
        lab.docker.remove_container(container, None).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = with_engine(&lab, 0, "idle", &lab.image);
    let id = lab.engine.create(&second).await.unwrap();
    let after = lab.docker.inspect_volume(&format!("{name}-work")).await.unwrap();
    assert_eq!(before.labels["io.ghrunner.runner"], first.plan.name.as_str());
    assert_eq!(after.labels["io.ghrunner.runner"], second.plan.name.as_str());
    assert_ne!(before.created_at, after.created_at);

    // The sidecar alone is left, and goes with its volumes.
    lab.docker.remove_container(id.as_str(), None).await.unwrap();
    let listed = lab.engine.list().await.unwrap();
    let [sidecar] = listed.as_slice() else { panic!("{listed:?}") };
    lab.engine.remove(sidecar).await.unwrap();
    assert_eq!(volumes(&lab).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_inner_engine_in_the_hosts_network() {
    let lab = Lab::new("hostnet").await;
    let mut new = with_engine(&lab, 0, "idle", &lab.image);
    new.plan.spec.network = ghrunner::model::NetworkMode::Host;
    let err = lab.engine.create(&new).await.unwrap_err();
    assert!(err.to_string().contains("packet filter"), "{err}");
}

async fn volumes(lab: &Lab) -> usize {
    let leftovers = lab.engine.leftovers().await.unwrap();
    leftovers.iter().filter(|leftover| matches!(leftover, Leftover::Volume { .. })).count()
}
