//! Containers and registrations of one name in one scope are one runner.

use std::collections::BTreeMap;

use crate::model::Container;
use crate::model::CredentialName;
use crate::model::InstanceId;
use crate::model::Registration;
use crate::model::RegistrationView;
use crate::model::Role;
use crate::model::Runner;
use crate::model::RunnerName;
use crate::model::Scope;

/// Runners, and the containers beside them.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Sighting {
    /// Runners: containers with their registrations, and registrations of ours without a container.
    pub runners: Vec<Runner>,
    /// Sidecars and canaries.
    pub companions: Vec<Container>,
}

/// Joins what the engine listed with what GitHub listed. `speaks` names the credentials with which each scope was
/// listed. Registrations that another installation made are nobody's business here.
pub fn join(
    instance: &InstanceId,
    containers: Vec<Container>,
    views: &BTreeMap<Scope, RegistrationView>,
    speaks: &BTreeMap<Scope, CredentialName>,
) -> Sighting {
    let mut listed: BTreeMap<&Scope, BTreeMap<&RunnerName, &Registration>> =
        views.iter().map(|(scope, view)| (scope, view.ours.iter().map(|r| (&r.name, r)).collect())).collect();
    let (runners, companions): (Vec<_>, Vec<_>) =
        containers.into_iter().partition(|c| c.role == Role::Runner);
    let mut runners: Vec<Runner> = runners
        .into_iter()
        .map(|container| {
            let registration = listed
                .get_mut(&container.scope)
                .and_then(|of_scope| of_scope.remove(&container.runner_name))
                .cloned();
            Runner {
                pool: container.pool.clone(),
                slot: container.slot,
                name: container.runner_name.clone(),
                scope: container.scope.clone(),
                credentials: container.credentials.clone(),
                container: Some(container),
                registration,
            }
        })
        .collect();
    let alone =
        listed.into_iter().flat_map(|(scope, of_scope)| of_scope.into_values().map(move |r| (scope, r)));
    runners.extend(alone.filter_map(|(scope, registration)| {
        let name = registration.name.clone();
        let (pool, slot) = name.made_by(instance)?;
        let credentials = speaks.get(scope)?.clone();
        let registration = Some(registration.clone());
        Some(Runner { pool, slot, name, scope: scope.clone(), credentials, container: None, registration })
    }));
    Sighting { runners, companions }
}
