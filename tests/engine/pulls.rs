//! Pulls from a real registry (Debian's `docker-registry`), open and behind a password.

use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use bollard::query_parameters as query;
use futures_util::TryStreamExt;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::RegistryAuth;
use ghrunner::model::ErrorClass;
use ghrunner::model::Leftover;
use ghrunner::model::Secret;
use ghrunner::model::Time;

use crate::lab;
use crate::lab::Lab;

const USER: &str = "octo";
/// Its base64 has letters in which the standard and the URL-safe alphabet differ, wherever in a text it stands.
const PASSWORD: &str = "x?y>z~?>~a~~b??c>>";
/// `htpasswd -Bbn -C 5 octo PASSWORD`.
const HTPASSWD: &str = "octo:$2y$05$ro1Y7rlQ3mRQK3gOJtegROtrK3wuvi2uI/OUgTeTjaRCoAR0X087C";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_by_tag_and_by_digest() {
    let Some(registry) = Registry::start(None) else { return };
    let lab = Lab::new("pull").await;
    let reference = registry.publish(&lab, "app").await;
    assert_eq!(lab.engine.image(&reference).await.unwrap(), None);

    let words = Arc::new(Mutex::new(Vec::new()));
    let heard = words.clone();
    let image = lab.engine.pull(&reference, move |text| heard.lock().unwrap().push(text)).await.unwrap();
    assert!(image.created.is_some(), "{image:?}");
    let words = words.lock().unwrap().clone();
    assert!(words.last().is_some_and(|last| last.starts_with("1 of 1 layers")), "{words:?}");
    assert_eq!(lab.engine.image(&reference).await.unwrap().as_ref(), Some(&image));
    lab.engine.pull(&reference, |_| {}).await.unwrap();

    let [pinned] = image.digests.as_slice() else { panic!("{image:?}") };
    assert!(pinned.contains("@sha256:"));
    let old = Leftover::Image { reference: reference.clone(), last_named: Time(0) };
    lab.engine.collect(&old).await.unwrap();
    lab.engine.collect(&old).await.unwrap();
    assert_eq!(lab.engine.image(&reference).await.unwrap(), None);
    assert_eq!(lab.engine.pull(pinned, |_| {}).await.unwrap().id, image.id);
    lab.owns_image(pinned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_cannot_succeed_is_told_from_one_that_may() {
    let Some(registry) = Registry::start(None) else { return };
    let lab = Lab::new("pullerr").await;
    let reference = registry.publish(&lab, "app").await;
    let absent = format!("{reference}-absent");
    let err = lab.engine.pull(&absent, |_| {}).await.unwrap_err();
    assert!(matches!(&err, EngineError::Pull { passing: false, .. }), "{err}");
    let unknown = reference.replace("/app", "/never-seen");
    let err = lab.engine.pull(&unknown, |_| {}).await.unwrap_err();
    assert!(matches!(&err, EngineError::Pull { passing: false, .. }), "{err}");
    let refused = format!("127.0.0.1:{}/app:1", free_port());
    let err = lab.engine.pull(&refused, |_| {}).await.unwrap_err();
    assert_eq!(err.class(), ErrorClass::Retry, "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_at_the_same_time_gets_what_the_first_one_got() {
    let Some(registry) = Registry::start(None) else { return };
    let lab = Lab::new("flight").await;
    let reference = registry.publish(&lab, "app").await;
    let pulls = (0..5).map(|_| {
        let (engine, reference) = (lab.engine.clone(), reference.clone());
        tokio::spawn(async move {
            let told = Arc::new(Mutex::new(0));
            let count = told.clone();
            engine.pull(&reference, move |_| *count.lock().unwrap() += 1).await.unwrap();
            *told.lock().unwrap() > 0
        })
    });
    let mut pulled = 0;
    for pull in pulls.collect::<Vec<_>>() {
        pulled += i32::from(pull.await.unwrap());
    }
    assert_eq!(pulled, 1, "one asked the registry, four waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_its_registry_only() {
    let Some(open) = Registry::start(None) else { return };
    let Some(closed) = Registry::start(Some(&open)) else { return };
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let config = format!(r#"{{"auths":{{"http://127.0.0.1:{}/v2/":{{"auth":"{basic}"}}}}}}"#, closed.port);
    let auth: RegistryAuth = Arc::new(move || Ok(Some(Secret::new(config.clone()))));
    let lab = Lab::at("auth", lab::endpoint(), auth).await;
    let published = open.publish(&lab, "app").await;
    let reference = published.replace(&open.port.to_string(), &closed.port.to_string());
    lab.owns_image(&reference);
    lab.engine.pull(&reference, |_| {}).await.unwrap();

    let without = lab::engine(&lab.endpoint, &lab.instance, lab::no_auth());
    let err = without.pull(&reference, |_| {}).await.unwrap_err();
    assert!(matches!(&err, EngineError::Pull { passing: false, .. }), "{err}");

    let broken: RegistryAuth = Arc::new(|| Err("the credential registry-auth cannot be read".to_owned()));
    let broken = lab::engine(&lab.endpoint, &lab.instance, broken);
    let err = broken.pull(&reference, |_| {}).await.unwrap_err().to_string();
    assert!(err.contains("registry-auth cannot be read") && !err.contains(PASSWORD), "{err}");
}

/// One registry process with its storage, or one more over another's storage that wants a password.
struct Registry {
    process: Child,
    port: u16,
    dir: Arc<tempfile::TempDir>,
}

impl Registry {
    /// None, said loudly, where the program is missing.
    fn start(over: Option<&Self>) -> Option<Self> {
        if lab::endpoint().contains("podman") {
            println!(
                "SKIPPED: Podman pulls without TLS only from registries that its own configuration names"
            );
            return None;
        }
        let dir = over.map_or_else(|| Arc::new(tempfile::tempdir().unwrap()), |other| other.dir.clone());
        let port = free_port();
        let password = dir.path().join("htpasswd");
        std::fs::write(&password, format!("{HTPASSWD}\n")).unwrap();
        let auth = over.map_or_else(String::new, |_| {
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", password.display())
        });
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{auth}",
            dir.path().join("storage").display()
        );
        let file = dir.path().join(format!("{port}.yml"));
        std::fs::write(&file, config).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(err) => {
                println!("SKIPPED: no registry to pull from; apt-get install docker-registry ({err})");
                return None;
            }
        };
        let registry = Self { process, port, dir };
        registry.wait();
        Some(registry)
    }

    fn wait(&self) {
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
        panic!("the registry does not listen");
    }

    /// Pushes the lab's image and leaves the engine without it.
    async fn publish(&self, lab: &Lab, name: &str) -> String {
        let repo = format!("127.0.0.1:{}/{name}", self.port);
        let reference = format!("{repo}:{}", lab.instance);
        lab.owns_image(&reference);
        let tag = query::TagImageOptionsBuilder::new().repo(&repo).tag(lab.instance.as_str()).build();
        lab.docker.tag_image(&lab.image, Some(tag)).await.unwrap();
        let push = query::PushImageOptionsBuilder::new().tag(lab.instance.as_str()).build();
        let none = bollard::auth::DockerCredentials::default();
        lab.docker.push_image(&repo, Some(push), Some(none)).try_collect::<Vec<_>>().await.unwrap();
        for reference in [&reference, &lab.image] {
            lab.docker.remove_image(reference, None::<query::RemoveImageOptions>, None).await.unwrap();
        }
        reference
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
