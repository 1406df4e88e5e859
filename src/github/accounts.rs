//! The repositories of an account.
//!
//! <https://docs.github.com/rest/repos/repos>, <https://docs.github.com/rest/apps/installations>

use http::Method;

use super::AccountRepo;
use super::GitHubError;
use super::answer::rfc_3339;
use super::call::Call;
use super::credential::Credential;
use super::pages::Listing;
use super::wire;
use super::wire::Entries;
use super::wire::Repository;
use crate::model::Scope;
use crate::model::percent::encode;

impl Credential {
    /// All repositories of an account that this credential can see: an App those of its installation there, a token's own
    /// account all of its own, an organization what it shows, and any other account its public ones.
    pub(super) async fn repositories(&self, owner: &str) -> Result<Vec<AccountRepo>, GitHubError> {
        let scope = Scope::Organization(owner.to_owned());
        let list = async |path: String, read| {
            let listing = listing(owner, path, read);
            repositories_of(owner, &listing, self.list_all(&scope, &listing).await?)
        };
        if self.find_installation(owner).await? {
            return list("installation/repositories?per_page=100".into(), wire::group_repositories).await;
        }
        if self.own_account().await?.is_some_and(|login| login.eq_ignore_ascii_case(owner)) {
            return list("user/repos?affiliation=owner&per_page=100".into(), wire::repositories).await;
        }
        let name = encode(owner);
        match list(format!("orgs/{name}/repos?type=all&per_page=100"), wire::repositories).await {
            Err(GitHubError::NotFound { .. }) => {
                list(format!("users/{name}/repos?type=owner&per_page=100"), wire::repositories).await
            }
            other => other,
        }
    }

    /// The account that the token belongs to; none where GitHub does not tell.
    async fn own_account(&self) -> Result<Option<String>, GitHubError> {
        let call = Call::new(
            Method::GET,
            "user",
            "user".to_owned(),
            "read whose token this is".to_owned(),
            "account of the token".to_owned(),
        );
        // No scope has a part in whose token it is.
        let scope = Scope::Organization(String::new());
        let ask = async {
            let answer = self.send(&scope, &call).await?;
            let account: wire::Account = wire::read(&answer.body).map_err(|why| call.malformed(why))?;
            Ok(account.login)
        };
        match self.account.get((), |_| true, ask).await {
            Ok(got) => Ok(Some(got.value)),
            Err(GitHubError::Forbidden { .. } | GitHubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn listing(
    owner: &str,
    path: String,
    read: fn(&[u8]) -> Result<Entries<Repository>, String>,
) -> Listing<Repository> {
    Listing {
        path,
        kind: "list-repositories",
        label: format!("list the repositories of {owner}"),
        what: format!("account {owner}"),
        read,
        id: |repository| repository.id,
    }
}

/// Those of a listing that belong to the account.
fn repositories_of(
    owner: &str,
    listing: &Listing<Repository>,
    found: Vec<Repository>,
) -> Result<Vec<AccountRepo>, GitHubError> {
    let malformed = |why: String| GitHubError::Malformed { call: listing.label.clone(), why };
    let mut repos = Vec::new();
    for Repository { full_name, archived, disabled, pushed_at, .. } in found {
        let repo: crate::model::Repo =
            full_name.parse().map_err(|_| malformed(format!("{full_name:?} is no repository")))?;
        if !repo.owner().eq_ignore_ascii_case(owner) {
            continue;
        }
        let parse = |text: &str| {
            rfc_3339(text).ok_or_else(|| malformed(format!("pushed_at of {full_name} is {text:?}")))
        };
        let pushed = pushed_at.as_deref().map(parse).transpose()?;
        repos.push(AccountRepo { repo, pushed, archived: archived || disabled });
    }
    Ok(repos)
}
