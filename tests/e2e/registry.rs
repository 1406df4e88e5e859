//! Images that the daemon pulls from a real registry (Debian's `docker-registry`), open and behind a password.

use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use bollard::auth::DockerCredentials;
use bollard::query_parameters as query;
use futures_util::TryStreamExt;

use crate::bench::Bench;

const USER: &str = "octo";
const PASSWORD: &str = "correcthorse";
/// `htpasswd -Bbn -C 5 octo correcthorse`.
const HTPASSWD: &str = "octo:$2y$05$qaSJo.qPsKRzKUP/RANVtOnLUnNjq3CPYh.x/lm5z1GdnyYonNpz.";

/// A registry process with its storage.
struct Registry {
    process: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// None, said loudly, where the program is missing.
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (password, storage) = (dir.path().join("htpasswd"), dir.path().join("storage"));
        std::fs::write(&password, format!("{HTPASSWD}\n")).unwrap();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n\
             auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            storage.display(),
            password.display()
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut program = Command::new("docker-registry");
        let started = program.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(process) = started else {
            println!("SKIPPED: no registry to pull from; apt-get install docker-registry");
            return None;
        };
        let registry = Self { process, port, _dir: dir };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
        panic!("the registry does not listen");
    }

    /// Pushes the bench's image and leaves the engine without it; gives its name there.
    async fn publish(&self, bench: &Bench) -> String {
        let docker = bench.fleet.docker();
        let (repo, tag) = (format!("127.0.0.1:{}/app", self.port), bench.fleet.instance());
        let reference = format!("{repo}:{tag}");
        bench.fleet.owns_image(&reference);
        let to = query::TagImageOptionsBuilder::new().repo(&repo).tag(tag).build();
        docker.tag_image(&bench.image, Some(to)).await.unwrap();
        let push = query::PushImageOptionsBuilder::new().tag(tag).build();
        let login = DockerCredentials {
            username: Some(USER.to_owned()),
            password: Some(PASSWORD.to_owned()),
            ..DockerCredentials::default()
        };
        docker.push_image(&repo, Some(push), Some(login)).try_collect::<Vec<_>>().await.unwrap();
        for reference in [&reference, &bench.image] {
            docker.remove_image(reference, None::<query::RemoveImageOptions>, None).await.unwrap();
        }
        reference
    }

    fn login(&self, password: &str) -> String {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        format!(r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"{basic}"}}}}}}"#, self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_behind_a_password_is_pulled_once_the_password_is_right() {
    let Some(registry) = Registry::start() else { return };
    let mut bench = Bench::new("registry").await;
    let reference = registry.publish(&bench).await;
    bench.daemon.secret("login", &registry.login("canary-wrong")).unwrap();
    let pool = |image: &str, pull: &str| {
        format!(
            "[pools.a-{{P}}]\norg = \"acme\"\nlabels = [\"a-{{P}}\"]\nimage = \"{image}\"\npull = \"{pull}\"\n"
        )
    };
    bench.auth = format!("registry_auth = {{ file = \"{}\" }}", bench.daemon.path("login").display());
    bench.start(&pool(&reference, "always")).await;
    let told = bench
        .wait("the refusal shows", |s| {
            s.pools.iter().flat_map(|p| &p.held).any(|h| h.why == "image" && h.text.contains("unauthorized"))
        })
        .await;
    let words = format!("{:?}", told.pools[0].held);
    assert!(words.contains(&reference), "{words}");
    assert!(!bench.daemon.log().contains("canary-wrong"));
    assert_eq!(bench.sim.counters().registrations, 0, "what has no image is not registered");

    bench.daemon.secret("login", &registry.login(PASSWORD)).unwrap();
    assert_eq!(bench.cli(&["reload"]).await.0, 0);
    bench.idle("a", 1).await;

    let digests = bench.fleet.docker().inspect_image(&reference).await.unwrap().repo_digests.unwrap();
    bench.fleet.owns_image(&digests[0]);
    bench.configure(&pool(&digests[0], "missing"));
    bench
        .sim_until("a runner of the pinned image", |s| s.counters.registrations == 2 && s.runners.len() == 1)
        .await;
    bench.idle("a", 1).await;
    bench.empty().await;
    bench.finish().await;
}
