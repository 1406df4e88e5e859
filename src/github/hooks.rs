//! What GitHub keeps of the deliveries that it made, so that lost ones can be asked for again.
//!
//! <https://docs.github.com/rest/orgs/webhooks>, <https://docs.github.com/rest/repos/webhooks>,
//! <https://docs.github.com/rest/apps/webhooks>, <https://docs.github.com/rest/meta/meta>

use std::future::Future;

use http::Method;
use http::header;
use serde::Deserialize;

use super::Auth;
use super::Client;
use super::GitHubError;
use super::address::next_link;
use super::answer::Answer;
use super::answer::rfc_3339;
use super::call::Call;
use super::call::Fault;
use super::credential::Credential;
use super::pages::Listing;
use super::wire;
use crate::model::CredentialName;
use crate::model::Scope;
use crate::model::Time;

/// Pages of a hundred deliveries that are read at most: an organization with thousands of jobs a day has that many in some
/// hours, and what is older a look at the queues has found.
const PAGES_MAX: usize = 50;
/// Stands for the hook of the App itself, which has no number.
const OF_THE_APP: u64 = 0;

/// A delivery that GitHub tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// GitHub's number for this attempt.
    pub id: u64,
    /// What all attempts of one delivery share (`X-GitHub-Delivery`).
    pub guid: String,
    /// The hook that it belongs to; 0 for an App's own.
    pub hook: u64,
    /// Its event, such as `workflow_job`.
    pub event: String,
    /// When it was tried.
    pub at: Time,
    /// Whether the receiver answered with 2xx.
    pub delivered: bool,
}

/// Hooks of an organization or a repository.
pub trait Hooks: Send + Sync + 'static {
    /// Deliveries since a moment of the hooks in `scope` that point to `url`, the latest first. Where an App asks and the
    /// scope has none of its own, those of the App's hook.
    fn deliveries(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        url: &str,
        since: Time,
    ) -> impl Future<Output = Result<Vec<Delivery>, GitHubError>> + Send;

    /// Asks GitHub to make a delivery once more.
    fn redeliver(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), GitHubError>> + Send;

    /// Networks from which GitHub sends deliveries (`GET /meta`), in CIDR notation; asked with the token that is good for
    /// `scope`.
    fn hook_networks(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> impl Future<Output = Result<Vec<String>, GitHubError>> + Send;
}

impl Hooks for Client {
    async fn deliveries(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        url: &str,
        since: Time,
    ) -> Result<Vec<Delivery>, GitHubError> {
        self.credential(credentials)?.deliveries(scope, url, since).await
    }

    async fn redeliver(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        delivery: &Delivery,
    ) -> Result<(), GitHubError> {
        self.credential(credentials)?.redeliver(scope, delivery).await
    }

    async fn hook_networks(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> Result<Vec<String>, GitHubError> {
        self.credential(credentials)?.hook_networks(scope).await
    }
}

/// A hook of an organization or a repository.
#[derive(Debug, Clone, Deserialize)]
struct WireHook {
    id: u64,
    config: WireConfig,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct WireConfig {
    #[serde(default)]
    url: String,
}

/// A delivery as it is listed.
#[derive(Debug, Deserialize)]
struct WireDelivery {
    id: u64,
    guid: String,
    delivered_at: String,
    #[serde(default)]
    status_code: Option<i64>,
    event: String,
}

impl WireDelivery {
    fn of(self, hook: u64) -> Option<Delivery> {
        let at = rfc_3339(&self.delivered_at)?;
        let delivered = self.status_code.is_some_and(|code| (200..300).contains(&code));
        Some(Delivery { id: self.id, guid: self.guid, hook, event: self.event, at, delivered })
    }
}

impl Credential {
    async fn deliveries(&self, scope: &Scope, url: &str, since: Time) -> Result<Vec<Delivery>, GitHubError> {
        let hooks = self.hooks_to(scope, url).await?;
        let mut all = Vec::new();
        for hook in hooks {
            all.extend(self.deliveries_of(scope, hook, since).await?);
        }
        all.sort_by_key(|delivery: &Delivery| std::cmp::Reverse(delivery.at));
        Ok(all)
    }

    /// The hooks that point to an address.
    async fn hooks_to(&self, scope: &Scope, url: &str) -> Result<Vec<u64>, GitHubError> {
        let own = self.hooks_of(scope, url).await;
        let is_app = matches!(self.spec.auth, Auth::App { .. });
        match own {
            Ok(found) if !found.is_empty() => Ok(found),
            // An App is told of by its own hook, and need not be allowed to see others.
            Ok(_) | Err(GitHubError::NotFound { .. } | GitHubError::Forbidden { .. })
                if is_app && self.app_points_to(url).await? =>
            {
                Ok(vec![OF_THE_APP])
            }
            Ok(_) => Err(GitHubError::NotFound {
                credential: self.name(),
                what: format!("webhook with the address {url} in {scope}"),
                needs: None,
            }),
            Err(error) => Err(error),
        }
    }

    async fn hooks_of(&self, scope: &Scope, url: &str) -> Result<Vec<u64>, GitHubError> {
        let listing = Listing {
            path: format!("{scope}/hooks?per_page=100"),
            kind: "list-hooks",
            label: format!("list the webhooks of {scope}"),
            what: format!("webhooks of {scope}"),
            read: |body| wire::read(body).map(|hooks: Vec<WireHook>| (hooks, None)),
            id: |hook| hook.id,
        };
        let hooks = self.list_all(scope, &listing).await?;
        Ok(hooks.iter().filter(|hook| same_address(&hook.config.url, url)).map(|hook| hook.id).collect())
    }

    async fn app_points_to(&self, url: &str) -> Result<bool, GitHubError> {
        let call = Call::new(
            Method::GET,
            "app-hook",
            "app/hook/config".to_owned(),
            "read the App's webhook".to_owned(),
            "webhook of the App".to_owned(),
        );
        let answer = self.send_as_app(&call).await?;
        let config: WireConfig = wire::read(&answer.body).map_err(|why| call.malformed(why))?;
        Ok(same_address(&config.url, url))
    }

    /// A hook's deliveries since a moment. They are listed from the latest on, by cursors.
    async fn deliveries_of(
        &self,
        scope: &Scope,
        hook: u64,
        since: Time,
    ) -> Result<Vec<Delivery>, GitHubError> {
        let mut found = Vec::new();
        let mut target = Some(format!("{}/deliveries?per_page=100", path(scope, hook)));
        for _ in 0..PAGES_MAX {
            let Some(this) = target else { break };
            let label = format!("list the deliveries of {}", told(scope, hook));
            let call = Call::new(Method::GET, "list-deliveries", this, label, told(scope, hook));
            let answer = self.send_for(scope, hook, &call).await?;
            let page: Vec<WireDelivery> = wire::read(&answer.body).map_err(|why| call.malformed(why))?;
            for delivery in page {
                let delivery =
                    delivery.of(hook).ok_or_else(|| call.malformed("delivered_at is no moment"))?;
                if delivery.at < since {
                    return Ok(found);
                }
                found.push(delivery);
            }
            let links = answer.headers.get_all(header::LINK);
            target = next_link(links.iter().filter_map(|value| value.to_str().ok())).map(str::to_owned);
        }
        Ok(found)
    }

    async fn redeliver(&self, scope: &Scope, delivery: &Delivery) -> Result<(), GitHubError> {
        let Delivery { id, hook, .. } = delivery;
        let call = Call::new(
            Method::POST,
            "redeliver",
            format!("{}/deliveries/{id}/attempts", path(scope, *hook)),
            format!("repeat delivery {id} of {}", told(scope, *hook)),
            format!("delivery {id} of {}", told(scope, *hook)),
        );
        self.send_for(scope, *hook, &call).await?;
        Ok(())
    }

    async fn hook_networks(&self, scope: &Scope) -> Result<Vec<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Meta {
            /// An Enterprise Server names none.
            #[serde(default)]
            hooks: Vec<String>,
        }
        let label = "read the networks of its webhooks".to_owned();
        let call =
            Call::new(Method::GET, "meta", "meta".to_owned(), label, "description of itself".to_owned());
        let answer = self.send(scope, &call).await?;
        let meta: Meta = wire::read(&answer.body).map_err(|why| call.malformed(why))?;
        Ok(meta.hooks)
    }

    async fn send_for(&self, scope: &Scope, hook: u64, call: &Call) -> Result<Answer, Fault> {
        if hook == OF_THE_APP { self.send_as_app(call).await } else { self.send(scope, call).await }
    }
}

fn path(scope: &Scope, hook: u64) -> String {
    if hook == OF_THE_APP { "app/hook".to_owned() } else { format!("{scope}/hooks/{hook}") }
}

fn told(scope: &Scope, hook: u64) -> String {
    if hook == OF_THE_APP { "the App's webhook".to_owned() } else { format!("webhook {hook} of {scope}") }
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
