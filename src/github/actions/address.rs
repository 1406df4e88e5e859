//! Addresses that GitHub gives: the Actions service's, and those of message queues.

use http::Uri;

/// What the service is asked to speak.
const VERSION: (&str, &str) = ("api-version", "6.0-preview");

/// An address that may be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and port.
    origin: String,
    /// Without a trailing slash.
    path: String,
    /// Without the question mark; may be empty.
    query: String,
}

impl Address {
    /// Checks an address. Without TLS it is only good where GitHub itself is spoken to without.
    pub(super) fn parse(text: &str, plain: bool) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("its address for us {why}"));
        let Ok(uri) = text.trim().parse::<Uri>() else { return bad("is none") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return bad("is none");
        };
        if scheme != "https" && !(plain && scheme == "http") {
            return bad("is not https");
        }
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return bad("holds a user or no host");
        }
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            path: uri.path().trim_end_matches('/').to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
        })
    }

    /// Scheme, host and port, for people.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// A call below the service's address: what is there stays, path and query are added. `below` has no leading slash.
    pub(super) fn call(&self, below: &str) -> Result<Uri, String> {
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        let mut query = joined(&self.query, query);
        if !query.split('&').any(|pair| pair.split('=').next() == Some(VERSION.0)) {
            query = joined(&query, &format!("{}={}", VERSION.0, VERSION.1));
        }
        self.uri(&format!("{}/{path}", self.path), &query)
    }

    /// The message after `last`, of a queue at this address.
    pub(super) fn after(&self, last: i64) -> Result<Uri, String> {
        let last = if last > 0 { format!("lastMessageId={last}") } else { String::new() };
        self.uri(&self.path, &joined(&self.query, &last))
    }

    /// One message of a queue at this address.
    pub(super) fn message(&self, id: i64) -> Result<Uri, String> {
        self.uri(&format!("{}/{id}", self.path), &self.query)
    }

    fn uri(&self, path: &str, query: &str) -> Result<Uri, String> {
        let mark = if query.is_empty() { "" } else { "?" };
        let slash = if path.is_empty() { "/" } else { "" };
        format!("{}{path}{slash}{mark}{query}", self.origin)
            .parse()
            .map_err(|_| format!("{path:?} makes no address"))
    }
}

fn joined(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        _ => format!("{one}&{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, true).unwrap()
    }

    #[test]
    fn calls_lie_below_the_given_path_with_or_without_its_slash() {
        for base in ["https://broker.example/rest/", "https://broker.example/rest"] {
            let uri = address(base).call("_apis/x?name=a").unwrap().to_string();
            assert_eq!(uri, "https://broker.example/rest/_apis/x?name=a&api-version=6.0-preview");
        }
        let uri = address("https://h.example?t=1").call("_apis/x/?api-version=7").unwrap().to_string();
        assert_eq!(uri, "https://h.example/_apis/x/?t=1&api-version=7");
    }

    #[test]
    fn a_queue_keeps_its_own_query() {
        let queue = address("http://h.example:8080/a/messages?sessionId=s%2F1");
        assert_eq!(queue.after(0).unwrap().to_string(), "http://h.example:8080/a/messages?sessionId=s%2F1");
        assert_eq!(queue.after(-3).unwrap(), queue.after(0).unwrap());
        assert_eq!(
            queue.after(100_000_171).unwrap().to_string(),
            "http://h.example:8080/a/messages?sessionId=s%2F1&lastMessageId=100000171"
        );
        assert_eq!(
            queue.message(7).unwrap().to_string(),
            "http://h.example:8080/a/messages/7?sessionId=s%2F1"
        );
        assert_eq!(address("https://h.example").message(7).unwrap().to_string(), "https://h.example/7");
        assert_eq!(address("https://h.example").after(0).unwrap().to_string(), "https://h.example/");
    }

    #[test]
    fn tokens_go_to_no_odd_place() {
        for bad in ["", "/x", "ftp://h/x", "http://h.example/x", "https://u:p@h.example/x", "h.example/x"] {
            let why = Address::parse(bad, false).unwrap_err();
            assert!(!why.contains("u:p"), "{why}");
        }
        assert!(Address::parse("https://u@h.example/x", true).is_err());
        assert!(Address::parse("http://h.example/x", true).is_ok());
    }
}
