//! One scale set, kept and listened to for as long as it is wanted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Desk;
use super::doubt::Doubt;
use super::heard::Heard;
use super::step;
use super::step::Stage;
use super::step::Step;
use super::store::Kept;
use super::target::Key;
use super::target::Target;
use super::target::interrupts;
use crate::github::ScaleSets;
use crate::github::Session;
use crate::github::SetError;
use crate::model::SetId;
use crate::model::SetState;
use crate::model::SetStatistics;
use crate::model::SetView;
use crate::model::Time;

/// How long work in hand may go on after the service was told to stop: the session is to be closed after it, and all sources
/// together have five seconds.
const FINISH_WITHIN: Duration = Duration::from_secs(2);
/// How often the list of offers is refused before a session does without it.
pub(super) const OFFER_TRIES: u8 = 2;

/// One scale set.
pub(super) struct Task<G> {
    pub(super) desk: Arc<Desk<G>>,
    pub(super) key: Key,
    pub(super) target: Target,
    /// What outlasts a restart; none before the set is asked for.
    pub(super) kept: Option<Kept>,
    pub(super) session: Option<Session>,
    refused_labels: Vec<String>,
    pub(super) heard: Heard,
    doubt: Doubt,
    /// GitHub's count, and until when it is known to hold.
    pub(super) count: Option<(SetStatistics, Time)>,
    /// How often the list of offers may still be asked for.
    pub(super) offers: u8,
    /// Whether jobs are offered that there was no room for.
    pub(super) untaken: bool,
    /// Jobs that were taken since GitHub counted.
    pub(super) taken: usize,
    /// Errors in a row.
    attempt: u32,
    /// Waits in a row that were answered at once with nothing new.
    quick: u32,
    /// Sessions that were opened.
    sessions: u64,
    state: SetState,
    /// The trouble that was told last.
    trouble: Option<String>,
}

impl<G: ScaleSets> Task<G> {
    pub(super) fn new(desk: Arc<Desk<G>>, key: Key, target: Target) -> Self {
        let kept = desk.store.get(&key);
        Self {
            desk,
            key,
            target,
            kept,
            session: None,
            refused_labels: Vec::new(),
            heard: Heard::default(),
            doubt: Doubt::default(),
            count: None,
            offers: 0,
            untaken: false,
            taken: 0,
            attempt: 0,
            quick: 0,
            sessions: 0,
            state: SetState::Opening,
            trouble: None,
        }
    }

    /// Works until the set is not wanted any more, or the service stops. No error ends it.
    pub(super) async fn run(mut self, mut orders: watch::Receiver<Option<Target>>) {
        self.publish();
        Box::pin(self.clear_out_other()).await;
        let mut stage = Stage::Set;
        loop {
            if self.desk.cancel.is_cancelled() {
                return Box::pin(self.stop()).await;
            }
            let next = orders.borrow_and_update().clone();
            let next = match next {
                Some(next) if next.identity == self.target.identity => next,
                other => return Box::pin(self.leave(other.is_none())).await,
            };
            if next.labels != self.target.labels {
                stage = Stage::Set;
            }
            self.target = next;
            // Boxed, since each holds whole calls to GitHub, and a task that held all of them would be too large to move.
            let done = match stage {
                Stage::Set => Box::pin(self.ensure()).await,
                Stage::Session => Box::pin(self.open()).await,
                Stage::Messages => Box::pin(self.listen(&mut orders)).await,
            };
            stage = match done {
                Ok(next) => next,
                Err(error) => self.recover(stage, &error, &mut orders).await,
            };
        }
    }

    pub(super) fn now(&self) -> Time {
        (self.desk.clock)()
    }

    /// Finds or makes the set.
    async fn ensure(&mut self) -> Result<Stage, SetError> {
        let (desk, spec) = (self.desk.clone(), self.target.spec());
        // Noted first: where no answer comes, or we end before it, a set may stand that nobody else would know of.
        if self.kept.is_none() {
            self.kept = Some(self.nameless());
            self.keep();
        }
        let ensure = desk.github.ensure_set(&self.target.identity.credentials, &self.key.scope, &spec);
        let Some(set) = finish(&desk.cancel, ensure).await else { return Ok(Stage::Set) };
        let set = set?;
        if self.kept.as_ref().is_none_or(|kept| kept.set != Some(set.id)) {
            self.forget();
            self.kept = Some(Kept { set: Some(set.id), ..self.nameless() });
            self.keep();
        }
        self.refused_labels = set.refused_labels;
        self.publish();
        Ok(if self.session.is_some() { Stage::Messages } else { Stage::Session })
    }

    /// Opens a session, after closing one that an earlier run, or a turn of this one, left open.
    async fn open(&mut self) -> Result<Stage, SetError> {
        let desk = self.desk.clone();
        let Some(set) = self.set() else { return Ok(Stage::Set) };
        if let Err(error) = self.close().await {
            tracing::debug!(pool = %self.key.pool, scope = %self.key.scope, %error, "an old session is not closed");
        }
        let credentials = &self.target.identity.credentials;
        let open = desk.github.open_session(credentials, &self.key.scope, set, &desk.owner);
        let Some(session) = finish(&desk.cancel, open).await else { return Ok(Stage::Session) };
        let session = session?;
        (self.offers, self.taken) = (OFFER_TRIES, 0);
        let statistics = session.statistics;
        self.session = Some(session);
        self.sessions += 1;
        self.note_session();
        self.counted(statistics);
        self.publish();
        Ok(Stage::Messages)
    }

    /// Waits for one message, and handles it.
    async fn listen(&mut self, orders: &mut watch::Receiver<Option<Target>>) -> Result<Stage, SetError> {
        let desk = self.desk.clone();
        if self.session.is_none() {
            return Ok(Stage::Session);
        }
        if self.wants_offers() {
            match finish(&desk.cancel, self.take_offers()).await {
                Some(taken) => taken?,
                None => return Ok(Stage::Messages),
            }
        }
        let now = self.now();
        if self.doubt.asks(now) && finish(&desk.cancel, Box::pin(self.recount())).await.transpose()?.is_none()
        {
            return Ok(Stage::Messages);
        }
        let Some(mut session) = self.session.take() else { return Ok(Stage::Session) };
        self.state = SetState::Listening;
        self.publish();
        let asked = Instant::now();
        let (credentials, scope) = (&self.target.identity.credentials, &self.key.scope);
        let (cursor, capacity) = (self.kept.as_ref().map_or(0, |kept| kept.cursor), self.target.capacity);
        let next = desk.github.next_message(credentials, scope, &mut session, cursor, capacity);
        let heard = tokio::select! {
            biased;
            heard = next => Some(heard),
            () = desk.cancel.cancelled() => None,
            () = interruption(&self.target, orders) => None,
        };
        self.session = Some(session);
        self.note_session();
        let fresh = match heard {
            None => return Ok(Stage::Messages),
            Some(heard) => match heard? {
                None => false,
                Some(message) => match finish(&desk.cancel, self.handle(message)).await {
                    None => return Ok(Stage::Messages),
                    Some(fresh) => fresh?,
                },
            },
        };
        self.heard_well(fresh);
        let pause = step::pause(asked.elapsed(), self.quick);
        if !pause.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = desk.cancel.cancelled() => {}
                () = interruption(&self.target, orders) => {}
            }
        }
        Ok(Stage::Messages)
    }

    /// Has GitHub count anew, which it does when a session is renewed. A service that does not is listened to all the same.
    async fn recount(&mut self) -> Result<(), SetError> {
        let desk = self.desk.clone();
        let (credentials, scope) = (&self.target.identity.credentials, &self.key.scope);
        let Some(session) = &self.session else { return Ok(()) };
        match desk.github.renew_session(credentials, scope, session).await {
            Ok(renewed) => {
                let count = renewed.statistics;
                self.session = Some(renewed);
                self.note_session();
                self.counted(count);
                Ok(())
            }
            Err(SetError::GitHub(error)) => {
                tracing::debug!(pool = %self.key.pool, %scope, %error, "a new count cannot be had");
                Ok(())
            }
            Err(gone) => Err(gone),
        }
    }

    /// Notes a wait that went well: whatever GitHub last counted holds until now.
    fn heard_well(&mut self, fresh: bool) {
        if let Some(trouble) = self.trouble.take() {
            tracing::info!(pool = %self.key.pool, scope = %self.key.scope, trouble, "A scale set is listened to again");
        }
        self.attempt = 0;
        self.quick = if fresh { 0 } else { self.quick.saturating_add(1) };
        if let Some((count, _)) = self.count {
            self.counted(count);
        }
        self.publish();
    }

    /// Does what follows from an error, and says from where to go on.
    async fn recover(
        &mut self,
        stage: Stage,
        error: &SetError,
        orders: &mut watch::Receiver<Option<Target>>,
    ) -> Stage {
        self.attempt = self.attempt.saturating_add(1);
        let now = self.now();
        let Step { stage, wait, anew } = step::next(stage, error, self.attempt, now);
        let words = step::words(error, &self.target.identity.name);
        let (pool, scope) = (&self.key.pool, &self.key.scope);
        if self.trouble.as_ref() == Some(&words) {
            tracing::debug!(%pool, %scope, attempt = self.attempt, "the same again: {words}");
        } else {
            tracing::warn!(%pool, %scope, "Listening is interrupted: {words}");
            self.trouble = Some(words.clone());
        }
        if anew {
            self.forget();
        }
        if stage != Stage::Messages {
            self.session = None;
        }
        let wait = step::jittered(wait, (&self.desk.owner, &self.key, self.attempt));
        self.state = if wait.is_zero() {
            SetState::Opening
        } else {
            SetState::Waiting { until: now + wait, error: words }
        };
        self.publish();
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.desk.cancel.cancelled() => {}
                () = replacement(&self.target, orders) => {}
            }
            if stage != Stage::Messages {
                self.state = SetState::Opening;
                self.publish();
            }
        }
        stage
    }

    /// Forgets a set that GitHub has dropped, with all that belonged to it.
    fn forget(&mut self) {
        self.kept = None;
        self.session = None;
        self.heard = Heard::default();
        self.doubt = Doubt::default();
        self.count = None;
        self.keep();
    }

    pub(super) fn set(&self) -> Option<SetId> {
        self.kept.as_ref().and_then(|kept| kept.set)
    }

    /// What is kept of a set before its number is known.
    fn nameless(&self) -> Kept {
        Kept { identity: self.target.identity.clone(), set: None, session: None, cursor: 0 }
    }

    pub(super) fn keep(&self) {
        self.desk.store.set(&self.key, self.kept.clone());
    }

    /// Keeps the id of the session that is open, so that the next run can close it.
    pub(super) fn note_session(&mut self) {
        let open = self.session.as_ref().map(|session| session.id.clone());
        if let Some(kept) = self.kept.as_mut().filter(|kept| open.is_some() && kept.session != open) {
            kept.session = open;
            self.keep();
        }
    }

    /// Takes GitHub's count as of now.
    pub(super) fn counted(&mut self, count: SetStatistics) {
        let now = self.now();
        self.heard.compare(&count, now);
        self.doubt.look(&count, &self.heard, now);
        self.count = Some((count, now));
    }

    /// Tells how things are.
    pub(super) fn publish(&self) {
        let refused = &self.refused_labels;
        let labels = (!refused.is_empty()).then(|| {
            format!(
                "GitHub did not take the labels {}: jobs that ask for them never reach the scale set (delete it to have it made anew)",
                refused.join(", ")
            )
        });
        let doubt = self.count.and_then(|(count, at)| self.doubt.words(&count, &self.heard, at));
        let disagreement: Vec<String> = [doubt, labels].into_iter().flatten().collect();
        let view = SetView {
            pool: self.key.pool.clone(),
            scope: self.key.scope.clone(),
            id: self.set(),
            state: self.state.clone(),
            statistics: self.count,
            disagreement: (!disagreement.is_empty()).then(|| disagreement.join("; ")),
            sessions: self.sessions,
        };
        self.desk.board.post(&self.key, Some((view, self.heard.jobs().cloned().collect())));
    }
}

/// What comes of work that a stop does not interrupt, but for its patience.
pub(super) async fn finish<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        cancel.cancelled().await;
        tokio::time::sleep(FINISH_WITHIN).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = late => None,
    }
}

/// Ends when a wait for messages has to be broken off.
async fn interruption(target: &Target, orders: &mut watch::Receiver<Option<Target>>) {
    until(orders, |next| interrupts(target, next)).await;
}

/// Ends when another set is wanted, or none.
async fn replacement(target: &Target, orders: &mut watch::Receiver<Option<Target>>) {
    until(orders, |next| next.is_none_or(|next| next.identity != target.identity)).await;
}

async fn until(orders: &mut watch::Receiver<Option<Target>>, such: impl Fn(Option<&Target>) -> bool) {
    let met = orders.wait_for(|next| such(next.as_ref())).await.is_ok();
    if !met {
        std::future::pending::<()>().await;
    }
}
