//! A runner for tests to change.

use crate::model::CreateRunner;
use crate::model::CredentialName;
use crate::model::InstanceId;
use crate::model::PoolName;
use crate::model::RegistrationKind;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::RunnerSpec;
use crate::model::Scope;
use crate::model::Secret;
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
            spec: RunnerSpec::usual(),
            spec_hash: SpecHash::new("5bec0123"),
            reason: "a test".to_owned(),
        },
        instance: InstanceId::new("k7x2p"),
        runner_id: Some(RunnerId(42)),
        admission: Admission::Jit(Secret::new(JIT)),
    }
}
