//! The plan of a start.

use crate::model::Action;
use crate::model::CreateRunner;
use crate::model::CredentialName;
use crate::model::PoolName;
use crate::model::RegistrationKind;
use crate::model::RunnerName;
use crate::model::RunnerSpec;
use crate::model::Scope;
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
        spec: RunnerSpec::usual(),
        spec_hash: SpecHash::new("s"),
        reason: "a job waits".into(),
    }))
}
