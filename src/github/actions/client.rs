//! Scale sets for all credentials: each call goes to the one it names.

use super::super::Client;
use super::super::Message;
use super::super::ScaleSets;
use super::super::Session;
use super::super::Set;
use super::super::SetError;
use super::super::SetSpec;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::Job;
use crate::model::JobId;
use crate::model::Scope;
use crate::model::SetId;

impl ScaleSets for Client {
    async fn ensure_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        spec: &SetSpec,
    ) -> Result<Set, SetError> {
        self.credential(credentials)?.ensure_set(scope, spec).await
    }

    async fn find_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        name: &str,
        group: Option<&GroupName>,
    ) -> Result<Option<SetId>, SetError> {
        self.credential(credentials)?.find_set(scope, name, group).await
    }

    async fn delete_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
    ) -> Result<(), SetError> {
        self.credential(credentials)?.delete_set(scope, set).await
    }

    async fn open_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
        owner: &str,
    ) -> Result<Session, SetError> {
        self.credential(credentials)?.open_session(scope, set, owner).await
    }

    async fn renew_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &Session,
    ) -> Result<Session, SetError> {
        let mut session = session.clone();
        self.credential(credentials)?.renew_session(scope, &mut session).await?;
        Ok(session)
    }

    async fn close_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
        session: &str,
    ) -> Result<(), SetError> {
        self.credential(credentials)?.close_session(scope, set, session).await
    }

    async fn next_message(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        last: i64,
        capacity: u32,
    ) -> Result<Option<Message>, SetError> {
        self.credential(credentials)?.next_message(scope, session, last, capacity).await
    }

    async fn acknowledge(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        message: i64,
    ) -> Result<(), SetError> {
        self.credential(credentials)?.acknowledge(scope, session, message).await
    }

    async fn available_jobs(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
    ) -> Result<Vec<Job>, SetError> {
        self.credential(credentials)?.available_jobs(scope, set).await
    }

    async fn acquire(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        jobs: &[JobId],
    ) -> Result<Vec<JobId>, SetError> {
        self.credential(credentials)?.acquire(scope, session, jobs).await
    }
}
