//! The end of a session, and of a set. A session's end is tried once and briefly: GitHub itself gives up sessions after
//! minutes. A set that must stay for now is looked at again, since until GitHub gives it up, after days, it stands where
//! jobs are looked for.

use std::future::Future;
use std::time::Duration;

use super::Desk;
use super::store::Kept;
use super::target::Identity;
use super::target::Key;
use super::task::Task;
use super::task::finish;
use crate::github::GitHubError;
use crate::github::ScaleSets;
use crate::github::SetError;
use crate::model::ErrorClass;
use crate::model::SetId;

/// For one call at the end.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at a set that is not wanted: jobs may last for hours.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The looks after which a refusal is believed. By then GitHub has given up any session that was left open here.
const REFUSALS: u32 = 4;

impl<G: ScaleSets> Task<G> {
    /// Closes the session that is open, or was left open by an earlier run.
    pub(super) async fn close(&mut self) -> Result<(), SetError> {
        self.session = None;
        let Some(Kept { set: Some(set), session: Some(session), .. }) = &self.kept else { return Ok(()) };
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
    /// listened to. What stays is looked at `again`, unless another set takes its place.
    pub(super) async fn leave(&mut self, again: bool) {
        let idle = self.session.is_some() && self.count.is_some_and(|(count, _)| count.assigned == 0);
        if let Err(error) = self.close().await {
            let (pool, scope) = (&self.key.pool, &self.key.scope);
            tracing::info!(%pool, %scope, "The session of a scale set that is not wanted stays open: {error}");
        }
        let mut stays = false;
        if let Some(kept) = self.kept.clone() {
            let left = match kept.set {
                Some(set) => delete(&self.desk, &self.key, &kept.identity, set, idle).await,
                None if again => Err(Stays::Unknown),
                None => try_clear_out(&self.desk, &self.key, &mut kept.clone()).await,
            };
            if let Err(why) = left {
                stays = true;
                if !again {
                    tell_stays(&self.key, &kept, &why);
                }
            }
        }
        if !(stays && again) {
            self.kept = None;
            self.keep();
        }
        self.desk.board.post(&self.key, None);
    }

    /// An earlier run had another set for this pool and scope: that one goes.
    pub(super) async fn clear_out_other(&mut self) {
        let other = |kept: &mut Kept| kept.identity != self.target.identity;
        if let Some(kept) = self.kept.take_if(other) {
            clear_out(&self.desk, &self.key, kept, 0).await;
        }
    }
}

/// When a set that stayed at the `attempt`th look, counted from 0, is looked at again: after 1, 2, 4, 8, 15, 15 … minutes.
pub(super) fn again_in(attempt: u32) -> Duration {
    Duration::from_secs(60 << attempt.min(4)).min(LONGEST)
}

/// Looks at a set that is not wanted any more, for the `attempt`th time counted from 0, and ends it. What remains to be
/// done stays in the store.
pub(super) async fn clear_out<G: ScaleSets>(desk: &Desk<G>, key: &Key, mut kept: Kept, attempt: u32) {
    // A stop in between would leave a session open.
    let work = Box::pin(try_clear_out(desk, key, &mut kept));
    let Some(outcome) = finish(&desk.cancel, work).await else { return };
    let Err(why) = outcome else { return desk.store.set(key, None) };
    let given_up = why.is_final(attempt);
    if attempt == 0 || given_up {
        tell_stays(key, &kept, &why);
    } else {
        let name = &kept.identity.name;
        tracing::debug!(pool = %key.pool, scope = %key.scope, name, attempt, "A scale set still stays: {why}");
    }
    if given_up {
        desk.store.set(key, None);
    }
}

/// Whoever can open a session is the only one who listens, and its count tells whether jobs are assigned.
async fn try_clear_out<G: ScaleSets>(desk: &Desk<G>, key: &Key, kept: &mut Kept) -> Result<(), Stays> {
    let (credentials, scope) = (kept.identity.credentials.clone(), &key.scope);
    let Some(set) = number(desk, key, kept).await? else { return Ok(()) };
    if let Some(session) = &kept.session {
        desk.github.close_session(&credentials, scope, set, session).await?;
    }
    let session = match desk.github.open_session(&credentials, scope, set, &desk.owner).await {
        Err(SetError::SetGone) => return Ok(()),
        other => other?,
    };
    // Where it cannot be closed now, the next look can.
    kept.session = Some(session.id.clone());
    desk.store.set(key, Some(kept.clone()));
    desk.github.close_session(&credentials, scope, set, &session.id).await?;
    kept.session = None;
    desk.store.set(key, Some(kept.clone()));
    let idle = session.statistics.assigned == 0;
    delete(desk, key, &kept.identity, set, idle).await
}

/// The set's number; none where there is no set.
async fn number<G: ScaleSets>(desk: &Desk<G>, key: &Key, kept: &mut Kept) -> Result<Option<SetId>, Stays> {
    if kept.set.is_none() {
        let Identity { credentials, name, group } = &kept.identity;
        kept.set = briefly(desk.github.find_set(credentials, &key.scope, name, group.as_ref())).await?;
    }
    Ok(kept.set)
}

/// Why a set stays.
#[derive(Debug, thiserror::Error)]
enum Stays {
    #[error("it has jobs, or another listener")]
    Busy,
    #[error("whether it was made is not known yet")]
    Unknown,
    #[error(transparent)]
    Failed(#[from] SetError),
}

impl Stays {
    /// Whether the `attempt`th look was the last. Jobs end, and so does trouble; but who listens for a quarter of an hour
    /// is somebody else, and what is refused for as long stays refused.
    fn is_final(&self, attempt: u32) -> bool {
        let refused = match self {
            Self::Failed(SetError::SessionTaken(_)) => true,
            Self::Failed(SetError::GitHub(error)) => {
                matches!(error.class(), ErrorClass::Auth | ErrorClass::Terminal)
            }
            Self::Busy | Self::Unknown | Self::Failed(_) => false,
        };
        refused && attempt >= REFUSALS
    }
}

fn tell_stays(key: &Key, kept: &Kept, why: &Stays) {
    let (pool, scope, name) = (&key.pool, &key.scope, &kept.identity.name);
    match kept.set {
        Some(_) => tracing::info!(%pool, %scope, name, "A scale set that is not wanted stays: {why}"),
        None => {
            tracing::info!(%pool, %scope, name, "Whether a scale set that is not wanted stays is not known: {why}")
        }
    }
}

/// Deletes a set that nobody listens to now, if no job waits for its runners or runs on them.
async fn delete<G: ScaleSets>(
    desk: &Desk<G>,
    key: &Key,
    identity: &Identity,
    set: SetId,
    idle: bool,
) -> Result<(), Stays> {
    if !idle {
        return Err(Stays::Busy);
    }
    match briefly(desk.github.delete_set(&identity.credentials, &key.scope, set)).await {
        Ok(()) | Err(SetError::SetGone) => {}
        Err(error) => return Err(error.into()),
    }
    let (pool, scope, name) = (&key.pool, &key.scope, &identity.name);
    tracing::info!(%pool, %scope, name, "A scale set that is not wanted is deleted");
    Ok(())
}

/// A call that is not waited for longer than the end may take.
async fn briefly<T>(call: impl Future<Output = Result<T, SetError>>) -> Result<T, SetError> {
    let late = |_| {
        let why = format!("no answer within {} s", CALL_WITHIN.as_secs());
        Err(GitHubError::Unreachable { url: "the Actions service".to_owned(), why }.into())
    };
    tokio::time::timeout(CALL_WITHIN, call).await.unwrap_or_else(late)
}
