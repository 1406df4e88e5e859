//! GitHub Apps: assertions, installations, tokens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::*;
use githubsim::AppState;
use githubsim::HookState;
use githubsim::InstallationState;
use githubsim::Sim;
use ring::rand::SystemRandom;
use ring::signature::RSA_PKCS1_SHA256;
use ring::signature::RsaKeyPair;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;

const TOKENS: &str = "/app/installations/70/access_tokens";

/// A new key in PEM, by the system's own tool, since no key belongs into a source tree.
fn key() -> String {
    let made = Command::new("openssl").args(["genrsa", "2048"]).output().unwrap();
    String::from_utf8(made.stdout).unwrap()
}

fn assertion(pem: &str, issuer: &str, from_now: (i64, i64)) -> String {
    let now = i64::try_from(now()).unwrap();
    let claims = json!({ "iat": now + from_now.0, "exp": now + from_now.1, "iss": issuer });
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
    let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap() {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).unwrap(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap(),
        _ => panic!("another kind of key"),
    };
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "an assertion carries the real time")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

async fn with_app(pem: &str) -> Sim {
    with_hooked_app(pem, None).await
}

async fn with_hooked_app(pem: &str, webhook: Option<HookState>) -> Sim {
    let granted = [("organization_self_hosted_runners", "write"), ("actions", "read")];
    let mut state = state();
    state.settings.installation_token_lifetime = Duration::from_secs(600);
    state.apps.push(AppState {
        id: 7,
        client_id: "Iv23test".into(),
        owner: "acme".into(),
        key_pem: Some(pem.into()),
        webhook,
        installations: vec![InstallationState {
            id: 70,
            account: "acme".into(),
            permissions: granted.map(|(k, v)| (k.to_string(), v.to_string())).into(),
            ..InstallationState::default()
        }],
        ..AppState::default()
    });
    Sim::builder().state(state).start().await.unwrap()
}

#[tokio::test]
async fn an_app_gets_tokens_for_its_installation() {
    let pem = key();
    let sim = with_app(&pem).await;
    for issuer in ["7", "Iv23test"] {
        let jwt = assertion(&pem, issuer, (-60, 540));
        assert_eq!(with_token(&sim, &jwt, "GET", "/app", Value::Null).await.body["id"], 7);
        let found = with_token(&sim, &jwt, "GET", "/orgs/acme/installation", Value::Null).await;
        assert_eq!(found.body["id"], 70);
        let made = with_token(&sim, &jwt, "POST", TOKENS, Value::Null).await;
        assert_eq!(made.status, 201);
        let token = made.body["token"].as_str().unwrap();
        let body = json!({ "name": format!("r{issuer}"), "runner_group_id": 1, "labels": ["a"] });
        let path = "/orgs/acme/actions/runners/generate-jitconfig";
        assert_eq!(with_token(&sim, token, "POST", path, body).await.status, 201);
        let user = with_token(&sim, token, "GET", "/user", Value::Null).await;
        assert_eq!((user.status, user.message()), (403, "Resource not accessible by integration"));
    }
    sim.stop().await;
}

#[tokio::test]
async fn the_public_key_is_enough() {
    let pem = key();
    let path = std::env::temp_dir().join(format!("githubsim-key-{}.pem", std::process::id()));
    std::fs::write(&path, &pem).unwrap();
    let made = Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    let public = String::from_utf8(made.unwrap().stdout).unwrap();
    assert!(public.contains("BEGIN PUBLIC KEY"));
    let sim = with_app(&public).await;
    let jwt = assertion(&pem, "7", (-60, 540));
    assert_eq!(with_token(&sim, &jwt, "GET", "/app", Value::Null).await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn installation_tokens_expire() {
    let pem = key();
    let sim = with_app(&pem).await;
    let made = with_token(&sim, &assertion(&pem, "7", (-60, 540)), "POST", TOKENS, Value::Null).await;
    let token = made.body["token"].as_str().unwrap().to_string();
    let path = "/installation/repositories";
    assert_eq!(with_token(&sim, &token, "GET", path, Value::Null).await.body["total_count"], 3);
    sim.advance(Duration::from_secs(601));
    let late = with_token(&sim, &token, "GET", path, Value::Null).await;
    assert_eq!((late.status, late.message()), (401, "Bad credentials"));
    sim.stop().await;
}

#[tokio::test]
async fn bad_assertions_are_refused() {
    let (pem, other) = (key(), key());
    let sim = with_app(&pem).await;
    let bad = [
        ("another key", assertion(&other, "7", (-60, 540))),
        ("another app", assertion(&pem, "8", (-60, 540))),
        ("expired", assertion(&pem, "7", (-700, -100))),
        ("too long", assertion(&pem, "7", (-60, 700))),
        ("from the future", assertion(&pem, "7", (120, 540))),
    ];
    for (what, jwt) in bad {
        assert_eq!(with_token(&sim, &jwt, "POST", TOKENS, Value::Null).await.status, 401, "{what}");
    }
    let pat = with_token(&sim, TOKEN, "POST", TOKENS, Value::Null).await;
    assert_eq!((pat.status, pat.message()), (401, "A JSON web token could not be decoded"));
    sim.stop().await;
}

#[tokio::test]
async fn an_app_has_a_hook_of_its_own_and_lists_its_deliveries() {
    let pem = key();
    // Nobody listens there: each delivery fails.
    let hook =
        HookState { url: "http://127.0.0.1:9/".into(), secret: Some("s".into()), ..HookState::default() };
    let sim = with_hooked_app(&pem, Some(hook)).await;
    let jwt = assertion(&pem, "7", (-60, 540));
    let ask = async |method: &str, path: &str| with_token(&sim, &jwt, method, path, Value::Null).await;
    let config = ask("GET", "/app/hook/config").await;
    assert_eq!((&config.body["content_type"], &config.body["secret"]), (&json!("json"), &json!("********")));
    sim.queue_job(&githubsim::JobSpec::new("acme/app", &["a"])).unwrap();
    sim.wait_until(SOON, |s| s.counters.deliveries_failed == 1).await.unwrap();
    let listed = ask("GET", "/app/hook/deliveries?status=failure").await;
    assert_eq!(
        (&listed.body[0]["installation_id"], &listed.body[0]["status_code"]),
        (&json!(70), &json!(502))
    );
    let path = format!("/app/hook/deliveries/{}/attempts", listed.body[0]["id"]);
    assert_eq!(ask("POST", &path).await.status, 202);
    sim.wait_until(SOON, |s| s.counters.deliveries == 2).await.unwrap();
    assert_eq!(ask("GET", "/app/hook/deliveries").await.body[0]["redelivery"], true);
    sim.stop().await;
}

#[tokio::test]
async fn a_suspended_installation_has_no_use_of_its_tokens() {
    let pem = key();
    let sim = with_app(&pem).await;
    let made = with_token(&sim, &assertion(&pem, "7", (-60, 540)), "POST", TOKENS, Value::Null).await;
    let token = made.body["token"].as_str().unwrap().to_string();
    let ask = async || with_token(&sim, &token, "GET", "/installation/repositories", Value::Null).await;
    assert_eq!(post(&sim, "/_sim/installations/70/suspend", Value::Null).await.status, 204);
    assert_eq!((ask().await.status, ask().await.message().contains("suspended")), (403, true));
    sim.with_world(|w, _| w.suspend_installation(70, false)).unwrap();
    assert_eq!(ask().await.status, 200);
    sim.with_world(|w, _| w.delete_installation(70)).unwrap();
    assert_eq!(ask().await.status, 401);
    sim.stop().await;
}
