//! Runner groups of organizations and enterprises.

use super::AccountKind;
use super::Group;
use super::Refusal;
use super::Repository;
use super::Runner;
use super::Scope;
use super::World;

impl World {
    /// The groups of an organization or enterprise, or those that one of an organization's repositories may use.
    pub(crate) fn groups_of(&self, org: u64, visible_to: Option<&str>) -> Vec<&Group> {
        let asked = visible_to.map(|name| {
            self.repositories.iter().find(|r| {
                r.owner == org
                    && (r.name.eq_ignore_ascii_case(name) || r.full_name().eq_ignore_ascii_case(name))
            })
        });
        self.groups
            .iter()
            .filter(|g| g.owner == org)
            .filter(|g| match asked {
                None => true,
                Some(repository) => repository.is_some_and(|r| g.admits(r)),
            })
            .collect()
    }

    pub(crate) fn group_of(&self, org: u64, id: u64) -> Result<&Group, Refusal> {
        self.groups.iter().find(|g| g.owner == org && g.id == id).ok_or(Refusal::NotFound)
    }

    pub(crate) fn group_repositories(&self, group: &Group) -> Vec<&Repository> {
        self.repositories.iter().filter(|r| group.selected.contains(&r.id)).collect()
    }

    pub(crate) fn group_runners(&self, group: &Group) -> Vec<&Runner> {
        let of_enterprise =
            self.account_by_id(group.owner).is_some_and(|a| a.kind == AccountKind::Enterprise);
        let scope =
            if of_enterprise { Scope::Enterprise(group.owner) } else { Scope::Organization(group.owner) };
        let mut runners = self.runners_in(scope);
        runners.retain(|r| r.group == group.id);
        runners
    }

    pub(crate) fn group_name(&self, scope: Scope, id: u64) -> String {
        match scope {
            Scope::Organization(owner) | Scope::Enterprise(owner) => {
                self.group_of(owner, id).map_or_else(|_| String::new(), |g| g.name.clone())
            }
            Scope::Repository(_) => "Default".into(),
        }
    }

    /// Whether a runner may serve jobs of a repository at all.
    pub(crate) fn serves(&self, runner: &Runner, repository: &Repository) -> bool {
        self.place_serves(runner.scope, runner.group, repository)
    }

    /// Whether what is registered there, in that group, may serve jobs of a repository at all.
    pub(crate) fn place_serves(&self, scope: Scope, group: u64, repository: &Repository) -> bool {
        match scope {
            Scope::Repository(id) => id == repository.id,
            Scope::Organization(org) => {
                org == repository.owner && self.group_of(org, group).is_ok_and(|g| g.admits(repository))
            }
            Scope::Enterprise(id) => {
                self.account_by_id(id).is_some_and(|e| e.members.contains(&repository.owner))
                    && self.group_of(id, group).is_ok_and(|g| g.admits(repository))
            }
        }
    }
}
