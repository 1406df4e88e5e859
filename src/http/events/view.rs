//! What listeners know of the fleet, and the difference of two such views: a function of values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::control::Sample;
use crate::control::Snapshot;
use crate::http::dto;

/// All that listeners know.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Without pools and runners, which are beside it.
    status: dto::Status,
    pools: BTreeMap<String, dto::Pool>,
    runners: BTreeMap<String, dto::Runner>,
    jobs: BTreeMap<String, dto::Explanation>,
    ended: Vec<dto::Ended>,
    now: dto::Sample,
}

impl From<&Snapshot> for View {
    fn from(snapshot: &Snapshot) -> Self {
        let mut status = dto::Status::from(snapshot);
        let pools = std::mem::take(&mut status.pools).into_iter().map(|p| (p.name.clone(), p)).collect();
        let runners = std::mem::take(&mut status.runners).into_iter().map(|r| (r.name.clone(), r)).collect();
        Self {
            pools,
            runners,
            jobs: by_key(snapshot.jobs.iter().map(dto::Explanation::from)),
            ended: snapshot.ended.iter().map(dto::Ended::from).collect(),
            now: (&Sample::of(snapshot, snapshot.as_of)).into(),
            status,
        }
    }
}

/// Jobs by a key that stays as long as they do. Two that have the same are told apart by their order.
fn by_key(jobs: impl Iterator<Item = dto::Explanation>) -> BTreeMap<String, dto::Explanation> {
    let mut keyed = BTreeMap::new();
    for job in jobs {
        let mut key = key(&job);
        while keyed.contains_key(&key) {
            key.push('+');
        }
        keyed.insert(key, job);
    }
    keyed
}

/// GitHub's numbers of jobs are unique, those of requests only within a scale set.
fn key(explanation: &dto::Explanation) -> String {
    let pool = explanation.pool.as_deref().unwrap_or_default();
    match explanation.job.as_ref().map(|job| (job.id, job.request)) {
        Some((Some(id), _)) => format!("job:{id}"),
        Some((_, Some(request))) => format!("request:{request}:{pool}"),
        _ => format!("labels:{pool}"),
    }
}

impl View {
    /// The whole, as the event with which a listener begins.
    pub(super) fn opening(&self, seq: u64) -> dto::Opening {
        let mut status = self.status.clone();
        status.pools = self.pools.values().cloned().collect();
        status.runners = self.runners.values().cloned().collect();
        dto::Opening {
            seq,
            status,
            jobs: self.jobs.iter().map(keyed).collect(),
            ended: self.ended.clone(),
            now: self.now,
        }
    }

    /// What leads from `old` to this; nothing if they are the same.
    pub(super) fn since(&self, old: &Self, seq: u64) -> Option<dto::Change> {
        if self == old {
            return None;
        }
        Some(dto::Change {
            seq,
            status: head(&self.status),
            pools: changed(&old.pools, &self.pools).map(|(_, pool)| pool.clone()).collect(),
            pools_gone: gone(&old.pools, &self.pools),
            runners: changed(&old.runners, &self.runners).map(|(_, runner)| runner.clone()).collect(),
            runners_gone: gone(&old.runners, &self.runners),
            jobs: changed(&old.jobs, &self.jobs).map(keyed).collect(),
            jobs_gone: gone(&old.jobs, &self.jobs),
            ended: fresh(&old.ended, &self.ended).to_vec(),
            ended_kept: self.ended.len(),
            now: self.now,
        })
    }
}

/// The status without the lists that are told apart.
fn head(status: &dto::Status) -> Value {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("pools");
        fields.remove("runners");
    }
    value
}

fn keyed((key, explanation): (&String, &dto::Explanation)) -> dto::KeyedJob {
    dto::KeyedJob { key: key.clone(), explanation: explanation.clone() }
}

fn changed<'a, T: PartialEq>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    new.iter().filter(|(key, value)| old.get(*key) != Some(value))
}

fn gone<T>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Vec<String> {
    old.keys().filter(|key| !new.contains_key(*key)).cloned().collect()
}

/// What was put before the old: the shortest beginning of the new without which the rest is how the old begins.
fn fresh<'a, T: PartialEq>(old: &[T], new: &'a [T]) -> &'a [T] {
    let at = (0..new.len()).find(|at| old.starts_with(&new[*at..])).unwrap_or(new.len());
    &new[..at]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Time;

    /// What a listener does with a change.
    fn apply(view: &mut View, change: &dto::Change) {
        let mut status = change.status.clone();
        let fields = status.as_object_mut().unwrap();
        fields.insert("pools".to_owned(), Value::Array(Vec::new()));
        fields.insert("runners".to_owned(), Value::Array(Vec::new()));
        view.status = serde_json::from_value(status).unwrap();
        let gone = &change.pools_gone;
        view.pools.retain(|name, _| !gone.contains(name));
        view.pools.extend(change.pools.iter().map(|pool| (pool.name.clone(), pool.clone())));
        let gone = &change.runners_gone;
        view.runners.retain(|name, _| !gone.contains(name));
        view.runners.extend(change.runners.iter().map(|runner| (runner.name.clone(), runner.clone())));
        let gone = &change.jobs_gone;
        view.jobs.retain(|key, _| !gone.contains(key));
        view.jobs.extend(change.jobs.iter().map(|job| (job.key.clone(), job.explanation.clone())));
        view.ended.splice(0..0, change.ended.iter().cloned());
        view.ended.truncate(change.ended_kept);
        view.now = change.now;
    }

    fn status(passes: u64) -> dto::Status {
        serde_json::from_value(serde_json::json!({
            "version": "1", "instance": "i", "started": "2026-01-31T12:00:00.000Z", "ready": true,
            "mode": "organization", "passes": passes, "as_of": "2026-01-31T12:00:00.000Z", "took_ms": 1,
            "status": "", "config": {"path": "", "loaded": "2026-01-31T12:00:00.000Z", "error": null,
            "error_since": null, "warnings": [], "needs_restart": []}, "engine": null, "engine_error": null,
            "credentials": [], "pools": [], "runners": [], "held": [], "advice": [],
        }))
        .unwrap()
    }

    fn pool(name: &str, target: u32) -> dto::Pool {
        serde_json::from_value(serde_json::json!({
            "name": name, "declared": true, "scope": [], "group": null, "credentials": null, "labels": [],
            "demand": null, "registration": null, "priority": null, "min": 0, "max": 9, "min_idle": 0,
            "image": null, "docker": null, "drained": false, "target": target, "why": "", "phases": {"busy": 1},
            "held": [],
        }))
        .unwrap()
    }

    fn runner(name: &str, slot: u32) -> dto::Runner {
        serde_json::from_value(serde_json::json!({
            "name": name, "pool": "p", "slot": slot, "scope": "orgs/acme", "credentials": "default",
            "phase": "idle", "since": null, "drained": false, "container": null, "github": null,
        }))
        .unwrap()
    }

    fn job(id: Option<u64>, text: &str) -> dto::Explanation {
        let job = serde_json::json!({
            "id": id, "request": id.is_none().then_some(7), "run": 1, "repo": "acme/app", "workflow": "CI",
            "name": "test", "labels": [], "event": "", "branch": "", "state": "queued", "runner": null,
            "queued": "2026-01-31T12:00:00.000Z",
        });
        let whole = serde_json::json!({
            "job": job, "pool": "p", "scope": null, "why": "at_max", "text": text, "until": null,
        });
        serde_json::from_value(whole).unwrap()
    }

    fn ended(number: u8) -> dto::Ended {
        serde_json::from_value(serde_json::json!({
            "pool": "p", "runner": format!("r{number}"), "created": "2026-01-31T12:00:00.000Z",
            "ended": "2026-01-31T12:00:00.000Z", "exit_code": 0, "oom_killed": false, "ran_job": true,
            "job": null, "verdict": "", "last_lines": [],
        }))
        .unwrap()
    }

    fn sample(waiting: u32) -> dto::Sample {
        (&Sample { at: Time::from_secs(1), waiting, ..Sample::default() }).into()
    }

    fn views() -> impl Strategy<Value = View> {
        let few = || prop::collection::btree_map("[a-e]", 0..3_u32, 0..5);
        let jobs = prop::collection::vec((prop::option::of(0..4_u64), "[xy]"), 0..6);
        (0..3_u64, few(), few(), jobs, prop::collection::vec(0..5_u8, 0..6), 0..2_u32).prop_map(
            |(passes, pools, runners, jobs, gone, waiting)| View {
                status: status(passes),
                pools: pools.iter().map(|(name, n)| (name.clone(), pool(name, *n))).collect(),
                runners: runners.iter().map(|(name, n)| (name.clone(), runner(name, *n))).collect(),
                jobs: by_key(jobs.iter().map(|(id, text)| job(*id, text))),
                ended: gone.into_iter().map(ended).collect(),
                now: sample(waiting),
            },
        )
    }

    proptest! {
        #[test]
        fn a_change_leads_from_the_old_to_the_new(old in views(), new in views()) {
            let mut view = old.clone();
            if let Some(change) = new.since(&old, 2) {
                // By way of its text, as listeners read it.
                let text = serde_json::to_string(&change).unwrap();
                apply(&mut view, &serde_json::from_str(&text).unwrap());
            }
            prop_assert_eq!(view, new);
        }

        #[test]
        fn what_is_the_same_is_not_told(view in views()) {
            prop_assert_eq!(view.since(&view, 2), None);
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut old = View {
            status: status(1),
            pools: [pool("a", 1), pool("b", 1)].map(|p| (p.name.clone(), p)).into(),
            runners: [runner("r1", 0), runner("r2", 1), runner("r3", 2)].map(|r| (r.name.clone(), r)).into(),
            jobs: by_key([job(Some(1), "x"), job(Some(2), "x")].into_iter()),
            ended: vec![ended(1), ended(0)],
            now: sample(2),
        };
        let mut new = old.clone();
        new.pools.insert("b".to_owned(), pool("b", 2));
        new.runners.remove("r1");
        new.runners.insert("r4".to_owned(), runner("r4", 0));
        new.jobs.remove("job:1");
        new.ended = vec![ended(2), ended(1)];
        let change = new.since(&old, 9).unwrap();
        let names = |runners: &[dto::Runner]| runners.iter().map(|r| r.name.clone()).collect::<Vec<_>>();
        assert_eq!((change.seq, change.pools.len(), change.pools_gone.len()), (9, 1, 0));
        assert_eq!(
            (names(&change.runners), &change.runners_gone[..]),
            (vec!["r4".into()], &["r1".into()][..])
        );
        assert_eq!((change.jobs.len(), &change.jobs_gone[..]), (0, &["job:1".to_owned()][..]));
        assert_eq!((change.ended.clone(), change.ended_kept), (vec![ended(2)], 2));
        assert!(change.status.get("pools").is_none() && change.status.get("runners").is_none());
        apply(&mut old, &change);
        assert_eq!(old, new);
    }

    #[test]
    fn jobs_of_one_key_are_told_apart() {
        let jobs = by_key([job(None, "x"), job(None, "y"), job(Some(3), "z")].into_iter());
        assert_eq!(jobs.keys().collect::<Vec<_>>(), ["job:3", "request:7:p", "request:7:p+"]);
    }
}
