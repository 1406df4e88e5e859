//! A runner for tests to change.

use std::collections::BTreeMap;

use crate::model::CreateRunner;
use crate::model::CredentialName;
use crate::model::DockerMode;
use crate::model::InstanceId;
use crate::model::LogDriver;
use crate::model::NetworkMode;
use crate::model::PoolName;
use crate::model::RegistrationKind;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::RunnerSpec;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::Size;
use crate::model::Slot;
use crate::model::SpecHash;

use super::Admission;
use super::NewRunner;

/// The just-in-time configuration of [`runner`].
pub(super) const JIT: &str = "eyJqaXQiOiJzZWNyZXQifQ==";

/// A just-in-time runner of an organization, with the defaults that the file gives.
pub(super) fn runner() -> NewRunner {
    NewRunner {
        plan: CreateRunner {
            pool: PoolName::parse("build-arm").unwrap(),
            slot: Slot(3),
            name: RunnerName::new("ghrunner-build-arm-3-k7x2p-a1b2c3"),
            scope: Scope::organization("acme").unwrap(),
            credentials: CredentialName::default_name(),
            group: None,
            set: None,
            labels: vec!["self-hosted".to_owned(), "linux".to_owned(), "arm64".to_owned()],
            registration: RegistrationKind::Jit,
            spec: spec(),
            spec_hash: SpecHash::new("5bec0123"),
            reason: "a test".to_owned(),
        },
        instance: InstanceId::new("k7x2p"),
        runner_id: Some(RunnerId(42)),
        admission: Admission::Jit(Secret::new(JIT)),
    }
}

fn spec() -> RunnerSpec {
    RunnerSpec {
        image: "ghcr.io/actions/actions-runner:latest".to_owned(),
        command: None,
        user: None,
        env: BTreeMap::new(),
        work_folder: "_work".to_owned(),
        cpus: 2.0,
        memory: Some(Size(4 << 30)),
        pids: Some(4096),
        disk: None,
        shm_size: None,
        sudo: false,
        privileged: false,
        cap_add: Vec::new(),
        network: NetworkMode::Pool,
        volumes: Vec::new(),
        cgroup_parent: None,
        runtime: None,
        gpus: None,
        extra_hosts: Vec::new(),
        dns: Vec::new(),
        proxy: None,
        no_proxy: None,
        docker: DockerMode::None,
        dind_image: "docker.io/library/docker:dind".to_owned(),
        log_driver: LogDriver::Auto,
    }
}
