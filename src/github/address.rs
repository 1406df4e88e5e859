//! From the address that people know to the REST root, and which further addresses an answer may send us to.

use http::Uri;

/// The REST root: an origin and the path below which all calls lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    scheme: String,
    host: String,
    port: u16,
    /// Without a trailing slash.
    base: String,
}

impl Root {
    /// The root for GitHub's address, or for `api_url` where that is given.
    ///
    /// `github.com` has `api.github.com`, `SUB.ghe.com` has `api.SUB.ghe.com`
    /// (<https://docs.github.com/enterprise-cloud@latest/admin/data-residency>), an Enterprise Server has `/api/v3`
    /// (<https://docs.github.com/enterprise-server@latest/rest/enterprise-admin>). Scheme and port are kept.
    pub(super) fn new(url: &str, api_url: Option<&str>) -> Result<Self, String> {
        if let Some(api_url) = api_url {
            return Self::parse(api_url);
        }
        let site = Self::parse(url)?;
        let authority = if site.port == default_port(&site.scheme) {
            site.host.clone()
        } else {
            format!("{}:{}", site.host, site.port)
        };
        let path = site.base.strip_prefix(&format!("{}://{authority}", site.scheme)).unwrap_or_default();
        if !path.is_empty() {
            return Err(format!(
                "{url:?} has a path; write the address of GitHub itself, such as https://github.com"
            ));
        }
        let authority = authority.strip_prefix("www.").filter(|a| *a == "github.com").unwrap_or(&authority);
        if is_hosted(&site.host) {
            Self::parse(&format!("{}://api.{authority}", site.scheme))
        } else {
            Self::parse(&format!("{}://{authority}/api/v3", site.scheme))
        }
    }

    fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("{url:?} is no address; write https:// and the host"));
        };
        if authority.as_str().contains('@') {
            return Err("an address must not hold a user or password".to_owned());
        }
        if scheme != "https" && scheme != "http" {
            return Err(format!("{url:?} is neither https nor http"));
        }
        if uri.query().is_some() {
            return Err(format!("{url:?} has a query"));
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(default_port(scheme));
        let shown = if port == default_port(scheme) { host.clone() } else { format!("{host}:{port}") };
        let base = format!("{scheme}://{shown}{}", uri.path().trim_end_matches('/'));
        Ok(Self { scheme: scheme.to_owned(), host, port, base })
    }

    /// The address of a call; `path` has no leading slash.
    pub(super) fn join(&self, path: &str) -> Result<Uri, String> {
        format!("{}/{path}", self.base).parse().map_err(|_| format!("{path:?} makes no address"))
    }

    /// The REST root as text.
    pub(super) fn as_str(&self) -> &str {
        &self.base
    }

    /// The address that a `Location` or `Link` header of an answer points to, if it is at the same GitHub: our token goes
    /// nowhere else.
    pub(super) fn follow(&self, reference: &str) -> Result<Uri, String> {
        let origin = || self.base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let uri: Uri = if reference.starts_with('/') && !reference.starts_with("//") {
            format!("{}{reference}", origin()).parse()
        } else {
            reference.parse()
        }
        .map_err(|_| format!("it points to {reference:?}, which is no address"))?;
        let same = uri.scheme_str() == Some(self.scheme.as_str())
            && uri.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            && uri.port_u16().unwrap_or(default_port(&self.scheme)) == self.port
            && uri.authority().is_some_and(|a| !a.as_str().contains('@'));
        if same {
            Ok(uri)
        } else {
            Err(format!("it points away from {}, to {:?}", origin(), uri.host().unwrap_or("nowhere")))
        }
    }
}

/// Whether GitHub itself runs it. The list is that of GitHub's own runner and scale-set client.
fn is_hosted(host: &str) -> bool {
    matches!(host, "github.com" | "www.github.com" | "github.localhost") || host.ends_with(".ghe.com")
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "http" { 80 } else { 443 }
}

/// The target of `rel="next"` among a `Link` header's values
/// (<https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>, RFC 8288).
pub(super) fn next_link<'a>(values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    values
        .flat_map(links)
        .find(|(_, rel)| rel.split(' ').any(|r| r.eq_ignore_ascii_case("next")))
        .map(|(url, _)| url)
}

/// The targets of one `Link` value with their `rel`.
fn links(value: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((url, tail)) = tail.split_once('>') else { break };
        let params = tail.split_once('<').map_or(tail, |(params, _)| params);
        let rel = params.split(';').find_map(|param| {
            let (key, value) = param.split_once('=')?;
            key.trim()
                .eq_ignore_ascii_case("rel")
                .then(|| value.trim().trim_end_matches(',').trim().trim_matches('"'))
        });
        found.push((url, rel.unwrap_or_default()));
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(url: &str) -> String {
        Root::new(url, None).unwrap().base
    }

    #[test]
    fn the_rest_root_follows_from_the_address() {
        assert_eq!(root("https://github.com"), "https://api.github.com");
        assert_eq!(root("https://GitHub.com/"), "https://api.github.com");
        assert_eq!(root("https://www.github.com"), "https://api.github.com");
        assert_eq!(root("https://acme.ghe.com"), "https://api.acme.ghe.com");
        assert_eq!(root("https://ghes.acme.example"), "https://ghes.acme.example/api/v3");
        assert_eq!(root("https://ghes.acme.example:8443"), "https://ghes.acme.example:8443/api/v3");
        assert_eq!(root("http://localhost:4000"), "http://localhost:4000/api/v3");
        assert_eq!(root("https://notgithub.com"), "https://notgithub.com/api/v3");
        assert_eq!(root("http://[::1]:4000"), "http://[::1]:4000/api/v3");
    }

    #[test]
    fn a_given_root_is_taken_as_it_is() {
        let root = Root::new("https://github.com", Some("https://proxy.example/github/api/")).unwrap();
        assert_eq!(root.join("orgs/acme").unwrap().to_string(), "https://proxy.example/github/api/orgs/acme");
    }

    #[test]
    fn what_is_no_address_of_github_is_refused() {
        for bad in ["github.com", "ftp://github.com", "https://u:p@github.com", "https://github.com/acme", ""]
        {
            let error = Root::new(bad, None).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
    }

    #[test]
    fn answers_may_only_point_to_the_same_place() {
        let root = Root::new("http://localhost:4000", None).unwrap();
        for good in [
            "http://localhost:4000/api/v3/x?page=2",
            "/api/v3/x?page=2",
            "http://LOCALHOST:4000/api/v3/x?page=2",
        ] {
            assert_eq!(root.follow(good).unwrap().path_and_query().unwrap(), "/api/v3/x?page=2", "{good}");
        }
        for bad in [
            "https://localhost:4000/x",
            "http://localhost/x",
            "http://localhost:4001/x",
            "http://evil.example/x",
            "//evil.example/x",
            "http://evil@localhost:4000/x",
            "http://localhost:4000@evil.example/x",
            "x?page=2",
        ] {
            assert!(root.follow(bad).is_err(), "{bad}");
        }
        let github = Root::new("https://github.com", None).unwrap();
        assert!(github.follow("https://api.github.com:443/repositories/1").is_ok());
        assert_eq!(
            github.follow("/repositories/1").unwrap().to_string(),
            "https://api.github.com/repositories/1"
        );
    }

    #[test]
    fn the_next_page_is_found_wherever_it_stands() {
        let next = |v: &'static str| next_link([v].into_iter());
        let usual = r#"<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next", <https://a/x?page=9>; rel="last""#;
        assert_eq!(next(usual), Some("https://a/x?page=3"));
        assert_eq!(next("<https://a/x?q=1,2;3>; title=\"a\"; rel=next"), Some("https://a/x?q=1,2;3"));
        assert_eq!(next("<https://a/x>; rel=\"last next\""), Some("https://a/x"));
        assert_eq!(next("<https://a/x>; rel=\"prev\""), None);
        assert_eq!(next("<https://a/x; rel=\"next\""), None);
        assert_eq!(next(""), None);
        assert_eq!(next_link(["<b>; rel=first", "<c>; rel=next"].into_iter()), Some("c"));
    }
}
