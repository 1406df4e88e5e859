//! Runner scale sets: GitHub's own queue of messages for one kind of runner, at the Actions service.
//!
//! The protocol has no page in GitHub's REST documentation; its public source is the client at
//! <https://github.com/actions/scaleset>.

use std::future::Future;

use super::GitHubError;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::Job;
use crate::model::JobId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::SetId;
use crate::model::SetStatistics;

/// What a scale set should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSpec {
    /// Its name, unique in its runner group.
    pub name: String,
    /// The runner group by name; none for the default group.
    pub group: Option<GroupName>,
    /// Labels that jobs may ask for.
    pub labels: Vec<String>,
}

/// A scale set as GitHub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// GitHub's number.
    pub id: SetId,
    /// Wanted labels that GitHub did not take: jobs that ask for them never reach the set.
    pub refused_labels: Vec<String>,
}

/// A session with a scale set's queue. Only one is open at a time.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The set.
    pub set: SetId,
    /// Where messages are.
    pub queue_url: String,
    /// What opens the queue, for about an hour.
    pub token: Secret,
    /// GitHub's count as of its opening.
    pub statistics: SetStatistics,
}

/// One message: a batch of news, until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number, for the acknowledgement and as the cursor.
    pub id: i64,
    /// GitHub's count.
    pub statistics: Option<SetStatistics>,
    /// At most fifty.
    pub news: Vec<SetNews>,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetNews {
    /// Offered; has to be acquired.
    Available(Job),
    /// Ours, and waits for a runner.
    Assigned(Job),
    /// One of our runners took it.
    Started(Job),
    /// It ended, or was taken back. No proof that its runner is finished.
    Completed {
        /// Which.
        id: JobId,
        /// The runner, if one ever had it.
        runner: Option<RunnerName>,
        /// GitHub's word: `succeeded`, `failed`, `canceled`, …
        result: String,
    },
}

/// What went wrong at the Actions service, by what has to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// GitHub has dropped the set: make it anew, and begin with its first message.
    #[error("GitHub no longer has the scale set")]
    SetGone,
    /// The session is over: open another.
    #[error("the scale set's session is over: {0}")]
    SessionGone(String),
    /// Somebody else's session, or one of ours that GitHub has not given up yet, is open.
    #[error("another session with the scale set is open: {0}")]
    SessionTaken(String),
    /// All else.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
}

/// Scale sets. Tokens of the Actions service are made, kept and renewed inside.
pub trait ScaleSets: Send + Sync + 'static {
    /// Finds the set or makes it, and brings its group and labels to what they should be.
    fn ensure_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        spec: &SetSpec,
    ) -> impl Future<Output = Result<Set, SetError>> + Send;

    /// Looks for a set by its name in its group, and makes none.
    fn find_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        name: &str,
        group: Option<&GroupName>,
    ) -> impl Future<Output = Result<Option<SetId>, SetError>> + Send;

    /// Deletes a set; one that is gone is no error.
    fn delete_set(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
    ) -> impl Future<Output = Result<(), SetError>> + Send;

    /// Opens a session.
    fn open_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
        owner: &str,
    ) -> impl Future<Output = Result<Session, SetError>> + Send;

    /// Renews a session's token.
    fn renew_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &Session,
    ) -> impl Future<Output = Result<Session, SetError>> + Send;

    /// Closes a session by its id; one that is gone is no error.
    fn close_session(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
        session: &str,
    ) -> impl Future<Output = Result<(), SetError>> + Send;

    /// Waits up to about a minute for the message after `last`; none if there was no news. `capacity` is how many runners
    /// can be had at the moment. An expired token is [`SetError::SessionGone`] after one renewal inside failed; the
    /// renewed session is left in `session`.
    fn next_message(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        last: i64,
        capacity: u32,
    ) -> impl Future<Output = Result<Option<Message>, SetError>> + Send;

    /// Acknowledges a message, which then does not come again.
    fn acknowledge(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        message: i64,
    ) -> impl Future<Output = Result<(), SetError>> + Send;

    /// Jobs that are offered: what messages before this session's told. None where the service has no such list.
    fn available_jobs(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        set: SetId,
    ) -> impl Future<Output = Result<Vec<Job>, SetError>> + Send;

    /// Takes offered jobs; gives those that were taken.
    fn acquire(
        &self,
        credentials: &CredentialName,
        scope: &Scope,
        session: &mut Session,
        jobs: &[JobId],
    ) -> impl Future<Output = Result<Vec<JobId>, SetError>> + Send;
}
