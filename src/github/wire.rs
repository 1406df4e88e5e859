//! The shapes of GitHub's answers, as far as they are read: <https://docs.github.com/rest/actions/self-hosted-runners>,
//! <https://docs.github.com/rest/actions/self-hosted-runner-groups>, <https://docs.github.com/rest/apps/apps>,
//! <https://docs.github.com/rest/repos/repos#list-organization-repositories>. Fields that are not read may be anything.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::rfc_3339;
use crate::model::Registration;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Secret;
use crate::model::Time;

/// A page's entries, and how many the whole listing has where GitHub tells.
pub(super) type Entries<T> = (Vec<T>, Option<u64>);

/// GitHub gives no more entries than this of a listing of runs that is filtered
/// (<https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository>).
const RUNS_MAX: u64 = 1000;

/// A runner group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) default: bool,
    /// `all`, `selected` or `private`.
    #[serde(default)]
    pub(super) visibility: String,
    #[serde(default)]
    pub(super) allows_public_repositories: bool,
    #[serde(default)]
    pub(super) restricted_to_workflows: bool,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default)]
    pub(super) pushed_at: Option<String>,
}

/// The account that a token belongs to.
#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
}

/// A workflow run: <https://docs.github.com/rest/actions/workflow-runs>.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Run {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) event: Option<String>,
    #[serde(default)]
    pub(super) head_branch: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    #[serde(default)]
    pub(super) updated_at: Option<String>,
}

/// A run's job: <https://docs.github.com/rest/actions/workflow-jobs>. Older servers leave `created_at` and
/// `workflow_name` out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct RunJob {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    #[serde(default)]
    pub(super) started_at: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<String>,
    #[serde(default)]
    pub(super) runner_name: Option<String>,
    #[serde(default)]
    pub(super) workflow_name: Option<String>,
    #[serde(default)]
    pub(super) head_branch: Option<String>,
}

/// An App's installation.
#[derive(Debug, Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
}

#[derive(Deserialize)]
struct Runner {
    id: u64,
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    busy: bool,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

impl From<Runner> for Registration {
    fn from(runner: Runner) -> Self {
        Self {
            id: RunnerId(runner.id),
            name: RunnerName::new(runner.name),
            online: runner.status == "online",
            busy: runner.busy,
            labels: runner.labels.into_iter().map(|label| label.name).collect(),
        }
    }
}

/// A page of runners.
pub(super) fn runners(body: &[u8]) -> Result<Entries<Registration>, String> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
        runners: Vec<Runner>,
    }
    let page: Page = read(body)?;
    Ok((page.runners.into_iter().map(Registration::from).collect(), Some(page.total_count)))
}

/// A page of runner groups.
pub(super) fn groups(body: &[u8]) -> Result<Entries<Group>, String> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
        runner_groups: Vec<Group>,
    }
    let page: Page = read(body)?;
    Ok((page.runner_groups, Some(page.total_count)))
}

/// A page of the repositories that a group admits.
pub(super) fn group_repositories(body: &[u8]) -> Result<Entries<Repository>, String> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
        repositories: Vec<Repository>,
    }
    let page: Page = read(body)?;
    Ok((page.repositories, Some(page.total_count)))
}

/// A page of an organization's repositories.
pub(super) fn repositories(body: &[u8]) -> Result<Entries<Repository>, String> {
    read(body).map(|page| (page, None))
}

/// A page of workflow runs. A listing that is filtered ends after [`RUNS_MAX`], whatever its total says.
pub(super) fn runs(body: &[u8]) -> Result<Entries<Run>, String> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
        workflow_runs: Vec<Run>,
    }
    let page: Page = read(body)?;
    Ok((page.workflow_runs, Some(page.total_count.min(RUNS_MAX))))
}

/// A page of a run's jobs.
pub(super) fn jobs(body: &[u8]) -> Result<Entries<RunJob>, String> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
        jobs: Vec<RunJob>,
    }
    let page: Page = read(body)?;
    Ok((page.jobs, Some(page.total_count)))
}

/// A just-in-time registration: the runner's number and its configuration.
pub(super) fn jit(body: &[u8]) -> Result<(RunnerId, Secret), String> {
    #[derive(Deserialize)]
    struct Made {
        runner: Numbered,
        encoded_jit_config: String,
    }
    #[derive(Deserialize)]
    struct Numbered {
        id: u64,
    }
    let made: Made = read_secret(body)?;
    if made.encoded_jit_config.is_empty() {
        return Err("the configuration is empty".to_owned());
    }
    Ok((RunnerId(made.runner.id), Secret::new(made.encoded_jit_config)))
}

/// A token and when it ends.
pub(super) fn token(body: &[u8]) -> Result<(Secret, Time), String> {
    #[derive(Deserialize)]
    struct Token {
        token: String,
        expires_at: String,
    }
    let made: Token = read_secret(body)?;
    let expires = rfc_3339(&made.expires_at).ok_or_else(|| format!("expires_at is {:?}", made.expires_at))?;
    if made.token.is_empty() || !made.token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the token is none".to_owned());
    }
    Ok((Secret::new(made.token), expires))
}

/// Reads JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|why| why.to_string())
}

/// Reads JSON that holds a secret: the error tells where, not what stands there.
fn read_secret<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|why| {
        let text = why.to_string();
        let known = text.starts_with("missing field") || text.starts_with("EOF");
        if known { text } else { format!("line {} column {} is not as described", why.line(), why.column()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_are_read_with_what_newer_servers_add() {
        let body = br#"{"total_count":2,"runners":[
            {"id":23,"name":"a","os":"linux","status":"online","busy":true,"labels":[{"id":5,"name":"x64","type":"read-only"}],"version":null},
            {"id":24,"name":"b","os":"unknown","status":"offline","busy":false,"labels":[],"ephemeral":true}]}"#;
        let (runners, total) = runners(body).unwrap();
        assert_eq!(total, Some(2));
        assert!(runners[0].online && runners[0].busy && !runners[1].online);
        assert_eq!(runners[0].labels, ["x64"]);
    }

    #[test]
    fn an_unreadable_secret_is_not_shown() {
        for body in [
            r#"{"runner":{"id":"s3cret"},"encoded_jit_config":"s3cret"}"#,
            r#"{"runner":{"id":1},"encoded_jit_config":["s3cret"]}"#,
            r#"{"runner":{"id":1}}"#,
            "s3cret",
            "",
        ] {
            let why = jit(body.as_bytes()).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
        assert!(jit(br#"{"runner":{"id":1},"encoded_jit_config":""}"#).is_err());
        assert!(!token(br#"{"token":["s3cret"],"expires_at":"x"}"#).unwrap_err().contains("s3cret"));
    }

    /// Good answers, to be spoilt.
    const GOOD: [&str; 7] = [
        r#"{"total_count":1,"workflow_runs":[{"id":7,"name":"ci","status":"queued","created_at":"2030-01-01T00:00:00Z"}]}"#,
        r#"{"total_count":1,"jobs":[{"id":9,"name":"test","status":"queued","labels":["x"],"runner_name":null}]}"#,
        r#"{"total_count":1,"runners":[{"id":23,"name":"a","status":"online","busy":true,"labels":[{"name":"x"}]}]}"#,
        r#"{"total_count":1,"runner_groups":[{"id":1,"name":"ci","visibility":"all","default":true}]}"#,
        r#"{"total_count":1,"repositories":[{"id":1,"full_name":"a/b","private":true}]}"#,
        r#"{"runner":{"id":1},"encoded_jit_config":"s3cret"}"#,
        r#"{"token":"s3cret","expires_at":"2030-01-01T00:00:00Z"}"#,
    ];

    /// Reads a body as every answer; what is refused must not show the secret.
    fn read_all(body: &[u8]) {
        let _ = (runners(body), groups(body), group_repositories(body), repositories(body));
        let _ = (runs(body), jobs(body));
        for why in [jit(body).err(), token(body).err()].into_iter().flatten() {
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            read_all(&body);
        }

        #[test]
        fn a_spoilt_answer_is_read_or_refused(
            which in 0..GOOD.len(),
            at in 0..200_usize,
            cut in 0..20_usize,
            put in "[0-9eE.+-]{0,24}|null|true|\\[\\]|\\{\\}|\"s3cret\"|.{0,4}",
        ) {
            let good = GOOD[which];
            let at = at % good.len();
            let end = (at + cut).min(good.len());
            read_all(format!("{}{put}{}", &good[..at], &good[end..]).as_bytes());
        }
    }
}
