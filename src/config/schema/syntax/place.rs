//! Forms of names and places: accounts, repositories, URLs, files, credentials.

use std::net::IpAddr;

use super::super::Syntax;
use super::is_word;
use super::printable;
use super::require;
use crate::model::PoolName;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::Scope;

pub(crate) static ORG: Syntax = Syntax { what: "an organization's name such as \"acme\"", check: org };
pub(crate) static ENTERPRISE: Syntax = Syntax {
    what: "an enterprise's name such as \"acme-inc\"",
    check: |text| Scope::enterprise(text).map(drop).map_err(|e| e.to_string()),
};
pub(crate) static REPO: Syntax = Syntax {
    what: "a repository such as \"acme/app\"",
    check: |text| text.parse::<Repo>().map(drop).map_err(|e| e.to_string()),
};
pub(crate) static PATTERN: Syntax = Syntax {
    what: "\"owner/name\" or \"owner/*\"",
    check: |text| text.parse::<RepoPattern>().map(drop).map_err(|e| e.to_string()),
};
pub(crate) static POOL_NAME: Syntax = Syntax {
    what: "a pool's name such as [pools.build]",
    check: |text| PoolName::parse(text).map(drop).map_err(|e| e.to_string()),
};
pub(crate) static GROUP: Syntax = Syntax { what: "a runner group's name such as \"ci\"", check: plain };
pub(crate) static LABEL: Syntax = Syntax { what: "a label such as \"docker\"", check: label };
pub(crate) static CREDENTIALS_NAME: Syntax = Syntax {
    what: "the name of a [credentials.NAME] table such as \"partner\"",
    check: |text| {
        require(is_word(text, b"-_.") && text.len() <= 64, || {
            format!(
                "credentials name {text:?} may hold only letters, digits, dashes, dots and underscores, 64 at most"
            )
        })
    },
};
pub(crate) static SYSTEMD_CREDENTIAL: Syntax = Syntax {
    what: "a systemd credential's name such as \"github-token\"",
    check: |text| {
        require(is_word(text, b"-_.") && text != "." && text != "..", || {
            format!(
                "{text:?} is no systemd credential's name; write the name alone, as in LoadCredential=NAME:…"
            )
        })
    },
};
pub(crate) static VARIABLE: Syntax =
    Syntax { what: "a variable's name such as \"GH_TOKEN\"", check: variable };
pub(crate) static FILE: Syntax =
    Syntax { what: "an absolute path such as \"/etc/ghrunner/token\"", check: absolute };
pub(crate) static GITHUB_URL: Syntax =
    Syntax { what: "a URL such as \"https://github.com\"", check: github_url };
pub(crate) static API_URL: Syntax =
    Syntax { what: "a URL such as \"https://ghes.example/api/v3\"", check: |text| web_url(text).map(drop) };
pub(crate) static PROXY: Syntax =
    Syntax { what: "a URL such as \"http://proxy.example:3128\"", check: |text| web_url(text).map(drop) };
pub(crate) static ENDPOINT: Syntax = Syntax { what: "\"unix:///PATH/OF/THE/SOCKET\"", check: endpoint };
pub(crate) static INSTANCE: Syntax = Syntax {
    what: "a short name such as \"rack1\"",
    check: |text| {
        let fits = (2..=8).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        require(fits, || format!("{text:?} must be 2 to 8 lower-case letters and digits"))
    },
};

fn org(text: &str) -> Result<(), String> {
    if let Some((owner, _)) = text.split_once('/') {
        return Err(format!(
            "{text:?} is a repository; write org = {owner:?} for the organization, or repo = {text:?}"
        ));
    }
    Scope::organization(text).map(drop).map_err(|e| e.to_string())
}

fn plain(text: &str) -> Result<(), String> {
    require(text.trim() == text && !text.is_empty(), || format!("{text:?} begins or ends with a blank"))?;
    printable(text)
}

/// GitHub's own limit is 256 characters; a comma would make two of one where an image registers itself.
fn label(text: &str) -> Result<(), String> {
    require(!text.trim().is_empty(), || "a label may not be empty".to_owned())?;
    plain(text)?;
    require(!text.contains(','), || format!("{text:?} holds a comma; write each label as its own text"))?;
    require(text.chars().count() < 256, || "a label may have 255 characters at most".to_owned())
}

fn variable(text: &str) -> Result<(), String> {
    let starts_well = !text.starts_with(|c: char| c.is_ascii_digit());
    require(starts_well && is_word(text, b"_"), || {
        format!("{text:?} is no variable's name; use letters, digits and underscores")
    })
}

fn absolute(text: &str) -> Result<(), String> {
    printable(text)?;
    require(text.starts_with('/'), || {
        format!("{text:?} is no absolute path; begin it with /, since the service has no folder of its own")
    })
}

fn endpoint(text: &str) -> Result<(), String> {
    match text.strip_prefix("unix://") {
        Some(path) => absolute(path),
        None if text.starts_with('/') => Err(format!("write \"unix://{text}\"")),
        None => Err(format!("{text:?} is no unix socket; write \"unix:///run/docker.sock\"")),
    }
}

/// The host of GitHub alone: what comes behind it is for `org`, `repo` and `api_url` to say.
fn github_url(text: &str) -> Result<(), String> {
    let (_, rest) = web_url(text)?;
    let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
    require(path.is_empty(), || {
        format!(
            "write the host alone, without {:?}; pools name their organization or repository",
            format!("/{path}")
        )
    })
}

/// Splits `http(s)://host[:port][/path]` into scheme and rest.
pub(crate) fn web_url(text: &str) -> Result<(&str, &str), String> {
    let fail = |why: &str| Err(format!("{text:?} {why}"));
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some((scheme, _)) => return fail(&format!("begins with {scheme:?}, not with \"https\"")),
        None => return fail("is no URL; begin it with https://"),
    };
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['?', '#', '"', '\\']) {
        return fail("holds a character that does not belong in a URL here");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !host_and_port.ends_with(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if !bracketed.map_or_else(|| is_word(host, b"-._"), |ip| ip.parse::<IpAddr>().is_ok()) {
        return fail("has no valid host");
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => fail("has no valid port"),
        _ => Ok((scheme, rest)),
    }
}

/// Whether a URL leads to this very machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = if host.ends_with(']') { host } else { host.rsplit_once(':').map_or(host, |(h, _)| h) };
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_hosts_with_a_scheme() {
        for good in ["https://github.com", "https://github.com/", "http://127.0.0.1:8080", "http://[::1]:1/"]
        {
            assert_eq!(github_url(good), Ok(()), "{good}");
        }
        for bad in [
            "github.com",
            "ftp://x",
            "https://",
            "https://a b",
            "https://x/acme",
            "https://x:0",
            "https://x?y",
        ] {
            assert!(github_url(bad).is_err(), "{bad}");
        }
        assert!(is_loopback("http://[::1]:80/x") && is_loopback("http://localhost:1"));
        assert!(!is_loopback("http://10.0.0.1"));
    }
}
