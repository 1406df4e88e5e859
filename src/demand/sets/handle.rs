//! Handling a message: jobs are taken, what it tells is noted, the place in the messages is kept, and only then is it
//! acknowledged. Cut off anywhere, it comes again, and does the same again.

use super::task::Task;
use crate::github::Message;
use crate::github::ScaleSets;
use crate::github::SetError;
use crate::github::SetNews;
use crate::model::ErrorClass;
use crate::model::JobId;

impl<G: ScaleSets> Task<G> {
    /// Handles a message; says whether it was a new one.
    pub(super) async fn handle(&mut self, message: Message) -> Result<bool, SetError> {
        let fresh = !self.heard.knows(message.id);
        if fresh {
            let offered = message.news.iter().filter_map(|news| match news {
                SetNews::Available(job) => Some(job.id),
                _ => None,
            });
            // One from before the place that is kept was counted earlier than what the session began with.
            let cursor = self.kept.as_ref().map_or(0, |kept| kept.cursor);
            if let Some(count) = message.statistics.filter(|_| message.id > cursor) {
                self.taken = 0;
                self.counted(count);
            }
            let taken = self.acquire(offered.collect()).await?;
            self.heard.take(message.id, &message.news, &taken, self.now());
            if let Some((count, _)) = self.count {
                self.counted(count);
            }
            if let Some(kept) = &mut self.kept {
                kept.cursor = message.id;
            }
            self.keep();
            self.publish();
        }
        let desk = self.desk.clone();
        let (credentials, scope) = (&self.target.identity.credentials, &self.key.scope);
        if let Some(session) = &mut self.session {
            desk.github.acknowledge(credentials, scope, session, message.id).await?;
        }
        self.note_session();
        Ok(fresh)
    }

    /// Takes offered jobs, as many as there is room for.
    async fn acquire(&mut self, mut offered: Vec<JobId>) -> Result<Vec<JobId>, SetError> {
        let room = self.room();
        if offered.len() > room {
            offered.truncate(room);
            self.untaken = true;
        }
        let desk = self.desk.clone();
        let (credentials, scope) = (&self.target.identity.credentials, &self.key.scope);
        let taken = match &mut self.session {
            Some(session) if !offered.is_empty() => {
                desk.github.acquire(credentials, scope, session, &offered).await?
            }
            _ => Vec::new(),
        };
        self.note_session();
        self.taken += taken.len();
        Ok(taken)
    }

    /// How many more jobs there could be runners for.
    fn room(&self) -> usize {
        let counted = self.count.map_or(0, |(count, _)| count.assigned as usize) + self.taken;
        (self.target.capacity as usize).saturating_sub(counted.max(self.heard.len()))
    }

    /// Whether the list of offers has to be asked for: in a new session, since nobody repeats what messages told before,
    /// and when there is room for jobs that there was none for.
    pub(super) fn wants_offers(&self) -> bool {
        self.offers > 0 || self.untaken && self.room() > 0
    }

    /// Takes jobs from the list of offers. A service that has trouble with the list is listened to all the same, and asked
    /// again after the next wait; one that has no list is not.
    pub(super) async fn take_offers(&mut self) -> Result<(), SetError> {
        let Some(set) = self.set() else { return Ok(()) };
        let desk = self.desk.clone();
        let (credentials, scope) = (&self.target.identity.credentials, &self.key.scope);
        let jobs = match desk.github.available_jobs(credentials, scope, set).await {
            Ok(jobs) => jobs,
            Err(SetError::GitHub(error)) => {
                tracing::debug!(pool = %self.key.pool, %scope, %error, "what is offered cannot be listed");
                if error.class() == ErrorClass::Terminal {
                    self.offers = self.offers.saturating_sub(1);
                    self.untaken = false;
                }
                return Ok(());
            }
            Err(gone) => return Err(gone),
        };
        self.untaken = false;
        let taken = match self.acquire(jobs.iter().map(|job| job.id).collect()).await {
            Ok(taken) => taken,
            Err(error) => {
                self.untaken = true;
                return Err(error);
            }
        };
        self.offers = 0;
        self.heard.offered(&jobs, &taken, self.now());
        self.publish();
        Ok(())
    }
}
