//! What the tools say of themselves, and what they answer.

use std::collections::BTreeSet;

use ghrunner::control::Snapshot;
use ghrunner::model::JobId;
use ghrunner::model::Phase;
use ghrunner::model::PoolName;
use serde_json::Value;
use serde_json::json;

use crate::cli_fleet;
use crate::peer::OPERATE;
use crate::peer::READ;
use crate::peer::Served;

/// What an agent's context can bear of one answer, in bytes.
const BEARABLE: usize = 32 * 1024;

/// What the list of tools may have, in bytes: a third is for clients, which hold answers against their schemas.
const ALL_TOOLS: usize = 40 * 1024;

#[test]
fn every_tool_says_what_it_takes_and_gives_and_does() {
    let api = Served::start(cli_fleet::snapshot());
    let manual = std::fs::read_to_string("docs/agents.md").unwrap();
    let tools = api.tools(OPERATE);
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        assert!(tool["title"].as_str().unwrap().len() > 5, "{name}");
        assert!((80..600).contains(&tool["description"].as_str().unwrap().len()), "{name}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}: a slip of the pen is told");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        assert!(!tool["outputSchema"]["properties"].as_object().unwrap().is_empty(), "{name}");
        for (key, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{name}: {key}");
        }
        let annotations = &tool["annotations"];
        let looks = annotations["readOnlyHint"] == true;
        assert_eq!(annotations["destructiveHint"].is_boolean(), !looks, "{name}");
        assert_eq!(annotations["idempotentHint"].is_boolean(), !looks, "{name}");
        assert!(manual.contains(&format!("`{name}`")), "docs/agents.md does not tell of {name}");
    }
    assert!(Value::from(tools).to_string().len() < ALL_TOOLS, "all tools together");
}

#[test]
fn a_mistake_is_told_with_the_way_out() {
    let api = Served::start(cli_fleet::snapshot());
    for (name, arguments, word, told) in [
        ("runner_stop_autoscaler", json!({"pool": "biuld"}), "no_such_pool", "did you mean build"),
        ("runner_stop_autoscaler", json!({}), "bad_call", "nothing was changed"),
        ("runner_stop_autoscaler", json!({"pool": "build", "all": true}), "bad_call", "not both"),
        ("runner_start_autoscaler", json!({"pol": "build"}), "bad_call", "unknown field `pol`"),
        ("runner_list_containers", json!({"pool": "biuld"}), "no_such_pool", "runner_get_status"),
        ("runner_list_containers", json!({"limit": 1000}), "bad_call", "from 1 to 100"),
        ("runner_list_containers", json!({"after": "?"}), "bad_call", "`next`"),
        ("runner_list_containers", json!({"phase": "asleep"}), "bad_call", "expected one of"),
        ("runner_stop_container", json!({"runner": "nobody"}), "no_such_runner", "runner_list_containers"),
        ("runner_provision_for_workflow", json!({"labels": ["gpu"]}), "no_pool", "gpu"),
        ("runner_provision_for_workflow", json!({"pool": "build", "for": "8d"}), "bad_body", "for is from"),
        ("runner_provision_for_workflow", json!({"pool": "build", "count": 0}), "bad_body", "count is"),
        ("runner_provision_for_workflow", json!({"pool": "build", "job": 456}), "bad_call", "exactly one"),
        ("explain_job", json!({"job": 456, "run": 123}), "bad_call", "exactly one"),
        ("explain_job", json!({"labels": ["x"], "repository": "no repository"}), "bad_query", "arguments"),
        ("history_query", json!({"what": "jobs"}), "no_history", "[history]"),
    ] {
        let said = api.call(OPERATE, name, &arguments);
        assert!(said.refused(word) && said.text.contains(told), "{name} {arguments}: {}", said.text);
    }
    let asked = api.asked.lock().unwrap();
    let done = |asked: &&String| asked.starts_with("boost") || asked.starts_with("drain all");
    assert_eq!(asked.iter().filter(done).count(), 0, "{asked:?}");
}

/// The made-up job's labels lead to the pool.
fn routed() -> Snapshot {
    let mut snapshot = cli_fleet::snapshot();
    snapshot.jobs[0].pool = Some(PoolName::parse("build").unwrap());
    snapshot
}

#[test]
fn a_jobs_labels_lead_to_the_pool_that_gets_more_runners() {
    for arguments in
        [json!({"labels": ["gpu"], "repository": "acme/app", "count": 3}), json!({"job": 456, "count": 3})]
    {
        let api = Served::start(routed());
        let said = api.call(OPERATE, "runner_provision_for_workflow", &arguments);
        assert_eq!(said.value["pool"], "build", "{}", said.text);
        assert!(api.asked.lock().unwrap().contains(&"boost build 3 3600".to_owned()));
    }
}

#[test]
fn a_drained_pool_is_not_boosted_in_vain() {
    let mut snapshot = routed();
    snapshot.pools[0].drained = true;
    let api = Served::start(snapshot);
    let said = api.call(OPERATE, "runner_provision_for_workflow", &json!({"pool": "build"}));
    assert!(said.refused("drained") && said.text.contains("runner_start_autoscaler"), "{}", said.text);
    assert_eq!(*api.asked.lock().unwrap(), [""; 0]);
}

#[test]
fn what_is_wrong_with_the_daemon_stands_in_one_list() {
    let mut snapshot = cli_fleet::snapshot();
    snapshot.engine_error = Some("connection refused".to_owned());
    let api = Served::start(snapshot);
    let said = api.call(READ, "runner_get_status", &json!({}));
    let troubles = said.value["troubles"].to_string();
    for part in ["unknown key `maxx`", "engine.endpoint", "connection refused"] {
        assert!(troubles.contains(part), "{part}: {troubles}");
    }
    assert_eq!(said.value["runners"], json!({"busy": 1, "idle": 1}));
    assert_eq!(
        said.value["pools"][0]["held_back"],
        json!(["1 start: the pool is at max (2), runners on their way out included"]),
        "{}",
        said.text
    );
}

#[test]
fn queues_stand_by_repository_with_the_reason_of_each_job() {
    let api = Served::start(cli_fleet::snapshot());
    let said = api.call(READ, "runner_list_workflows", &json!({"state": "queued"}));
    assert_eq!((&said.value["queued"], &said.value["reasons"]), (&json!(1), &json!({"no_label": 1})));
    let queue = &said.value["repositories"][0];
    assert_eq!((&queue["repository"], &queue["queued"]), (&json!("acme/app"), &json!(1)));
    let job = &queue["jobs"][0];
    assert!(job["id"] == 456 && job["text"].as_str().unwrap().contains("gpu"), "{job}");
    let none = api.call(READ, "runner_list_workflows", &json!({"repository": "acme/other"}));
    assert_eq!(none.value["repositories"], json!([]));
}

/// A fleet larger than any agent could be told of at once, with names as long as GitHub lets them be.
fn large() -> Snapshot {
    let mut snapshot = cli_fleet::snapshot();
    snapshot.runners = (0..3000).map(|slot| cli_fleet::runner(slot, Phase::Idle)).collect();
    let job = snapshot.jobs[0].clone();
    snapshot.jobs = (0..1000)
        .map(|id| {
            let mut answer = job.clone();
            let job = answer.job.as_mut().unwrap();
            job.id = JobId::Job(id);
            job.repo = format!("acme/app-{}", id % 40).parse().unwrap();
            job.name = "name ".repeat(200);
            answer
        })
        .collect();
    let pool = snapshot.pools[0].clone();
    snapshot.pools = (0..500)
        .map(|number| {
            let mut pool = pool.clone();
            pool.report.pool = PoolName::parse(&format!("pool-{number}")).unwrap();
            pool
        })
        .collect();
    snapshot.plan.actions = vec![snapshot.plan.actions[0].clone(); 3000];
    snapshot.plan.report.pools = snapshot.pools.iter().map(|pool| pool.report.clone()).collect();
    snapshot
}

#[test]
fn no_answer_is_longer_than_an_agent_can_bear() {
    let api = Served::start(large());
    for name in ["runner_get_status", "runner_list_containers", "runner_list_workflows", "plan"] {
        let said = api.call(READ, name, &json!({}));
        assert!(!said.failed && said.text.len() < BEARABLE, "{name}: {} bytes", said.text.len());
    }
    let said = api.call(READ, "explain_job", &json!({"run": 123}));
    assert!(!said.failed && said.text.len() < BEARABLE, "{} bytes", said.text.len());
}

#[test]
fn parts_of_a_list_lead_through_all_of_it_once() {
    let api = Served::start(large());
    let mut seen = BTreeSet::new();
    let (mut after, mut parts) = (Value::Null, 0);
    loop {
        let said = api.call(READ, "runner_list_workflows", &json!({"limit": 100, "after": after}));
        for queue in said.value["repositories"].as_array().unwrap() {
            assert_eq!(queue["queued"], 25, "the whole repository's, not the part's");
            for job in queue["jobs"].as_array().unwrap() {
                assert!(seen.insert(job["id"].as_u64().unwrap()), "{job}");
            }
        }
        parts += 1;
        after = said.value["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!((seen.len(), parts), (1000, 10));
}
