//! The client against the simulator, which is strict in what it accepts and knows nothing of it.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use ghrunner::github::Auth;
use ghrunner::github::Client;
use ghrunner::github::Clock;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::JitRequest;
use ghrunner::github::Removal;
use ghrunner::model::ErrorClass;
use ghrunner::model::GroupName;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Time;
use githubsim::AppState;
use githubsim::InstallationState;
use githubsim::Sim;
use githubsim::State;

use crate::server::Source;
use crate::server::name;
use crate::server::patient;
use crate::server::spec;

pub(crate) fn state() -> State {
    let mut state = State::default()
        .organization("acme")
        .repository("acme/app")
        .public_repository("acme/site")
        .group("acme", 5, "ci", &["app", "site"])
        .repository("alice/tool")
        .classic_token("ghp_test", &["admin:org", "repo"])
        .classic_token("ghp_weak", &["repo", "workflow"])
        .classic_token("ghp_poor", &[])
        .fine_grained_token("github_pat_weak", "acme", &[("metadata", "read")]);
    let granted =
        [("organization_self_hosted_runners", "write"), ("administration", "write"), ("metadata", "read")];
    state.apps.push(AppState {
        id: 77,
        client_id: "Iv23app".into(),
        slug: "runners".into(),
        owner: "acme".into(),
        key_pem: Some(include_str!("app-pkcs8.pem").into()),
        installations: vec![InstallationState {
            id: 7,
            account: "acme".into(),
            permissions: granted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..InstallationState::default()
        }],
        ..AppState::default()
    });
    state
}

/// The simulator lives by the machine's clock, and so must its client.
#[allow(clippy::disallowed_methods, reason = "there is no other clock that both share")]
pub(crate) fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Time(u64::try_from(since.as_millis()).unwrap())
    })
}

async fn simulator() -> Sim {
    let mut builder = Sim::builder().state(state());
    if let Some(folder) = std::env::var_os("GHRUNNER_EXCHANGE_LOG_DIR") {
        std::fs::create_dir_all(&folder).unwrap();
        // Each test has a thread of its own, and with some runners of tests a process of its own.
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let file = format!("github-{}-{thread}.jsonl", std::process::id());
        builder = builder.exchange_log(std::path::Path::new(&folder).join(file));
    }
    builder.start().await.unwrap()
}

pub(crate) fn token() -> Auth {
    Auth::Token(Source::new("ghp_test").loader())
}

pub(crate) fn app() -> Auth {
    let private_key = Source::new(include_str!("app-pkcs1.pem")).loader();
    Auth::App { id: "Iv23app".into(), installation_id: None, private_key }
}

fn client(sim: &Sim, auth: Auth) -> Client {
    Client::tuned(vec![spec(sim.base_url(), auth)], clock(), patient())
}

fn request(scope: &str, group: Option<&str>, name: &str) -> JitRequest {
    JitRequest {
        scope: scope.parse().unwrap(),
        group: group.map(GroupName::new),
        set: None,
        name: RunnerName::new(name),
        labels: vec!["self-hosted".into(), "linux".into(), "x64".into()],
        work_folder: "_work".into(),
    }
}

fn names(sim: &Sim) -> Vec<String> {
    sim.snapshot().runners.into_iter().map(|runner| runner.name).collect()
}

#[tokio::test]
async fn a_runner_is_registered_seen_found_and_deleted_with_a_token_and_as_an_app() {
    for auth in [token(), app()] {
        let sim = simulator().await;
        let client = client(&sim, auth);
        for (scope, group) in [("orgs/acme", Some("ci")), ("orgs/acme", None), ("repos/acme/app", None)] {
            let request = request(scope, group, "ghrunner-build-0-k7x2p-a1");
            let jit = client.register(&name(), &request).await.unwrap();
            assert!(!jit.config.is_empty());
            let taken = client.register(&name(), &request).await.unwrap_err();
            assert_eq!(taken, GitHubError::NameTaken { name: request.name.clone() });

            let listed = client.list(&name(), &request.scope).await.unwrap();
            assert_eq!((listed.len(), listed[0].id, listed[0].online), (1, jit.id, false));
            let found = client.find(&name(), &request.scope, &request.name).await.unwrap().unwrap();
            assert_eq!(found, listed[0]);
            let other = RunnerName::new("ghrunner-build-0-k7x2p-a");
            assert_eq!(client.find(&name(), &request.scope, &other).await.unwrap(), None);

            let delete = || async { client.delete(&name(), &request.scope, jit.id).await };
            assert_eq!(delete().await, Ok(Removal::Removed));
            assert_eq!(delete().await, Ok(Removal::AlreadyGone));
            assert!(client.list(&name(), &request.scope).await.unwrap().is_empty());
            assert!(!client.registration_token(&name(), &request.scope).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn the_admitted_repositories_are_those_that_the_group_lists() {
    let sim = simulator().await;
    let client = client(&sim, token());
    let admitted = |group: Option<&'static str>| {
        let client = &client;
        async move {
            let group = group.map(GroupName::new);
            let repos = client.admitted(&name(), "acme", group.as_ref()).await.unwrap().repos;
            repos.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
    };
    assert_eq!(admitted(Some("ci")).await, ["acme/app"], "the group is closed to public repositories");
    assert_eq!(admitted(None).await, ["acme/app"]);
    let group = GroupName::new("ci");
    let closed_to = client.admitted(&name(), "acme", Some(&group)).await.unwrap().closed_to;
    assert_eq!(closed_to.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme/site"]);
}

#[tokio::test]
async fn a_lost_registration_leaves_nothing_behind() {
    let sim = simulator().await;
    let client = client(&sim, token());
    for (nth, kind) in
        ["reset processed", "truncate", "malformed", "status=502 processed"].into_iter().enumerate()
    {
        sim.faults(&format!("POST **/generate-jitconfig {kind} count=1")).unwrap();
        let request = request("orgs/acme", Some("ci"), &format!("ghrunner-build-0-k7x2p-{nth}"));
        let error = client.register(&name(), &request).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Retry, "{kind}: {error}");
        assert_eq!(names(&sim), Vec::<String>::new(), "{kind}");
        client.register(&name(), &request).await.unwrap();
        let id = client.find(&name(), &request.scope, &request.name).await.unwrap().unwrap().id;
        client.delete(&name(), &request.scope, id).await.unwrap();
    }
}

#[tokio::test]
async fn limits_of_the_simulator_are_kept() {
    let sim = simulator().await;
    let client = client(&sim, token());
    let scope: Scope = "orgs/acme".parse().unwrap();
    sim.faults("GET **/runners secondary=2 count=1").unwrap();
    let limited = client.list(&name(), &scope).await.unwrap_err();
    assert!(matches!(limited, GitHubError::Limited { .. }), "{limited}");
    let again = client.delete(&name(), &scope, RunnerId(1)).await.unwrap_err();
    assert_eq!(again.class(), limited.class());
    assert_eq!(client.states()[0].requests, 1);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    client.list(&name(), &scope).await.unwrap();
    sim.faults("GET **/runners primary count=1").unwrap();
    assert!(matches!(client.list(&name(), &scope).await, Err(GitHubError::Limited { .. })));
    assert_eq!(client.states()[0].quota.as_ref().unwrap().remaining, 0);
}

#[tokio::test]
async fn nothing_is_read_twice_that_did_not_change() {
    let sim = simulator().await;
    let client = client(&sim, token());
    let scope: Scope = "orgs/acme".parse().unwrap();
    for number in 0..120 {
        let request = request("orgs/acme", None, &format!("ghrunner-build-{number}-k7x2p-a1"));
        client.register(&name(), &request).await.unwrap();
    }
    let first = client.list(&name(), &scope).await.unwrap();
    assert_eq!(first.len(), 120);
    let before = client.states()[0].clone();
    assert_eq!(client.list(&name(), &scope).await.unwrap(), first);
    let after = client.states()[0].clone();
    assert_eq!((after.requests - before.requests, after.not_modified - before.not_modified), (2, 2));
    assert_eq!(after.quota.unwrap().remaining, before.quota.unwrap().remaining, "unchanged pages are free");
}

#[tokio::test]
async fn an_app_goes_on_when_its_token_is_no_longer_accepted() {
    let sim = simulator().await;
    let client = client(&sim, app());
    let scope: Scope = "orgs/acme".parse().unwrap();
    client.list(&name(), &scope).await.unwrap();
    sim.faults("GET **/actions/runners status=401 count=1").unwrap();
    client.list(&name(), &scope).await.unwrap();
    let state = &client.states()[0];
    assert_eq!((state.requests, state.refused.as_deref()), (6, None), "find, mint, list; list, mint, list");
}

#[tokio::test]
async fn what_a_credential_cannot_do_is_told() {
    let sim = simulator().await;
    let nobody = client(&sim, Auth::Token(Source::new("ghp_nobody").loader()));
    let access = nobody.access(&name(), &"orgs/acme".parse().unwrap(), None).await;
    assert!(matches!(access.list, Err(GitHubError::Rejected { .. })), "{access:?}");
    let elsewhere = client(&sim, app());
    let access = elsewhere.access(&name(), &"repos/alice/tool".parse().unwrap(), None).await;
    assert!(matches!(access.list, Err(GitHubError::NotFound { .. })), "{access:?}");
    for (token, list) in [
        ("ghp_weak", "(it needs the scope admin:org, and has repo, workflow)"),
        ("github_pat_weak", "(it needs organization_self_hosted_runners=read)"),
    ] {
        let weak = client(&sim, Auth::Token(Source::new(token).loader()));
        let access = weak.access(&name(), &"orgs/acme".parse().unwrap(), None).await;
        let error = access.list.unwrap_err();
        assert!(
            matches!(error, GitHubError::Forbidden { .. }) && error.to_string().contains(list),
            "{error}"
        );
    }
    let poor = client(&sim, Auth::Token(Source::new("ghp_poor").loader()));
    let error = poor.access(&name(), &"repos/alice/tool".parse().unwrap(), None).await.list.unwrap_err();
    let wanted = "cannot see it (it needs the scope repo, and has none)";
    assert!(matches!(error, GitHubError::NotFound { .. }) && error.to_string().ends_with(wanted), "{error}");
    let good = client(&sim, token());
    let access = good.access(&name(), &"orgs/acme".parse().unwrap(), Some(&GroupName::new("ci"))).await;
    assert_eq!((access.list, access.group), (Ok(()), Some(Ok(5))));
    assert_eq!(access.classic_scopes.as_deref(), Some("admin:org, repo"));
    assert!(access.clock_skew_ms.unwrap().abs() <= 1500);
}
