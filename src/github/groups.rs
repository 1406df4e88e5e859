//! Runner groups: their numbers, and the repositories that they admit.
//!
//! <https://docs.github.com/rest/actions/self-hosted-runner-groups>

use std::sync::Arc;
use std::time::Duration;

use super::Client;
use super::GitHubError;
use super::credential::Credential;
use super::pages::Listing;
use super::wire;
use super::wire::Group;
use super::wire::Repository;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::Registration;
use crate::model::Repo;
use crate::model::Scope;
use crate::model::percent::encode;

/// The group of a repository's runners; the body wants one there too.
const DEFAULT_GROUP: u64 = 1;
/// How long a group's number is believed: a group may be renamed and another take its name.
const KEEP_GROUPS: Duration = Duration::from_secs(5 * 60);

/// Who may use a runner group.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AccessList {
    /// Repositories that may.
    pub repos: Vec<Repo>,
    /// Public ones that could, if the group were open to public repositories.
    pub closed_to: Vec<Repo>,
}

/// A runner group with its runners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerGroup {
    /// GitHub's number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether it is the one that runners go to where no group is named.
    pub default: bool,
    /// Which repositories may use it: `all`, `selected` or `private`.
    pub visibility: String,
    /// Whether public repositories are among those.
    pub allows_public: bool,
    /// Whether only certain workflows may use it.
    pub restricted_to_workflows: bool,
    /// Its runners.
    pub runners: Vec<Registration>,
}

impl Client {
    /// All runner groups of an organization, each with its runners.
    ///
    /// # Errors
    /// One of the listings cannot be had.
    pub async fn runner_groups(
        &self,
        credentials: &CredentialName,
        org: &str,
    ) -> Result<Vec<RunnerGroup>, GitHubError> {
        self.credential(credentials)?.runner_groups(org).await
    }
}

impl Credential {
    /// All groups, each with its runners.
    async fn runner_groups(&self, org: &str) -> Result<Vec<RunnerGroup>, GitHubError> {
        let mut found = Vec::new();
        let scope = organization(org);
        let (groups, _) = self.groups_of(&scope, true).await?;
        for group in groups.iter() {
            let what = format!("runner group {:?} in orgs/{org}", group.name);
            let listing = Listing {
                path: format!("orgs/{}/actions/runner-groups/{}/runners?per_page=100", encode(org), group.id),
                kind: "group-runners",
                label: format!("list the runners of {what}"),
                what,
                read: wire::runners,
                id: |runner: &Registration| runner.id.0,
            };
            found.push(RunnerGroup {
                id: group.id,
                name: group.name.clone(),
                default: group.default,
                visibility: group.visibility.clone(),
                allows_public: group.allows_public_repositories,
                restricted_to_workflows: group.restricted_to_workflows,
                runners: self.list_all(&scope, &listing).await?,
            });
        }
        Ok(found)
    }

    /// A group's number, and whether it was read just now. `anew` reads it in any case.
    pub(super) async fn group_id(
        &self,
        scope: &Scope,
        group: Option<&GroupName>,
        anew: bool,
    ) -> Result<(u64, bool), GitHubError> {
        match (scope, group) {
            // An enterprise's default group is its first, and a repository has no other.
            (Scope::Repository(_), _) | (Scope::Enterprise(_), None) => Ok((DEFAULT_GROUP, true)),
            (Scope::Enterprise(_) | Scope::Organization(_), group) => {
                self.group(scope, group, anew).await.map(|(group, read)| (group.id, read))
            }
        }
    }

    /// A group by name, or the default one.
    async fn group(
        &self,
        scope: &Scope,
        name: Option<&GroupName>,
        anew: bool,
    ) -> Result<(Group, bool), GitHubError> {
        let (groups, just_read) = self.groups_of(scope, anew).await?;
        if let Some(group) = choose(&groups, name) {
            return Ok((group.clone(), just_read));
        }
        if !just_read {
            let (groups, _) = self.groups_of(scope, true).await?;
            if let Some(group) = choose(&groups, name) {
                return Ok((group.clone(), true));
            }
        }
        let what = match name {
            Some(name) => format!("runner group {:?} in {scope}", name.as_str()),
            None => format!("default runner group in {scope}"),
        };
        Err(GitHubError::NotFound { credential: self.name(), what, needs: None })
    }

    async fn groups_of(&self, scope: &Scope, anew: bool) -> Result<(Arc<Vec<Group>>, bool), GitHubError> {
        let key = scope.to_string().to_ascii_lowercase();
        let listing = Listing {
            path: format!("{scope}/actions/runner-groups?per_page=100"),
            kind: "list-groups",
            label: format!("list the runner groups of {scope}"),
            what: format!("runner groups of {scope}"),
            read: wire::groups,
            id: |group| group.id,
        };
        let asked = self.now();
        let good = |(_, read): &(_, _)| if anew { *read > asked } else { asked.since(*read) < KEEP_GROUPS };
        let read = async { Ok((Arc::new(self.list_all(scope, &listing).await?), self.now())) };
        let got = self.groups.get(key, good, read).await?;
        Ok((got.value.0, got.just_read))
    }

    /// The repositories that may use a group. Archived and disabled ones run nothing and are left out; public ones are
    /// apart where the group is closed to them.
    pub(super) async fn admitted(
        &self,
        org: &str,
        name: Option<&GroupName>,
    ) -> Result<AccessList, GitHubError> {
        let (group, _) = self.group(&organization(org), name, true).await?;
        let listing = if group.visibility == "selected" {
            let path =
                format!("orgs/{}/actions/runner-groups/{}/repositories?per_page=100", encode(org), group.id);
            let what = format!("runner group {:?} in orgs/{org}", group.name);
            let label = format!("list the repositories of {what}");
            Listing { path, kind: "group-repositories", label, what, read: wire::group_repositories, id: of }
        } else {
            let path = format!("orgs/{}/repos?type=all&per_page=100", encode(org));
            let label = format!("list the repositories of orgs/{org}");
            Listing {
                path,
                kind: "list-repositories",
                label,
                what: format!("orgs/{org}"),
                read: wire::repositories,
                id: of,
            }
        };
        let repositories = self.list_all(&organization(org), &listing).await?;
        let private_only = group.visibility == "private" || !group.allows_public_repositories;
        let (closed, open): (Vec<&Repository>, Vec<&Repository>) = repositories
            .iter()
            .filter(|r| !r.archived && !r.disabled)
            .partition(|r| private_only && !r.private);
        let parse = |r: &&Repository| {
            let bad = |_| GitHubError::Malformed {
                call: listing.label.clone(),
                why: format!("{:?} is no repository", r.full_name),
            };
            r.full_name.parse().map_err(bad)
        };
        let names = |all: &[&Repository]| all.iter().map(parse).collect::<Result<Vec<Repo>, _>>();
        Ok(AccessList { repos: names(&open)?, closed_to: names(&closed)? })
    }
}

fn of(repository: &Repository) -> u64 {
    repository.id
}

fn organization(org: &str) -> Scope {
    Scope::Organization(org.to_owned())
}

/// The group of that name, else the one that differs only in case; the default one where no name is given.
fn choose<'a>(groups: &'a [Group], name: Option<&GroupName>) -> Option<&'a Group> {
    let Some(name) = name.map(GroupName::as_str) else {
        return groups.iter().find(|group| group.default);
    };
    let exact = groups.iter().find(|group| group.name == name);
    exact.or_else(|| groups.iter().find(|group| group.name.eq_ignore_ascii_case(name)))
}
