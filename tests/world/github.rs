//! GitHub's side of the world.

use std::time::Duration;

use ghrunner::github::Access;
use ghrunner::github::AccessList;
use ghrunner::github::CredentialState;
use ghrunner::github::GitHub;
use ghrunner::github::GitHubError;
use ghrunner::github::Jit;
use ghrunner::github::JitRequest;
use ghrunner::github::Removal;
use ghrunner::model::CredentialName;
use ghrunner::model::GroupName;
use ghrunner::model::Registration;
use ghrunner::model::Repo;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Secret;
use tokio::time::Instant;

use super::World;
use super::journal::SECRET;
use super::rules;
use super::state::Plant;
use super::state::Registered;
use super::state::State;
use super::weather::Fate;

impl GitHub for World {
    async fn register(
        &self,
        _credentials: &CredentialName,
        request: &JitRequest,
    ) -> Result<Jit, GitHubError> {
        let mut fate = self.with(|state| {
            state.changes += 1;
            state.github_fate("register a runner")
        });
        let lost = fate.lost.take();
        let (name, request) = (request.name.clone(), request.clone());
        let jit = self.call(fate, move |state| state.register(&request)).await?;
        let Some(error) = lost else { return Ok(jit) };
        // The client looks the name up and deletes it, if that works.
        let mended = self.with(|state| {
            let mends = state.dice.permille(700);
            if mends {
                state.strike(jit.id);
            }
            mends
        });
        self.with(|state| state.note(|| format!("{name}: the answer is lost, mended: {mended}")));
        Err(error)
    }

    async fn registration_token(
        &self,
        _credentials: &CredentialName,
        _scope: &Scope,
    ) -> Result<Secret, GitHubError> {
        let fate = self.with(|state| state.github_fate("make a registration token"));
        self.call(fate, |_| Ok(Secret::new(format!("{SECRET}-token")))).await
    }

    async fn list(
        &self,
        _credentials: &CredentialName,
        scope: &Scope,
    ) -> Result<Vec<Registration>, GitHubError> {
        let scope = scope.clone();
        let fate = self.with(|state| state.github_fate("list runners"));
        self.call(fate, move |state| Ok(state.listing(&scope))).await
    }

    async fn find(
        &self,
        _credentials: &CredentialName,
        scope: &Scope,
        name: &RunnerName,
    ) -> Result<Option<Registration>, GitHubError> {
        let (scope, name) = (scope.clone(), name.clone());
        let fate = self.with(|state| state.github_fate("find a runner"));
        self.call(fate, move |state| {
            if state.plant == Some(Plant::BlindFind) {
                return Ok(None);
            }
            let here = |r: &&Registered| r.gone.is_none() && r.scope == scope && r.name == name;
            let found = state.registered.iter().find(|(_, r)| here(r));
            Ok(found.map(|(number, r)| shown(*number, r)))
        })
        .await
    }

    async fn delete(
        &self,
        _credentials: &CredentialName,
        _scope: &Scope,
        id: RunnerId,
    ) -> Result<Removal, GitHubError> {
        let fate = self.with(|state| {
            state.changes += 1;
            state.github_fate("delete a runner")
        });
        self.call(fate, move |state| Ok(state.delete(id))).await
    }

    async fn cancel_run(&self, _: &CredentialName, repo: &Repo, run: u64) -> Result<(), GitHubError> {
        panic!("no pool of this world may cancel run {run} of {repo}")
    }

    async fn admitted(
        &self,
        _credentials: &CredentialName,
        _org: &str,
        _group: Option<&GroupName>,
    ) -> Result<AccessList, GitHubError> {
        let fate = self.with(|state| state.github_fate("read an access list"));
        self.call(fate, |state| Ok(AccessList { repos: state.admitted.clone(), ..AccessList::default() }))
            .await
    }

    async fn access(&self, _: &CredentialName, _: &Scope, _: Option<&GroupName>) -> Access {
        Access { list: Ok(()), group: None, clock_skew_ms: None, expires: None, classic_scopes: None }
    }

    fn url(&self, _credentials: &CredentialName) -> String {
        "https://github.com".to_owned()
    }

    fn states(&self) -> Vec<CredentialState> {
        Vec::new()
    }
}

fn jit_config(number: RunnerId) -> Secret {
    Secret::new(format!("{SECRET}-{number}"))
}

fn shown(number: RunnerId, of: &Registered) -> Registration {
    let lies = of.flag_lies.is_some_and(|until| until > Instant::now());
    let busy = of.job.is_some() && !lies;
    Registration { id: number, name: of.name.clone(), online: of.online, busy, labels: of.labels.clone() }
}

impl State {
    pub(super) fn github_fate(&mut self, call: &str) -> Fate<GitHubError> {
        let mut fate = Fate::plain(&mut self.dice, self.weather.slow);
        let (call, credential) = (call.to_owned(), CredentialName::default_name());
        let message = "the world says so".to_owned();
        let silent = || GitHubError::Unreachable { url: "world".into(), why: "timed out".into() };
        if self.dice.permille(self.weather.limits) {
            let until = self.now() + self.dice.secs(5, 120);
            fate.refused = Some(GitHubError::Limited { credential, until, message });
        } else if self.dice.permille(self.weather.rejects) {
            let error = match self.dice.coin() {
                true => GitHubError::Rejected { credential, call, message },
                false => GitHubError::Forbidden { credential, call, message },
            };
            fate.refused = Some(error);
        } else if self.dice.permille(self.weather.github_refuses) {
            let error = if self.dice.coin() { GitHubError::Failed { call, status: 502 } } else { silent() };
            fate.refused = Some(error);
        } else if self.dice.permille(self.weather.github_loses) {
            fate.back += self.dice.secs(1, 30);
            fate.lost = Some(silent());
        }
        fate
    }

    fn register(&mut self, request: &JitRequest) -> Result<Jit, GitHubError> {
        if self.plant == Some(Plant::ReusedRegistration)
            && let Some((number, _)) = self.registered.iter().find(|(_, r)| r.used && r.gone.is_none())
        {
            return Ok(Jit { id: *number, config: jit_config(*number) });
        }
        if self.registered.values().any(|r| r.gone.is_none() && r.name == request.name) {
            return Err(GitHubError::NameTaken { name: request.name.clone() });
        }
        if request.set.is_some_and(|set| !self.services.sets.contains_key(&set)) {
            let (credential, what) = (CredentialName::default_name(), "scale set".to_owned());
            return Err(GitHubError::NotFound { credential, what, needs: None });
        }
        let number = self.enrol(request.name.clone(), request.scope.clone(), request.labels.clone());
        if let Some(registered) = self.registered.get_mut(&number) {
            registered.set = request.set;
        }
        Ok(Jit { id: number, config: jit_config(number) })
    }

    /// Puts a runner on GitHub's list.
    pub(super) fn enrol(&mut self, name: RunnerName, scope: Scope, labels: Vec<String>) -> RunnerId {
        let number = RunnerId(self.fresh());
        let lag = self.lag();
        self.note(|| format!("{name} registered as {number} in {scope}"));
        if let Some((pool, _)) = name.made_by(&super::daemon::instance()) {
            self.enrolled.entry(pool).or_default().push(Instant::now());
        }
        rules::after_enrol(self, &name);
        let registered = Registered {
            name,
            scope,
            labels,
            online: false,
            job: None,
            owner: None,
            visible: Instant::now() + lag,
            gone: None,
            flag_lies: None,
            used: false,
            set: None,
        };
        self.registered.insert(number, registered);
        number
    }

    pub(super) fn lag(&mut self) -> Duration {
        let lags = self.dice.permille(self.weather.lags);
        if lags { self.dice.secs(1, 15) } else { Duration::ZERO }
    }

    fn delete(&mut self, number: RunnerId) -> Removal {
        let Some(registered) = self.registered.get(&number).filter(|r| r.gone.is_none()) else {
            return Removal::AlreadyGone;
        };
        let busy = registered.job.is_some();
        rules::before_delete(self, number);
        if busy && !self.dice.permille(self.weather.delete_lies) {
            return Removal::Busy;
        }
        if self.plant == Some(Plant::DeleteForgets) {
            return Removal::Removed;
        }
        self.note(|| format!("{number} deleted{}", if busy { " although it is in a job" } else { "" }));
        self.expel(number);
        Removal::Removed
    }

    /// A runner is deleted at GitHub; what uses the registration goes on with the job that it may have.
    pub(super) fn expel(&mut self, number: RunnerId) {
        let registered = self.registered.get(&number);
        let owner = registered.filter(|r| r.job.is_none()).and_then(|r| r.owner.clone());
        self.strike(number);
        if let Some(id) = owner {
            // The listener hears of it some time later and ends.
            let span = self.dice.secs(1, 20);
            self.after(span, move |state| {
                if state.containers.get(&id).is_some_and(|held| !held.has_job()) {
                    state.exit(&id, 0, false);
                }
            });
        }
    }

    /// Takes a runner off GitHub's list; listings may show it a little longer.
    pub(super) fn strike(&mut self, number: RunnerId) {
        let lag = self.lag();
        if let Some(registered) = self.registered.get_mut(&number) {
            registered.gone = Some(Instant::now() + lag);
            registered.online = false;
        }
        self.after(lag, move |state| {
            state.registered.remove(&number);
        });
    }

    fn listing(&mut self, scope: &Scope) -> Vec<Registration> {
        let now = Instant::now();
        let omits = self.weather.omits;
        let mut listing = Vec::new();
        for (number, registered) in &self.registered {
            let visible = registered.visible <= now && registered.gone.is_none_or(|until| until > now);
            if registered.scope == *scope && visible && !self.dice.permille(omits) {
                listing.push(shown(*number, registered));
            }
        }
        if self.plant == Some(Plant::PartialRegistrations) {
            listing.truncate(listing.len() / 2);
        }
        listing
    }
}
