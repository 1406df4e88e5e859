//! Which scale sets there have to be, from what has to be listened to.

use std::collections::BTreeMap;

use crate::github::SetSpec;
use crate::model::CredentialName;
use crate::model::Demand;
use crate::model::GroupName;
use crate::model::PoolName;
use crate::model::Scope;
use crate::model::Wanted;

/// A pool in one of its scopes: there it has one scale set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) pool: PoolName,
    pub(super) scope: Scope,
}

/// What makes a scale set another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) credentials: CredentialName,
    pub(super) name: String,
    pub(super) group: Option<GroupName>,
}

/// What a scale set should be at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) identity: Identity,
    pub(super) labels: Vec<String>,
    pub(super) capacity: u32,
}

impl Target {
    /// The set as the service is asked for it. Jobs reach it by its name, as by a label.
    pub(super) fn spec(&self) -> SetSpec {
        let Identity { name, group, .. } = &self.identity;
        let mut labels = vec![name.clone()];
        for label in &self.labels {
            if !labels.iter().any(|l| l.eq_ignore_ascii_case(label)) {
                labels.push(label.clone());
            }
        }
        SetSpec { name: name.clone(), group: group.clone(), labels }
    }
}

/// The scale sets that there have to be.
pub(super) fn targets(wanted: &Wanted) -> BTreeMap<Key, Target> {
    let mut targets = BTreeMap::new();
    for (pool, want) in wanted.pools.iter().filter(|(_, want)| want.demand == Demand::ScaleSet) {
        let identity = Identity {
            credentials: want.credentials.clone(),
            name: want.set.clone().unwrap_or_else(|| pool.to_string()),
            group: want.group.clone(),
        };
        for (scope, capacity) in &want.capacity {
            // A repository has no groups.
            let group = identity.group.clone().filter(|_| !matches!(scope, Scope::Repository(_)));
            let identity = Identity { group, ..identity.clone() };
            let target = Target { identity, labels: want.labels.clone(), capacity: *capacity };
            targets.insert(Key { pool: pool.clone(), scope: scope.clone() }, target);
        }
    }
    targets
}

/// Whether nobody can say yet that a set is not wanted: its pool has scale sets, and no place for them is known. So it is
/// after a start, before GitHub has told which repositories a runner group admits.
pub(super) fn may_be_wanted(wanted: &Wanted, key: &Key) -> bool {
    let pool = wanted.pools.get(&key.pool);
    pool.is_some_and(|want| want.demand == Demand::ScaleSet && want.capacity.is_empty())
}

/// Whether a wait for messages has to be broken off for a change: what it said of our room is too much, or was nothing.
pub(super) fn interrupts(now: &Target, next: Option<&Target>) -> bool {
    let Some(next) = next else { return true };
    let less = next.capacity < now.capacity || now.capacity == 0 && next.capacity > 0;
    less || next.identity != now.identity || next.labels != now.labels
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::WantedPool;

    pub(in super::super) fn want(capacity: &[(&str, u32)]) -> WantedPool {
        WantedPool {
            demand: Demand::ScaleSet,
            credentials: CredentialName::default_name(),
            repos: vec![],
            accounts: vec![],
            active_within: Duration::ZERO,
            group: Some(GroupName::new("ci")),
            labels: vec!["self-hosted".into(), "BUILD".into(), "linux".into()],
            set: None,
            capacity: capacity.iter().map(|(scope, n)| (scope.parse().unwrap(), *n)).collect(),
            nudge: 0,
        }
    }

    pub(in super::super) fn wanted(pools: &[(&str, WantedPool)]) -> Wanted {
        let named = |(name, want): &(&str, WantedPool)| (PoolName::parse(name).unwrap(), want.clone());
        Wanted { pools: pools.iter().map(named).collect() }
    }

    #[test]
    fn each_scope_of_a_pool_has_a_set_of_its_name() {
        let polled = WantedPool { demand: Demand::Poll, ..want(&[("orgs/acme", 3)]) };
        let named = WantedPool { set: Some("GPU".into()), ..want(&[("orgs/acme", 1)]) };
        let all = targets(&wanted(&[
            ("build", want(&[("orgs/acme", 3), ("repos/acme/app", 2)])),
            ("gpu", named),
            ("other", polled),
        ]));
        let shown: Vec<_> = all
            .iter()
            .map(|(key, target)| {
                let group = target.identity.group.as_ref().map(GroupName::as_str);
                (
                    key.pool.as_str(),
                    key.scope.to_string(),
                    target.identity.name.as_str(),
                    group,
                    target.capacity,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("build", "orgs/acme".into(), "build", Some("ci"), 3),
                ("build", "repos/acme/app".into(), "build", None, 2),
                ("gpu", "orgs/acme".into(), "GPU", Some("ci"), 1),
            ]
        );
        let labels = all.values().next().unwrap().spec().labels;
        assert_eq!(labels, ["build", "self-hosted", "linux"], "each once, the name first");
    }

    #[test]
    fn a_wait_is_broken_off_for_less_room_and_not_for_more() {
        let target = |n| targets(&wanted(&[("a", want(&[("orgs/acme", n)]))])).into_values().next().unwrap();
        assert!(interrupts(&target(3), Some(&target(2))));
        assert!(interrupts(&target(3), None));
        assert!(interrupts(&target(0), Some(&target(1))));
        assert!(!interrupts(&target(3), Some(&target(4))));
        assert!(!interrupts(&target(3), Some(&target(3))));
        let relabelled = Target { labels: vec![], ..target(3) };
        assert!(interrupts(&target(3), Some(&relabelled)));
    }
}
