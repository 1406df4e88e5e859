//! Building a world from a state.

use super::Account;
use super::AccountKind;
use super::App;
use super::DEFAULT_GROUP;
use super::Group;
use super::HOSTED_GROUP;
use super::HookOwner;
use super::Repository;
use super::World;
use super::access::Grant;
use crate::clock::Moment;
use crate::state::GroupState;
use crate::state::RepositoryState;
use crate::state::State;
use crate::state::StateError;
use crate::state::TokenState;
use crate::state::Visibility;

impl World {
    /// Makes the world that a state describes.
    ///
    /// # Errors
    /// When a part of it names something that is not there, or an App's key is none.
    pub fn new(state: &State, now: Moment) -> Result<Self, StateError> {
        let mut world = Self::empty(state.settings.clone());
        for org in &state.organizations {
            let id = world.chosen(org.id);
            world.add_organization(id, &org.login, org.default_group_allows_public);
        }
        for repository in &state.repositories {
            world.add_repository(repository);
        }
        for enterprise in &state.enterprises {
            world.add_enterprise(&enterprise.slug, &enterprise.organizations)?;
        }
        for group in &state.groups {
            world.put_group(group)?;
        }
        for token in &state.tokens {
            world.add_token(token, now);
        }
        for app in &state.apps {
            world.apps.push(App::from_state(app)?);
            if let Some(hook) = &app.webhook {
                world.declare_hook(HookOwner::App(app.id), hook, now)?;
            }
        }
        for hook in &state.hooks {
            world.add_hook(hook, now)?;
        }
        Ok(world)
    }

    fn chosen(&mut self, id: u64) -> u64 {
        if id == 0 { self.fresh_id() } else { id }
    }

    fn add_organization(&mut self, id: u64, login: &str, allows_public: bool) {
        self.accounts.push(Account {
            id,
            login: login.to_string(),
            kind: AccountKind::Organization,
            members: Vec::new(),
        });
        self.add_default_group(id, allows_public);
    }

    fn add_default_group(&mut self, owner: u64, allows_public: bool) {
        self.groups.push(Group {
            id: DEFAULT_GROUP,
            owner,
            name: "Default".into(),
            visibility: Visibility::All,
            selected: Vec::new(),
            default: true,
            allows_public,
        });
    }

    fn add_enterprise(&mut self, slug: &str, organizations: &[String]) -> Result<(), StateError> {
        let mut members = Vec::new();
        for login in organizations {
            let org = self.account(login, AccountKind::Organization);
            members.push(org.map_err(|_| StateError::Dangling(format!("no organization {login}")))?.id);
        }
        let id = self.fresh_id();
        self.accounts.push(Account { id, login: slug.to_string(), kind: AccountKind::Enterprise, members });
        self.add_default_group(id, false);
        Ok(())
    }

    /// Adds a repository, and its owner as a user if nobody has that login yet.
    pub fn add_repository(&mut self, new: &RepositoryState) {
        let known = self
            .accounts
            .iter()
            .find(|a| a.kind != AccountKind::Enterprise && a.login.eq_ignore_ascii_case(&new.owner));
        let owner = match known {
            Some(account) => account.id,
            None => self.add_user(&new.owner),
        };
        let id = self.chosen(new.id);
        self.repositories.push(Repository {
            id,
            owner,
            owner_login: new.owner.clone(),
            name: new.name.clone(),
            private: new.private,
            archived: new.archived,
            former: Vec::new(),
            pushed: None,
        });
    }

    fn add_user(&mut self, login: &str) -> u64 {
        let id = self.fresh_id();
        self.accounts.push(Account {
            id,
            login: login.to_string(),
            kind: AccountKind::User,
            members: Vec::new(),
        });
        id
    }

    /// Adds a runner group, or replaces the one of that name or id.
    ///
    /// # Errors
    /// When its organization or enterprise, or one of its repositories or organizations, is not there.
    pub fn put_group(&mut self, new: &GroupState) -> Result<u64, StateError> {
        let dangling = |what: String| StateError::Dangling(what);
        let (login, kind) = match new.enterprise.as_str() {
            "" => (&new.org, AccountKind::Organization),
            slug => (&slug.to_owned(), AccountKind::Enterprise),
        };
        let owner = self.account(login, kind).map_err(|_| dangling(format!("no {kind:?} {login}")))?.id;
        let mut selected = Vec::new();
        for name in &new.repositories {
            let found = self.repository(&new.org, name);
            selected.push(found.map_err(|_| dangling(format!("no repository {}/{name}", new.org)))?.id);
        }
        for login in &new.organizations {
            let found = self.account(login, AccountKind::Organization);
            selected.push(found.map_err(|_| dangling(format!("no organization {login}")))?.id);
        }
        let mine = |g: &&mut Group| g.owner == owner && (g.id == new.id || g.name == new.name);
        if let Some(group) = self.groups.iter_mut().find(mine) {
            group.name.clone_from(&new.name);
            group.visibility = new.visibility;
            group.selected = selected;
            group.allows_public = new.allows_public_repositories;
            return Ok(group.id);
        }
        let highest = self.groups.iter().filter(|g| g.owner == owner).map(|g| g.id).max();
        let id = if new.id == 0 { highest.unwrap_or(0).max(HOSTED_GROUP) + 1 } else { new.id };
        self.groups.push(Group {
            id,
            owner,
            name: new.name.clone(),
            visibility: new.visibility,
            selected,
            default: false,
            allows_public: new.allows_public_repositories,
        });
        Ok(id)
    }

    /// Adds a personal access token.
    pub fn add_token(&mut self, new: &TokenState, now: Moment) {
        let known = self.accounts.iter().any(|a| a.login.eq_ignore_ascii_case(&new.user));
        if !known {
            self.add_user(&new.user);
        }
        let expires = new.expires_in_secs.map(|secs| now.wall + std::time::Duration::from_secs(secs));
        self.tokens.insert(new.token.clone(), Grant::personal(new, expires));
    }

    /// Revokes a token of any kind. True if it was good.
    pub fn revoke_token(&mut self, token: &str) -> bool {
        self.tokens.remove(token).is_some()
    }
}
