//! What exists at the simulated GitHub when it starts: the shape of the state file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::settings::Settings;

/// The whole state file. Every part may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Limits and lifetimes.
    pub settings: Settings,
    /// Organizations.
    pub organizations: Vec<OrganizationState>,
    /// Enterprises.
    pub enterprises: Vec<EnterpriseState>,
    /// Repositories; an owner that is no organization is taken as a user.
    pub repositories: Vec<RepositoryState>,
    /// Runner groups beside each organization's and enterprise's `Default`.
    pub groups: Vec<GroupState>,
    /// Personal access tokens.
    pub tokens: Vec<TokenState>,
    /// GitHub Apps and their installations.
    pub apps: Vec<AppState>,
    /// Webhooks of organizations and repositories.
    pub hooks: Vec<HookState>,
}

/// An organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationState {
    /// Its login.
    pub login: String,
    /// Its id; 0 or absent lets the simulator choose.
    #[serde(default)]
    pub id: u64,
    /// Whether the `Default` runner group serves public repositories.
    #[serde(default)]
    pub default_group_allows_public: bool,
}

/// An enterprise and the organizations in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnterpriseState {
    /// Its slug.
    pub slug: String,
    /// Logins of its organizations.
    #[serde(default)]
    pub organizations: Vec<String>,
}

/// A repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryState {
    /// Login of the organization or user.
    pub owner: String,
    /// Name, without the owner.
    pub name: String,
    /// Its id; 0 or absent lets the simulator choose.
    #[serde(default)]
    pub id: u64,
    /// Whether it is private.
    #[serde(default)]
    pub private: bool,
    /// Whether it is archived.
    #[serde(default)]
    pub archived: bool,
}

/// Which repositories may use a runner group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// All of the organization's.
    #[default]
    All,
    /// Those listed.
    Selected,
    /// The private ones.
    Private,
}

impl Visibility {
    /// GitHub's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Selected => "selected",
            Self::Private => "private",
        }
    }
}

/// A runner group of an organization or an enterprise.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupState {
    /// Login of the organization.
    #[serde(default)]
    pub org: String,
    /// Or slug of the enterprise.
    #[serde(default)]
    pub enterprise: String,
    /// Its id, 3 or more (1 is `Default`, 2 the GitHub-hosted group); 0 or absent: chosen.
    #[serde(default)]
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Which repositories, or organizations, may use it.
    #[serde(default)]
    pub visibility: Visibility,
    /// Names of an organization's repositories, where `selected`.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// Logins of an enterprise's organizations, where `selected`.
    #[serde(default)]
    pub organizations: Vec<String>,
    /// Whether public repositories may use it.
    #[serde(default)]
    pub allows_public_repositories: bool,
}

/// A personal access token: classic with `scopes`, fine-grained with `permissions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenState {
    /// The secret itself.
    pub token: String,
    /// Whose it is.
    pub user: String,
    /// Scopes of a classic token.
    pub scopes: Option<Vec<String>>,
    /// Resource owner of a fine-grained token.
    pub owner: Option<String>,
    /// Permissions of a fine-grained token (`administration = "write"`).
    pub permissions: Option<BTreeMap<String, String>>,
    /// Repositories of a fine-grained token, by name; absent means all of its owner's.
    pub repositories: Option<Vec<String>>,
    /// What the user administers (logins, or `owner/name`); absent means everything.
    pub admin_of: Option<Vec<String>>,
    /// When it expires, in seconds after the start.
    pub expires_in_secs: Option<u64>,
}

/// A GitHub App. Its key is given as PEM text or as a path to it, public or private.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppState {
    /// App id.
    pub id: u64,
    /// Client id, which may stand for the id in a token's `iss`.
    pub client_id: String,
    /// Its name.
    pub slug: String,
    /// Owner's login.
    pub owner: String,
    /// PEM text of the public or private key.
    pub key_pem: Option<String>,
    /// Path to such a text.
    pub key_file: Option<String>,
    /// Its webhook (`owner` is not asked there), whose `events` are the App's.
    pub webhook: Option<HookState>,
    /// Where it is installed.
    pub installations: Vec<InstallationState>,
}

/// A webhook that exists from the start, and is not pinged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookState {
    /// Login of an organization, or `owner/name` of a repository.
    pub owner: String,
    /// Where to deliver.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: Option<String>,
    /// `json` or `form`.
    pub content_type: String,
    /// The events it hears of; `*` is all.
    pub events: Vec<String>,
    /// Whether nothing is delivered.
    pub inactive: bool,
}

impl Default for HookState {
    fn default() -> Self {
        Self {
            owner: String::new(),
            url: String::new(),
            secret: None,
            content_type: "json".into(),
            events: vec!["workflow_job".into()],
            inactive: false,
        }
    }
}

/// An installation of an App.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstallationState {
    /// Installation id.
    pub id: u64,
    /// Login of the account it is installed on.
    pub account: String,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// Repositories by name; absent means all.
    pub repositories: Option<Vec<String>>,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not the TOML expected.
    #[error("cannot understand the state file")]
    Parse(#[from] toml::de::Error),
    /// A part names something that is not there.
    #[error("{0}")]
    Dangling(String),
    /// An App's key is no RSA key in PEM.
    #[error("the key of App {0} is no RSA key in PEM")]
    Key(u64),
}

impl State {
    /// Reads a state file.
    ///
    /// # Errors
    /// When the file cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, StateError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| StateError::Read { path: path.display().to_string(), source })?;
        Ok(toml::from_str(&text)?)
    }

    /// Adds an organization.
    #[must_use]
    pub fn organization(mut self, login: &str) -> Self {
        self.organizations.push(OrganizationState {
            login: login.into(),
            id: 0,
            default_group_allows_public: false,
        });
        self
    }

    /// Adds a private repository, named `owner/name`.
    #[must_use]
    pub fn repository(self, full_name: &str) -> Self {
        self.any_repository(full_name, true)
    }

    /// Adds a public repository, named `owner/name`.
    #[must_use]
    pub fn public_repository(self, full_name: &str) -> Self {
        self.any_repository(full_name, false)
    }

    fn any_repository(mut self, full_name: &str, private: bool) -> Self {
        let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
        self.repositories.push(RepositoryState {
            owner: owner.into(),
            name: name.into(),
            id: 0,
            private,
            archived: false,
        });
        self
    }

    /// Adds a runner group that serves the listed repositories only, or all private ones if none is listed.
    #[must_use]
    pub fn group(mut self, org: &str, id: u64, name: &str, repositories: &[&str]) -> Self {
        self.groups.push(GroupState {
            org: org.into(),
            id,
            name: name.into(),
            visibility: if repositories.is_empty() { Visibility::All } else { Visibility::Selected },
            repositories: repositories.iter().map(ToString::to_string).collect(),
            ..GroupState::default()
        });
        self
    }

    /// Adds a webhook of an organization, or of a repository named `owner/name`.
    #[must_use]
    pub fn hook(mut self, owner: &str, url: &str, secret: &str, events: &[&str]) -> Self {
        self.hooks.push(HookState {
            owner: owner.into(),
            url: url.into(),
            secret: Some(secret.into()),
            events: events.iter().map(ToString::to_string).collect(),
            ..HookState::default()
        });
        self
    }

    /// Adds a classic token of the user `admin`, who administers everything.
    #[must_use]
    pub fn classic_token(mut self, token: &str, scopes: &[&str]) -> Self {
        self.tokens.push(TokenState {
            token: token.into(),
            user: "admin".into(),
            scopes: Some(scopes.iter().map(ToString::to_string).collect()),
            ..TokenState::default()
        });
        self
    }

    /// Adds a fine-grained token for all repositories of `owner`.
    #[must_use]
    pub fn fine_grained_token(mut self, token: &str, owner: &str, permissions: &[(&str, &str)]) -> Self {
        let granted = permissions.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        self.tokens.push(TokenState {
            token: token.into(),
            user: "admin".into(),
            owner: Some(owner.into()),
            permissions: Some(granted),
            ..TokenState::default()
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_example_is_a_state() {
        let state: State = toml::from_str(include_str!("../example.toml")).unwrap();
        assert_eq!(state.settings.lost_after, Duration::from_secs(30));
        assert_eq!(state.groups[0].visibility, Visibility::Selected);
        assert_eq!((state.tokens.len(), state.apps[0].installations[0].id), (2, 70));
    }

    #[test]
    fn a_word_too_many_is_an_error() {
        assert!(toml::from_str::<State>("[[organizations]]\nlogin = \"a\"\nplan = 1").is_err());
    }
}
