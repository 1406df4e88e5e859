//! A restart of the engine itself, with runners on it. It is an engine of the test's own, in a network namespace of its
//! own, so that nobody else's containers stop.

use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use lab::Fleet;

use crate::bench::Bench;

/// Options of the engine that name a place, and what is there in the engine's own folder.
const PLACES: [(&str, &str); 4] =
    [("--config-file", "config"), ("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")];

/// How long the engine may live, and how long it may take to stop when told, in seconds: a test that is killed leaves
/// none behind, and one whose engine hangs ends.
const LIFE: &str = "600";
const STOP: &str = "--kill-after=40";

/// Settings of the machine's own engine without which another may not run on it.
const KEPT: [&str; 6] = ["storage-driver", "storage-opts", "exec-opts", "mtu", "runtimes", "default-runtime"];

/// Runs a program; an error is what it said.
fn run(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let done =
        Command::new(words[0]).args(&words[1..]).output().map_err(|error| format!("{line}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("{line}: {}", said.trim())) }
}

/// The settings of the machine's own engine that hold here, too.
fn settings() -> serde_json::Value {
    let text = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_default();
    let mut all: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| serde_json::json!({}));
    if let Some(all) = all.as_object_mut() {
        all.retain(|key, _| KEPT.contains(&key.as_str()));
    }
    all
}

/// An engine in a network namespace that is joined to this machine by a pair of interfaces. All of it goes when dropped.
struct PrivateEngine {
    name: String,
    address: String,
    dir: PathBuf,
    process: Option<Child>,
}

impl PrivateEngine {
    /// An error is why there can be none here: no engine is installed, or this process may not make networks.
    async fn new() -> Result<Self, String> {
        run("dockerd --version")?;
        let name = lab::unique("p");
        let pid = std::process::id();
        let net = format!("10.{}.{}", 64 + pid % 128, pid / 128 % 256);
        let (outer, inner) = (format!("{net}.1"), format!("{net}.2"));
        let dir = PathBuf::from(format!("/var/lib/ghrunner-lab-{name}"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config"), settings().to_string()).unwrap();
        let mut engine = Self { name: name.clone(), address: outer.clone(), dir, process: None };
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add v{name} type veth peer name eth0 netns {name}"),
            format!("ip addr add {outer}/24 dev v{name}"),
            format!("ip link set v{name} up"),
            format!("ip -n {name} addr add {inner}/24 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} route add default via {outer}"),
        ] {
            run(&line)?;
        }
        engine.start().await;
        Ok(engine)
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    async fn start(&mut self) {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.path("log")).unwrap();
        let mut program = Command::new("timeout");
        program.args(["--foreground", STOP, LIFE, "nsenter"]);
        program.arg(format!("--net=/var/run/netns/{}", self.name)).arg("dockerd");
        for (option, name) in PLACES {
            program.arg(option).arg(self.path(name));
        }
        // The machine's engine may share its containerd with whoever comes.
        program.arg("--containerd-namespace").arg(&self.name);
        program.arg("--containerd-plugins-namespace").arg(format!("{}-plugins", self.name));
        program.arg("-H").arg(format!("unix://{}", self.path("sock")));
        program.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        self.process = Some(program.spawn().unwrap());
        let up = lab::until("the engine is up", lab::secs(30), async || {
            bollard::Docker::connect_with_unix(&self.path("sock"), 5, bollard::API_DEFAULT_VERSION)
                .ok()?
                .negotiate_version()
                .await
                .ok()
        });
        if let Err(error) = up.await {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            panic!("{error}\n{}", crate::bench::tail(&log, 20));
        }
    }

    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = process.wait();
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        self.stop();
        for line in [format!("ip link del v{}", self.name), format!("ip netns del {}", self.name)] {
            let _ = run(&line);
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

mod slow {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_restart_of_the_engine_ended_runners_are_replaced_and_none_is_left_over() {
        let mut engine = match PrivateEngine::new().await {
            Ok(engine) => engine,
            Err(why) => {
                println!("SKIPPED: no engine of the test's own can be had: {why}");
                return;
            }
        };
        let socket = engine.path("sock");
        let fleet = Fleet::at(&lab::unique("e"), &socket).await.unwrap();
        let mut state = crate::bench::state();
        state.settings.lost_after = lab::secs(2);
        let mut bench = Bench::at("engine_restart", state, fleet, &socket, &engine.address).await;
        bench.start("[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmin = 3\n").await;
        bench.idle("a", 3).await;
        let before = bench.fleet.ids().await.unwrap();
        engine.stop();
        bench.wait("the engine's silence shows", |s| s.engine_error.is_some()).await;
        engine.start().await;
        bench.wait("the engine is back", |s| s.engine_error.is_none()).await;
        bench.idle("a", 3).await;
        bench.paired().await;
        let after = bench.fleet.ids().await.unwrap();
        assert!(
            after.iter().all(|id| !before.contains(id)),
            "the engine stopped the old ones, none runs twice"
        );
        let job = bench.busy("acme/app", "a", 1).await;
        assert_eq!(bench.outcome(job).await, "success");
        bench.idle("a", 3).await;
        bench.empty().await;
        bench.finish().await;
    }
}
