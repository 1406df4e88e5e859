//! The dashboard: one page with its parts, which are in the program itself.
//!
//! **Knows** the files, and with which headers they are sent.
//! **Does not know** what they show: the page asks the same API as everybody else, with the rights of whoever looks.
//!
//! The page is plain HTML, CSS and JavaScript modules; nothing has to be built. Names of runners, jobs and repositories are
//! other people's text: the page puts all text in as text, never as markup, and should that ever fail, the policy below
//! has the browser run and load nothing but these files.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::ETAG;
use axum::http::header::IF_NONE_MATCH;
use axum::http::header::REFERRER_POLICY;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use sha2::Digest;
use sha2::Sha256;

use crate::control::Facade;

/// Nothing but what is served beside the page, from nowhere else, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("index.html")),
    ("/dashboard/app.css", CSS, include_str!("app.css")),
    ("/dashboard/parts.css", CSS, include_str!("parts.css")),
    ("/dashboard/past.css", CSS, include_str!("past.css")),
    ("/dashboard/api.js", JS, include_str!("api.js")),
    ("/dashboard/chart.js", JS, include_str!("chart.js")),
    ("/dashboard/dialogs.js", JS, include_str!("dialogs.js")),
    ("/dashboard/dom.js", JS, include_str!("dom.js")),
    ("/dashboard/ended.js", JS, include_str!("ended.js")),
    ("/dashboard/feed.js", JS, include_str!("feed.js")),
    ("/dashboard/head.js", JS, include_str!("head.js")),
    ("/dashboard/main.js", JS, include_str!("main.js")),
    ("/dashboard/past.js", JS, include_str!("past.js")),
    ("/dashboard/plots.js", JS, include_str!("plots.js")),
    ("/dashboard/pools.js", JS, include_str!("pools.js")),
    ("/dashboard/queue.js", JS, include_str!("queue.js")),
    ("/dashboard/records.js", JS, include_str!("records.js")),
    ("/dashboard/runners.js", JS, include_str!("runners.js")),
    ("/dashboard/store.js", JS, include_str!("store.js")),
    ("/dashboard/theme.js", JS, include_str!("theme.js")),
    ("/dashboard/words.js", JS, include_str!("words.js")),
];

/// Whether the path is one of the page's files.
pub(super) fn is_file(path: &str) -> bool {
    FILES.iter().any(|(known, ..)| *known == path)
}

/// The page at `/`, its parts below `/dashboard/`. They hold nothing of the fleet, and are for everybody who can ask.
pub(super) fn routes() -> Router<Facade> {
    FILES.iter().fold(Router::new(), |router, (path, kind, content)| {
        let tag = tag(content);
        router.route(path, get(async move |headers: HeaderMap| send(kind, content, &tag, &headers)))
    })
}

fn send(kind: &'static str, content: &'static str, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = match known.is_some_and(|tags| tags.contains(tag) || tags.trim() == "*") {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response(),
    };
    let head = response.headers_mut();
    // Kept, and asked about each time: after an update of the daemon no old part must meet a new one.
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    head.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        head.insert(ETAG, tag);
    }
    response
}

/// The quoted beginning of the content's digest.
fn tag(content: &str) -> String {
    let digest = Sha256::digest(content);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served_and_every_part_that_is_named_is_there() {
        let served: Vec<&str> =
            FILES.iter().filter_map(|(path, ..)| path.strip_prefix("/dashboard/")).collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/dashboard");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "mod.rs" || name == "index.html" || served.contains(&name.as_str()), "{name}");
        }
        for (path, _, content) in FILES {
            for line in content.lines().filter(|line| line.starts_with("import ")) {
                let part = line.split("'./").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
                assert!(served.contains(&part), "{path} imports {part}");
            }
        }
    }

    #[test]
    fn no_text_becomes_markup_and_nothing_is_asked_of_others() {
        let forbidden = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "DOMParser",
            "http://",
            "https://",
            "//cdn",
            "<style",
            "style=\"",
            " onclick=",
            "<script>",
            "setAttribute('on",
        ];
        // The name of the language of drawings is an address in form alone.
        let allowed = "http://www.w3.org/2000/svg";
        for (path, _, content) in FILES {
            let content = content.replace(allowed, "");
            for word in forbidden {
                assert!(!content.contains(word), "{path} holds {word:?}");
            }
        }
    }

    #[test]
    fn who_has_it_already_is_sent_nothing() {
        let (_, kind, content) = FILES[0];
        let mut headers = HeaderMap::new();
        let whole = send(kind, content, &tag(content), &headers);
        assert_eq!(whole.status(), StatusCode::OK);
        assert_eq!(whole.headers()[CONTENT_TYPE], HTML);
        headers.insert(IF_NONE_MATCH, whole.headers()[ETAG].clone());
        let again = send(kind, content, &tag(content), &headers);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[CONTENT_SECURITY_POLICY], POLICY);
    }
}
