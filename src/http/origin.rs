//! Which requests of browsers are taken at the control socket.
//!
//! A browser comes there through a forwarded port, such as `ssh -L`, and with it the rights of whoever forwards. Every page
//! that this person has open could send requests to that port then, too. Those are told apart by what browsers add to each
//! request and pages cannot change: `Sec-Fetch-Site`, `Origin` and `Host`. Programs add none of it and are not concerned.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::header::ORIGIN;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use super::Problem;

/// Lets nothing through that another site's page had a browser send.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    match refusal(request.method(), request.headers()) {
        None => next.run(request).await,
        Some(why) => {
            tracing::warn!(path = request.uri().path(), "Refused a request of a browser: {why}");
            Problem::new(StatusCode::FORBIDDEN, "cross_site", why).into_response()
        }
    }
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (site, origin, host) = (header("sec-fetch-site"), header(ORIGIN.as_str()), header(HOST.as_str()));
    if site.is_none() && origin.is_none() {
        return None;
    }
    // A name of the attacker's own that leads to this machine makes all the rest look like one site.
    if !host.is_some_and(is_this_machine) {
        return Some(
            "a browser reaches this socket as localhost or 127.0.0.1 only: forward a port and open that",
        );
    }
    // Following a link to the page from elsewhere shows it, and tells the elsewhere nothing.
    let followed = *method == Method::GET && header("sec-fetch-mode") == Some("navigate");
    let own = matches!(site, None | Some("same-origin" | "none"))
        && origin.is_none_or(|origin| origin.split_once("://").map(|(_, at)| at) == host);
    (!own && !followed).then_some("it was sent by the page of another site")
}

/// Whether a `Host` names this machine itself.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: Method, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        refusal(&method, &headers.collect()).is_some()
    }

    #[test]
    fn programs_and_the_page_itself_are_let_through() {
        assert!(!refused(Method::POST, &[("host", "x")]));
        for host in ["localhost:9184", "127.0.0.1:9184", "[::1]:9184", "localhost"] {
            let origin = format!("http://{host}");
            let own = [("host", host), ("sec-fetch-site", "same-origin"), ("origin", &origin)];
            assert!(!refused(Method::POST, &own), "{host}");
            assert!(!refused(Method::GET, &own[..2]), "{host}");
            assert!(!refused(Method::GET, &[("host", host), ("sec-fetch-site", "none")]), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_not() {
        let host = ("host", "localhost:9184");
        assert!(refused(
            Method::POST,
            &[host, ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
        ));
        assert!(refused(Method::POST, &[host, ("origin", "http://localhost:3000")]));
        assert!(refused(Method::POST, &[host, ("origin", "null")]));
        assert!(refused(Method::GET, &[host, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]));
        let navigates = [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert!(refused(Method::POST, &navigates), "a form of another page");
        assert!(!refused(Method::GET, &navigates), "a link on another page");
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_not_this_machine() {
        for host in ["evil.example:9184", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
        {
            assert!(refused(Method::GET, &[("host", host), ("sec-fetch-site", "same-origin")]), "{host}");
        }
    }
}
