//! The API's own description: `/openapi.json`, and a page of it for people.

use std::sync::OnceLock;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use super::PROBLEM_JSON;
use super::Problem;
use super::access::OPEN;
use super::docs_page;
use super::dto;
use super::events;
use super::history;
use super::jobs;
use super::log_level;
use super::metrics;
use super::pools;
use super::probes;
use super::runners;
use super::service;
use super::trend;
use crate::control::Facade;

/// What stands in every operation's description beside its own answers: status, and what it means.
const COMMON: [(&str, &str); 6] = [
    ("400", "Not understood: path, query or body"),
    ("408", "The body did not come in time"),
    ("413", "The body is larger than is read"),
    ("503", "The daemon is shutting down"),
    ("504", "The answer took too long; what was asked for may happen all the same"),
    ("500", "The daemon has a fault, or cannot keep what was asked for"),
];

/// What further answers mean, where the operation itself does not say.
const MEANINGS: [(&str, &str); 3] =
    [("200", "As asked for"), ("404", "There is none of that name"), ("502", "The engine did not answer")];

/// The same, of operations that want a credential.
const GUARDED: [(&str, &str); 3] = [
    ("401", "No credential, or none that is known"),
    ("403", "Not allowed to this caller"),
    ("429", "Too many wrong credentials came from this address; Retry-After says when it may try again"),
];

/// The same, of operations that ask the history.
const OF_HISTORY: [(&str, &str); 2] = [
    ("404", "No history is kept, or it has no such entry"),
    ("409", "Not possible with the database that the history is in"),
];

/// The same, of operations with a JSON body.
const WITH_BODY: [(&str, &str); 2] =
    [("415", "The body is not said to be JSON"), ("422", "The body says something that makes no sense")];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ghrunner",
        description = "Sees and steers a fleet of GitHub Actions runners. The same API is served on the control socket, where \
                       the process at the other end is known, and over TCP, where a bearer credential says who asks. What reads \
                       is GET and needs the role read; everything else needs the role operate."
    ),
    paths(
        probes::health, probes::ready, openapi_json, docs,
        service::status, service::plan, service::reload, service::set_mode, service::obstacles,
        log_level::log_level, log_level::set_log_level,
        pools::pools, pools::pool, pools::scale_up_pool, pools::scale_down_pool, pools::drain_pool, pools::resume_pool,
        pools::scale_up_all, pools::scale_down_all, pools::drain_all, pools::resume_all,
        runners::runners, runners::runner, runners::logs, runners::remove_runner, runners::remove_all_runners, runners::ended,
        jobs::jobs, jobs::explain_job, jobs::explain,
        metrics::metrics, metrics::metrics_beside,
        events::events, trend::trend, trend::whoami,
        history::jobs, history::runners, history::runner, history::decisions, history::copy, history::audit, history::verify, history::entry,
        history::stats, history::series,
    ),
    components(schemas(Problem, dto::Done, dto::Opening, dto::Change)),
    security(("bearer" = [])),
    modifiers(&Frame)
)]
struct Description;

/// What holds for all operations alike.
struct Frame;

impl Modify for Frame {
    fn modify(&self, document: &mut openapi::OpenApi) {
        document.info.version = env!("CARGO_PKG_VERSION").to_owned();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        for (path, item) in &mut document.paths.paths {
            let guarded = !OPEN.contains(&path.as_str());
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                complete(operation, guarded);
            }
        }
    }
}

fn complete(operation: &mut Operation, guarded: bool) {
    let with_body = operation.request_body.is_some();
    let of_history = operation.tags.iter().flatten().any(|tag| tag == "history");
    let parts = [
        (true, &COMMON[..]),
        (guarded, &GUARDED[..]),
        (of_history, &OF_HISTORY[..]),
        (with_body, &WITH_BODY[..]),
    ];
    for (status, meaning) in parts.into_iter().filter(|(holds, _)| *holds).flat_map(|(_, part)| part) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*meaning).content(PROBLEM_JSON, content).build();
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| response.into());
    }
    // The description is not optional in OpenAPI.
    for (status, response) in &mut operation.responses.responses {
        let known = COMMON.iter().chain(&WITH_BODY).chain(&MEANINGS);
        if let RefOr::T(response) = response
            && response.description.is_empty()
            && let Some((_, meaning)) = known.into_iter().find(|(known, _)| known == status)
        {
            (*meaning).clone_into(&mut response.description);
        }
    }
    if !guarded {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
}

/// The document, as it is served and kept beside the manual.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| Description::openapi().to_pretty_json().unwrap_or_default() + "\n")
}

/// `/openapi.json` and `/docs`.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/openapi.json", get(openapi_json)).route("/docs", get(docs))
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "description",
    responses((status = 200, body = Object, content_type = "application/json")))]
pub(super) async fn openapi_json() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}

/// This description as a page.
#[utoipa::path(get, path = "/docs", tag = "description",
    responses((status = 200, body = String, content_type = "text/html")))]
pub(super) async fn docs() -> impl IntoResponse {
    let page = docs_page::page(document());
    let policy: [(HeaderName, &str); 1] = [(CONTENT_SECURITY_POLICY, page.policy.as_str())];
    (policy, Html(page.html.as_str())).into_response()
}
