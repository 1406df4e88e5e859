//! A message of a scale set's queue.

use serde_json::Value;

use super::super::Message;
use super::super::SetNews;
use super::fields::Fields;
use super::fields::entries;
use super::fields::read;
use super::wire::statistics;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Repo;
use crate::model::RunnerName;
use crate::model::Time;

/// The one kind of message that is known.
const JOB_MESSAGES: &str = "RunnerScaleSetJobMessages";

/// Reads a message as it came; `now` stands in for times that are not told.
///
/// # Errors
/// It is not JSON, or it has no number by which it could be acknowledged.
pub fn parse(body: &[u8], now: Time) -> Result<Message, String> {
    message(&read(body)?, now)
}

/// A message. Only what cannot be acknowledged is an error: a message that stays would come again for ever. `now` stands
/// in for times that are not told.
pub(super) fn message(value: &Value, now: Time) -> Result<Message, String> {
    let fields = Fields::must(value)?;
    let id = fields.int("messageId").ok_or("the message has no number")?;
    let statistics = fields.object("statistics").map(statistics);
    let kind = fields.text("messageType").unwrap_or(JOB_MESSAGES);
    let news = if kind.eq_ignore_ascii_case(JOB_MESSAGES) {
        news(fields, id, now)
    } else {
        tracing::warn!(id, kind, "A scale set's message is of an unknown kind, and passed over");
        Vec::new()
    };
    Ok(Message { id, statistics, news })
}

/// What the body tells: a text that holds a list, or the list itself; nothing where it is empty.
fn news(message: Fields<'_>, id: i64, now: Time) -> Vec<SetNews> {
    let parsed;
    let items = match (message.list("body"), message.words("body")) {
        (Some(items), _) => items,
        (None, None) => return Vec::new(),
        (None, Some(text)) => match read(text.as_bytes()) {
            Ok(value) => {
                parsed = value;
                parsed.as_array().map(Vec::as_slice).unwrap_or_default()
            }
            Err(why) => {
                tracing::warn!(id, why, "A scale set's message makes no sense, and is passed over");
                return Vec::new();
            }
        },
    };
    items.iter().filter_map(Fields::of).filter_map(|item| one(item, now)).collect()
}

fn one(item: Fields<'_>, now: Time) -> Option<SetNews> {
    let kind = item.text("messageType")?;
    let id = JobId::Request(item.int("runnerRequestId")?);
    if kind.eq_ignore_ascii_case("JobCompleted") {
        let result = item.text("result").unwrap_or_default().to_owned();
        return Some(SetNews::Completed { id, runner: runner(item), result });
    }
    let told = |state| job(item, id, state, now);
    match kind.to_ascii_lowercase().as_str() {
        "jobavailable" => told(JobState::Queued).map(SetNews::Available),
        "jobassigned" => told(JobState::Queued).map(SetNews::Assigned),
        "jobstarted" => told(JobState::Running { runner: runner(item) }).map(SetNews::Started),
        _ => {
            tracing::debug!(kind, "a scale set's message tells of something unknown");
            None
        }
    }
}

fn runner(item: Fields<'_>) -> Option<RunnerName> {
    item.words("runnerName").map(RunnerName::new)
}

fn job(item: Fields<'_>, id: JobId, state: JobState, now: Time) -> Option<Job> {
    let (workflow, branch) = workflow(item.text("jobWorkflowRef").unwrap_or_default());
    let Some(repo) = repo(item) else {
        tracing::warn!(%id, "A scale set's message names no repository for a job, which is passed over");
        return None;
    };
    let labels = item.list("requestLabels").unwrap_or_default();
    Some(Job {
        id,
        run: item.int("workflowRunId").and_then(|run| u64::try_from(run).ok()).unwrap_or(0),
        repo,
        workflow,
        name: item.text("jobDisplayName").unwrap_or_default().to_owned(),
        labels: labels.iter().filter_map(Value::as_str).map(str::to_lowercase).collect(),
        event: item.text("eventName").unwrap_or_default().to_owned(),
        branch,
        state,
        queued: item.time("queueTime").or_else(|| item.time("scaleSetAssignTime")).unwrap_or(now),
    })
}

/// `ownerName` and `repositoryName`, or both in the latter.
fn repo(item: Fields<'_>) -> Option<Repo> {
    let name = item.words("repositoryName")?;
    let full = match item.words("ownerName") {
        Some(owner) if !name.contains('/') => format!("{owner}/{name}"),
        _ => name.to_owned(),
    };
    full.parse().ok()
}

/// The workflow's file and the branch in `owner/repo/.github/workflows/x.yml@refs/heads/main`.
fn workflow(reference: &str) -> (String, String) {
    let (path, git) = reference.split_once('@').unwrap_or((reference, ""));
    let file = path.rsplit('/').next().unwrap_or_default();
    (file.to_owned(), git.strip_prefix("refs/heads/").unwrap_or_default().to_owned())
}

/// Jobs that are offered, from their listing.
pub(super) fn offered(value: &Value, now: Time) -> Result<Vec<Job>, String> {
    let job =
        |item: Fields<'_>| job(item, JobId::Request(item.int("runnerRequestId")?), JobState::Queued, now);
    Ok(entries(value)?.iter().filter_map(Fields::of).filter_map(job).collect())
}

/// Jobs that were taken, from the answer to taking them.
pub(super) fn taken(value: &Value) -> Result<Vec<JobId>, String> {
    let id = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).map(JobId::Request);
    Ok(entries(value)?.iter().filter_map(id).collect())
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::*;
    use crate::model::SetStatistics;

    const NOW: Time = Time(1_777_000_000_000);

    fn item(kind: &str, more: Value) -> Value {
        let mut item = json!({
            "messageType": kind, "runnerRequestId": 100_072_254, "repositoryName": "app", "ownerName": "acme",
            "jobId": "0c2a-51b8", "jobWorkflowRef": "acme/app/.github/workflows/ci.yml@refs/heads/main",
            "jobDisplayName": "test", "workflowRunId": 17, "eventName": "push", "requestLabels": ["GPU", "Linux"],
            "queueTime": "2026-05-05T12:00:00.1234567Z", "scaleSetAssignTime": "0001-01-01T00:00:00Z",
        });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    }

    fn wrap(items: &[Value]) -> Value {
        let statistics = json!({
            "totalAvailableJobs": 1, "totalAcquiredJobs": 2, "totalAssignedJobs": 3, "totalRunningJobs": 4,
            "totalRegisteredRunners": 5, "totalBusyRunners": 6, "totalIdleRunners": 7,
        });
        json!({
            "messageId": 100_000_171, "messageType": JOB_MESSAGES,
            "body": Value::from(items).to_string(), "statistics": statistics,
        })
    }

    fn parse(value: &Value) -> Message {
        message(value, NOW).unwrap()
    }

    #[test]
    fn all_four_kinds_of_news_are_read() {
        let body = [
            item("JobAvailable", json!({ "acquireJobUrl": "https://x" })),
            item("JobAssigned", json!({ "jobId": 12 })),
            item("JobStarted", json!({ "runnerId": 9, "runnerName": "r1" })),
            item("JobCompleted", json!({ "result": "canceled", "runnerId": 0, "runnerName": "" })),
        ];
        let message = parse(&wrap(&body));
        assert_eq!(message.id, 100_000_171);
        let counts = SetStatistics {
            available: 1,
            acquired: 2,
            assigned: 3,
            running: 4,
            registered: 5,
            busy: 6,
            idle: 7,
        };
        assert_eq!(message.statistics, Some(counts));
        let id = JobId::Request(100_072_254);
        let queued = Job {
            id,
            run: 17,
            repo: "acme/app".parse().unwrap(),
            workflow: "ci.yml".into(),
            name: "test".into(),
            labels: vec!["gpu".into(), "linux".into()],
            event: "push".into(),
            branch: "main".into(),
            state: JobState::Queued,
            queued: Time(1_777_982_400_123),
        };
        let running = JobState::Running { runner: Some(RunnerName::new("r1")) };
        assert_eq!(
            message.news,
            [
                SetNews::Available(queued.clone()),
                SetNews::Assigned(queued.clone()),
                SetNews::Started(Job { state: running, ..queued }),
                SetNews::Completed { id, runner: None, result: "canceled".into() },
            ]
        );
    }

    #[test]
    fn a_message_without_a_usable_body_is_still_one_that_can_be_acknowledged() {
        for body in
            [json!(""), json!(null), json!("  "), json!("[]"), json!("{"), json!("5"), json!(7), json!([])]
        {
            let mut value = wrap(&[]);
            value["body"] = body.clone();
            let message = parse(&value);
            assert_eq!((message.id, message.news.len()), (100_000_171, 0), "{body}");
        }
        let mut bare = wrap(&[]);
        bare.as_object_mut().unwrap().remove("body");
        bare["statistics"] = Value::Null;
        assert_eq!(parse(&bare), Message { id: 100_000_171, statistics: None, news: vec![] });
    }

    #[test]
    fn an_unknown_kind_of_message_or_news_tells_nothing() {
        let mut value = wrap(&[item("JobAssigned", json!({}))]);
        value["messageType"] = json!("RunnerScaleSetSurprise");
        assert_eq!(parse(&value).news, []);
        let mixed = [item("JobDreamt", json!({})), json!(5), json!({}), item("JobAssigned", json!({}))];
        assert_eq!(parse(&wrap(&mixed)).news.len(), 1);
    }

    #[test]
    fn keys_and_kinds_come_in_any_case_and_the_body_as_a_list_too() {
        let news = json!({
            "MessageType": "jobStarted", "RunnerRequestId": "5", "RepositoryName": "acme/app", "RunnerName": "r",
            "JobWorkflowRef": "x.yml", "QueueTime": null,
        });
        let value = json!({ "MessageId": "3", "Body": [news] });
        let SetNews::Started(job) = parse(&value).news.remove(0) else { panic!() };
        assert_eq!(
            (job.repo.to_string(), job.workflow, job.queued),
            ("acme/app".into(), "x.yml".into(), NOW)
        );
        assert_eq!((job.branch, job.labels.len(), job.run), (String::new(), 0, 0));
    }

    #[test]
    fn offers_and_what_was_taken_are_lists() {
        let offers = json!({ "count": 1, "value": [item("JobAvailable", json!({})), item("JobAvailable", json!({}))] });
        assert_eq!(offered(&offers, NOW).unwrap().len(), 1);
        let ids = taken(&json!({ "count": 2, "value": [7, "8"] })).unwrap();
        assert_eq!(ids, [JobId::Request(7), JobId::Request(8)]);
    }

    /// Bytes are changed, cut out and doubled; each message is read or refused.
    #[test]
    fn a_spoilt_message_is_read_or_refused() {
        let kinds = ["JobAvailable", "JobAssigned", "JobStarted", "JobCompleted"];
        let items: Vec<Value> = kinds.iter().map(|kind| item(kind, json!({ "runnerName": "r" }))).collect();
        let good = wrap(&items).to_string().into_bytes();
        let mut dice = StdRng::seed_from_u64(11);
        let (mut read_well, mut refused) = (0, 0);
        let count =
            std::env::var("GHRUNNER_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000_u64);
        for _ in 0..count {
            let mut bytes = good.clone();
            for _ in 0..dice.random_range(1..6) {
                let at = dice.random_range(0..bytes.len());
                match dice.random_range(0..5) {
                    0 => bytes[at] = dice.random(),
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b"0\"{}[]:,-\\e9"[dice.random_range(0..12)]),
                    3 => bytes[at] = b'9',
                    _ => {
                        let end = (at + dice.random_range(1..40)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            match super::parse(&bytes, NOW) {
                Ok(message) => {
                    read_well += 1;
                    assert!(message.news.len() <= 2 * items.len());
                }
                Err(why) => {
                    refused += 1;
                    assert!(!why.is_empty());
                }
            }
        }
        assert!(read_well > count / 20 && refused > count / 20, "{read_well} read, {refused} refused");
    }
}
