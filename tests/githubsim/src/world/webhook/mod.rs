//! Webhooks: who is told of what, and what became of each delivery.
//!
//! `news` notes what happens; the server makes deliveries of it and puts their outcome here.

mod news;

use serde_json::Map;
use serde_json::Value;

pub(crate) use news::Change;
pub(crate) use news::News;
pub(crate) use news::Noted;

use super::AccountKind;
use super::Refusal;
use super::Repository;
use super::World;
use crate::clock::Moment;
use crate::state::HookState;
use crate::state::StateError;

/// Deliveries older than this many are forgotten.
const MOST_DELIVERIES: usize = 5000;

/// Whose hook it is, by the account's, repository's or App's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookOwner {
    Organization(u64),
    Repository(u64),
    App(u64),
}

impl HookOwner {
    /// GitHub's words for it: in payloads, and in headers.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Organization(_) => ("Organization", "organization"),
            Self::Repository(_) => ("Repository", "repository"),
            Self::App(_) => ("App", "integration"),
        }
    }

    pub(crate) fn id(self) -> u64 {
        let (Self::Organization(id) | Self::Repository(id) | Self::App(id)) = self;
        id
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: u64,
    pub(crate) owner: HookOwner,
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    /// Bodies are forms, as opposed to JSON.
    pub(crate) form: bool,
    pub(crate) insecure_ssl: bool,
    pub(crate) events: Vec<String>,
    pub(crate) active: bool,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    /// Oldest first.
    pub(crate) deliveries: Vec<Delivery>,
}

/// What a client sends of a hook; what is absent is left as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct HookRequest {
    pub(crate) url: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) form: Option<bool>,
    pub(crate) insecure_ssl: Option<bool>,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) active: Option<bool>,
}

/// What is to be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) guid: String,
    pub(crate) event: &'static str,
    pub(crate) action: Option<&'static str>,
    pub(crate) installation: Option<u64>,
    pub(crate) repository: Option<u64>,
    pub(crate) payload: Value,
}

/// A delivery that was tried.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) parcel: Parcel,
    pub(crate) url: String,
    pub(crate) at: Moment,
    pub(crate) redelivery: bool,
    pub(crate) duration_secs: f64,
    pub(crate) status: String,
    pub(crate) code: u16,
    pub(crate) request_headers: Map<String, Value>,
    pub(crate) response_headers: Option<Map<String, Value>>,
    pub(crate) response_body: Option<String>,
}

impl Hook {
    fn apply(&mut self, wanted: HookRequest, now: Moment) {
        self.url = wanted.url.unwrap_or_else(|| std::mem::take(&mut self.url));
        self.secret = wanted.secret.filter(|s| !s.is_empty()).or_else(|| self.secret.take());
        self.form = wanted.form.unwrap_or(self.form);
        self.insecure_ssl = wanted.insecure_ssl.unwrap_or(self.insecure_ssl);
        self.events = wanted.events.unwrap_or_else(|| std::mem::take(&mut self.events));
        self.active = wanted.active.unwrap_or(self.active);
        self.updated = now;
    }

    fn hears(&self, event: &str) -> bool {
        self.active && self.events.iter().any(|e| e == event || e == "*")
    }
}

impl World {
    /// Makes a hook, which is pinged.
    pub(crate) fn create_hook(
        &mut self,
        owner: HookOwner,
        wanted: HookRequest,
        now: Moment,
    ) -> Result<u64, Refusal> {
        let url = wanted.url.clone().unwrap_or_default();
        check_url(&url)?;
        let mine = |h: &&Hook| h.owner == owner && h.url == url;
        if let Some(same) = self.hooks.iter().find(mine)
            && wanted.events.as_ref().is_none_or(|e| *e == same.events)
        {
            let place = owner.words().1;
            return Err(Refusal::Invalid(format!("Hook already exists on this {place}")));
        }
        let id = self.fresh_id();
        let mut hook = Hook {
            id,
            owner,
            url,
            secret: None,
            form: true,
            insecure_ssl: false,
            events: vec!["push".into()],
            active: true,
            created: now,
            updated: now,
            deliveries: Vec::new(),
        };
        hook.apply(wanted, now);
        self.hooks.push(hook);
        self.announce(News::Ping(id));
        Ok(id)
    }

    /// Makes a hook as a state declares it; it is not pinged.
    ///
    /// # Errors
    /// When its owner is not there or its address is none.
    pub fn add_hook(&mut self, new: &HookState, now: Moment) -> Result<(), StateError> {
        let dangling = || StateError::Dangling(format!("a hook's owner {} does not exist", new.owner));
        let owner = match new.owner.contains('/') {
            true => HookOwner::Repository(self.repository_named(&new.owner).map_err(|_| dangling())?.id),
            false => {
                let org = self.account(&new.owner, AccountKind::Organization);
                HookOwner::Organization(org.map_err(|_| dangling())?.id)
            }
        };
        self.declare_hook(owner, new, now)
    }

    pub(super) fn declare_hook(
        &mut self,
        owner: HookOwner,
        new: &HookState,
        now: Moment,
    ) -> Result<(), StateError> {
        if !["json", "form"].contains(&new.content_type.as_str()) {
            return Err(StateError::Dangling(format!("{} is no content type of a hook", new.content_type)));
        }
        let wanted = HookRequest {
            url: Some(new.url.clone()),
            secret: new.secret.clone(),
            form: Some(new.content_type == "form"),
            insecure_ssl: None,
            events: Some(new.events.clone()),
            active: Some(!new.inactive),
        };
        self.create_hook(owner, wanted, now).map_err(|no| StateError::Dangling(no.to_string()))?;
        self.news.pop();
        Ok(())
    }

    pub(crate) fn hooks_of(&self, owner: HookOwner) -> Vec<&Hook> {
        self.hooks.iter().filter(|h| h.owner == owner).collect()
    }

    pub(crate) fn hook(&self, owner: HookOwner, id: u64) -> Result<&Hook, Refusal> {
        self.hooks.iter().find(|h| h.owner == owner && h.id == id).ok_or(Refusal::NotFound)
    }

    pub(crate) fn hook_by_id(&self, id: u64) -> Option<&Hook> {
        self.hooks.iter().find(|h| h.id == id)
    }

    pub(crate) fn change_hook(&mut self, id: u64, wanted: HookRequest, now: Moment) -> Result<(), Refusal> {
        if let Some(url) = &wanted.url {
            check_url(url)?;
        }
        if let Some(hook) = self.hooks.iter_mut().find(|h| h.id == id) {
            hook.apply(wanted, now);
        }
        Ok(())
    }

    pub(crate) fn delete_hook(&mut self, id: u64) {
        self.hooks.retain(|h| h.id != id);
    }

    /// The hooks that hear of an event, each with the installation it is told of.
    pub(crate) fn listeners(&self, news: &News) -> Vec<(&Hook, Option<u64>)> {
        let event = news.event();
        let all = self.hooks.iter();
        match news {
            News::Ping(id) => all.filter(|h| h.id == *id).map(|h| (h, None)).collect(),
            News::Installation { app, id, .. } => {
                let mine = |h: &&Hook| h.owner == HookOwner::App(*app) && h.active;
                all.filter(mine).map(|h| (h, Some(*id))).collect()
            }
            News::Organization { id, .. } => {
                let hears = |h: &&Hook| h.hears(event) && h.owner == HookOwner::Organization(*id);
                all.filter(hears).map(|h| (h, None)).collect()
            }
            _ => {
                let Some(repository) = news.repository() else {
                    return Vec::new();
                };
                all.filter(|h| h.hears(event)).filter_map(|h| self.heard(h, repository)).collect()
            }
        }
    }

    /// Whether a repository's news are for a hook, and then by which installation.
    fn heard<'a>(&'a self, hook: &'a Hook, repository: &Repository) -> Option<(&'a Hook, Option<u64>)> {
        match hook.owner {
            HookOwner::Repository(id) => (id == repository.id).then_some((hook, None)),
            HookOwner::Organization(id) => (id == repository.owner).then_some((hook, None)),
            HookOwner::App(app) => {
                let app = self.app(app).ok()?;
                let covers = |i: &&crate::state::InstallationState| {
                    i.account.eq_ignore_ascii_case(&repository.owner_login)
                        && !i.suspended
                        && i.repositories
                            .as_ref()
                            .is_none_or(|all| all.iter().any(|n| n.eq_ignore_ascii_case(&repository.name)))
                };
                Some((hook, Some(app.installations.iter().find(covers)?.id)))
            }
        }
    }

    /// Has a delivery made again.
    pub(crate) fn redeliver(&mut self, hook: u64, parcel: Parcel) {
        self.redeliveries.push((hook, parcel));
    }

    /// Takes what is to be delivered again.
    pub(crate) fn take_redeliveries(&mut self) -> Vec<(u64, Parcel)> {
        std::mem::take(&mut self.redeliveries)
    }

    /// Keeps what became of a delivery.
    pub(crate) fn record_delivery(&mut self, hook: u64, delivery: Delivery) {
        let good = (200..400).contains(&delivery.code);
        let Some(hook) = self.hooks.iter_mut().find(|h| h.id == hook) else {
            return;
        };
        hook.deliveries.push(delivery);
        if hook.deliveries.len() > MOST_DELIVERIES {
            hook.deliveries.remove(0);
        }
        self.counters.deliveries += 1;
        self.counters.deliveries_failed += u64::from(!good);
    }
}

fn check_url(url: &str) -> Result<(), Refusal> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_some_and(|h| !h.is_empty() && !h.starts_with('/')) {
        return Ok(());
    }
    Err(Refusal::Invalid("Validation Failed: url is not a valid URL".into()))
}
