//! The inner engine beside a runner.
//!
//! The runner joins the sidecar's network, so that ports which a job's services publish are found at `localhost`, as on
//! GitHub's own machines. Work folder and tools lie under the same paths on both sides, because the inner engine resolves a
//! job container's mounts in the sidecar's file system; for the same reason its socket is at `/var/run/docker.sock` there.

use bollard::models::ContainerCreateBody;
use bollard::models::HostConfig;
use bollard::models::HostConfigCgroupnsModeEnum;

use crate::model::Role;
use crate::model::Time;

use super::HostFacts;
use super::NewRunner;
use super::Privilege;
use super::host;
use super::labels;
use super::names;
use super::names::SlotVolume;

/// The group of the inner engine's socket, which runner and inner engine are both told: the `docker` group's number in the
/// official image. It need not exist by name on either side.
pub(super) const SOCKET_GID: u32 = 123;

/// Prepares the ground for the inner engine and becomes it. The work folder's volume belongs to root when it is new, and
/// the runner's user must be able to write there. The engine gives a container without `--privileged` its control groups
/// read-only, and the inner engine has to make some.
const ENTRY: &str = r#"
chmod 0777 "$1"; shift
if [ -n "${GHRUNNER_REMOUNT:-}" ]; then
    for m in /sys/fs/cgroup /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$m" 2>/dev/null || true; done
fi
exec dockerd-entrypoint.sh "$@"
"#;

/// Waits inside the sidecar until the inner engine answers; ends early only with the sidecar.
pub(in crate::engine) const PROBE: [&str; 3] =
    ["sh", "-c", "until docker -H unix:///var/run/docker.sock version >/dev/null 2>&1; do sleep 0.1; done"];

/// The inner engine's container. Its image takes what `docker.io/library/docker:dind` takes.
pub(in crate::engine) fn sidecar(
    new: &NewRunner,
    facts: &HostFacts,
    now: Time,
    privilege: Privilege,
) -> ContainerCreateBody {
    let spec = &new.plan.spec;
    let work = names::in_home(&spec.work_folder);
    let words = |text: &[&str]| text.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut cmd = words(&["ghrunner-dind", &work, "dockerd", "--host=unix:///var/run/docker.sock"]);
    cmd.push(format!("--group={SOCKET_GID}"));
    // An empty directory of certificates keeps the official image from listening on TCP with TLS.
    let mut env = words(&["DOCKER_TLS_CERTDIR="]);
    if privilege == Privilege::AllButResource {
        env.push("GHRUNNER_REMOUNT=1".to_owned());
    }
    if let Some(proxy) = &spec.proxy {
        env.push(format!("http_proxy={proxy}"));
        env.push(format!("https_proxy={proxy}"));
    }
    if let Some(hosts) = &spec.no_proxy {
        env.push(format!("no_proxy={hosts}"));
    }
    ContainerCreateBody {
        image: Some(spec.dind_image.clone()),
        user: Some("0".to_owned()),
        entrypoint: Some(words(&["sh", "-c", ENTRY])),
        cmd: Some(cmd),
        env: Some(env),
        labels: Some(labels::of_container(new, role(new), now)),
        hostname: Some(names::container(new)),
        host_config: Some(HostConfig { mounts: Some(mounts(new, &work)), ..allowed(new, facts, privilege) }),
        ..Default::default()
    }
}

/// A privileged container of the sidecar's image that ends at once.
pub(in crate::engine) fn trial_of_privileges(new: &NewRunner, now: Time) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(new.plan.spec.dind_image.clone()),
        entrypoint: Some(vec!["true".to_owned()]),
        labels: Some(labels::of_container(new, role(new), now)),
        host_config: Some(HostConfig {
            privileged: Some(true),
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A trial's sidecar is part of the trial: a daemon beside it leaves both alone, and clears both away.
fn role(new: &NewRunner) -> Role {
    if super::is_trial(new) { Role::Canary } else { Role::Dind }
}

fn mounts(new: &NewRunner, work: &str) -> Vec<bollard::models::Mount> {
    vec![
        host::slot_mount(new, SlotVolume::Work, work, false),
        host::slot_mount(new, SlotVolume::Externals, &names::in_home("externals"), false),
        host::slot_mount(new, SlotVolume::Socket, "/var/run", false),
        host::slot_mount(new, SlotVolume::Storage, "/var/lib/docker", false),
    ]
}

fn allowed(new: &NewRunner, facts: &HostFacts, privilege: Privilege) -> HostConfig {
    let words = |text: &[&str]| Some(text.iter().map(|&word| word.to_owned()).collect());
    let common = host::common(new, facts);
    match privilege {
        Privilege::Full => HostConfig { privileged: Some(true), ..common },
        Privilege::AllButResource => HostConfig {
            cap_add: words(&["ALL"]),
            cap_drop: words(&["SYS_RESOURCE"]),
            security_opt: words(&["seccomp=unconfined", "apparmor=unconfined"]),
            // What the client sends for `systempaths=unconfined`: nothing in /proc and /sys is masked or read-only.
            masked_paths: Some(Vec::new()),
            readonly_paths: Some(Vec::new()),
            // So that the remounted control groups are its own alone.
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            ..common
        },
    }
}
