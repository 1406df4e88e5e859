//! Tokens, Apps, and what happens when GitHub does not accept them.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ghrunner::github::Auth;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::model::CredentialName;
use ghrunner::model::ErrorClass;
use ghrunner::model::GroupName;
use ghrunner::model::Scope;
use ghrunner::model::Time;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn runners() -> Reply {
    json(200, value!({ "total_count": 0, "runners": [] }))
}

fn bad_credentials() -> Reply {
    json(401, value!({ "message": "Bad credentials" }))
}

fn claims(asked: &Asked) -> Value {
    let payload = asked.header("authorization").strip_prefix("Bearer ").unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_when_the_old_one_is_rejected() {
    let hub =
        Hub::start(
            |asked| if asked.header("authorization") == "Bearer new" { runners() } else { bad_credentials() },
        )
        .await;
    let source = Source::new("old");
    let client = client(vec![spec(hub.url(), Auth::Token(source.loader()))], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth);
    assert!(matches!(error, GitHubError::Rejected { .. }));
    assert_eq!(hub.lines().len(), 1, "the same token is not tried twice");
    client.list(&name(), &org()).await.unwrap_err();
    assert_eq!(hub.lines().len(), 1, "nor again at once");
    assert_eq!(client.states()[0].refused.as_deref(), Some("Bad credentials"));
    source.set(Ok("new\n"));
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(client.states()[0].refused, None);
    source.set(Ok("newer"));
    client.list(&name(), &org()).await.unwrap();
}

#[tokio::test]
async fn a_token_rotated_between_two_calls_costs_one_retry() {
    let current = Arc::new(Mutex::new("one".to_owned()));
    let hub = Hub::start({
        let current = current.clone();
        move |asked| {
            let good = asked.header("authorization") == format!("Bearer {}", current.lock().unwrap());
            if good { runners() } else { bad_credentials() }
        }
    })
    .await;
    let source = Source::new("one");
    let client = client(vec![spec(hub.url(), Auth::Token(source.loader()))], &Hands::new());
    client.list(&name(), &org()).await.unwrap();
    "two".clone_into(&mut current.lock().unwrap());
    source.set(Ok("two"));
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(hub.lines().len(), 3);
}

#[tokio::test]
async fn a_rejected_token_is_tried_again_after_a_pause() {
    let hub = Hub::start(|_| bad_credentials()).await;
    let hands = Hands::new();
    let client = client(vec![token_spec(&hub)], &hands);
    for (secs, requests) in [(0, 1), (20, 1), (11, 2)] {
        hands.forward(secs);
        client.list(&name(), &org()).await.unwrap_err();
        assert_eq!(hub.lines().len(), requests);
    }
}

#[tokio::test]
async fn after_the_pause_one_call_tries_for_all() {
    let hub = Hub::start(|_| bad_credentials()).await;
    let hands = Hands::new();
    let client = client(vec![token_spec(&hub)], &hands);
    client.list(&name(), &org()).await.unwrap_err();
    hands.forward(30);
    let (name, scope) = (name(), org());
    let all = futures_util::future::join_all((0..10).map(|_| client.list(&name, &scope))).await;
    assert!(all.iter().all(|r| matches!(r, Err(GitHubError::Rejected { .. }))));
    assert_eq!(hub.lines().len(), 2);
}

#[tokio::test]
async fn a_reload_adds_and_takes_away_credentials_and_keeps_limits() {
    let hub = Hub::start(|_| json(403, value!({ "message": "slow" })).with("retry-after", "60")).await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    client.list(&name(), &org()).await.unwrap_err();
    let mut partner = token_spec(&hub);
    partner.name = CredentialName::new("partner");
    client.replace(vec![token_spec(&hub), partner.clone()]);
    assert!(matches!(client.list(&name(), &org()).await, Err(GitHubError::Limited { .. })));
    assert_eq!(hub.lines().len(), 1, "a reload does not lift a limit");
    client.list(&partner.name, &org()).await.unwrap_err();
    assert_eq!(hub.lines().len(), 2);
    client.replace(vec![partner]);
    assert!(matches!(client.list(&name(), &org()).await, Err(GitHubError::Unusable { .. })));
    assert_eq!(client.states().len(), 1);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_fails_its_own_calls_only() {
    let hub = Hub::start(|_| runners()).await;
    let (good, bad) = (token_spec(&hub), Source::new(""));
    bad.set(Err("file /etc/ghrunner/partner: No such file"));
    let mut partner = spec(hub.url(), Auth::Token(bad.loader()));
    partner.name = CredentialName::new("partner");
    let mut nowhere = spec("nonsense".into(), Auth::Token(Source::new("x").loader()));
    nowhere.name = CredentialName::new("nowhere");
    let client = client(vec![good, partner.clone(), nowhere.clone()], &Hands::new());
    let error = client.list(&partner.name, &org()).await.unwrap_err();
    assert_eq!(error.to_string(), "credential partner: file /etc/ghrunner/partner: No such file");
    assert!(matches!(client.list(&nowhere.name, &org()).await, Err(GitHubError::Unusable { .. })));
    assert!(matches!(
        client.list(&CredentialName::new("x"), &org()).await,
        Err(GitHubError::Unusable { .. })
    ));
    client.list(&name(), &org()).await.unwrap();
    assert!(client.states().iter().find(|s| s.name == "partner").unwrap().refused.is_some());
    bad.set(Ok("t0ken"));
    client.list(&partner.name, &org()).await.unwrap();
    assert!(client.states().iter().find(|s| s.name == "partner").unwrap().refused.is_none());
}

/// An App's side: tokens last an hour by this clock, and each has a number.
fn app_hub(hands: &Hands, rejected: Arc<AtomicBool>) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let (hands, minted) = (hands.clone(), AtomicUsize::new(0));
    move |asked| match asked.target.split('?').next().unwrap() {
        "/orgs/acme/installation" | "/repos/acme/app/installation" => json(200, value!({ "id": 7 })),
        "/app/installations/7/access_tokens" => {
            let number = minted.fetch_add(1, Ordering::SeqCst);
            let end = Time(hands.now().0 + 3_600_000).to_string();
            json(201, value!({ "token": format!("ghs_{number}"), "expires_at": end, "permissions": {} }))
        }
        _ if rejected.load(Ordering::SeqCst) && asked.header("authorization") == "Bearer ghs_0" => {
            bad_credentials()
        }
        _ => runners(),
    }
}

#[tokio::test]
async fn an_app_finds_its_installation_and_keeps_its_token_for_nearly_an_hour() {
    let hands = Hands::new();
    let hub = Hub::start(app_hub(&hands, Arc::default())).await;
    let client = client(vec![app_spec(&hub, None)], &hands);
    let (name, scope) = (name(), org());
    let all = (0..20).map(|_| client.list(&name, &scope));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(hub.count("GET /orgs/acme/installation"), 1);
    assert_eq!(hub.count("POST /app/installations/7/access_tokens"), 1, "one mints, the others wait");
    let jwt = claims(&hub.asked()[0]);
    let now = hands.now().0 / 1000;
    assert_eq!(jwt, value!({ "iat": now - 60, "exp": now - 60 + 540, "iss": "Iv23app" }));
    assert!(hub.asked()[2..].iter().all(|a| a.header("authorization") == "Bearer ghs_0"));

    client.list(&name, &"repos/acme/app".parse().unwrap()).await.unwrap();
    assert_eq!(hub.count("GET /repos/acme/app/installation"), 0, "the owner is the same");
    hands.forward(54 * 60);
    client.list(&name, &scope).await.unwrap();
    assert_eq!(hub.count("POST"), 1);
    hands.forward(2 * 60);
    client.list(&name, &scope).await.unwrap();
    assert_eq!(hub.count("POST"), 2);
    assert_eq!(hub.asked().last().unwrap().header("authorization"), "Bearer ghs_1");
}

#[tokio::test]
async fn an_installation_token_that_is_rejected_is_made_anew_once() {
    let (hands, rejected) = (Hands::new(), Arc::new(AtomicBool::new(false)));
    let hub = Hub::start(app_hub(&hands, rejected.clone())).await;
    let client = client(vec![app_spec(&hub, Some(7))], &hands);
    client.list(&name(), &org()).await.unwrap();
    rejected.store(true, Ordering::SeqCst);
    let (name, scope) = (name(), org());
    let all = (0..5).map(|_| client.list(&name, &scope));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(hub.count("POST"), 2);
    assert_eq!(hub.count("GET /orgs/acme/installation"), 0);
}

#[tokio::test]
async fn an_app_whose_key_is_rejected_is_refused_and_does_not_hammer() {
    let hub = Hub::start(|_| json(401, value!({ "message": "A JSON web token could not be decoded" }))).await;
    let client = client(vec![app_spec(&hub, Some(7))], &Hands::new());
    let (name, scope) = (name(), org());
    let all = futures_util::future::join_all((0..5).map(|_| client.list(&name, &scope))).await;
    assert!(all.iter().all(|r| matches!(r, Err(GitHubError::Rejected { .. }))), "{all:?}");
    assert_eq!(hub.lines().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_github_s() {
    // GitHub's clock stands an hour before ours and takes no JWT from the future.
    let hands = Hands::new();
    let github = (hands.now().0 / 1000) - 3600;
    let hub = Hub::start(move |asked| {
        let reply = if asked.method != "POST" {
            runners()
        } else if claims(asked)["iat"].as_u64().unwrap() > github {
            json(
                401,
                value!({ "message": "'Issued at' claim ('iat') must be an Integer representing the time" }),
            )
        } else {
            json(201, value!({ "token": "ghs_1", "expires_at": Time::from_secs(github + 3600).to_string() }))
        };
        reply.with("date", "Tue, 14 Nov 2023 21:13:20 GMT")
    })
    .await;
    let client = client(vec![app_spec(&hub, Some(7))], &hands);
    client.list(&name(), &org()).await.unwrap();
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(hub.count("POST"), 2, "and the token is known to last its hour");
    let access = client.access(&name(), &org(), None).await;
    assert!(access.clock_skew_ms.unwrap().abs_diff(-3_600_000) <= 1000, "{access:?}");
}

#[tokio::test]
async fn access_tells_what_a_credential_may_do() {
    let hub = Hub::start(|asked| {
        if asked.target.contains("runner-groups") {
            return json(403, value!({ "message": "Must have admin rights" }));
        }
        runners()
            .with("github-authentication-token-expiration", "2024-01-01 00:00:00 UTC")
            .with("x-oauth-scopes", "repo, admin:org")
            .with("date", "Tue, 14 Nov 2023 22:13:25 GMT")
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let access = client.access(&name(), &org(), None).await;
    assert_eq!((access.list, access.group.is_none()), (Ok(()), true));
    assert_eq!(access.expires.as_deref(), Some("2024-01-01 00:00:00 UTC"));
    assert_eq!(access.classic_scopes.as_deref(), Some("repo, admin:org"));
    assert!(access.clock_skew_ms.unwrap().abs_diff(5000) <= 1000);
    assert_eq!(hub.lines(), ["GET /orgs/acme/actions/runners?per_page=1"]);
    let access = client.access(&name(), &org(), Some(&GroupName::new("ci"))).await;
    assert!(matches!(access.group, Some(Err(GitHubError::Forbidden { .. }))));
}

#[tokio::test]
async fn the_url_is_the_one_that_was_given() {
    let hub = Hub::start(|_| runners()).await;
    let mut enterprise = token_spec(&hub);
    enterprise.url = "https://ghes.example/".into();
    let client = client(vec![enterprise], &Hands::new());
    assert_eq!(client.url(&name()), "https://ghes.example");
}

/// Everything that is logged at the most talkative level.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_told() {
    let journal = Journal::default();
    let writer = journal.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For every test of this process: what the others log must hold no secret either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::callsite::rebuild_interest_cache();
    let hands = Hands::new();
    let inner = app_hub(&hands, Arc::default());
    let hub = Hub::start(move |asked| match asked.method.as_str() {
        // A server that gives back what it was told.
        "DELETE" => json(403, value!({ "message": format!("no: {}", asked.header("authorization")) })),
        _ => inner(asked),
    })
    .await;
    let client = client(vec![app_spec(&hub, None)], &hands);
    client.list(&name(), &org()).await.unwrap();
    let error = client.delete(&name(), &org(), ghrunner::model::RunnerId(1)).await.unwrap_err();
    assert!(error.to_string().contains("no: Bearer ***"), "{error}");
    let text = String::from_utf8(journal.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("GitHub answered") && text.contains("access_tokens"), "{text}");
    for secret in ["ghs_0", "Bearer", "eyJ", "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
