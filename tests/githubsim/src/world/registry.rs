//! Registering, listing and deleting runners.

use super::AccountKind;
use super::DEFAULT_GROUP;
use super::Group;
use super::HOSTED_GROUP;
use super::Refusal;
use super::Runner;
use super::Scope;
use super::TimedToken;
use super::World;
use crate::clock::Moment;

/// A runner to register.
#[derive(Debug, Clone)]
pub struct RunnerRequest {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: u64,
    /// Its labels, all of them: none is added.
    pub labels: Vec<String>,
    /// Where jobs work.
    pub work_folder: String,
    /// One job and gone.
    pub ephemeral: bool,
    /// Never update itself.
    pub disable_update: bool,
    /// Take the place of a runner of that name.
    pub replace: bool,
}

impl RunnerRequest {
    /// An ephemeral runner of the `Default` group.
    #[must_use]
    pub fn new(name: &str, labels: &[&str]) -> Self {
        Self {
            name: name.into(),
            group: DEFAULT_GROUP,
            labels: labels.iter().map(ToString::to_string).collect(),
            work_folder: "_work".into(),
            ephemeral: true,
            disable_update: false,
            replace: false,
        }
    }
}

/// What registering gives.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The runner's id.
    pub runner_id: u64,
    /// The secret that opens its one session.
    pub secret: String,
}

impl World {
    /// Registers a runner. From here on it is listed, offline.
    ///
    /// # Errors
    /// When the group is not there (404) or nobody's to administer (403), the name is taken (409),
    /// or the request makes no sense (422).
    pub fn register(
        &mut self,
        scope: Scope,
        wanted: RunnerRequest,
        now: Moment,
    ) -> Result<Registration, Refusal> {
        self.check_group(scope, wanted.group)?;
        check_words(&wanted)?;
        if let Some(other) = self.runner_named(scope, &wanted.name) {
            if !wanted.replace {
                return Err(Refusal::Conflict(format!(
                    "Already exists - A runner with the name {} already exists.",
                    wanted.name
                )));
            }
            self.delete_runner(scope, other, false, now)?;
        }
        let id = self.fresh_id();
        let secret = self.random_text(48);
        let labels = self.stored_labels(&wanted.labels);
        self.runners.insert(
            id,
            Runner {
                id,
                scope,
                name: wanted.name,
                group: wanted.group,
                labels,
                work_folder: wanted.work_folder,
                ephemeral: wanted.ephemeral,
                scale_set: None,
                disable_update: wanted.disable_update,
                secret: secret.clone(),
                used: false,
                os: None,
                version: None,
                session: None,
                job: None,
                registered: now,
                last_seen: now,
            },
        );
        self.counters.registrations += 1;
        self.note(now, id, "registered", None);
        Ok(Registration { runner_id: id, secret })
    }

    pub(super) fn check_group(&self, scope: Scope, group: u64) -> Result<(), Refusal> {
        if group == HOSTED_GROUP {
            return Err(Refusal::Forbidden(
                "You don't have permission to administer this runner group.".into(),
            ));
        }
        let known = match scope {
            Scope::Organization(owner) | Scope::Enterprise(owner) => self.group_of(owner, group).is_ok(),
            Scope::Repository(_) => group == DEFAULT_GROUP,
        };
        if known { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// Labels as they are kept: in lower case, each once, each with an id.
    fn stored_labels(&mut self, labels: &[String]) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for label in labels {
            let label = label.trim().to_lowercase();
            if !kept.contains(&label) {
                if !self.label_ids.contains_key(&label) {
                    let id = self.fresh_id();
                    self.label_ids.insert(label.clone(), id);
                }
                kept.push(label);
            }
        }
        kept
    }

    pub(crate) fn label_id(&self, label: &str) -> u64 {
        self.label_ids.get(label).copied().unwrap_or_default()
    }

    fn runner_named(&self, scope: Scope, name: &str) -> Option<u64> {
        self.runners.values().find(|r| r.scope == scope && r.name.eq_ignore_ascii_case(name)).map(|r| r.id)
    }

    /// The runners registered in one place, oldest first.
    pub(crate) fn runners_in(&self, scope: Scope) -> Vec<&Runner> {
        self.runners.values().filter(|r| r.scope == scope).collect()
    }

    pub(crate) fn runner_in(&self, scope: Scope, id: u64) -> Result<&Runner, Refusal> {
        self.runners.get(&id).filter(|r| r.scope == scope).ok_or(Refusal::NotFound)
    }

    /// Sets the custom labels of a runner.
    pub(crate) fn relabel(&mut self, scope: Scope, id: u64, labels: &[String]) -> Result<(), Refusal> {
        self.runner_in(scope, id)?;
        let labels = self.stored_labels(labels);
        if let Some(runner) = self.runners.get_mut(&id) {
            runner.labels = labels;
        }
        Ok(())
    }

    /// Removes a runner. One that runs a job is refused, unless `forced` (which only an injected
    /// fault does: GitHub has been seen to accept it).
    ///
    /// # Errors
    /// 404 of one that is not there, 422 of one that is busy.
    pub fn delete_runner(&mut self, scope: Scope, id: u64, forced: bool, now: Moment) -> Result<(), Refusal> {
        let runner = self.runner_in(scope, id)?;
        let (busy, name) = (runner.job.is_some(), runner.name.clone());
        if busy && !forced {
            self.counters.busy_delete_refused += 1;
            return Err(Refusal::Invalid(format!(
                "Bad request - Runner \"{name}\" is still running a job\""
            )));
        }
        if busy {
            self.counters.busy_deleted += 1;
        }
        self.counters.runners_deleted += 1;
        self.forget_runner(id, "deleted", now);
        Ok(())
    }

    /// Takes a registration away. The session of a runner without a job ends with it.
    pub(super) fn forget_runner(&mut self, id: u64, why: &'static str, now: Moment) {
        let job = self.runners.get(&id).and_then(|r| r.job);
        self.note(now, id, why, job);
        if let Some(runner) = self.runners.remove(&id) {
            self.spent.insert(runner.secret, id);
            if runner.job.is_none() {
                self.sessions.retain(|_, s| s.runner != id);
            }
        }
    }

    /// Removes ephemeral runners that have been offline for very long.
    pub(super) fn remove_long_offline(&mut self, now: Moment) -> bool {
        let limit = self.settings.offline_removal;
        let stale: Vec<u64> = self
            .runners
            .values()
            .filter(|r| r.ephemeral && r.job.is_none() && !self.is_online(r, now))
            .filter(|r| now.wall.duration_since(r.last_seen.wall).is_ok_and(|d| d >= limit))
            .map(|r| r.id)
            .collect();
        for id in &stale {
            self.forget_runner(*id, "expired", now);
        }
        !stale.is_empty()
    }

    /// Makes a registration token (or a remove token) for whoever `maker` names.
    pub fn create_registration_token(
        &mut self,
        scope: Scope,
        removes: bool,
        maker: &str,
        now: Moment,
    ) -> (String, Moment) {
        let token = format!("A{}", self.random_text(28).to_uppercase());
        let expires = Moment { wall: now.wall + self.settings.registration_token_lifetime, up: now.up };
        let maker = maker.to_string();
        self.registration_tokens.insert(token.clone(), TimedToken { scope, expires, removes, maker });
        (token, expires)
    }

    /// Registers by a registration token, as `config.sh` does: the group is given by name.
    ///
    /// # Errors
    /// 404 of a token that is unknown, expired or for another address, as GitHub answers it; and
    /// everything that [`World::register`] refuses.
    pub fn register_by_token(
        &mut self,
        token: &str,
        url: &str,
        group: Option<&str>,
        mut wanted: RunnerRequest,
        now: Moment,
    ) -> Result<Registration, Refusal> {
        let known = self.registration_tokens.get(token).cloned().ok_or(Refusal::NotFound)?;
        if known.removes || known.expires.wall <= now.wall || self.scope_of_url(url)? != known.scope {
            return Err(Refusal::NotFound);
        }
        wanted.group = match (group, known.scope) {
            (Some(name), Scope::Organization(org)) => {
                let named = |g: &&Group| g.owner == org && g.name.eq_ignore_ascii_case(name);
                self.groups.iter().find(named).ok_or(Refusal::NotFound)?.id
            }
            _ => DEFAULT_GROUP,
        };
        self.register(known.scope, wanted, now)
    }

    /// The place that a configuration URL (`https://host/org`, `…/owner/repo`,
    /// `…/enterprises/slug`) names.
    pub(super) fn scope_of_url(&self, url: &str) -> Result<Scope, Refusal> {
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        match parts.as_slice() {
            ["enterprises", slug] => Ok(Scope::Enterprise(self.account(slug, AccountKind::Enterprise)?.id)),
            [owner, name] => Ok(Scope::Repository(self.repository(owner, name)?.id)),
            [org] => Ok(Scope::Organization(self.account(org, AccountKind::Organization)?.id)),
            _ => Err(Refusal::NotFound),
        }
    }
}

fn check_words(wanted: &RunnerRequest) -> Result<(), Refusal> {
    let invalid = |what: &str| Err(Refusal::Invalid(format!("Validation Failed: {what}")));
    if wanted.name.is_empty() || wanted.name.chars().count() > 64 {
        return invalid("name must be between 1 and 64 characters");
    }
    if wanted.labels.iter().any(|l| l.trim().is_empty() || l.len() > 256) {
        return invalid("labels must be between 1 and 256 characters");
    }
    Ok(())
}
