//! The shapes of scale sets, sessions, groups and just-in-time registrations, as far as they are read.

use serde_json::Value;
use serde_json::json;

use super::super::SetSpec;
use super::fields::Fields;
use super::fields::entries;
use crate::model::RunnerId;
use crate::model::Secret;
use crate::model::SetId;
use crate::model::SetStatistics;

/// A scale set as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireSet {
    pub(super) id: SetId,
    pub(super) labels: Vec<String>,
}

/// A session as the service describes it; what is missing is for others to mind.
#[derive(Debug)]
pub(super) struct WireSession {
    pub(super) id: String,
    pub(super) queue_url: String,
    pub(super) token: Secret,
    pub(super) statistics: Option<SetStatistics>,
}

/// The labels that a set should have: those wanted, or its name.
pub(super) fn labels(spec: &SetSpec) -> Vec<String> {
    if spec.labels.is_empty() { vec![spec.name.clone()] } else { spec.labels.clone() }
}

fn labels_json(spec: &SetSpec) -> Value {
    labels(spec).into_iter().map(|name| json!({ "type": "System", "name": name })).collect()
}

/// What a set is made from. Its runners do not update themselves: their image is what is updated.
pub(super) fn new_set(spec: &SetSpec, group: i64) -> Value {
    json!({
        "name": spec.name, "runnerGroupId": group, "labels": labels_json(spec),
        "RunnerSetting": { "disableUpdate": true },
    })
}

/// What a set's labels are changed with: nothing else is sent, and nothing else changes.
pub(super) fn new_labels(spec: &SetSpec) -> Value {
    json!({ "labels": labels_json(spec) })
}

/// A scale set.
pub(super) fn set(value: &Value) -> Result<WireSet, String> {
    let fields = Fields::must(value)?;
    let id = fields.int("id").and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    let id = id.ok_or("the scale set has no number")?;
    let label = |value: &Value| {
        let name = Fields::of(value).and_then(|label| label.text("name")).or_else(|| value.as_str());
        name.map(str::to_owned)
    };
    let labels = fields.list("labels").unwrap_or_default().iter().filter_map(label).collect();
    Ok(WireSet { id: SetId(id), labels })
}

/// The one scale set of a listing by name, if there is one.
pub(super) fn only_set(value: &Value) -> Result<Option<WireSet>, String> {
    match entries(value)? {
        [] => Ok(None),
        [one] => set(one).map(Some),
        many => Err(format!("there are {} scale sets of one name", many.len())),
    }
}

/// The number of the one runner group of a listing by name, if there is one.
pub(super) fn group(value: &Value, name: &str) -> Result<Option<i64>, String> {
    let found = entries(value)?
        .iter()
        .filter_map(Fields::of)
        .find(|group| group.text("name").is_none_or(|found| found.eq_ignore_ascii_case(name)));
    match found {
        None => Ok(None),
        Some(group) => group.int("id").map(Some).ok_or_else(|| "the runner group has no number".to_owned()),
    }
}

/// GitHub's count of a scale set.
pub(super) fn statistics(fields: Fields<'_>) -> SetStatistics {
    SetStatistics {
        available: fields.count("totalAvailableJobs"),
        acquired: fields.count("totalAcquiredJobs"),
        assigned: fields.count("totalAssignedJobs"),
        running: fields.count("totalRunningJobs"),
        registered: fields.count("totalRegisteredRunners"),
        busy: fields.count("totalBusyRunners"),
        idle: fields.count("totalIdleRunners"),
    }
}

/// A session.
pub(super) fn session(value: &Value) -> Result<WireSession, String> {
    let fields = Fields::must(value)?;
    Ok(WireSession {
        id: fields.words("sessionId").ok_or("the session has no id")?.to_owned(),
        queue_url: fields.text("messageQueueUrl").unwrap_or_default().trim().to_owned(),
        token: Secret::new(fields.text("messageQueueAccessToken").unwrap_or_default()),
        statistics: fields.object("statistics").map(statistics),
    })
}

/// A just-in-time registration: the runner's number and its configuration.
pub(super) fn jit(value: &Value) -> Result<(RunnerId, Secret), String> {
    let fields = Fields::must(value)?;
    let id = fields.object("runner").and_then(|runner| runner.int("id"));
    let id = id.and_then(|id| u64::try_from(id).ok()).ok_or("the runner has no number")?;
    let config = fields.words("encodedJITConfig").ok_or("the configuration is empty")?;
    Ok((RunnerId(id), Secret::new(config)))
}

/// The service's address and the token for it.
pub(super) fn connection(value: &Value) -> Result<(String, Secret), String> {
    let fields = Fields::must(value)?;
    let url = fields.words("url").ok_or("it names no address")?;
    let token = fields.words("token").filter(|token| token.bytes().all(|b| b.is_ascii_graphic()));
    Ok((url.to_owned(), Secret::new(token.ok_or("it holds no token")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_from_any_generation_of_the_service() {
        let now = json!({
            "id": 7, "name": "gpu", "labels": [{ "type": "System", "name": "gpu" }, "big"],
            "RunnerSetting": { "disableUpdate": true }, "createdOn": "2026-05-05T12:00:00.1234567Z", "statistics": null,
        });
        assert_eq!(set(&now).unwrap(), WireSet { id: SetId(7), labels: vec!["gpu".into(), "big".into()] });
        let old = json!({ "ID": "7", "Name": "gpu", "Labels": null, "runnerSetting": { "isElastic": true } });
        assert_eq!(set(&old).unwrap(), WireSet { id: SetId(7), labels: vec![] });
        for bad in [json!({}), json!({ "id": 0 }), json!({ "id": -1 }), json!([])] {
            assert!(set(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_listing_by_name_holds_one_or_none() {
        let one = json!({ "id": 7 });
        assert_eq!(only_set(&json!({ "count": 0, "value": [one] })).unwrap(), None);
        assert_eq!(only_set(&json!({ "count": 1, "value": [one] })).unwrap().unwrap().id, SetId(7));
        assert!(only_set(&json!({ "count": 2, "value": [one, one] })).is_err());
    }

    #[test]
    fn a_registration_is_read_in_either_spelling_and_never_shown() {
        for key in ["encodedJITConfig", "encodedJitConfig", "EncodedJITConfig"] {
            let (id, config) = jit(&json!({ "runner": { "id": 5 }, key: "c2VjcmV0" })).unwrap();
            assert_eq!((id, config.reveal()), (RunnerId(5), "c2VjcmV0"));
        }
        let why = jit(&json!({ "runner": { "id": "x" }, "encodedJITConfig": "c2VjcmV0" })).unwrap_err();
        assert!(!why.contains("c2Vj"), "{why}");
        assert!(jit(&json!({ "runner": { "id": 5 }, "encodedJITConfig": "" })).is_err());
    }

    #[test]
    fn both_halves_of_a_connection_are_needed() {
        assert!(connection(&json!({ "url": "https://h/", "token": "t" })).is_ok());
        for bad in
            [json!({ "url": "", "token": "t" }), json!({ "url": "https://h/", "token": "" }), json!({})]
        {
            assert!(connection(&bad).is_err(), "{bad}");
        }
        assert!(connection(&json!({ "url": "https://h/", "token": "a b" })).is_err());
    }
}
