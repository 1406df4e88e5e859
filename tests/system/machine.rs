//! A Debian machine: booted in a container, with systemd as its first process and an engine of its own.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
/// Where the machine finds the packages, and newer ones.
const PACKAGES: &str = "/srv/packages";
const NEWER: &str = "/srv/newer";

/// Long enough for whatever systemd, apt or the daemon should do soon on a machine with much to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    /// Both of its outputs, as a terminal shows them.
    pub(crate) said: String,
}

/// A booted machine. It and all that it holds goes when dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    name: String,
}

impl Machine {
    /// Boots one, with two folders of packages that `scripts/release.sh` made, and waits until it is up.
    pub(crate) async fn boot(packages: &Path, newer: &Path) -> Self {
        let image = image();
        let name = format!("ghrunner-system-{}", lab::unique("s"));
        let mut docker = Command::new("docker");
        docker.args(["run", "--detach", "--name", &name, "--hostname", &name, "--stop-signal", "SIGRTMIN+3"]);
        // All of what `--privileged` gives but one capability, which an engine in a container may itself lack.
        docker.args(["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--cgroupns", "private"]);
        for option in ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"] {
            docker.args(["--security-opt", option]);
        }
        docker.args(["--device", "/dev/fuse", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"]);
        docker.args(["--volume", "/var/lib/docker"]);
        for (folder, place) in [(packages, PACKAGES), (newer, NEWER)] {
            docker.arg("--volume").arg(format!("{}:{place}:ro", folder.display()));
        }
        said(docker.arg(image).output());
        let machine = Self { name };
        machine.until("the machine is up", "systemctl is-system-running | grep -Ex 'running|degraded'").await;
        machine
    }

    /// Its address, as seen from this machine.
    pub(crate) fn address(&self) -> String {
        let format = "{{.NetworkSettings.Networks.bridge.IPAddress}}";
        said(Command::new("docker").args(["inspect", "--format", format, &self.name]).output())
            .trim()
            .to_owned()
    }

    /// Runs a script of bash's as root, which has to succeed; gives what it printed.
    pub(crate) fn sh(&self, script: &str) -> String {
        let done = self.attempt(script);
        assert_eq!(done.code, 0, "{script}\n{}\n{}", done.said, self.told());
        done.said
    }

    /// Runs a script of bash's as root.
    pub(crate) fn attempt(&self, script: &str) -> Done {
        let mut docker = Command::new("docker");
        // As in a login of root: apt and man ask for these.
        docker.args(["exec", "--env", "DEBIAN_FRONTEND=noninteractive", "--env", "COLUMNS=110", &self.name]);
        let script = format!("exec 2>&1; {script}");
        let output =
            docker.args(["bash", "-o", "pipefail", "-c", &script]).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Done { code: output.status.code().unwrap_or(-1), said }
    }

    /// Repeats a script until it succeeds; gives what it printed then.
    pub(crate) async fn until(&self, what: &str, script: &str) -> String {
        let found = lab::until(what, SOON, async || {
            let done = self.attempt(script);
            (done.code == 0).then_some(done.said)
        });
        found.await.unwrap_or_else(|error| {
            panic!("{error}\n{script}\n{}\n{}", self.attempt(script).said, self.told())
        })
    }

    /// Writes a file as an editor does: beside it, then renamed over it.
    pub(crate) fn write(&self, path: &str, mode: &str, text: &str) {
        let script = format!("cat >'{path}~' && chmod {mode} '{path}~' && mv '{path}~' '{path}'");
        let mut docker = Command::new("docker");
        docker.args(["exec", "--interactive", &self.name, "sh", "-c", &script]).stdin(Stdio::piped());
        let mut child = docker.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "cannot write {path}");
    }

    /// Gives its engine an image, as a tar archive for `docker load`.
    pub(crate) fn load(&self, archive: &[u8]) {
        let mut docker = Command::new("docker");
        docker.args(["exec", "--interactive", &self.name, "docker", "load", "--quiet"]).stdin(Stdio::piped());
        let mut child = docker.stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(archive).unwrap();
        assert!(child.wait().unwrap().success(), "the machine's engine refuses the image");
    }

    /// A property of the service, as `systemctl show` prints it.
    pub(crate) fn property(&self, name: &str) -> String {
        self.sh(&format!("systemctl show -P {name} ghrunner.service")).trim().to_owned()
    }

    /// The end of what the service and its manager told, for a test that fails.
    pub(crate) fn told(&self) -> String {
        let asked = "systemctl status --no-pager --lines=0 ghrunner; journalctl --no-pager -o short-precise -n 60 -u ghrunner; journalctl --no-pager -n 10 -p warning -u docker";
        self.attempt(asked).said
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

/// The image that machines boot, built once from Debian's packages.
fn image() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/systemd.sh");
    said(Command::new("sh").arg(script).output()).trim().to_owned()
}

/// What a command printed that has to succeed.
fn said(output: std::io::Result<Output>) -> String {
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
