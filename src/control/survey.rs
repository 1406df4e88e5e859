//! The slower part of a look: the engine itself, images, leftovers. Taken now and then, and after what changes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use crate::config::Config;
use crate::decide::backoff;
use crate::engine::Engine;
use crate::engine::EngineError;
use crate::engine::EngineInfo;
use crate::execute::Done;
use crate::execute::Outcome;
use crate::model::Container;
use crate::model::DockerMode;
use crate::model::ErrorClass;
use crate::model::HostView;
use crate::model::ImageView;
use crate::model::Leftover;
use crate::model::Time;

/// How old a survey may be: a disk fills in minutes.
const FRESH: Duration = Duration::from_secs(30);
/// After a registry said no, which only people change.
const DENIED: Duration = Duration::from_secs(300);

/// How far pulls have come, told by the pulls themselves.
pub(super) type Progress = Arc<Mutex<BTreeMap<String, String>>>;

/// What the last survey found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) info: Option<EngineInfo>,
    leftovers: Vec<Leftover>,
    images: BTreeMap<String, ImageView>,
    failures: BTreeMap<String, u32>,
    /// Images that we pulled, and when a pool last named each.
    pub(super) pulled: BTreeMap<String, Time>,
    taken: Option<Time>,
    pub(super) progress: Progress,
}

impl Survey {
    /// Has the next pass look again.
    pub(super) fn expire(&mut self) {
        self.taken = None;
    }

    /// Forgets failed pulls: somebody changed something.
    pub(super) fn forgive(&mut self) {
        self.failures.clear();
        for view in self.images.values_mut() {
            view.failed = None;
        }
        self.expire();
    }

    /// Looks again if the last look is too old.
    pub(super) async fn refresh<E: Engine>(
        &mut self,
        engine: &E,
        config: &Config,
        now: Time,
    ) -> Result<(), EngineError> {
        if self.taken.is_some_and(|at| now.since(at) < FRESH) {
            return Ok(());
        }
        self.info = Some(engine.info().await?);
        self.leftovers = engine.leftovers().await?;
        let named = named(config);
        self.images.retain(|reference, _| named.contains(reference.as_str()));
        for reference in &named {
            let found = engine.image(reference).await?;
            let view = self.images.entry((*reference).to_owned()).or_default();
            view.built = found.as_ref().and_then(|image| image.created);
            view.id = found.map(|image| image.id);
            if let Some(at) = self.pulled.get_mut(*reference) {
                *at = now;
            }
        }
        self.taken = Some(now);
        Ok(())
    }

    /// Enters what became of a pull.
    pub(super) fn pulled(&mut self, image: &str, outcome: &Outcome, now: Time, jitter: f64) {
        lock(&self.progress).remove(image);
        let view = self.images.entry(image.to_owned()).or_default();
        match outcome {
            Ok(Done::Pulled(found)) => {
                view.id = Some(found.id.clone());
                view.built = found.created;
                view.checked = Some(now);
                view.failed = None;
                self.failures.remove(image);
                self.pulled.insert(image.to_owned(), now);
            }
            Ok(_) => {}
            Err(failure) => {
                let failures = self.failures.entry(image.to_owned()).or_default();
                *failures = failures.saturating_add(1);
                let wait = match failure.class() {
                    ErrorClass::Terminal => DENIED,
                    _ => backoff(*failures, jitter),
                };
                view.failed = Some((failure.to_string(), now + wait));
            }
        }
    }

    /// Images with the progress of pulls under way.
    pub(super) fn images(&self) -> BTreeMap<String, ImageView> {
        let mut images = self.images.clone();
        for (reference, words) in lock(&self.progress).iter() {
            images.entry(reference.clone()).or_default().progress = Some(words.clone());
        }
        images
    }

    /// Volumes and networks that the engine lists, and images that we pulled.
    pub(super) fn leftovers(&self) -> Vec<Leftover> {
        let images = self.pulled.iter().map(|(reference, last_named)| Leftover::Image {
            reference: reference.clone(),
            last_named: *last_named,
        });
        self.leftovers.iter().cloned().chain(images).collect()
    }

    /// Takes out what was collected.
    pub(super) fn collected(&mut self, leftover: &Leftover) {
        self.leftovers.retain(|l| l != leftover);
        if let Leftover::Image { reference, .. } = leftover {
            self.pulled.remove(reference);
        }
    }

    /// Takes out the volumes that went with a container: the list is older than its removal. If one stayed after all, the
    /// next survey finds it.
    pub(super) fn removed(&mut self, container: &Container) {
        let owner = container.pool.container_name(container.slot);
        self.leftovers.retain(|leftover| {
            !matches!(leftover, Leftover::Volume { runner_container, .. } if *runner_container == owner)
        });
    }

    pub(super) fn host(&self) -> HostView {
        let info = self.info.as_ref();
        HostView {
            cpus: info.and_then(|i| i.cpus),
            memory: info.and_then(|i| i.memory),
            disk_free: info.and_then(|i| i.disk_free),
        }
    }
}

/// A poisoned lock only means that a pull's task panicked while it wrote a line of progress.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn named(config: &Config) -> BTreeSet<&str> {
    config
        .pools
        .values()
        .flat_map(|pool| {
            let dind = (pool.spec.docker == DockerMode::Dind).then_some(pool.spec.dind_image.as_str());
            std::iter::once(pool.spec.image.as_str()).chain(dind)
        })
        .collect()
}
