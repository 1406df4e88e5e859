//! What a delivery says, from its event's name and its body alone.
//!
//! Shapes: <https://docs.github.com/webhooks/webhook-events-and-payloads>. Fields that are not read may be anything, since
//! GitHub adds some all the time; moments come as text or, in a few places, as seconds.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::Repo;
use crate::model::RunnerName;
use crate::model::Time;

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEvent {
    /// The hook was made, or somebody pressed the button.
    Ping,
    /// A job went on (`workflow_job`).
    Job(JobNews),
    /// A run went on (`workflow_run`).
    Run(RunNews),
    /// A check that stands for a job ended (`check_run`): its number is the job's.
    CheckEnded(u64),
    /// A repository has another name or owner.
    Moved {
        /// GitHub's number for it, which stays.
        id: u64,
        /// Its old name.
        from: Repo,
        /// Its name now.
        to: Repo,
    },
    /// A repository was deleted or archived: nothing runs there.
    Gone(Repo),
    /// An account has another name.
    AccountMoved {
        /// Its old name.
        from: String,
        /// Its name now.
        to: String,
    },
    /// An organization was deleted.
    AccountGone(String),
    /// An App may see more or less than before.
    Access {
        /// Whose repositories they are.
        account: String,
        /// What it no longer sees, in words; none if it sees them again.
        lost: Option<String>,
    },
    /// Something that bears on no job.
    Nothing,
}

/// How far a job has come by GitHub's own order: it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It waits for an approval.
    Held,
    /// It waits for a runner.
    Queued,
    /// A runner has it.
    Running,
    /// It ended.
    Done,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNews {
    /// GitHub's number for it.
    pub id: u64,
    /// Its run.
    pub run: u64,
    /// Which try of the run it belongs to.
    pub attempt: u64,
    /// Its repository.
    pub repo: Repo,
    /// GitHub's number for the repository; 0 where it is not told.
    pub repo_id: u64,
    /// Its workflow's name; empty where it is not told.
    pub workflow: String,
    /// Its own name.
    pub name: String,
    /// What its `runs-on` resolved to, lower-cased.
    pub labels: Vec<String>,
    /// The branch; empty where it is not told.
    pub branch: String,
    /// When it was made.
    pub created: Option<Time>,
    /// How far it has come.
    pub stage: Stage,
    /// Who has it.
    pub runner: Option<RunnerName>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunNews {
    /// GitHub's number for it.
    pub id: u64,
    /// Which try.
    pub attempt: u64,
    /// Whether this try ended.
    pub done: bool,
    /// What started it, such as `push`.
    pub event: String,
    /// Its workflow's name, or its file where it has none.
    pub workflow: String,
}

/// Reads a delivery. The error says where it makes no sense, and never what stands there.
///
/// # Errors
/// It is not what GitHub describes.
pub fn parse(event: &str, body: &[u8]) -> Result<HookEvent, String> {
    match event {
        "ping" => Ok(HookEvent::Ping),
        "workflow_job" => read(body).map(job),
        "workflow_run" => read(body).map(run),
        "check_run" => read(body).map(check_run),
        "check_suite" => read::<Acted>(body).map(|_| HookEvent::Nothing),
        "repository" => read(body).and_then(repository),
        "organization" => read(body).map(organization),
        "installation" | "installation_repositories" => read(body).map(installation),
        "installation_target" => read(body).map(installation_target),
        _ => Ok(HookEvent::Nothing),
    }
}

/// The position alone: a parser's words may quote what it met.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|why| format!("line {} column {} is not as described", why.line(), why.column()))
}

#[derive(Deserialize)]
struct Acted {
    #[expect(dead_code, reason = "that it is there makes the body what it should be")]
    action: String,
}

/// A repository as every payload names it; one that does not parse is no payload of GitHub's.
#[derive(Deserialize)]
struct WireRepo {
    #[serde(default)]
    id: u64,
    #[serde(deserialize_with = "repo")]
    full_name: Repo,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

#[derive(Deserialize)]
struct JobPayload {
    action: String,
    workflow_job: WireJob,
    repository: WireRepo,
}

#[derive(Deserialize)]
struct WireJob {
    id: u64,
    run_id: u64,
    run_attempt: Option<u64>,
    status: Option<String>,
    name: Option<String>,
    workflow_name: Option<String>,
    head_branch: Option<String>,
    labels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "moment")]
    started_at: Option<Time>,
    runner_name: Option<String>,
}

fn job(payload: JobPayload) -> HookEvent {
    let JobPayload { action, workflow_job: job, repository } = payload;
    let Some(by_action) = stage(&action) else { return HookEvent::Nothing };
    // The status is that of the moment of sending, which may be later than what the delivery is about. It may be behind,
    // too: a job that was just approved comes as "queued" with the status "waiting".
    let by_status = job.status.as_deref().and_then(stage);
    HookEvent::Job(JobNews {
        id: job.id,
        run: job.run_id,
        attempt: job.run_attempt.unwrap_or(1),
        repo: repository.full_name,
        repo_id: repository.id,
        workflow: job.workflow_name.unwrap_or_default(),
        name: job.name.unwrap_or_default(),
        labels: job.labels.unwrap_or_default().iter().map(|label| label.to_lowercase()).collect(),
        branch: job.head_branch.unwrap_or_default(),
        created: job.created_at.or(job.started_at),
        stage: by_action.max(by_status.unwrap_or(by_action)),
        runner: job.runner_name.filter(|name| !name.is_empty()).map(RunnerName::new),
    })
}

fn stage(word: &str) -> Option<Stage> {
    match word {
        "waiting" | "pending" | "requested" => Some(Stage::Held),
        "queued" => Some(Stage::Queued),
        "in_progress" => Some(Stage::Running),
        "completed" => Some(Stage::Done),
        _ => None,
    }
}

#[derive(Deserialize)]
struct RunPayload {
    action: String,
    workflow_run: WireRun,
}

#[derive(Deserialize)]
struct WireRun {
    id: u64,
    run_attempt: Option<u64>,
    event: Option<String>,
    name: Option<String>,
    path: Option<String>,
}

fn run(payload: RunPayload) -> HookEvent {
    let RunPayload { action, workflow_run: run } = payload;
    let file = run.path.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
    HookEvent::Run(RunNews {
        id: run.id,
        attempt: run.run_attempt.unwrap_or(1),
        done: action == "completed",
        event: run.event.unwrap_or_default(),
        workflow: run.name.filter(|name| !name.is_empty()).unwrap_or(file),
    })
}

#[derive(Deserialize)]
struct CheckPayload {
    action: String,
    check_run: WireCheck,
}

#[derive(Deserialize)]
struct WireCheck {
    id: u64,
}

fn check_run(payload: CheckPayload) -> HookEvent {
    if payload.action == "completed" {
        HookEvent::CheckEnded(payload.check_run.id)
    } else {
        HookEvent::Nothing
    }
}

#[derive(Deserialize)]
struct RepoPayload {
    action: String,
    repository: WireRepo,
    changes: Option<RepoChanges>,
}

#[derive(Deserialize)]
struct RepoChanges {
    repository: Option<NameChange>,
    owner: Option<OwnerChange>,
}

#[derive(Deserialize)]
struct NameChange {
    name: Option<From>,
}

#[derive(Deserialize)]
struct From {
    from: String,
}

#[derive(Deserialize)]
struct OwnerChange {
    from: OldOwner,
}

#[derive(Deserialize)]
struct OldOwner {
    user: Option<Account>,
    organization: Option<Account>,
}

fn repository(payload: RepoPayload) -> Result<HookEvent, String> {
    let RepoPayload { action, repository: WireRepo { id, full_name: to }, changes } = payload;
    let old = |owner: &str, name: &str| {
        format!("{owner}/{name}").parse::<Repo>().map_err(|_| "the old name is none".to_owned())
    };
    let missing = || "it does not say what changed".to_owned();
    let from = match action.as_str() {
        "deleted" | "archived" => return Ok(HookEvent::Gone(to)),
        "renamed" => {
            let name = changes.and_then(|c| c.repository?.name).ok_or_else(missing)?;
            old(to.owner(), &name.from)?
        }
        "transferred" => {
            let from = changes.and_then(|c| c.owner).ok_or_else(missing)?.from;
            let owner = from.organization.or(from.user).ok_or_else(missing)?;
            old(&owner.login, to.name())?
        }
        _ => return Ok(HookEvent::Nothing),
    };
    Ok(HookEvent::Moved { id, from, to })
}

#[derive(Deserialize)]
struct OrgPayload {
    action: String,
    organization: Account,
    changes: Option<AccountChanges>,
}

#[derive(Deserialize)]
struct AccountChanges {
    login: Option<From>,
}

fn organization(payload: OrgPayload) -> HookEvent {
    let OrgPayload { action, organization: Account { login: to }, changes } = payload;
    match (action.as_str(), changes.and_then(|c| c.login)) {
        ("deleted", _) => HookEvent::AccountGone(to),
        ("renamed", Some(From { from })) => HookEvent::AccountMoved { from, to },
        _ => HookEvent::Nothing,
    }
}

#[derive(Deserialize)]
struct TargetPayload {
    action: String,
    account: Account,
    changes: Option<AccountChanges>,
}

fn installation_target(payload: TargetPayload) -> HookEvent {
    match (payload.action.as_str(), payload.changes.and_then(|c| c.login)) {
        ("renamed", Some(From { from })) => HookEvent::AccountMoved { from, to: payload.account.login },
        _ => HookEvent::Nothing,
    }
}

#[derive(Deserialize)]
struct InstallationPayload {
    action: String,
    installation: WireInstallation,
    repositories_removed: Option<Vec<WireRepo>>,
}

#[derive(Deserialize)]
struct WireInstallation {
    account: Option<Account>,
}

fn installation(payload: InstallationPayload) -> HookEvent {
    let Some(Account { login: account }) = payload.installation.account else { return HookEvent::Nothing };
    let removed = payload.repositories_removed.unwrap_or_default();
    let lost = match payload.action.as_str() {
        "deleted" => Some(format!("the App was uninstalled from {account}")),
        "suspend" => Some(format!("the App was suspended for {account}")),
        "removed" => match removed.as_slice() {
            [one] => Some(format!("the App no longer sees {}", one.full_name)),
            many => Some(format!("the App no longer sees {} repositories of {account}", many.len())),
        },
        "created" | "unsuspend" | "added" => None,
        _ => return HookEvent::Nothing,
    };
    HookEvent::Access { account, lost }
}

fn repo<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Repo, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// RFC 3339 text or seconds since the epoch; anything else counts as not told.
fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Seconds(u64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Moment::deserialize(deserializer)? {
        Moment::Seconds(secs) => Some(Time::from_secs(secs)),
        Moment::Text(text) => chrono::DateTime::parse_from_rfc3339(&text)
            .ok()
            .and_then(|date| u64::try_from(date.timestamp_millis()).ok())
            .map(Time),
        Moment::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, body: &str) -> HookEvent {
        parse(name, body.as_bytes()).unwrap()
    }

    fn job_body(action: &str, status: &str, more: &str) -> String {
        format!(
            r#"{{"action":"{action}","workflow_job":{{"id":7,"run_id":8,"status":"{status}","name":"build","labels":["Self-Hosted","X64"],"new_field":{{}}{more}}},"repository":{{"id":3,"full_name":"acme/app"}}}}"#
        )
    }

    fn news(action: &str, status: &str, more: &str) -> JobNews {
        match event("workflow_job", &job_body(action, status, more)) {
            HookEvent::Job(news) => news,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn moments_come_as_text_or_as_seconds() {
        let created = |json: &str| news("queued", "queued", &format!(r#","created_at":{json}"#)).created;
        assert_eq!(created("\"2021-08-05T10:33:58Z\""), Some(Time::from_secs(1_628_159_638)));
        assert_eq!(created("1628159638"), Some(Time::from_secs(1_628_159_638)));
        for odd in ["null", "\"soon\"", "-5", "1.5", "{}", "[]", "\"1969-01-01T00:00:00Z\""] {
            assert_eq!(created(odd), None, "{odd}");
        }
        let started = r#","started_at":"2021-08-05T10:33:58Z""#;
        assert!(news("in_progress", "in_progress", started).created.is_some());
    }

    #[test]
    fn a_stage_is_the_further_one_of_action_and_status() {
        for (action, status, stage) in [
            ("queued", "queued", Stage::Queued),
            ("queued", "waiting", Stage::Queued),
            ("queued", "completed", Stage::Done),
            ("waiting", "waiting", Stage::Held),
            ("in_progress", "in_progress", Stage::Running),
            ("in_progress", "unheard_of", Stage::Running),
            ("completed", "completed", Stage::Done),
        ] {
            assert_eq!(news(action, status, "").stage, stage, "{action} {status}");
        }
        assert_eq!(event("workflow_job", &job_body("new_action", "queued", "")), HookEvent::Nothing);
    }

    #[test]
    fn a_job_is_read_with_or_without_what_may_be_absent() {
        let bare = news("queued", "queued", r#","runner_name":null,"workflow_name":null"#);
        assert_eq!((bare.runner, bare.workflow.as_str(), bare.attempt), (None, "", 1));
        assert_eq!(bare.labels, ["self-hosted", "x64"]);
        let full = news(
            "in_progress",
            "in_progress",
            r#","runner_name":"ghrunner-a-0-k-n","workflow_name":"CI","head_branch":"main","run_attempt":2"#,
        );
        assert_eq!(full.runner, Some(RunnerName::new("ghrunner-a-0-k-n")));
        assert_eq!((full.workflow.as_str(), full.branch.as_str(), full.attempt), ("CI", "main", 2));
        assert_eq!(news("queued", "queued", r#","runner_name":"""#).runner, None);
    }

    #[test]
    fn repositories_move_and_go() {
        let body = |action: &str, changes: &str| {
            format!(
                r#"{{"action":"{action}","repository":{{"id":3,"full_name":"acme/new"}},"changes":{changes}}}"#
            )
        };
        let moved = |from: &str| HookEvent::Moved {
            id: 3,
            from: from.parse().unwrap(),
            to: "acme/new".parse().unwrap(),
        };
        let renamed = body("renamed", r#"{"repository":{"name":{"from":"old"}}}"#);
        assert_eq!(event("repository", &renamed), moved("acme/old"));
        let from_org = body("transferred", r#"{"owner":{"from":{"organization":{"login":"corp"}}}}"#);
        assert_eq!(event("repository", &from_org), moved("corp/new"));
        let from_user = body("transferred", r#"{"owner":{"from":{"user":{"login":"alice"}}}}"#);
        assert_eq!(event("repository", &from_user), moved("alice/new"));
        for action in ["deleted", "archived"] {
            assert_eq!(
                event("repository", &body(action, "null")),
                HookEvent::Gone("acme/new".parse().unwrap())
            );
        }
        assert_eq!(event("repository", &body("unarchived", "{}")), HookEvent::Nothing);
        assert!(parse("repository", body("renamed", "{}").as_bytes()).is_err());
    }

    #[test]
    fn accounts_and_installations_are_read() {
        let renamed =
            r#"{"action":"renamed","organization":{"login":"new"},"changes":{"login":{"from":"old"}}}"#;
        let moved = HookEvent::AccountMoved { from: "old".to_owned(), to: "new".to_owned() };
        assert_eq!(event("organization", renamed), moved);
        assert_eq!(event("installation_target", &renamed.replace("organization", "account")), moved);
        let gone = r#"{"action":"deleted","organization":{"login":"acme"}}"#;
        assert_eq!(event("organization", gone), HookEvent::AccountGone("acme".to_owned()));
        let lost = |name: &str, body: &str| match event(name, body) {
            HookEvent::Access { lost, .. } => lost,
            other => panic!("{other:?}"),
        };
        let installation = |action: &str| {
            format!(r#"{{"action":"{action}","installation":{{"account":{{"login":"acme"}}}}}}"#)
        };
        assert!(lost("installation", &installation("deleted")).is_some());
        assert_eq!(lost("installation", &installation("unsuspend")), None);
        let removed = r#"{"action":"removed","installation":{"account":{"login":"acme"}},"repositories_removed":[{"full_name":"acme/app"}]}"#;
        assert!(lost("installation_repositories", removed).unwrap().contains("acme/app"));
    }

    #[test]
    fn what_makes_no_sense_is_told_without_its_words() {
        for body in ["", "s3cret", r#"{"action":"queued","workflow_job":"s3cret"}"#, "[1", &"[".repeat(5000)]
        {
            let why = parse("workflow_job", body.as_bytes()).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
        assert_eq!(event("push", "no JSON at all"), HookEvent::Nothing);
        assert_eq!(event("ping", "{}"), HookEvent::Ping);
    }
}
