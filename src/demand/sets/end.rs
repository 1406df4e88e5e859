//! The end of a session, and of a set. All of it is tried once and briefly: GitHub itself gives up sessions after minutes
//! and sets after days.

use std::future::Future;
use std::time::Duration;

use super::Desk;
use super::store::Kept;
use super::target::Identity;
use super::target::Key;
use super::task::Task;
use crate::github::GitHubError;
use crate::github::ScaleSets;
use crate::github::SetError;
use crate::model::SetId;

/// For one call at the end.
const CALL_WITHIN: Duration = Duration::from_secs(5);

impl<G: ScaleSets> Task<G> {
    /// Closes the session that is open, or was left open by an earlier run.
    pub(super) async fn close(&mut self) -> Result<(), SetError> {
        self.session = None;
        let Some(Kept { set, session: Some(session), .. }) = &self.kept else { return Ok(()) };
        let credentials = &self.target.identity.credentials;
        briefly(self.desk.github.close_session(credentials, &self.key.scope, *set, session)).await?;
        if let Some(kept) = &mut self.kept {
            kept.session = None;
        }
        self.keep();
        Ok(())
    }

    /// The service stops: the session is closed, so that the next start need not wait for GitHub to give it up. The set
    /// stays.
    pub(super) async fn stop(&mut self) {
        if let Err(error) = self.close().await {
            let (pool, scope) = (&self.key.pool, &self.key.scope);
            tracing::info!(%pool, %scope, "A scale set's session stays open until the next start: {error}");
        }
    }

    /// The set is not wanted any more: it is deleted, unless jobs are assigned to it, or it was another's session that was
    /// listened to.
    pub(super) async fn leave(&mut self) {
        let idle = self.session.is_some() && self.count.is_some_and(|(count, _)| count.assigned == 0);
        if let Err(error) = self.close().await {
            let (pool, scope) = (&self.key.pool, &self.key.scope);
            tracing::info!(%pool, %scope, "The session of a scale set that is not wanted stays open: {error}");
        }
        if let Some(set) = self.set() {
            delete(&self.desk, &self.key, &self.target.identity, set, idle).await;
        }
        self.kept = None;
        self.keep();
        self.desk.board.post(&self.key, None);
    }

    /// An earlier run had another set for this pool and scope: that one goes.
    pub(super) async fn clear_out_other(&mut self) {
        let other = |kept: &mut Kept| kept.identity != self.target.identity;
        if let Some(kept) = self.kept.take_if(other) {
            clear_out(&self.desk, &self.key, kept).await;
        }
    }
}

/// Ends a set of an earlier run that is not wanted any more. Whoever can open a session is the only one who listens, and
/// its count tells whether jobs are assigned.
pub(super) async fn clear_out<G: ScaleSets>(desk: &Desk<G>, key: &Key, kept: Kept) {
    let outcome = tokio::select! {
        () = desk.cancel.cancelled() => return,
        outcome = try_clear_out(desk, key, &kept) => outcome,
    };
    if let Err(error) = &outcome {
        let name = &kept.identity.name;
        tracing::info!(pool = %key.pool, scope = %key.scope, name, "A scale set that is not wanted stays: {error}");
    }
    // What could not be asked is asked again by the next start.
    let unknown = matches!(
        outcome,
        Err(SetError::GitHub(
            GitHubError::Unreachable { .. } | GitHubError::Failed { .. } | GitHubError::Limited { .. }
        ))
    );
    if !unknown {
        desk.store.set(key, None);
    }
}

async fn try_clear_out<G: ScaleSets>(desk: &Desk<G>, key: &Key, kept: &Kept) -> Result<(), SetError> {
    let (credentials, scope, set) = (&kept.identity.credentials, &key.scope, kept.set);
    if let Some(session) = &kept.session {
        desk.github.close_session(credentials, scope, set, session).await?;
    }
    let session = match desk.github.open_session(credentials, scope, set, &desk.owner).await {
        Err(SetError::SetGone) => return Ok(()),
        other => other?,
    };
    desk.github.close_session(credentials, scope, set, &session.id).await?;
    let idle = session.statistics.assigned == 0;
    delete(desk, key, &kept.identity, set, idle).await;
    Ok(())
}

/// Deletes a set that nobody listens to now, if no job waits for its runners or runs on them.
async fn delete<G: ScaleSets>(desk: &Desk<G>, key: &Key, identity: &Identity, set: SetId, idle: bool) {
    let (pool, scope, name) = (&key.pool, &key.scope, &identity.name);
    if !idle {
        tracing::info!(%pool, %scope, name, "A scale set that is not wanted stays: it has jobs, or another listener");
        return;
    }
    match briefly(desk.github.delete_set(&identity.credentials, scope, set)).await {
        Ok(()) => tracing::info!(%pool, %scope, name, "A scale set that is not wanted is deleted"),
        Err(error) => tracing::info!(%pool, %scope, name, "A scale set that is not wanted stays: {error}"),
    }
}

/// A call that is not waited for longer than the end may take.
async fn briefly<T>(call: impl Future<Output = Result<T, SetError>>) -> Result<T, SetError> {
    let late = |_| {
        let why = format!("no answer within {} s", CALL_WITHIN.as_secs());
        Err(GitHubError::Unreachable { url: "the Actions service".to_owned(), why }.into())
    };
    tokio::time::timeout(CALL_WITHIN, call).await.unwrap_or_else(late)
}
