//! The plan of a start.

use std::collections::BTreeMap;

use crate::model::Action;
use crate::model::CreateRunner;
use crate::model::CredentialName;
use crate::model::DockerMode;
use crate::model::LogDriver;
use crate::model::NetworkMode;
use crate::model::PoolName;
use crate::model::RegistrationKind;
use crate::model::RunnerName;
use crate::model::RunnerSpec;
use crate::model::Scope;
use crate::model::Size;
use crate::model::Slot;
use crate::model::SpecHash;

pub(super) fn creation(runner: &str) -> Action {
    Action::Create(Box::new(CreateRunner {
        pool: PoolName::parse("build").unwrap(),
        slot: Slot(0),
        name: RunnerName::new(runner),
        scope: Scope::organization("acme").unwrap(),
        credentials: CredentialName::default_name(),
        group: None,
        set: None,
        labels: Vec::new(),
        registration: RegistrationKind::Jit,
        spec: spec(),
        spec_hash: SpecHash::new("s"),
        reason: "a job waits".into(),
    }))
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
