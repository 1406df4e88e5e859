//! Where a runner is registered.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

/// A text that is no repository, pattern or scope; the message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidScope(pub String);

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidScope {}

/// Whether GitHub allows `text` in an owner's or repository's name (letters, digits, `-`, `_`, `.`).
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && text != "."
        && text != ".."
}

/// One repository, `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repo {
    owner: Arc<str>,
    name: Arc<str>,
}

impl Repo {
    /// The account that the repository belongs to.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether GitHub, who ignores case, takes both for one.
    pub fn is(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl FromStr for Repo {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.into(), name: name.into() })
            }
            _ => Err(InvalidScope(format!("{text:?} is no repository; write \"owner/name\""))),
        }
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Serialize for Repo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One repository, or all of an account's: `owner/name` or `owner/*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepoPattern {
    /// This repository.
    One(Repo),
    /// Every repository of this account.
    AllOf(String),
}

impl FromStr for RepoPattern {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        match text.strip_suffix("/*") {
            Some(owner) if is_name(owner) => Ok(Self::AllOf(owner.to_owned())),
            _ => text
                .parse()
                .map(Self::One)
                .map_err(|_| InvalidScope(format!("{text:?} is neither \"owner/name\" nor \"owner/*\""))),
        }
    }
}

impl fmt::Display for RepoPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(repo) => repo.fmt(f),
            Self::AllOf(owner) => write!(f, "{owner}/*"),
        }
    }
}

impl Serialize for RepoPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where one runner is registered: the text form, such as `orgs/acme` or `repos/acme/app`, is GitHub's own REST path and the
/// value of the container label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An enterprise's runner, open to what its default runner group admits.
    Enterprise(String),
    /// An organization's runner, open to what its runner group admits.
    Organization(String),
    /// A repository's own runner.
    Repository(Repo),
}

impl Scope {
    /// An organization by name, if the name is one.
    ///
    /// # Errors
    /// The text is no account name.
    pub fn organization(name: &str) -> Result<Self, InvalidScope> {
        if is_name(name) {
            Ok(Self::Organization(name.to_owned()))
        } else {
            Err(InvalidScope(format!("{name:?} is no organization's name")))
        }
    }

    /// An enterprise by its slug, if it is one.
    ///
    /// # Errors
    /// The text is no slug.
    pub fn enterprise(slug: &str) -> Result<Self, InvalidScope> {
        if is_name(slug) {
            Ok(Self::Enterprise(slug.to_owned()))
        } else {
            Err(InvalidScope(format!("{slug:?} is no enterprise's name")))
        }
    }

    /// The path below GitHub's host, `enterprises/acme-inc`, `acme` or `acme/app`, as people write it.
    pub fn path(&self) -> String {
        match self {
            Self::Enterprise(_) => self.to_string(),
            Self::Organization(org) => org.clone(),
            Self::Repository(repo) => repo.to_string(),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        match text.split_once('/') {
            Some(("enterprises", slug)) => Self::enterprise(slug),
            Some(("orgs", org)) => Self::organization(org),
            Some(("repos", repo)) => repo.parse().map(Self::Repository),
            _ => Err(InvalidScope(format!(
                "{text:?} is none of \"enterprises/NAME\", \"orgs/NAME\" and \"repos/OWNER/NAME\""
            ))),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enterprise(slug) => write!(f, "enterprises/{slug}"),
            Self::Organization(org) => write!(f, "orgs/{org}"),
            Self::Repository(repo) => write!(f, "repos/{repo}"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_survives_its_text() {
        for text in ["enterprises/acme-inc", "orgs/acme", "repos/acme/app.js"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in [
            "acme",
            "enterprises/",
            "enterprises/a/b",
            "orgs/",
            "orgs/a/b",
            "repos/acme",
            "repos/acme/..",
            "repos/a/b/c",
            "users/x",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_is_one_or_all() {
        assert_eq!("alice/*".parse::<RepoPattern>().unwrap(), RepoPattern::AllOf("alice".into()));
        assert!(matches!("alice/x".parse::<RepoPattern>().unwrap(), RepoPattern::One(_)));
        assert!("*/x".parse::<RepoPattern>().is_err());
        assert!("alice/x*".parse::<RepoPattern>().is_err());
    }
}
