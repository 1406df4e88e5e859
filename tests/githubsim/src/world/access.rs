//! Who may do what: tokens, scopes, permissions, rate limits.

use std::time::SystemTime;

use super::Account;
use super::AccountKind;
use super::Bucket;
use super::Refusal;
use super::Repository;
use super::World;
use super::model::Permissions;
use crate::clock::Moment;
use crate::state::TokenState;

/// Reading or changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Read,
    Write,
}

/// What a token grants.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A classic personal token.
    Classic { user: String, scopes: Vec<String>, admin_of: Option<Vec<String>> },
    /// A fine-grained personal token.
    FineGrained { user: String, owner: String, permissions: Permissions, repositories: Option<Vec<String>> },
    /// An App's token for one of its installations.
    Installation {
        installation: u64,
        account: String,
        permissions: Permissions,
        repositories: Option<Vec<String>>,
    },
    /// The App itself, by a signed assertion.
    App(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) credential: Credential,
    pub(crate) expires: Option<SystemTime>,
}

impl Grant {
    pub(crate) fn personal(from: &TokenState, expires: Option<SystemTime>) -> Self {
        let user = from.user.clone();
        let credential = match &from.permissions {
            Some(permissions) => Credential::FineGrained {
                owner: from.owner.clone().unwrap_or_else(|| user.clone()),
                user,
                permissions: permissions.clone(),
                repositories: from.repositories.clone(),
            },
            None => Credential::Classic {
                user,
                scopes: from.scopes.clone().unwrap_or_default(),
                admin_of: from.admin_of.clone(),
            },
        };
        Self { credential, expires }
    }
}

impl Credential {
    /// The name of the rate limit it draws on, and how GitHub words its owner.
    pub(crate) fn budget(&self) -> (String, String) {
        match self {
            Self::Classic { user, .. } | Self::FineGrained { user, .. } => {
                (format!("user {user}"), format!("user {user}"))
            }
            Self::Installation { installation, .. } => {
                let name = format!("installation ID {installation}");
                (name.clone(), name)
            }
            Self::App(id) => (format!("app {id}"), format!("app ID {id}")),
        }
    }

    /// The login of the person behind it.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::Classic { user, .. } | Self::FineGrained { user, .. } => Some(user),
            Self::Installation { .. } | Self::App(_) => None,
        }
    }

    /// Whether it is a token of that installation.
    pub(super) fn is_of(&self, id: u64) -> bool {
        matches!(self, Self::Installation { installation, .. } if *installation == id)
    }

    fn refused(&self) -> Refusal {
        let by = match self {
            Self::Classic { .. } => return Refusal::not_admin(),
            Self::FineGrained { .. } => "personal access token",
            Self::Installation { .. } | Self::App(_) => "integration",
        };
        Refusal::Forbidden(format!("Resource not accessible by {by}"))
    }

    fn permits(&self, name: &str, level: Level) -> bool {
        let permissions = match self {
            Self::FineGrained { permissions, .. } | Self::Installation { permissions, .. } => permissions,
            Self::Classic { .. } | Self::App(_) => return false,
        };
        match permissions.get(name).map(String::as_str) {
            Some("write" | "admin") => true,
            Some("read") => level == Level::Read,
            _ => false,
        }
    }

    fn administers(&self, what: &[&str]) -> bool {
        match self {
            Self::Classic { admin_of: Some(list), .. } => {
                list.iter().any(|l| what.iter().any(|w| l.eq_ignore_ascii_case(w)))
            }
            _ => true,
        }
    }

    fn has_scope(&self, wanted: &[&str]) -> bool {
        matches!(self, Self::Classic { scopes, .. } if scopes.iter().any(|s| wanted.contains(&s.as_str())))
    }

    /// Whether a token that is bound to an account and a list of repositories covers this one.
    fn covers(&self, repository: &Repository) -> bool {
        let (account, list) = match self {
            Self::FineGrained { owner, repositories, .. } => (owner, repositories),
            Self::Installation { account, repositories, .. } => (account, repositories),
            Self::Classic { .. } => return true,
            Self::App(_) => return false,
        };
        account.eq_ignore_ascii_case(&repository.owner_login)
            && list.as_ref().is_none_or(|l| l.iter().any(|n| n.eq_ignore_ascii_case(&repository.name)))
    }
}

impl World {
    /// Who the `Authorization` header stands for.
    pub(crate) fn authenticate(&self, header: Option<&str>, now: Moment) -> Result<Credential, Refusal> {
        let Some(header) = header else {
            return Err(Refusal::Unauthorized("Requires authentication"));
        };
        let (scheme, token) = header.split_once(' ').ok_or(Refusal::BAD_CREDENTIALS)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return Err(Refusal::BAD_CREDENTIALS);
        }
        if token.split('.').count() == 3 {
            return self.authenticate_app(token, now).map(Credential::App);
        }
        let grant = self.tokens.get(token).ok_or(Refusal::BAD_CREDENTIALS)?;
        match grant.expires {
            Some(at) if at <= now.wall => Err(Refusal::BAD_CREDENTIALS),
            _ if self.is_suspended(&grant.credential) => {
                Err(Refusal::Forbidden("This installation has been suspended".into()))
            }
            _ => Ok(grant.credential.clone()),
        }
    }

    fn is_suspended(&self, credential: &Credential) -> bool {
        let Credential::Installation { installation, .. } = credential else {
            return false;
        };
        self.apps.iter().flat_map(|a| &a.installations).any(|i| i.id == *installation && i.suspended)
    }

    /// When the personal token in an `Authorization` header expires, if ever.
    pub(crate) fn expiry_of_personal(&self, header: &str) -> Option<SystemTime> {
        let (_, token) = header.split_once(' ')?;
        let grant = self.tokens.get(token.trim())?;
        grant.credential.user().and(grant.expires)
    }

    /// May it see that the repository exists?
    pub(crate) fn may_see(&self, who: &Credential, repository: &Repository) -> Result<(), Refusal> {
        let seen = match who {
            Credential::Classic { .. } => {
                !repository.private
                    || who.has_scope(&["repo"])
                        && who.administers(&[&repository.owner_login, &repository.full_name()])
            }
            _ => !repository.private || who.covers(repository),
        };
        if seen { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// May it manage the repository's runners?
    pub(crate) fn may_administer(
        &self,
        who: &Credential,
        repository: &Repository,
        level: Level,
    ) -> Result<(), Refusal> {
        self.may_see(who, repository)?;
        let may = match who {
            Credential::Classic { .. } => {
                who.has_scope(&["repo"])
                    && who.administers(&[&repository.owner_login, &repository.full_name()])
            }
            _ => who.covers(repository) && who.permits("administration", level),
        };
        if may { Ok(()) } else { Err(who.refused()) }
    }

    /// May it read (or cancel) the repository's runs and jobs?
    pub(crate) fn may_use_actions(
        &self,
        who: &Credential,
        repository: &Repository,
        level: Level,
    ) -> Result<(), Refusal> {
        self.may_see(who, repository)?;
        let open = !repository.private && level == Level::Read;
        let may = match who {
            Credential::Classic { .. } => open || who.has_scope(&["repo"]),
            _ => open || who.covers(repository) && who.permits("actions", level),
        };
        if may { Ok(()) } else { Err(who.refused()) }
    }

    /// May it manage the organization's runners and groups?
    pub(crate) fn may_manage(&self, who: &Credential, org: &Account, level: Level) -> Result<(), Refusal> {
        let may = match who {
            Credential::Classic { .. } => who.has_scope(&["admin:org"]) && who.administers(&[&org.login]),
            Credential::FineGrained { owner: account, .. } | Credential::Installation { account, .. } => {
                account.eq_ignore_ascii_case(&org.login)
                    && who.permits("organization_self_hosted_runners", level)
            }
            Credential::App(_) => {
                return Err(Refusal::Unauthorized("A JSON web token could not be decoded"));
            }
        };
        if may { Ok(()) } else { Err(who.refused()) }
    }

    /// May it manage the enterprise's runners? Classic tokens only.
    pub(crate) fn may_manage_enterprise(
        &self,
        who: &Credential,
        enterprise: &Account,
    ) -> Result<(), Refusal> {
        let wanted = ["manage_runners:enterprise", "admin:enterprise"];
        if who.has_scope(&wanted) && who.administers(&[&enterprise.login]) {
            return Ok(());
        }
        match who {
            Credential::Classic { .. } => Err(Refusal::NotFound),
            _ => Err(who.refused()),
        }
    }

    /// May it see or change the organization's hooks? To whom it may not there are none.
    pub(crate) fn may_hook_organization(
        &self,
        who: &Credential,
        org: &Account,
        level: Level,
    ) -> Result<(), Refusal> {
        match who {
            Credential::Classic { .. } => {
                let may = who.has_scope(&["admin:org_hook"]) && who.administers(&[&org.login]);
                if may { Ok(()) } else { Err(Refusal::NotFound) }
            }
            Credential::FineGrained { owner: account, .. } | Credential::Installation { account, .. } => {
                let own = account.eq_ignore_ascii_case(&org.login);
                if own && who.permits("organization_hooks", level) { Ok(()) } else { Err(who.refused()) }
            }
            Credential::App(_) => Err(Refusal::Unauthorized("A JSON web token could not be decoded")),
        }
    }

    /// May it see or change the repository's hooks?
    pub(crate) fn may_hook_repository(
        &self,
        who: &Credential,
        repository: &Repository,
        level: Level,
    ) -> Result<(), Refusal> {
        self.may_see(who, repository)?;
        let scopes: &[&str] = match level {
            Level::Read => &["repo", "admin:repo_hook", "write:repo_hook", "read:repo_hook"],
            Level::Write => &["repo", "admin:repo_hook", "write:repo_hook"],
        };
        match who {
            Credential::Classic { .. } => {
                let own = who.administers(&[&repository.owner_login, &repository.full_name()]);
                if own && who.has_scope(scopes) { Ok(()) } else { Err(Refusal::NotFound) }
            }
            _ => {
                let may = who.covers(repository) && who.permits("repository_hooks", level);
                if may { Ok(()) } else { Err(who.refused()) }
            }
        }
    }

    /// The repositories a credential sees of one account.
    pub(crate) fn visible_repositories(&self, who: &Credential, account: &Account) -> Vec<&Repository> {
        let seen = |r: &&Repository| r.owner == account.id && self.may_see(who, r).is_ok();
        self.repositories.iter().filter(seen).collect()
    }

    /// Where the budget named `name` stands.
    pub(crate) fn bucket(&mut self, name: &str, now: Moment) -> Bucket {
        let fresh = Bucket { used: 0, reset: now.unix() + 3600 };
        let bucket = self.buckets.entry(name.to_string()).or_insert(fresh);
        if bucket.reset <= now.unix() {
            *bucket = fresh;
        }
        *bucket
    }

    /// Takes one request off a budget, or refuses.
    pub(crate) fn charge(&mut self, name: &str, wording: &str, now: Moment) -> Result<(), Refusal> {
        let bucket = self.bucket(name, now);
        if bucket.used >= self.settings.rate_limit {
            return Err(Refusal::RateLimited(wording.to_string()));
        }
        self.buckets.insert(name.to_string(), Bucket { used: bucket.used + 1, ..bucket });
        Ok(())
    }

    /// Gives one request back: an unchanged answer is free.
    pub(crate) fn refund(&mut self, name: &str) {
        if let Some(bucket) = self.buckets.get_mut(name) {
            bucket.used = bucket.used.saturating_sub(1);
        }
    }

    /// The account of a login, whoever it is.
    pub(crate) fn person_or_org(&self, login: &str) -> Result<&Account, Refusal> {
        self.accounts
            .iter()
            .find(|a| a.kind != AccountKind::Enterprise && a.login.eq_ignore_ascii_case(login))
            .ok_or(Refusal::NotFound)
    }
}
