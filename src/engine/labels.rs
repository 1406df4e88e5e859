//! The labels on everything of ours: the one place that writes and reads them.
//!
//! They are the truth of who made a thing and what for; a restart of ghrunner adopts by them. A thing whose labels do
//! not parse is nobody's here: it is neither shown nor touched.

use std::collections::HashMap;

use crate::model::ContainerId;
use crate::model::CredentialName;
use crate::model::InstanceId;
use crate::model::PoolName;
use crate::model::Role;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::SpecHash;
use crate::model::Time;

use super::NewRunner;

/// Which installation of ghrunner made it.
pub(super) const INSTANCE: &str = "io.ghrunner.instance";
/// The pool it was made for.
pub(super) const POOL: &str = "io.ghrunner.pool";
/// The place in the pool.
pub(super) const SLOT: &str = "io.ghrunner.slot";
/// The runner's name at GitHub.
pub(super) const RUNNER: &str = "io.ghrunner.runner";
/// On a slot's volumes and sidecar: the name of the runner's container.
pub(super) const FOR: &str = "io.ghrunner.for";
const RUNNER_ID: &str = "io.ghrunner.runner-id";
const SCOPE: &str = "io.ghrunner.scope";
const CREDENTIALS: &str = "io.ghrunner.credentials";
const SPEC: &str = "io.ghrunner.spec";
const ROLE: &str = "io.ghrunner.role";
const CREATED: &str = "io.ghrunner.created";

/// The labels that a log driver takes along, so that a line in the journal tells whose it is.
pub(super) const IN_LOGS: &str = "io.ghrunner.pool,io.ghrunner.runner,io.ghrunner.role,io.ghrunner.scope";

/// What the labels of a container say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) role: Role,
    pub(super) pool: PoolName,
    pub(super) slot: Slot,
    pub(super) runner_name: RunnerName,
    pub(super) runner_id: Option<RunnerId>,
    pub(super) scope: Scope,
    pub(super) credentials: CredentialName,
    pub(super) spec_hash: SpecHash,
    pub(super) created: Option<Time>,
}

/// The filter value that only this instance's things pass.
pub(super) fn mine(instance: &InstanceId) -> String {
    format!("{INSTANCE}={instance}")
}

/// The labels of a container in `role`.
pub(super) fn of_container(new: &NewRunner, role: Role, now: Time) -> HashMap<String, String> {
    let plan = &new.plan;
    let mut labels = of_slot(new);
    let mut put = |key: &str, value: String| labels.insert(key.to_owned(), value);
    if let Some(id) = new.runner_id {
        put(RUNNER_ID, id.to_string());
    }
    put(SCOPE, plan.scope.to_string());
    put(CREDENTIALS, plan.credentials.to_string());
    put(SPEC, plan.spec_hash.to_string());
    put(ROLE, role_word(role).to_owned());
    put(CREATED, now.0.to_string());
    labels
}

/// The labels of a volume that belongs to one runner.
pub(super) fn of_slot(new: &NewRunner) -> HashMap<String, String> {
    let plan = &new.plan;
    HashMap::from([
        (INSTANCE.to_owned(), new.instance.to_string()),
        (POOL.to_owned(), plan.pool.to_string()),
        (SLOT.to_owned(), plan.slot.to_string()),
        (RUNNER.to_owned(), plan.name.to_string()),
        (FOR.to_owned(), super::names::container(new)),
    ])
}

/// The labels of a pool's network.
pub(super) fn of_network(instance: &InstanceId, pool: &PoolName) -> HashMap<String, String> {
    HashMap::from([(INSTANCE.to_owned(), instance.to_string()), (POOL.to_owned(), pool.to_string())])
}

/// Reads a container's labels back.
///
/// # Errors
/// Says which label is missing or makes no sense.
pub(super) fn read(labels: &HashMap<String, String>) -> Result<Marks, String> {
    let get = |key: &str| labels.get(key).map(String::as_str).ok_or_else(|| format!("it has no label {key}"));
    let wrong = |key: &str, text: &str| format!("its label {key} holds {text:?}");
    let number = |key: &str, text: &str| text.parse::<u64>().map_err(|_| wrong(key, text));
    let slot = number(SLOT, get(SLOT)?)?;
    Ok(Marks {
        role: role_of(get(ROLE)?).ok_or_else(|| wrong(ROLE, get(ROLE).unwrap_or_default()))?,
        pool: PoolName::parse(get(POOL)?).map_err(|e| e.to_string())?,
        slot: Slot(u32::try_from(slot).map_err(|_| wrong(SLOT, &slot.to_string()))?),
        runner_name: RunnerName::new(get(RUNNER)?),
        runner_id: match labels.get(RUNNER_ID) {
            Some(text) => Some(RunnerId(number(RUNNER_ID, text)?)),
            None => None,
        },
        scope: get(SCOPE)?.parse().map_err(|e: crate::model::InvalidScope| e.to_string())?,
        credentials: CredentialName::new(get(CREDENTIALS)?),
        spec_hash: SpecHash::new(get(SPEC)?),
        created: labels.get(CREATED).and_then(|text| text.parse().ok()).map(Time),
    })
}

/// Whether the labels are those of this instance.
pub(super) fn are_mine(labels: &HashMap<String, String>, instance: &InstanceId) -> bool {
    labels.get(INSTANCE).is_some_and(|text| text == instance.as_str())
}

/// Whether the labels are all of `wanted` (`key=value`). Filters are checked again here: of several labels, Podman takes one
/// to be enough for a volume.
pub(super) fn are_all(labels: &HashMap<String, String>, wanted: &[String]) -> bool {
    wanted.iter().all(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        labels.get(key).is_some_and(|text| text == value)
    })
}

/// Whether they are a sidecar's.
pub(super) fn is_sidecar(labels: &HashMap<String, String>) -> bool {
    labels.get(ROLE).is_some_and(|text| text == role_word(Role::Dind))
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Runner => "runner",
        Role::Dind => "dind",
        Role::Canary => "canary",
    }
}

fn role_of(word: &str) -> Option<Role> {
    [Role::Runner, Role::Dind, Role::Canary].into_iter().find(|role| role_word(*role) == word)
}

/// Keeps a warning from being repeated with every listing.
#[derive(Debug, Default)]
pub(super) struct Unreadable(std::sync::Mutex<std::collections::HashSet<ContainerId>>);

impl Unreadable {
    /// Says once for each container that its labels cannot be read.
    pub(super) fn say_once(&self, id: &ContainerId, name: &str, why: &str) {
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.insert(id.clone()) {
            tracing::warn!(
                container = name,
                why,
                "ignoring a container with labels of ours that cannot be read"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture;

    #[test]
    fn labels_say_all_that_adoption_needs() {
        let new = fixture::runner();
        let labels = of_container(&new, Role::Runner, Time(1_700_000_000_123));
        let marks = read(&labels).unwrap();
        assert_eq!(marks.role, Role::Runner);
        assert_eq!(marks.pool, new.plan.pool);
        assert_eq!(marks.slot, new.plan.slot);
        assert_eq!(marks.runner_name, new.plan.name);
        assert_eq!(marks.runner_id, new.runner_id);
        assert_eq!(marks.scope, new.plan.scope);
        assert_eq!(marks.credentials, new.plan.credentials);
        assert_eq!(marks.spec_hash, new.plan.spec_hash);
        assert_eq!(marks.created, Some(Time(1_700_000_000_123)));
        assert!(are_mine(&labels, &new.instance));
        assert!(!are_mine(&labels, &InstanceId::new("other")));
        let pair = |key: &str, value: &str| format!("{key}={value}");
        assert!(are_all(&labels, &[mine(&new.instance), pair(FOR, "ghrunner-build-arm-3")]));
        assert!(!are_all(&labels, &[mine(&new.instance), pair(FOR, "ghrunner-build-arm-4")]));
    }

    #[test]
    fn labels_that_make_no_sense_are_nobodys() {
        let good = of_container(&fixture::runner(), Role::Dind, Time(1));
        for (key, value) in [
            (SLOT, "minus one"),
            (SLOT, "99999999999"),
            (ROLE, "king"),
            (SCOPE, "acme"),
            (POOL, "Not A Pool"),
            (RUNNER_ID, "x"),
        ] {
            let mut bad = good.clone();
            bad.insert(key.to_owned(), value.to_owned());
            assert!(read(&bad).is_err(), "{key}={value}");
        }
        for key in [SLOT, ROLE, SCOPE, POOL, RUNNER, SPEC, CREDENTIALS] {
            let mut bad = good.clone();
            bad.remove(key);
            assert!(read(&bad).unwrap_err().contains(key), "{key}");
        }
        let mut without_id = good;
        without_id.remove(RUNNER_ID);
        assert_eq!(read(&without_id).unwrap().runner_id, None);
    }

    #[test]
    fn no_label_holds_a_registration() {
        let new = fixture::runner();
        let all = format!("{:?}", of_container(&new, Role::Runner, Time(1)));
        assert!(!all.contains(fixture::JIT));
    }

    fn keys() -> [&'static str; 11] {
        [INSTANCE, POOL, SLOT, RUNNER, FOR, RUNNER_ID, SCOPE, CREDENTIALS, SPEC, ROLE, CREATED]
    }

    proptest::proptest! {
        /// Whatever somebody wrote there: it is read or refused, and what is read is what is written.
        #[test]
        fn labels_of_any_text_are_read_or_refused(
            texts in proptest::collection::vec(proptest::option::of(".{0,40}|[a-z0-9/-]{0,12}|[0-9]{0,22}"), 11),
        ) {
            let mut labels = of_container(&fixture::runner(), Role::Runner, Time(1));
            for (key, text) in keys().into_iter().zip(texts) {
                if let Some(text) = text {
                    labels.insert(key.to_owned(), text);
                }
            }
            if let Ok(marks) = read(&labels) {
                proptest::prop_assert_eq!(marks.pool.as_str(), &labels[POOL]);
                proptest::prop_assert_eq!(marks.scope.to_string(), labels[SCOPE].clone());
                proptest::prop_assert_eq!(u64::from(marks.slot.0), labels[SLOT].parse::<u64>().unwrap());
                proptest::prop_assert_eq!(role_word(marks.role), &labels[ROLE]);
            }
        }
    }
}
