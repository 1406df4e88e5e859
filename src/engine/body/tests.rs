//! Bodies as the engine gets them, beside the files in `golden/`; `UPDATE_GOLDEN=1` writes these anew.

use std::path::PathBuf;

use bollard::models::ContainerCreateBody;

use super::HostFacts;
use super::HostSocket;
use super::Privilege;
use super::runner;
use super::sidecar;
use crate::engine::Admission;
use crate::engine::NewRunner;
use crate::engine::fixture;
use crate::model::Capability;
use crate::model::DockerMode;
use crate::model::Gpus;
use crate::model::GroupName;
use crate::model::LogDriver;
use crate::model::NetworkMode;
use crate::model::RegistrationKind;
use crate::model::Secret;
use crate::model::Size;
use crate::model::Time;
use crate::model::VolumeMount;

const NOW: Time = Time(1_700_000_000_123);

/// A host with systemd, a journal and storage that can limit disks.
fn systemd_host() -> HostFacts {
    HostFacts {
        systemd_cgroups: true,
        disk_limit: true,
        journal: true,
        default_log_driver: "json-file".to_owned(),
        socket: Some(HostSocket { path: "/run/docker.sock".to_owned(), gid: Some(105) }),
    }
}

/// One with neither.
fn plain_host() -> HostFacts {
    HostFacts { default_log_driver: "json-file".to_owned(), ..HostFacts::default() }
}

fn matches(name: &str, body: &ContainerCreateBody) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/engine/body/golden").join(format!("{name}.json"));
    let now = serde_json::to_value(body).unwrap();
    let text =
        serde_json::to_string_pretty(&now).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} differs; look at it with UPDATE_GOLDEN=1\n{text}", path.display());
}

fn with(change: impl FnOnce(&mut NewRunner)) -> NewRunner {
    let mut new = fixture::runner();
    change(&mut new);
    new
}

#[test]
fn a_runner_by_default() {
    matches("default", &runner(&fixture::runner(), &systemd_host(), NOW));
    matches("default-plain-host", &runner(&fixture::runner(), &plain_host(), NOW));
}

#[test]
fn a_runner_with_everything() {
    let new = with(|new| {
        let spec = &mut new.plan.spec;
        spec.command = Some(vec!["/opt/start".to_owned(), "--fast".to_owned()]);
        spec.user = Some("1001:1001".to_owned());
        spec.env.insert("http_proxy".to_owned(), "http://mine:1".to_owned());
        spec.env.insert("ACTIONS_RUNNER_INPUT_JITCONFIG".to_owned(), "not this one".to_owned());
        spec.cpus = 1.5;
        spec.disk = Some(Size(20 << 30));
        spec.shm_size = Some(Size(1 << 30));
        spec.sudo = true;
        spec.cap_add = vec![Capability("SYS_PTRACE".to_owned()), Capability("CHOWN".to_owned())];
        spec.network = NetworkMode::Named("corp".to_owned());
        spec.volumes = vec![
            VolumeMount { source: "/srv/cache".to_owned(), target: "/cache".to_owned(), read_only: true },
            VolumeMount { source: "tools".to_owned(), target: "/opt/tools".to_owned(), read_only: false },
        ];
        spec.cgroup_parent = Some("mine.slice".to_owned());
        spec.runtime = Some("runsc".to_owned());
        spec.gpus = Some(Gpus::Devices(vec!["0".to_owned()]));
        spec.extra_hosts = vec!["mirror:10.0.0.1".to_owned()];
        spec.dns = vec!["10.0.0.53".to_owned()];
        spec.proxy = Some("http://proxy:3128".to_owned());
        spec.no_proxy = Some("localhost,.corp".to_owned());
        spec.log_driver = LogDriver::Named("local".to_owned());
    });
    matches("everything", &runner(&new, &systemd_host(), NOW));
}

#[test]
fn a_runner_that_registers_itself() {
    let token = |url: &str| Admission::Token { token: Secret::new("AAAA"), url: url.to_owned() };
    let org = with(|new| {
        new.plan.registration = RegistrationKind::Token;
        new.plan.group = Some(GroupName::new("ci"));
        new.runner_id = None;
        new.admission = token("https://github.com");
    });
    matches("token-organization", &runner(&org, &plain_host(), NOW));
    let repo = with(|new| {
        new.plan.scope = "repos/acme/app".parse().unwrap();
        new.admission = token("https://github.example.com/");
    });
    matches("token-repository", &runner(&repo, &plain_host(), NOW));
}

#[test]
fn a_runner_with_an_engine() {
    let dind = with(|new| {
        new.plan.spec.docker = DockerMode::Dind;
        new.plan.spec.dns = vec!["10.0.0.53".to_owned()];
        new.plan.spec.proxy = Some("http://proxy:3128".to_owned());
    });
    matches("dind-runner", &runner(&dind, &systemd_host(), NOW));
    matches("dind-sidecar", &sidecar(&dind, &systemd_host(), NOW, Privilege::Full));
    matches("dind-sidecar-without-resource", &sidecar(&dind, &plain_host(), NOW, Privilege::AllButResource));
    let socket = with(|new| new.plan.spec.docker = DockerMode::Socket);
    matches("socket", &runner(&socket, &systemd_host(), NOW));
}

#[test]
fn a_privileged_runner_in_the_hosts_network() {
    let new = with(|new| {
        new.plan.spec.privileged = true;
        new.plan.spec.network = NetworkMode::Host;
        new.plan.spec.gpus = Some(Gpus::All);
        new.plan.spec.cpus = 0.0;
        new.plan.spec.memory = None;
        new.plan.spec.pids = None;
    });
    matches("privileged", &runner(&new, &plain_host(), NOW));
}

#[test]
fn a_trial_of_the_image_registers_nothing() {
    let new = with(|new| {
        new.admission = Admission::Nothing;
        new.runner_id = None;
    });
    let body = runner(&new, &plain_host(), NOW);
    assert!(!serde_json::to_string(&body).unwrap().contains(fixture::JIT));
    matches("canary", &body);
}

#[test]
fn a_trial_runs_the_command_it_is_given() {
    let new = with(|new| {
        new.admission = Admission::Nothing;
        new.plan.spec.command = Some(vec!["sh".to_owned(), "-c".to_owned(), "id".to_owned()]);
    });
    let body = runner(&new, &plain_host(), NOW);
    assert_eq!(body.entrypoint, Some(vec!["sh".to_owned()]));
    assert_eq!(body.cmd, Some(vec!["-c".to_owned(), "id".to_owned()]));
}

#[test]
fn a_trials_inner_engine_is_part_of_the_trial() {
    let new = with(|new| {
        new.admission = Admission::Nothing;
        new.plan.spec.docker = DockerMode::Dind;
    });
    let beside = sidecar(&new, &plain_host(), NOW, Privilege::Full);
    let role = |body: &ContainerCreateBody| body.labels.as_ref().unwrap()["io.ghrunner.role"].clone();
    assert_eq!(role(&beside), "canary");
    let network = runner(&new, &plain_host(), NOW).host_config.unwrap().network_mode.unwrap();
    assert_eq!(network, "container:ghrunner-build-arm-3-canary-dind");
}

#[test]
fn a_registration_is_in_one_place_only() {
    let body = serde_json::to_string(&runner(&fixture::runner(), &systemd_host(), NOW)).unwrap();
    assert_eq!(body.matches(fixture::JIT).count(), 1);
    assert!(body.contains(&format!("\"ACTIONS_RUNNER_INPUT_JITCONFIG={}\"", fixture::JIT)));
}
