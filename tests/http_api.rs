//! The API as those meet it who are not this program: its description, roles, credentials, TLS, problems and pages.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;
#[path = "http_api/client.rs"]
mod client;
#[path = "http_api/covered.rs"]
mod covered;
#[path = "http_api/daemon.rs"]
mod daemon;
#[path = "http_api/handed_on.rs"]
mod handed_on;
mod rig;
#[path = "http_api/roles.rs"]
mod roles;
#[path = "http_api/served.rs"]
mod served;

use std::fs;

use serde_json::Value;

/// The description, parsed.
fn document() -> Value {
    serde_json::from_str(ghrunner::http::document()).unwrap()
}

#[test]
fn the_description_in_the_manual_is_the_one_that_is_served() {
    let path = "docs/openapi.json";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, ghrunner::http::document()).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(kept == ghrunner::http::document(), "UPDATE_GOLDEN=1 writes {path} anew; read the difference");
}

#[test]
fn every_operation_has_words_and_an_id_of_its_own() {
    let document = document();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    response["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{path}: {status}"
                );
            }
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        }
    }
    assert!(ids.len() > 25, "{}", ids.len());
}
