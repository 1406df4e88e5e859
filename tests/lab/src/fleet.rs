//! What one instance has at the engine, to be looked at and to be gone afterwards.

use std::collections::HashMap;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::models::Network;
use bollard::query_parameters::InspectNetworkOptions;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::query_parameters::ListNetworksOptionsBuilder;
use bollard::query_parameters::ListVolumesOptionsBuilder;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use bollard::query_parameters::RemoveVolumeOptions;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::task::AbortHandle;

use crate::ENGINE;
use crate::image;

/// The label on everything of an instance.
const INSTANCE: &str = "io.ghrunner.instance";
/// How often is looked for what came after all.
const SWEEPS: u32 = 6;

/// What goes with a fleet beside its labelled things.
#[derive(Debug, Default)]
struct Owned {
    images: Vec<String>,
    containers: Vec<String>,
}

/// One instance's things at an engine. Dropping it removes them all, and the images made by [`Things::image`].
#[derive(Debug)]
pub struct Fleet {
    things: Arc<Things>,
    on_signal: AbortHandle,
}

impl Fleet {
    /// The things of `instance` at the usual engine.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn new(instance: &str) -> io::Result<Self> {
        Self::at(instance, ENGINE).await
    }

    /// The things of `instance` at the engine behind `socket`.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn at(instance: &str, socket: &str) -> io::Result<Self> {
        let things = Arc::new(Things::at(instance, socket).await?);
        let on_signal = tokio::spawn(sweep_on_signal(Arc::clone(&things))).abort_handle();
        Ok(Self { things, on_signal })
    }

    /// The things alone, to be looked at beside this fleet.
    pub fn things(&self) -> Arc<Things> {
        Arc::clone(&self.things)
    }
}

impl Deref for Fleet {
    type Target = Things;

    fn deref(&self) -> &Things {
        &self.things
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.on_signal.abort();
        let things = self.things();
        // Another thread: this one may be inside a runtime, which cannot wait for another.
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let again = Things::at(&things.instance, &things.socket).await?;
                *again.owned() = std::mem::take(&mut *things.owned());
                again.sweep().await;
                io::Result::Ok(())
            })
        });
        let _ = swept.join();
    }
}

/// A runner of tests ends those that take too long by `SIGTERM`: nothing is dropped then.
async fn sweep_on_signal(things: Arc<Things>) {
    let Ok(mut term) = signal(SignalKind::terminate()) else { return };
    term.recv().await;
    things.sweep().await;
    // For the other fleets of this process.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let _ = kill(Pid::this(), Signal::SIGKILL);
}

/// What carries one instance's label at an engine.
#[derive(Debug)]
pub struct Things {
    instance: String,
    socket: String,
    docker: Docker,
    owned: Mutex<Owned>,
}

impl Things {
    async fn at(instance: &str, socket: &str) -> io::Result<Self> {
        let docker = connect(socket).await?;
        let (instance, socket) = (instance.to_owned(), socket.to_owned());
        Ok(Self { instance, socket, docker, owned: Mutex::default() })
    }

    /// The instance: what `[host] name` must say.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The engine, past any proxy.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// A pool's name that no other fleet uses.
    pub fn pool(&self, name: &str) -> String {
        format!("{name}-{}", self.instance)
    }

    /// An image of the stand-in runner for this fleet alone; gives its reference. See [`crate::standin`].
    ///
    /// # Errors
    /// The stand-in cannot be compiled, or the engine refuses the image.
    pub async fn image(&self, name: &str, environment: &[&str]) -> io::Result<String> {
        let reference = format!("localhost/ghrunner-lab/{name}:{}", self.instance);
        self.owns_image(&reference);
        // Makes the image's id this fleet's own, so that removing it takes nothing from others.
        let mark = format!("STANDIN_FLEET={}", self.instance);
        let mut environment = environment.to_vec();
        environment.push(&mark);
        image::standin(&self.docker, &reference, &environment).await?;
        Ok(reference)
    }

    /// One more reference that goes with the fleet.
    pub fn owns_image(&self, reference: &str) {
        self.owned().images.push(reference.to_owned());
    }

    /// One more container, without the instance's label, that goes with the fleet.
    pub fn owns_container(&self, id_or_name: &str) {
        self.owned().containers.push(id_or_name.to_owned());
    }

    /// All containers, in any state.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn containers(&self) -> io::Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(&self.mine()).build();
        self.docker.list_containers(Some(options)).await.map_err(io::Error::other)
    }

    /// Names of all containers, sorted.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn names(&self) -> io::Result<Vec<String>> {
        let found = self.containers().await?.into_iter().filter_map(|c| c.names?.into_iter().next());
        let mut names: Vec<String> = found.map(|name| name.trim_start_matches('/').to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Ids of all containers, sorted.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids: Vec<String> = self.containers().await?.into_iter().filter_map(|c| c.id).collect();
        ids.sort();
        Ok(ids)
    }

    /// Names of all volumes.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn volumes(&self) -> io::Result<Vec<String>> {
        let options = ListVolumesOptionsBuilder::new().filters(&self.mine()).build();
        let found = self.docker.list_volumes(Some(options)).await.map_err(io::Error::other)?;
        Ok(found.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }

    /// Names of all networks.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn networks(&self) -> io::Result<Vec<String>> {
        Ok(self.all_networks().await?.into_iter().filter_map(|network| network.name).collect())
    }

    /// Removes all networks that it can, and gives how many the engine itself cannot remove: nothing is attached to them,
    /// but it has lost count. Engines do when containers of one network come and go at the same moment, and count anew
    /// when they start (<https://github.com/moby/moby/issues/42119>).
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn remove_networks(&self) -> io::Result<usize> {
        let mut miscounted = 0;
        for id in self.all_networks().await?.into_iter().filter_map(|network| network.id) {
            let found = self.docker.inspect_network(&id, None::<InspectNetworkOptions>).await;
            let attached = found.map_err(io::Error::other)?.containers.unwrap_or_default();
            match self.docker.remove_network(&id).await {
                Err(error) if attached.is_empty() && error.to_string().contains("has active endpoints") => {
                    miscounted += 1;
                }
                _ => {}
            }
        }
        Ok(miscounted)
    }

    async fn all_networks(&self) -> io::Result<Vec<Network>> {
        let options = ListNetworksOptionsBuilder::new().filters(&self.mine()).build();
        self.docker.list_networks(Some(options)).await.map_err(io::Error::other)
    }

    /// Removes a container at once, as somebody with `docker rm -f` would.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn remove(&self, id_or_name: &str) -> io::Result<()> {
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        self.docker.remove_container(id_or_name, Some(force)).await.map_err(io::Error::other)
    }

    /// Removes everything now; goes on at errors.
    pub async fn sweep(&self) {
        let Owned { images, containers } = std::mem::take(&mut *self.owned());
        for container in containers {
            let _ = self.remove(&container).await;
        }
        // What a daemon asked for just before it was killed may still come.
        for _ in 0..SWEEPS {
            if self.sweep_once().await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        for image in images {
            let force = RemoveImageOptionsBuilder::new().force(true).build();
            let _ = self.docker.remove_image(&image, Some(force), None).await;
        }
    }

    /// Gives how many things there were.
    async fn sweep_once(&self) -> usize {
        let containers = self.ids().await.unwrap_or_default();
        for id in &containers {
            let _ = self.remove(id).await;
        }
        let volumes = self.volumes().await.unwrap_or_default();
        for volume in &volumes {
            let _ = self.docker.remove_volume(volume, None::<RemoveVolumeOptions>).await;
        }
        let networks = self.all_networks().await.unwrap_or_default();
        // By their ids: there may be two of one name.
        for id in networks.iter().filter_map(|network| network.id.as_ref()) {
            let _ = self.docker.remove_network(id).await;
        }
        containers.len() + volumes.len() + networks.len()
    }

    fn owned(&self) -> MutexGuard<'_, Owned> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mine(&self) -> HashMap<&'static str, Vec<String>> {
        HashMap::from([("label", vec![format!("{INSTANCE}={}", self.instance)])])
    }
}

async fn connect(socket: &str) -> io::Result<Docker> {
    let docker =
        Docker::connect_with_unix(socket, 120, bollard::API_DEFAULT_VERSION).map_err(io::Error::other)?;
    docker.negotiate_version().await.map_err(io::Error::other)
}
