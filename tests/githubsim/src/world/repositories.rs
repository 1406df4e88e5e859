//! Repositories: finding them by their names, and what their owners do with them.

use super::Change;
use super::Refusal;
use super::Repository;
use super::World;
use crate::clock::Moment;

impl World {
    /// A repository by its names; one that was renamed refuses with its new name.
    pub(crate) fn repository(&self, owner: &str, name: &str) -> Result<&Repository, Refusal> {
        let named =
            |r: &&Repository| r.owner_login.eq_ignore_ascii_case(owner) && r.name.eq_ignore_ascii_case(name);
        if let Some(found) = self.repositories.iter().find(named) {
            return Ok(found);
        }
        let old = format!("{owner}/{name}").to_ascii_lowercase();
        match self.repositories.iter().find(|r| r.former.contains(&old)) {
            Some(renamed) => Err(Refusal::Moved(renamed.full_name())),
            None => Err(Refusal::NotFound),
        }
    }

    pub(crate) fn repository_by_id(&self, id: u64) -> Option<&Repository> {
        self.repositories.iter().find(|r| r.id == id)
    }

    /// A repository by `owner/name`.
    pub(crate) fn repository_named(&self, full_name: &str) -> Result<&Repository, Refusal> {
        let (owner, name) = full_name.split_once('/').ok_or(Refusal::NotFound)?;
        self.repository(owner, name)
    }

    /// Renames a repository (`owner/name` to `owner/new`); the old name redirects.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn rename_repository(&mut self, full_name: &str, new_name: &str) -> Result<(), Refusal> {
        let id = self.repository_named(full_name)?.id;
        if let Some(found) = self.repositories.iter_mut().find(|r| r.id == id) {
            found.former.push(found.full_name().to_ascii_lowercase());
            let old = std::mem::replace(&mut found.name, new_name.to_string());
            self.announce_repository(id, "renamed", Change::Name(old));
        }
        Ok(())
    }

    /// Gives a repository (`owner/name`) to another owner; the old name redirects.
    ///
    /// # Errors
    /// When there is no such repository or owner.
    pub fn transfer_repository(&mut self, full_name: &str, new_owner: &str) -> Result<(), Refusal> {
        let found = self.repository_named(full_name)?;
        let (id, from) = (found.id, found.owner);
        let to = self.person_or_org(new_owner)?;
        let (owner, login) = (to.id, to.login.clone());
        if let Some(found) = self.repositories.iter_mut().find(|r| r.id == id) {
            found.former.push(found.full_name().to_ascii_lowercase());
            found.owner = owner;
            found.owner_login = login;
        }
        // Groups belong to the organization that the repository has left.
        for group in self.groups.iter_mut().filter(|g| g.owner != owner) {
            group.selected.retain(|r| *r != id);
        }
        self.announce_repository(id, "transferred", Change::Owner(from));
        Ok(())
    }

    /// Archives a repository, or takes it out of the archive. An archived one starts no jobs.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn archive_repository(&mut self, full_name: &str, archived: bool) -> Result<(), Refusal> {
        let id = self.repository_named(full_name)?.id;
        if let Some(found) = self.repositories.iter_mut().find(|r| r.id == id) {
            found.archived = archived;
        }
        let action = if archived { "archived" } else { "unarchived" };
        self.announce_repository(id, action, Change::Nothing);
        Ok(())
    }

    /// Notes a push that starts nothing.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn push_to_repository(&mut self, full_name: &str, now: Moment) -> Result<(), Refusal> {
        let id = self.repository_named(full_name)?.id;
        if let Some(found) = self.repositories.iter_mut().find(|r| r.id == id) {
            found.pushed = Some(now);
        }
        Ok(())
    }
}
