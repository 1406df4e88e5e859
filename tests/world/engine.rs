//! The engine's side of the world.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use ghrunner::engine::Admission;
use ghrunner::engine::End;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::EngineEvent;
use ghrunner::engine::EngineInfo;
use ghrunner::engine::Image;
use ghrunner::engine::NewRunner;
use ghrunner::engine::Worker;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::DockerMode;
use ghrunner::model::ImageId;
use ghrunner::model::Leftover;
use ghrunner::model::NetworkMode;
use ghrunner::model::Role;
use ghrunner::model::Size;
use ghrunner::model::Usage;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::World;
use super::rules;
use super::state::Held;
use super::state::Plant;
use super::state::State;
use super::weather::Fate;

impl Engine for World {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let fate = self.with(|state| state.engine_fate("info"));
        self.call(fate, |state| {
            let free = if state.disk_full.is_some() { Size(1 << 30) } else { Size(100 << 30) };
            let seen = state.plant != Some(Plant::DiskUnseen);
            Ok(EngineInfo {
                product: "World".into(),
                version: "1".into(),
                api_version: "1.41".into(),
                cpus: Some(16.0),
                memory: Some(Size(64 << 30)),
                root_dir: None,
                disk_free: seen.then_some(free),
                storage_driver: "overlay2".into(),
                cgroup_driver: "systemd".into(),
                runtimes: Vec::new(),
            })
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Container>, EngineError> {
        let fate = self.with(|state| state.engine_fate("list"));
        let all: Vec<Container> = self
            .call(fate, |state| {
                let ours = state.containers.values().filter(|held| !held.foreign);
                Ok(ours.map(|held| held.container.clone()).collect())
            })
            .await?;
        self.with(|state| {
            let cut = state.plant == Some(Plant::PartialContainers) && state.dice.permille(100);
            let keep = if cut { all.len() / 2 } else { all.len() };
            Ok(all.into_iter().take(keep).collect())
        })
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, EngineError> {
        let fate = self.with(|state| state.engine_fate("leftovers"));
        self.call(fate, |state| {
            let volumes = state.volumes.iter().map(|(name, runner_container)| Leftover::Volume {
                name: name.clone(),
                runner_container: runner_container.clone(),
            });
            let networks = state
                .networks
                .iter()
                .map(|(name, pool)| Leftover::Network { name: name.clone(), pool: pool.clone() });
            Ok(volumes.chain(networks).collect())
        })
        .await
    }

    async fn create(&self, new: &NewRunner) -> Result<ContainerId, EngineError> {
        let new = new.clone();
        let (fate, halfway) = self.with(|state| {
            state.changes += 1;
            let rate = state.weather.engine_stops_halfway;
            (state.engine_fate("create"), state.dice.permille(rate))
        });
        self.call(fate, move |state| state.make(&new, halfway)).await
    }

    async fn start(&self, new: &NewRunner, id: &ContainerId) -> Result<(), EngineError> {
        let (id, admission) = (id.clone(), new.admission.clone());
        let fate = self.with(|state| {
            state.changes += 1;
            state.engine_fate("start")
        });
        self.call(fate, move |state| state.start(&id, &admission)).await
    }

    async fn worker(&self, id: &ContainerId) -> Result<Worker, EngineError> {
        let id = id.clone();
        let fate = self.with(|state| state.engine_fate("worker"));
        self.call(fate, move |state| {
            let blind = state.plant == Some(Plant::NoLook);
            let Some(held) = state.containers.get_mut(&id).filter(|held| held.runs()) else {
                return Ok(Worker::NotRunning);
            };
            held.looked = Some(Instant::now());
            let works = held.process.as_ref().is_some_and(|process| process.worker);
            Ok(if works && !blind { Worker::Running } else { Worker::Absent })
        })
        .await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        let id = id.clone();
        let (mut fate, took) = self.with(|state| {
            state.changes += 1;
            let took = state.dice.millis(100, 2000).min(grace);
            (state.engine_fate("stop"), took)
        });
        fate.back += took;
        self.call(fate, move |state| {
            rules::before_stop(state, &id);
            if state.containers.get(&id).is_some_and(Held::runs) {
                state.exit(&id, 143, false);
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        let container = container.clone();
        let fate = self.with(|state| {
            state.changes += 1;
            state.engine_fate("remove")
        });
        self.call(fate, move |state| state.remove(&container)).await
    }

    async fn collect(&self, leftover: &Leftover) -> Result<(), EngineError> {
        let leftover = leftover.clone();
        let fate = self.with(|state| {
            state.changes += 1;
            state.engine_fate("collect")
        });
        self.call(fate, move |state| state.collect(&leftover)).await
    }

    async fn end(&self, id: &ContainerId) -> Result<Option<End>, EngineError> {
        let id = id.clone();
        let fate = self.with(|state| state.engine_fate("end"));
        self.call(fate, move |state| {
            Ok(state.containers.get(&id).map(|held| End {
                exit_code: match held.container.state {
                    ContainerState::Exited(code) => code,
                    _ => None,
                },
                oom_killed: held.oom,
                memory: None,
                error: None,
                started: held.started,
                finished: held.finished,
            }))
        })
        .await
    }

    async fn usage(&self, id: &ContainerId) -> Result<Option<Usage>, EngineError> {
        let id = id.clone();
        let fate = self.with(|state| state.engine_fate("usage"));
        self.call(fate, move |state| {
            let runs = state.containers.get(&id).is_some_and(Held::runs);
            Ok(runs.then_some(Usage { memory: 1 << 30, cpu_ms: 1000 }))
        })
        .await
    }

    async fn output(&self, id: &ContainerId, _max_bytes: usize) -> Result<String, EngineError> {
        let id = id.clone();
        let fate = self.with(|state| state.engine_fate("output"));
        self.call(fate, move |state| {
            if state.plant == Some(Plant::EveryEndIsAJob) {
                return Ok("2026-01-01 12:00:00Z: Running job: none\n".to_owned());
            }
            Ok(state.containers.get(&id).map(|held| held.output.clone()).unwrap_or_default())
        })
        .await
    }

    fn follow(
        &self,
        _id: &ContainerId,
        _tail: usize,
        _follow: bool,
    ) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + use<> {
        stream::empty()
    }

    fn events(&self) -> impl Stream<Item = EngineEvent> + Send + use<> {
        let (listener, heard) = mpsc::unbounded_channel();
        let _ = listener.send(EngineEvent::Connected);
        self.with(|state| state.listeners.push(listener));
        stream::unfold(heard, async |mut heard| heard.recv().await.map(|event| (event, heard)))
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        let reference = reference.to_owned();
        let fate = self.with(|state| state.engine_fate("image"));
        self.call(fate, move |state| Ok(state.images.get(&reference).cloned().map(image))).await
    }

    async fn pull(
        &self,
        reference: &str,
        progress: impl Fn(String) + Send + Sync,
    ) -> Result<Image, EngineError> {
        progress("half of it".to_owned());
        let reference = reference.to_owned();
        let (mut fate, fails, took) = self.with(|state| {
            let rate = state.weather.pulls_fail;
            (state.engine_fate("pull"), state.dice.permille(rate), state.dice.millis(0, 5000))
        });
        fate.there += took;
        self.call(fate, move |state| match state.registry.get(&reference).cloned() {
            Some(id) if !fails && state.disk_full.is_none() => {
                state.images.insert(reference, id.clone());
                Ok(image(id))
            }
            found => {
                let why = "the registry says no".to_owned();
                Err(EngineError::Pull { image: reference, why, passing: found.is_some() })
            }
        })
        .await
    }
}

fn image(id: ImageId) -> Image {
    Image { id, created: None, digests: Vec::new() }
}

fn refused(call: &'static str, status: u16, message: &str) -> EngineError {
    EngineError::Refused { call, status, message: message.to_owned() }
}

impl State {
    fn engine_fate(&mut self, call: &'static str) -> Fate<EngineError> {
        let mut fate = Fate::plain(&mut self.dice, self.weather.slow);
        let away = || EngineError::Unreachable { endpoint: "world".into(), why: "connection refused".into() };
        if self.engine_back.is_some_and(|back| back > Instant::now()) {
            fate.refused = Some(away());
        } else if self.dice.permille(self.weather.engine_refuses) {
            let error = if self.dice.coin() { away() } else { refused(call, 500, "something went wrong") };
            fate.refused = Some(error);
        } else if self.dice.permille(self.weather.engine_loses) {
            let within = self.dice.secs(1, 30);
            fate.back += within;
            fate.lost = Some(EngineError::TimedOut { call, within });
        }
        fate
    }

    /// Network, volumes, sidecar, container; `halfway` stops before the last.
    fn make(&mut self, new: &NewRunner, halfway: bool) -> Result<ContainerId, EngineError> {
        let plan = &new.plan;
        let Some(image_id) = self.images.get(&plan.spec.image).cloned() else {
            return Err(EngineError::NoSuchImage { image: plan.spec.image.clone() });
        };
        if plan.spec.network == NetworkMode::Pool {
            self.networks.insert(format!("ghrunner-{}", plan.pool), plan.pool.clone());
        }
        let mut name = plan.pool.container_name(plan.slot);
        if self.plant == Some(Plant::NoLock) {
            name = plan.name.to_string();
        }
        let dind = plan.spec.docker == DockerMode::Dind;
        let sidecar = format!("{name}-dind");
        let container = Container {
            id: ContainerId::new(""),
            name: name.clone(),
            role: Role::Runner,
            pool: plan.pool.clone(),
            slot: plan.slot,
            runner_name: plan.name.clone(),
            runner_id: new.runner_id,
            scope: plan.scope.clone(),
            credentials: plan.credentials.clone(),
            spec_hash: plan.spec_hash.clone(),
            image_id,
            created: self.now(),
            state: ContainerState::Created,
        };
        if dind {
            if self.named(&sidecar).is_some() {
                return Err(EngineError::NameTaken { name: sidecar });
            }
            for volume in ["work", "storage"] {
                self.volumes.insert(format!("{name}-{volume}"), name.clone());
            }
            self.place(Container { name: sidecar, role: Role::Dind, runner_id: None, ..container.clone() });
        }
        if self.plant == Some(Plant::SecretInError) && self.dice.permille(200) {
            let Admission::Jit(config) = &new.admission else { return Err(refused("create", 500, "no")) };
            return Err(refused("create a container", 500, &format!("bad body {}", config.reveal())));
        }
        if halfway || self.disk_full.is_some() {
            return Err(refused("create a container", 500, "no space left on device"));
        }
        if self.named(&name).is_some() {
            return Err(EngineError::NameTaken { name });
        }
        let id = self.place(container);
        rules::after_create(self, &id);
        Ok(id)
    }

    /// Puts a container there.
    pub(super) fn place(&mut self, mut container: Container) -> ContainerId {
        let id = ContainerId::new(format!("c{}", self.fresh()));
        container.id = id.clone();
        self.note(|| format!("{} made as {id} for {}", container.name, container.runner_name));
        let held = Held {
            container,
            foreign: false,
            process: None,
            started: None,
            finished: None,
            oom: false,
            output: String::new(),
            looked: None,
        };
        self.containers.insert(id.clone(), held);
        self.tell("create", &id);
        id
    }

    pub(super) fn start(&mut self, id: &ContainerId, admission: &Admission) -> Result<(), EngineError> {
        let now = self.now();
        let Some(held) = self.containers.get(id) else {
            return Err(refused("start a container", 404, "no such container"));
        };
        if held.runs() {
            return Ok(());
        }
        let sidecar = format!("{}-dind", held.container.name);
        if let Some(sidecar) = self.containers.values_mut().find(|other| other.container.name == sidecar) {
            sidecar.container.state = ContainerState::Running;
        }
        if let Some(held) = self.containers.get_mut(id) {
            held.container.state = ContainerState::Running;
            held.started = Some(now);
        }
        self.tell("start", id);
        self.launch(id, admission);
        Ok(())
    }

    fn remove(&mut self, container: &Container) -> Result<(), EngineError> {
        if let Some(held) = self.containers.get(&container.id) {
            if held.runs() && container.role == Role::Runner {
                return Err(refused("remove a container", 409, "stop the container before removing it"));
            }
            self.vanish(&container.id);
        }
        let owner = container.name.trim_end_matches("-dind").to_owned();
        // Another runner has the name by now: what lies beside it is its own.
        if container.role == Role::Runner && self.named(&owner).is_some() {
            return Ok(());
        }
        let sidecar = format!("{owner}-dind");
        let beside: Vec<ContainerId> = self
            .containers
            .values()
            .filter(|h| h.container.name == sidecar)
            .map(|h| h.container.id.clone())
            .collect();
        for id in beside {
            self.vanish(&id);
        }
        self.volumes.retain(|_, runner| *runner != owner);
        Ok(())
    }

    /// A container is there no more, whatever ran in it.
    pub(super) fn vanish(&mut self, id: &ContainerId) {
        self.exit(id, 137, false);
        if let Some(held) = self.containers.remove(id) {
            self.note(|| format!("{} ({id}) removed", held.container.name));
            self.tell("destroy", id);
        }
    }

    fn collect(&mut self, leftover: &Leftover) -> Result<(), EngineError> {
        let in_use = match leftover {
            Leftover::Volume { name, runner_container } => {
                let used = self.named(runner_container).is_some()
                    || self.named(&format!("{runner_container}-dind")).is_some();
                if !used {
                    self.volumes.remove(name);
                }
                used
            }
            Leftover::Network { name, pool } => {
                let used = self.containers.values().any(|held| !held.foreign && held.container.pool == *pool);
                if !used {
                    self.networks.remove(name);
                }
                used
            }
            Leftover::Image { reference, .. } => {
                self.images.remove(reference);
                false
            }
        };
        if in_use { Err(refused("remove", 409, "it is in use")) } else { Ok(()) }
    }
}
