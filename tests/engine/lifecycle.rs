//! Runners come, live and go.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::EngineEvent;
use ghrunner::engine::Worker;
use ghrunner::model::ContainerState;
use ghrunner::model::ErrorClass;
use ghrunner::model::Leftover;
use ghrunner::model::Role;

use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_comes_is_adopted_by_its_labels_and_goes() {
    let lab = Lab::new("life").await;
    let new = lab.runner(0, "idle");
    let id = lab.engine.create(&new).await.unwrap();
    let container = lab.listed(&id).await.unwrap();
    assert_eq!(container.state, ContainerState::Created);
    assert_eq!(container.name, lab.pool.container_name(new.plan.slot));
    assert_eq!(container.role, Role::Runner);
    assert_eq!(container.runner_name, new.plan.name);
    assert_eq!(container.runner_id, new.runner_id);
    assert_eq!(container.spec_hash, new.plan.spec_hash);
    assert!(crate::lab::now().since(container.created) < Duration::from_secs(60));
    let image = lab.engine.image(&lab.image).await.unwrap().unwrap();
    assert_eq!(container.image_id, image.id);

    lab.engine.start(&new, &id).await.unwrap();
    assert_eq!(lab.listed(&id).await.unwrap().state, ContainerState::Running);
    assert_eq!(lab.engine.worker(&id).await.unwrap(), Worker::Absent);

    let refused = lab.engine.remove(&container).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Retry, "{refused}");
    assert_eq!(
        lab.listed(&id).await.unwrap().state,
        ContainerState::Running,
        "a running one is never removed"
    );

    lab.engine.stop(&id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(lab.listed(&id).await.unwrap().state, ContainerState::Exited(Some(143)));
    assert_eq!(lab.engine.worker(&id).await.unwrap(), Worker::NotRunning);
    lab.engine.stop(&id, Duration::from_secs(10)).await.unwrap();

    lab.engine.remove(&container).await.unwrap();
    assert_eq!(lab.listed(&id).await, None);
    lab.engine.remove(&container).await.unwrap();
    lab.engine.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert_eq!(lab.engine.worker(&id).await.unwrap(), Worker::NotRunning);
    assert_eq!(lab.engine.end(&id).await.unwrap(), None);

    let leftovers = lab.engine.leftovers().await.unwrap();
    let [network @ Leftover::Network { pool, .. }] = leftovers.as_slice() else { panic!("{leftovers:?}") };
    assert_eq!(*pool, lab.pool);
    lab.engine.collect(network).await.unwrap();
    assert_eq!(lab.engine.leftovers().await.unwrap(), []);
    lab.engine.collect(network).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_taken_once() {
    let lab = Lab::new("twice").await;
    lab.engine.create(&lab.runner(0, "idle")).await.unwrap();
    let err = lab.engine.create(&lab.runner(0, "idle")).await.unwrap_err();
    assert!(
        matches!(&err, EngineError::NameTaken { name } if *name == lab.runner(0, "").plan.pool.container_name(ghrunner::model::Slot(0))),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_seen() {
    let lab = Lab::new("worker").await;
    let id = lab.started(&lab.runner(0, "worker")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lab.engine.worker(&id).await.unwrap(), Worker::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stubborn_one_is_killed_after_its_grace() {
    let lab = Lab::new("stubborn").await;
    let id = lab.started(&lab.runner(0, "stubborn")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    lab.engine.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert_eq!(lab.listed(&id).await.unwrap().state, ContainerState::Exited(Some(137)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_beginning_and_end() {
    let lab = Lab::new("events").await;
    let mut events = pin!(lab.engine.events());
    assert_eq!(events.next().await, Some(EngineEvent::Connected));
    let id = lab.started(&lab.runner(0, "exit 3")).await;
    lab.ended(&id).await;
    lab.engine.remove(&lab.listed(&id).await.unwrap()).await.unwrap();
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("destroy") {
        let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await.unwrap().unwrap();
        let EngineEvent::Container { action, id: of } = event else { panic!("{event:?}") };
        assert_eq!(of, id);
        seen.push(action);
    }
    assert_eq!(seen, ["create", "start", "die", "destroy"]);
}
