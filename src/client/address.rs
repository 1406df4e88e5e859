//! An endpoint that was looked at: what a request to it looks like, and what a failed connection means.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http::HeaderValue;
use http::Uri;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use http::header::USER_AGENT;

use super::ClientError;
use super::Endpoint;
use super::endpoint::Place;
use super::request::Request;

/// An endpoint that can be used.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The control socket, unless it is the network.
    pub(super) socket: Option<PathBuf>,
    /// Scheme, host, port and the path below which the API is, without a slash at its end.
    base: String,
    bearer: Option<HeaderValue>,
}

impl Address {
    /// Of a socket, which has nothing that could be wrong.
    pub(super) fn of_socket(path: PathBuf) -> Self {
        // Any host does: the connector knows only one place.
        Self { socket: Some(path), base: "http://ghrunner".to_owned(), bearer: None }
    }

    /// # Errors
    /// The address or the credential is none, or would go over the network in the clear.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let (base, credential, in_the_clear) = match &endpoint.0 {
            Place::Socket(path) => return Ok(Self::of_socket(path.clone())),
            Place::Network { base, credential, in_the_clear, .. } => (base, credential, *in_the_clear),
        };
        let bad = |why: &str| ClientError::Endpoint(format!("{base:?} {why}"));
        // What comes before an @ may be a password.
        if base.contains('@') {
            return Err(ClientError::Endpoint("an address must not hold a user or password".to_owned()));
        }
        let uri: Uri = base.parse().map_err(|_| bad("is no address"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let (Some(scheme), Some(host)) = (uri.scheme_str(), host) else {
            return Err(bad("is no address; write https:// and the host"));
        };
        if uri.query().is_some() {
            return Err(bad("has a query"));
        }
        match scheme {
            "https" => {}
            "http" if in_the_clear || is_this_machine(host) => {}
            "http" => {
                return Err(bad(
                    "would have the credential go over the network in the clear; write https://",
                ));
            }
            _ => return Err(bad("is neither https nor http")),
        }
        let credential = credential.reveal().trim();
        if credential.is_empty() {
            return Err(ClientError::Endpoint("the credential is empty".to_owned()));
        }
        let bearer = HeaderValue::from_str(&format!("Bearer {credential}"));
        let mut bearer = bearer
            .map_err(|_| ClientError::Endpoint("the credential cannot be sent in a header".to_owned()))?;
        bearer.set_sensitive(true);
        Ok(Self { socket: None, base: base.trim_end_matches('/').to_owned(), bearer: Some(bearer) })
    }

    /// The request as HTTP has it.
    ///
    /// # Errors
    /// An answer named a next page whose address is none.
    pub(super) fn request(&self, asked: &Request) -> Result<http::Request<Bytes>, ClientError> {
        let agent = concat!("ghrunner/", env!("CARGO_PKG_VERSION"));
        let mut request = http::Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{}", self.base, asked.target()))
            .header(USER_AGENT, agent);
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(last) = &asked.last_event {
            request = request.header("last-event-id", last);
        }
        if asked.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = asked.body.clone().unwrap_or_default();
        request.body(body.into()).map_err(|why| ClientError::Malformed(format!("{}: {why}", asked.target())))
    }

    /// What it means that no connection came about.
    pub(super) fn unreached(&self, error: &io::Error) -> ClientError {
        match (error.kind(), &self.socket) {
            (io::ErrorKind::NotFound, Some(socket)) => {
                ClientError::NotRunning { at: socket.display().to_string() }
            }
            (io::ErrorKind::ConnectionRefused, socket) => {
                let at = socket.as_ref().map_or_else(|| self.base.clone(), |path| path.display().to_string());
                ClientError::NotRunning { at }
            }
            (io::ErrorKind::PermissionDenied, Some(socket)) => ClientError::not_permitted(socket),
            _ => ClientError::Broken(error.to_string()),
        }
    }
}

/// Whether a host is this machine itself, so that nothing leaves it.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::call;
    use crate::model::Secret;

    fn network(base: &str) -> Result<Address, ClientError> {
        Address::new(&Endpoint::network(base, Secret::new("the-credential")))
    }

    #[test]
    fn a_request_goes_below_the_address_with_the_credential() {
        for (base, uri) in [
            ("https://ci.example", "https://ci.example/api/v1/status"),
            ("https://ci.example:8443/", "https://ci.example:8443/api/v1/status"),
            ("https://ci.example/fleet/", "https://ci.example/fleet/api/v1/status"),
            ("http://[::1]:8080", "http://[::1]:8080/api/v1/status"),
        ] {
            let request = network(base).unwrap().request(call::status().request()).unwrap();
            assert_eq!(request.uri(), uri);
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer the-credential");
            assert!(!format!("{request:?}").contains("the-credential"));
        }
    }

    #[test]
    fn a_credential_does_not_leave_the_machine_in_the_clear_unless_that_is_asked_for() {
        let error = network("http://ci.example").unwrap_err().to_string();
        assert!(error.contains("in the clear"), "{error}");
        let asked = Endpoint::network("http://ci.example", Secret::new("x")).in_the_clear();
        assert!(Address::new(&asked).is_ok());
        for own in ["http://localhost:1", "http://127.0.0.2", "http://[::1]"] {
            assert!(network(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_a_password() {
        for bad in [
            "",
            "ci.example",
            "ftp://ci.example",
            "https://u:p4ss@ci.example",
            "https://ci.example?x=1",
            "https://",
        ] {
            let error = network(bad).unwrap_err().to_string();
            assert!(!error.contains("p4ss"), "{error}");
        }
        assert!(Address::new(&Endpoint::network("https://a", Secret::new(" \n"))).is_err());
    }
}
