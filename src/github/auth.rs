//! Who a call speaks for: the token itself, or an App's installation token, and what happens when GitHub says 401.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::StatusCode;

use super::GitHubError;
use super::answer::Answer;
use super::call::Call;
use super::call::Fault;
use super::credential::Credential;
use super::identity::App;
use super::identity::Loaded;
use super::wire;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::Time;
use crate::model::percent::encode;

/// An installation token lives an hour. It is kept as long as possible, since listings that did not change are only
/// recognised for the token that they were given to, and renewed in its last minutes.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// A JWT is signed anew after a 401 if GitHub's clock turned out to be this far from what was believed.
const CLOCK_ERROR_MS: u64 = 5000;

/// A token for one call.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    pub(super) token: Secret,
    /// Tells this token from earlier ones.
    pub(super) generation: u64,
    /// The installation it speaks for.
    pub(super) installation: Option<u64>,
    /// When it ends, by GitHub's clock.
    expires: Option<Time>,
}

impl Credential {
    /// Sends a call for a scope; the answer is good or 304.
    pub(super) async fn send(&self, scope: &Scope, call: &Call) -> Result<Answer, Fault> {
        self.send_as(scope, call).await.map(|(answer, _)| answer)
    }

    /// The same, with the generation of the token that was used.
    pub(super) async fn send_as(&self, scope: &Scope, call: &Call) -> Result<(Answer, u64), Fault> {
        self.not_just_rejected(call)?;
        let bearer = self.bearer(scope).await?;
        let answer = self.exchange(call, &bearer).await?;
        if answer.status != StatusCode::UNAUTHORIZED || !self.renew(&bearer).await {
            return Ok((self.judge(call, answer, &bearer)?, bearer.generation));
        }
        let bearer = self.bearer(scope).await?;
        let answer = self.exchange(call, &bearer).await?;
        Ok((self.judge(call, answer, &bearer)?, bearer.generation))
    }

    /// Keeps quiet for a while after GitHub rejected a secret that is still the same; then one call tries again.
    fn not_just_rejected(&self, call: &Call) -> Result<(), GitHubError> {
        let now = self.now();
        let message = match &mut self.ledger().refused {
            None => return Ok(()),
            Some(refused) if now.since(refused.since) >= self.tuning.rejected_pause => {
                refused.since = now;
                return Ok(());
            }
            Some(refused) => refused.message.clone(),
        };
        if self.reread_changed() {
            return Ok(());
        }
        Err(GitHubError::Rejected { credential: self.name(), call: call.label.clone(), message })
    }

    /// The secret, read if it must be.
    fn loaded(&self) -> Result<Arc<Loaded>, GitHubError> {
        let got = self.identity.get();
        let mut ledger = self.ledger();
        match got {
            Ok((loaded, changed)) => {
                ledger.unusable = None;
                drop(ledger);
                if changed {
                    self.forget_tokens();
                }
                Ok(loaded)
            }
            Err(why) => {
                ledger.unusable = Some(why.clone());
                Err(self.unusable(why))
            }
        }
    }

    /// Whether the secret, read anew, is another one.
    fn reread_changed(&self) -> bool {
        let changed = self.identity.reread().unwrap_or(false);
        if changed {
            self.forget_tokens();
        }
        changed
    }

    fn forget_tokens(&self) {
        self.ledger().refused = None;
        self.account.clear();
        self.tokens.clear();
        self.registration_tokens.clear();
        self.connections.clear();
    }

    /// The token to speak with for a scope.
    async fn bearer(&self, scope: &Scope) -> Result<Bearer, Fault> {
        let loaded = self.loaded()?;
        let Some(app) = &loaded.app else {
            let (token, generation) = (loaded.secret.clone(), loaded.generation);
            return Ok(Bearer { token, generation, installation: None, expires: None });
        };
        let installation = match app.installation_id {
            Some(id) => id,
            None => self.installation(scope).await?,
        };
        let lasts =
            |bearer: &Bearer| bearer.expires.is_some_and(|end| end > self.github_now() + RENEW_BEFORE);
        Ok(self.tokens.get(installation, lasts, self.mint(installation)).await?.value)
    }

    /// Whether there is a chance that another token is accepted.
    async fn renew(&self, bearer: &Bearer) -> bool {
        match bearer.installation {
            Some(installation) => {
                self.tokens.forget(installation, |kept| kept.generation == bearer.generation).await;
                true
            }
            // Another call may have read the new secret already.
            None => self.reread_changed() || self.loaded().is_ok_and(|l| l.generation != bearer.generation),
        }
    }

    /// The App's installation at a scope's owner.
    async fn installation(&self, scope: &Scope) -> Result<u64, Fault> {
        let owner = match scope {
            Scope::Enterprise(_) => &scope.to_string(),
            Scope::Organization(org) => org,
            Scope::Repository(repo) => repo.owner(),
        };
        let call = Call::new(
            Method::GET,
            "installation",
            format!("{scope}/installation"),
            format!("find the App's installation for {scope}"),
            format!("installation of the App for {scope}"),
        );
        let find = async {
            let answer = self.send_as_app(&call).await?;
            let found: wire::Installation = wire::read(&answer.body).map_err(|why| call.malformed(why))?;
            Ok(found.id)
        };
        Ok(self.installations.get(owner.to_ascii_lowercase(), |_| true, find).await?.value)
    }

    /// Finds the App's installation at an account, be it a user or an organization, so that calls in the account's name
    /// know it; none is needed where it is given, or where this is no App. Tells whether this is an App.
    pub(super) async fn find_installation(&self, owner: &str) -> Result<bool, GitHubError> {
        let loaded = self.loaded()?;
        let Some(app) = &loaded.app else { return Ok(false) };
        if app.installation_id.is_some() {
            return Ok(true);
        }
        let call = |kind: &str| {
            Call::new(
                Method::GET,
                "installation",
                format!("{kind}/{}/installation", encode(owner)),
                format!("find the App's installation at {owner}"),
                format!("installation of the App at {owner}"),
            )
        };
        let find = async {
            let answer = match self.send_as_app(&call("users")).await {
                Err(Fault { error: GitHubError::NotFound { .. }, .. }) => {
                    self.send_as_app(&call("orgs")).await?
                }
                other => other?,
            };
            let found: wire::Installation =
                wire::read(&answer.body).map_err(|why| call("users").malformed(why))?;
            Ok::<_, Fault>(found.id)
        };
        self.installations.get(owner.to_ascii_lowercase(), |_| true, find).await?;
        Ok(true)
    }

    /// A new installation token
    /// (<https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app>).
    async fn mint(&self, installation: u64) -> Result<Bearer, Fault> {
        let call = Call::new(
            Method::POST,
            "installation-token",
            format!("app/installations/{}/access_tokens", encode(&installation.to_string())),
            format!("make a token for installation {installation}"),
            format!("installation {installation} of the App"),
        );
        let answer = match self.send_as_app(&call).await {
            Ok(answer) => answer,
            Err(fault) => {
                if matches!(fault.error, GitHubError::NotFound { .. }) {
                    // It was uninstalled; installed again it has another number.
                    self.installations.clear();
                }
                return Err(fault);
            }
        };
        let (token, expires) = wire::token(&answer.body).map_err(|why| call.malformed(why))?;
        let generation = self.identity.generation();
        Ok(Bearer { token, generation, installation: Some(installation), expires: Some(expires) })
    }

    /// Sends a call as the App itself, signed by its clock's best guess.
    pub(super) async fn send_as_app(&self, call: &Call) -> Result<Answer, Fault> {
        let believed = self.ledger().skew_ms().unwrap_or(0);
        let bearer = self.signed()?;
        let answer = self.exchange(call, &bearer).await?;
        let learned = self.ledger().skew_ms().unwrap_or(0);
        let mended = || learned.abs_diff(believed) > CLOCK_ERROR_MS || self.reread_changed();
        if answer.status != StatusCode::UNAUTHORIZED || !mended() {
            return self.judge(call, answer, &bearer);
        }
        let bearer = self.signed()?;
        let answer = self.exchange(call, &bearer).await?;
        self.judge(call, answer, &bearer)
    }

    /// A JWT of the App's.
    fn signed(&self) -> Result<Bearer, GitHubError> {
        let loaded = self.loaded()?;
        let App { id, key, .. } = loaded.app.as_ref().ok_or_else(|| self.unusable("this is no App"))?;
        let token =
            key.jwt(id, self.github_now()).map_err(|why| self.unusable(format!("the private key {why}")))?;
        Ok(Bearer { token, generation: loaded.generation, installation: None, expires: None })
    }
}
