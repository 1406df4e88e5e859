//! GitHub for all credentials: each call goes to the one it names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use super::Access;
use super::AccessList;
use super::CredentialState;
use super::GitHub;
use super::GitHubError;
use super::Jit;
use super::JitRequest;
use super::Removal;
use super::credential::Credential;
use super::spec::Clock;
use super::spec::CredentialSpec;
use super::spec::Tuning;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::Registration;
use crate::model::Repo;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Secret;

/// GitHub, spoken to over the network. Nothing is read or sent before the first call.
pub struct Client {
    credentials: RwLock<BTreeMap<CredentialName, Arc<Credential>>>,
    clock: Clock,
    tuning: Arc<Tuning>,
}

impl Client {
    /// A client for these credentials.
    pub fn new(specs: Vec<CredentialSpec>, clock: Clock) -> Self {
        Self::tuned(specs, clock, Tuning::default())
    }

    /// A client with other limits than the usual ones.
    pub fn tuned(specs: Vec<CredentialSpec>, clock: Clock, tuning: Tuning) -> Self {
        let client = Self { credentials: RwLock::default(), clock, tuning: Arc::new(tuning) };
        client.replace(specs);
        client
    }

    /// Takes other credentials. What is known of one that stays where it is (limits, tokens, listings) is kept, and its
    /// secret is read anew at its next call.
    pub fn replace(&self, specs: Vec<CredentialSpec>) {
        let mut credentials = self.credentials.write().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *credentials);
        for spec in specs {
            let kept = old.remove(&spec.name).filter(|kept| kept.spec.same_place(&spec));
            let name = spec.name.clone();
            let credential = match kept {
                Some(kept) => {
                    kept.adopt(spec.auth);
                    kept
                }
                None => Arc::new(Credential::new(spec, self.clock.clone(), self.tuning.clone())),
            };
            credentials.insert(name, credential);
        }
    }

    fn find_credential(&self, name: &CredentialName) -> Option<Arc<Credential>> {
        self.credentials.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn credential(&self, name: &CredentialName) -> Result<Arc<Credential>, GitHubError> {
        let why = "there are no credentials of that name".to_owned();
        self.find_credential(name).ok_or_else(|| GitHubError::Unusable { credential: name.clone(), why })
    }
}

impl GitHub for Client {
    async fn register(&self, credentials: &CredentialName, request: &JitRequest) -> Result<Jit, GitHubError> {
        self.credential(credentials)?.register(request).await
    }

    async fn registration_token(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> Result<Secret, GitHubError> {
        self.credential(credentials)?.registration_token(scope).await
    }

    async fn list(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
    ) -> Result<Vec<Registration>, GitHubError> {
        self.credential(credentials)?.list(scope).await
    }

    async fn find(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        name: &RunnerName,
    ) -> Result<Option<Registration>, GitHubError> {
        self.credential(credentials)?.find(scope, name).await
    }

    async fn delete(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        id: RunnerId,
    ) -> Result<Removal, GitHubError> {
        self.credential(credentials)?.delete(scope, id).await
    }

    async fn cancel_run(
        &self,
        credentials: &CredentialName,
        repo: &Repo,
        run: u64,
    ) -> Result<(), GitHubError> {
        self.credential(credentials)?.cancel_run(repo, run).await
    }

    async fn admitted(
        &self,
        credentials: &CredentialName,
        org: &str,
        group: Option<&GroupName>,
    ) -> Result<AccessList, GitHubError> {
        self.credential(credentials)?.admitted(org, group).await
    }

    async fn access(&self, credentials: &CredentialName, scope: &Scope, group: Option<&GroupName>) -> Access {
        let credential = match self.credential(credentials) {
            Ok(credential) => credential,
            Err(error) => {
                return Access {
                    list: Err(error),
                    group: None,
                    clock_skew_ms: None,
                    expires: None,
                    classic_scopes: None,
                };
            }
        };
        let list = credential.try_list(scope).await;
        let group = match (scope, group) {
            (Scope::Organization(_) | Scope::Enterprise(_), Some(group)) => {
                Some(credential.group_id(scope, Some(group), true).await.map(|(id, _)| id))
            }
            _ => None,
        };
        let ledger = credential.ledger();
        Access {
            list,
            group,
            clock_skew_ms: ledger.skew_ms(),
            expires: ledger.expires.clone(),
            classic_scopes: ledger.classic_scopes.clone(),
        }
    }

    fn url(&self, credentials: &CredentialName) -> String {
        let url = self.find_credential(credentials).map(|credential| credential.spec.url.clone());
        url.map_or_else(|| "https://github.com".to_owned(), |url| url.trim_end_matches('/').to_owned())
    }

    fn states(&self) -> Vec<CredentialState> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        credentials.values().map(|credential| credential.state()).collect()
    }
}
