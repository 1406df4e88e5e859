//! Forms of what has to do with listening: addresses, networks, paths.

use std::net::IpAddr;
use std::net::SocketAddr;

use ipnet::IpNet;

use super::super::Syntax;
use super::is_word;
use super::printable;
use super::require;
use super::web_url;

/// What `http.listen` and `api.listen` say for a socket that is passed on.
pub(crate) const PASSED: &str = "systemd";

pub(crate) static LISTEN: Syntax =
    Syntax { what: "an address with a port such as \"127.0.0.1:8080\", or \"systemd\"", check: listen };
pub(crate) static HOST_GROUP: Syntax = Syntax {
    what: "a group's name such as \"monitoring\"",
    check: |text| {
        let fine = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        require(fine, || format!("{text:?} is no name of a group such as \"monitoring\""))
    },
};
pub(crate) static ORIGIN: Syntax =
    Syntax { what: "an origin such as \"https://ops.example\"", check: origin };
pub(crate) static CIDR: Syntax = Syntax {
    what: "an address or a network such as \"10.0.0.0/8\"",
    check: |text| {
        let fine = text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok();
        require(fine, || format!("{text:?} is neither an address nor a network such as \"10.0.0.0/8\""))
    },
};
pub(crate) static PATH: Syntax = Syntax { what: "a path such as \"/webhook\"", check: path };
pub(crate) static HOOK_URL: Syntax =
    Syntax { what: "a URL such as \"https://ci.example/webhook\"", check: |text| web_url(text).map(drop) };

pub(crate) static COLLECTOR_URL: Syntax =
    Syntax { what: "a URL such as \"http://127.0.0.1:4318\"", check: |text| web_url(text).map(drop) };
pub(crate) static HEADER: Syntax =
    Syntax { what: "a header's name such as \"authorization\"", check: header };
pub(crate) static SERVICE_NAME: Syntax = Syntax {
    what: "a service's name such as \"ghrunner\"",
    check: |text| {
        printable(text)?;
        require(!text.trim().is_empty() && text.len() <= 255, || {
            "a service's name has 1 to 255 bytes, and not blanks alone".to_owned()
        })
    },
};

/// Those that the exporter sets itself are not for others to set.
fn header(text: &str) -> Result<(), String> {
    const OURS: [&str; 5] = ["host", "content-type", "content-length", "transfer-encoding", "connection"];
    require(is_word(text, b"-_.") && text.len() <= 128, || format!("{text:?} is no header's name"))?;
    require(!OURS.contains(&text.to_ascii_lowercase().as_str()), || {
        format!("{text:?} is set by ghrunner itself")
    })
}

fn listen(text: &str) -> Result<(), String> {
    if text == PASSED {
        return Ok(());
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(()),
        _ => Err(match text.strip_prefix(':').or(Some(text)).filter(|port| port.parse::<u16>().is_ok()) {
            Some(port) => {
                format!("{text:?} has no address; write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for all")
            }
            None => format!("{text:?} is no address with a port; write such as \"127.0.0.1:8080\""),
        }),
    }
}

/// As browsers send it: scheme, host and perhaps a port (RFC 6454, section 6.1).
fn origin(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let fine = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b));
    require(fine, || {
        format!(
            "{text:?} is no origin; write scheme and host in small letters, such as \"https://ops.example\""
        )
    })
}

fn path(text: &str) -> Result<(), String> {
    let fine =
        text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['?', '#']);
    require(fine, || format!("{text:?} is no path; begin it with /, without a query"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_listens_on_an_address_with_a_port() {
        for good in ["127.0.0.1:8080", "[::]:443", "systemd"] {
            assert_eq!(listen(good), Ok(()), "{good}");
        }
        for bad in ["", "localhost:1", "0.0.0.0", "1.2.3.4:0", "unix:///x", "[::1]"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
        assert!(listen(":8080").unwrap_err().contains("127.0.0.1:8080"));
        assert!(listen("8080").unwrap_err().contains("0.0.0.0:8080"));
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_path() {
        for good in ["https://ops.example", "http://localhost:3000", "https://[::1]:8443"] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in ["*", "ops.example", "https://", "https://ops.example/", "https://Ops.example", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_begin_at_the_root() {
        assert!(path("/webhook").is_ok() && path("/").is_ok());
        for bad in ["webhook", "", "/a b", "/a?b", "/ä"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
