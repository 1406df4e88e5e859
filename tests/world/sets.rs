//! Runner scale sets: GitHub gives them jobs, as many as they have room for, and tells of them in messages.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::github::GitHubError;
use ghrunner::github::Message;
use ghrunner::github::ScaleSets;
use ghrunner::github::Session;
use ghrunner::github::Set;
use ghrunner::github::SetError;
use ghrunner::github::SetNews;
use ghrunner::github::SetSpec;
use ghrunner::model::CredentialName;
use ghrunner::model::GroupName;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::RunnerId;
use ghrunner::model::RunnerName;
use ghrunner::model::Scope;
use ghrunner::model::Secret;
use ghrunner::model::SetId;
use ghrunner::model::SetStatistics;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::World;
use super::journal::SECRET;
use super::rules;
use super::state::Plant;
use super::state::State;
use super::weather::Fate;

/// How long a call without news is held.
const HOLD: Duration = Duration::from_secs(50);
/// News that one message holds.
const NEWS_MAX: usize = 50;
/// GitHub gives up a session that asks for nothing for this long.
const SESSION_LEFT: Duration = Duration::from_secs(180);
/// A job that no runner of its set took is taken back after this long, and given again.
const TAKEN_BACK: Duration = Duration::from_secs(300);

/// One scale set.
pub(super) struct ScaleSet {
    pub(super) scope: Scope,
    pub(super) name: String,
    labels: Vec<String>,
    pub(super) session: Option<Open>,
    /// Runners that it could have, as it said last.
    capacity: u32,
    stored: Vec<Message>,
    pending: VecDeque<SetNews>,
    /// Whether there is news although there is no news of a job.
    recounted: bool,
    /// A message that comes although it was acknowledged.
    again: Option<Message>,
    last: i64,
    /// The last message that the listener has handled by its own account.
    heard: i64,
    offered: BTreeSet<u64>,
    /// The count of jobs that statistics tell, whatever is true.
    pub(super) stuck: Option<u32>,
    news: Arc<Notify>,
}

impl ScaleSet {
    /// Whether somebody of ours listens, and has been told all.
    pub(super) fn is_heard(&self) -> bool {
        let open = self.session.as_ref().is_some_and(|open| open.lasts() && !open.stolen);
        open && !self.stored.iter().any(|m| m.id > self.heard)
            && self.pending.is_empty()
            && !self.recounted
            && self.again.is_none()
    }

    /// A job is offered no more.
    pub(super) fn withdraw(&mut self, number: u64) {
        self.offered.remove(&number);
    }
}

/// A session.
#[derive(Debug, Clone)]
pub(super) struct Open {
    id: String,
    seen: Instant,
    /// Whether it is somebody else's.
    stolen: bool,
    /// Whether whoever opened it was told its id: without that it cannot be closed.
    told: bool,
}

impl Open {
    fn new(id: String, stolen: bool) -> Self {
        Self { id, seen: Instant::now(), stolen, told: false }
    }

    /// Whether the daemon that began then listened.
    pub(super) fn listened_since(&self, began: Option<Instant>) -> bool {
        !self.stolen && self.told && began.is_some_and(|began| self.seen > began)
    }

    /// Whether GitHub still holds it.
    pub(super) fn lasts(&self) -> bool {
        self.stolen || self.seen.elapsed() < SESSION_LEFT
    }
}

impl World {
    /// One call to the Actions service.
    async fn ask<T: Send + 'static>(
        &self,
        call: &str,
        effect: impl FnOnce(&mut State) -> Result<T, SetError> + Send + 'static,
    ) -> Result<T, SetError> {
        let fate = self.with(|state| state.service_fate(call));
        let Fate { there, refused, back, lost } = fate;
        let fate = Fate { there, refused: refused.map(Into::into), back, lost: lost.map(Into::into) };
        self.call(fate, effect).await
    }
}

impl ScaleSets for World {
    async fn ensure_set(&self, _: &CredentialName, scope: &Scope, spec: &SetSpec) -> Result<Set, SetError> {
        let (scope, spec) = (scope.clone(), spec.clone());
        self.ask("find a scale set", move |state| Ok(state.ensure_set(scope, spec))).await
    }

    async fn find_set(
        &self,
        _: &CredentialName,
        scope: &Scope,
        name: &str,
        _: Option<&GroupName>,
    ) -> Result<Option<SetId>, SetError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.ask("look for a scale set", move |state| {
            let mut sets = state.services.sets.iter();
            Ok(sets.find(|(_, set)| set.scope == scope && set.name == name).map(|(id, _)| *id))
        })
        .await
    }

    async fn delete_set(&self, _: &CredentialName, _: &Scope, set: SetId) -> Result<(), SetError> {
        self.ask("delete a scale set", move |state| {
            if state.jobs.values().any(|job| job.runs && job.is_of(set)) {
                let (call, message) = ("delete a scale set".to_owned(), "a job is running".to_owned());
                return Err(GitHubError::Refused { call, status: 400, message }.into());
            }
            if state.plant != Some(Plant::SetLeft) {
                state.drop_set(set);
            }
            Ok(())
        })
        .await
    }

    async fn open_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        set: SetId,
        owner: &str,
    ) -> Result<Session, SetError> {
        let owner = owner.to_owned();
        let session = self.ask("open a session", move |state| state.open_session(set, &owner)).await?;
        self.with(|state| {
            let open = state.services.sets.get_mut(&set).and_then(|held| held.session.as_mut());
            if let Some(open) = open.filter(|open| open.id == session.id) {
                open.told = true;
            }
        });
        Ok(session)
    }

    async fn renew_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &Session,
    ) -> Result<Session, SetError> {
        let (set, id, renewed) = (session.set, session.id.clone(), session.clone());
        self.ask("renew a session", move |state| {
            state.session(set, &id)?;
            Ok(Session { statistics: state.statistics(set), ..renewed })
        })
        .await
    }

    async fn close_session(
        &self,
        _: &CredentialName,
        _: &Scope,
        set: SetId,
        session: &str,
    ) -> Result<(), SetError> {
        let session = session.to_owned();
        self.ask("close a session", move |state| {
            let keeps = state.plant == Some(Plant::SessionLeft);
            if let Some(held) = state.services.sets.get_mut(&set).filter(|_| !keeps) {
                held.session.take_if(|open| open.id == session);
            }
            Ok(())
        })
        .await
    }

    async fn next_message(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &mut Session,
        last: i64,
        capacity: u32,
    ) -> Result<Option<Message>, SetError> {
        let (set, id) = (session.set, session.id.clone());
        let until = Instant::now() + HOLD;
        let asks = id.clone();
        let news = self.ask("wait for messages", move |state| state.listens(set, &asks, capacity)).await?;
        loop {
            let (heard, hasty) = self.with(|state| {
                let hasty = state.services.trouble.hasty.is_some_and(|until| until > Instant::now());
                (state.hear(set, &id, last), hasty)
            });
            match heard {
                Ok(None) if !hasty => {}
                other => return other,
            }
            tokio::select! {
                biased;
                () = news.notified() => {}
                () = tokio::time::sleep_until(until) => return Ok(None),
            }
        }
    }

    async fn acknowledge(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &mut Session,
        message: i64,
    ) -> Result<(), SetError> {
        let set = session.set;
        let stuck = self.with(|state| {
            let trouble = &mut state.services.trouble;
            let stuck = std::mem::take(&mut trouble.ack_stuck);
            trouble.ack_lost |= stuck;
            stuck
        });
        if stuck {
            std::future::pending::<()>().await;
        }
        self.ask("acknowledge a message", move |state| {
            let rate = state.services.trouble.repeats;
            let repeats = state.dice.permille(rate);
            let Some(held) = state.services.sets.get_mut(&set) else { return Err(SetError::SetGone) };
            if let Some(at) = held.stored.iter().position(|stored| stored.id == message) {
                let stored = held.stored.remove(at);
                held.again = repeats.then_some(stored);
            }
            Ok(())
        })
        .await
    }

    async fn available_jobs(&self, _: &CredentialName, _: &Scope, set: SetId) -> Result<Vec<Job>, SetError> {
        self.ask("list offered jobs", move |state| {
            let Some(held) = state.services.sets.get(&set) else { return Err(SetError::SetGone) };
            let waiting = held.offered.iter().filter_map(|n| Some((*n, state.jobs.get(n)?)));
            Ok(waiting.filter(|(_, job)| job.waits()).map(|(n, job)| job.told(request(n), n)).collect())
        })
        .await
    }

    async fn acquire(
        &self,
        _: &CredentialName,
        _: &Scope,
        session: &mut Session,
        jobs: &[JobId],
    ) -> Result<Vec<JobId>, SetError> {
        let (set, jobs) = (session.set, jobs.to_vec());
        self.ask("take jobs", move |state| {
            let taken = jobs.into_iter().filter(|id| match id {
                JobId::Request(number) => state.take_offer(set, number.unsigned_abs()),
                JobId::Job(_) => false,
            });
            Ok(taken.collect())
        })
        .await
    }
}

fn request(number: u64) -> JobId {
    JobId::Request(i64::try_from(number).unwrap_or(i64::MAX))
}

fn over(words: &str) -> SetError {
    SetError::SessionGone(words.to_owned())
}

impl State {
    fn ensure_set(&mut self, scope: Scope, spec: SetSpec) -> Set {
        let known = self.services.sets.iter_mut().find(|(_, s)| s.scope == scope && s.name == spec.name);
        if let Some((id, set)) = known {
            set.labels = spec.labels;
            return Set { id: *id, refused_labels: Vec::new() };
        }
        let id = SetId(self.fresh());
        self.note(|| format!("scale set {} made as {} in {scope}", spec.name, id.0));
        let set = ScaleSet {
            scope,
            name: spec.name,
            labels: spec.labels,
            session: None,
            capacity: 0,
            stored: Vec::new(),
            pending: VecDeque::new(),
            recounted: false,
            again: None,
            last: 0,
            heard: 0,
            offered: BTreeSet::new(),
            stuck: None,
            news: Arc::default(),
        };
        self.services.sets.insert(id, set);
        Set { id, refused_labels: Vec::new() }
    }

    /// A set is there no more: what waited for it waits for another, and its idle runners are nobody's.
    pub(super) fn drop_set(&mut self, id: SetId) {
        let Some(set) = self.services.sets.remove(&id) else { return };
        self.note(|| format!("scale set {} ({}) is gone", id.0, set.name));
        set.news.notify_one();
        for job in self.jobs.values_mut().filter(|job| job.is_of(id) && !job.runs) {
            job.set = None;
        }
        let idle = self.registered.iter().filter(|(_, r)| r.set == Some(id) && r.job.is_none());
        let idle: Vec<RunnerId> = idle.filter(|(_, r)| r.gone.is_none()).map(|(number, _)| *number).collect();
        for number in idle {
            self.expel(number);
        }
        self.count_open(&set.name);
        self.assign_to_sets();
    }

    fn open_session(&mut self, set: SetId, owner: &str) -> Result<Session, SetError> {
        let number = self.fresh();
        let blind = self.plant == Some(Plant::SetGoneUnseen);
        let Some(held) = self.services.sets.get_mut(&set) else {
            return Err(if blind { over("no such session") } else { SetError::SetGone });
        };
        if held.session.as_ref().is_some_and(Open::lasts) {
            return Err(SetError::SessionTaken(format!("{owner} cannot have a second session")));
        }
        let id = format!("s{number}");
        held.session = Some(Open::new(id.clone(), false));
        self.note(|| format!("session {id} with scale set {}", set.0));
        let statistics = self.statistics(set);
        Ok(Session {
            id,
            set,
            queue_url: String::new(),
            token: Secret::new(format!("{SECRET}-queue")),
            statistics,
        })
    }

    /// The session, if it is the one that is open.
    fn session(&mut self, set: SetId, session: &str) -> Result<&mut ScaleSet, SetError> {
        let blind = self.plant == Some(Plant::SetGoneUnseen);
        let Some(held) = self.services.sets.get_mut(&set) else {
            return Err(if blind { over("no such session") } else { SetError::SetGone });
        };
        match &mut held.session {
            Some(open) if open.id == session => open.seen = Instant::now(),
            _ => return Err(over("it is not valid")),
        }
        Ok(held)
    }

    /// A wait for messages begins.
    fn listens(&mut self, set: SetId, session: &str, capacity: u32) -> Result<Arc<Notify>, SetError> {
        let held = self.session(set, session)?;
        held.capacity = capacity;
        let news = Arc::clone(&held.news);
        self.assign_to_sets();
        Ok(news)
    }

    /// The message that a wait gets now.
    fn hear(&mut self, set: SetId, session: &str, last: i64) -> Result<Option<Message>, SetError> {
        let counted_twice = self.plant == Some(Plant::BatchTwice);
        let mut statistics = self.statistics(set);
        let held = self.session(set, session)?;
        held.heard = last;
        let known = held.again.take().or_else(|| held.stored.iter().find(|m| m.id > last).cloned());
        if known.is_some() {
            return Ok(known);
        }
        if held.pending.is_empty() && !held.recounted {
            return Ok(None);
        }
        let fits = held.pending.len().min(NEWS_MAX);
        let news: Vec<SetNews> = held.pending.drain(..fits).collect();
        held.last += 1;
        held.recounted = false;
        if counted_twice {
            statistics.assigned *= 2;
        }
        let message = Message { id: held.last, statistics: Some(statistics), news };
        held.stored.push(message.clone());
        self.note(|| {
            format!("scale set {} tells {} things: {:?}", set.0, message.news.len(), message.statistics)
        });
        Ok(Some(message))
    }

    fn statistics(&self, set: SetId) -> SetStatistics {
        let Some(held) = self.services.sets.get(&set) else { return SetStatistics::default() };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let jobs = || self.jobs.values().filter(|job| job.is_of(set));
        let runners = || self.registered.values().filter(|r| r.set == Some(set) && r.gone.is_none());
        let running = count(jobs().filter(|job| job.runs).count());
        let busy = count(runners().filter(|r| r.job.is_some()).count());
        let assigned = count(jobs().count());
        SetStatistics {
            available: count(held.offered.len()),
            acquired: assigned - running,
            assigned: held.stuck.unwrap_or(assigned),
            running: held.stuck.map_or(running, |stuck| stuck.min(running)),
            registered: count(runners().count()),
            busy,
            idle: count(runners().filter(|r| r.online && r.job.is_none()).count()),
        }
    }

    fn tell_set(&mut self, set: SetId, news: SetNews) {
        if let Some(held) = self.services.sets.get_mut(&set) {
            held.pending.push_back(news);
            held.news.notify_one();
        }
    }

    /// Gives jobs that wait to sets that have room.
    pub(super) fn assign_to_sets(&mut self) {
        let ids: Vec<SetId> = self.services.sets.keys().copied().collect();
        for id in ids {
            self.assign_to(id);
        }
    }

    fn assign_to(&mut self, id: SetId) {
        let Some(set) = self.services.sets.get(&id) else { return };
        if !set.session.as_ref().is_some_and(|open| open.lasts() && !open.stolen) {
            return;
        }
        let has = self.jobs.values().filter(|job| job.is_of(id)).count();
        let fits = self.jobs.iter().filter(|(_, job)| {
            job.waits()
                && job.set.is_none()
                && rules::admits(&set.scope, &job.repo)
                && set.labels.contains(&job.label)
        });
        if self.services.offers {
            let fresh: Vec<u64> =
                fits.map(|(number, _)| *number).filter(|n| !set.offered.contains(n)).collect();
            for number in fresh {
                let news = SetNews::Available(self.jobs[&number].told(request(number), number));
                if let Some(set) = self.services.sets.get_mut(&id) {
                    set.offered.insert(number);
                }
                self.tell_set(id, news);
            }
            return;
        }
        let room = (set.capacity as usize).saturating_sub(has);
        let given: Vec<u64> = fits.map(|(number, _)| *number).take(room).collect();
        for number in given {
            self.give_to(id, number);
        }
    }

    fn give_to(&mut self, set: SetId, number: u64) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.given += 1;
        let time = job.given;
        job.set = Some((set, time));
        let news = SetNews::Assigned(job.told(request(number), number));
        self.note(|| format!("job {number} is scale set {}'s", set.0));
        self.tell_set(set, news);
        self.after(TAKEN_BACK, move |state| state.take_back(set, number, time));
        self.assign();
    }

    /// Whether the offer still stood.
    fn take_offer(&mut self, set: SetId, number: u64) -> bool {
        let Some(held) = self.services.sets.get_mut(&set) else { return false };
        if !held.offered.remove(&number) {
            return false;
        }
        let stands = self.jobs.get(&number).is_some_and(|job| job.waits() && job.set.is_none());
        if stands {
            self.give_to(set, number);
        }
        stands
    }

    /// No runner came for the job.
    fn take_back(&mut self, set: SetId, number: u64, time: u32) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        if job.set != Some((set, time)) || job.runs {
            return;
        }
        job.set = None;
        self.note(|| format!("job {number} is taken back from scale set {}", set.0));
        self.tell_end(set, number, None, "canceled");
        self.assign_to_sets();
        self.assign();
    }

    /// A runner of the set took a job.
    pub(super) fn tell_begin(&mut self, number: u64) {
        let Some((job, (set, _))) = self.jobs.get(&number).and_then(|job| Some((job, job.set?))) else {
            return;
        };
        let news = SetNews::Started(job.told(request(number), number));
        self.tell_set(set, news);
    }

    /// A job of the set ended, or was taken back.
    pub(super) fn tell_end(&mut self, set: SetId, number: u64, runner: Option<RunnerName>, result: &str) {
        let id = request(number);
        self.tell_set(set, SetNews::Completed { id, runner, result: result.to_owned() });
    }

    /// Somebody else opens a session with the set, for a while.
    pub(super) fn steal_session(&mut self, set: SetId, span: Duration) {
        let id = format!("thief{}", self.fresh());
        let Some(held) = self.services.sets.get_mut(&set) else { return };
        held.session = Some(Open::new(id.clone(), true));
        held.news.notify_one();
        self.note(|| format!("the session of scale set {} is stolen", set.0));
        self.after(span, move |state| state.end_session(set, Some(&id)));
    }

    /// Whoever stole the session gives it up.
    pub(super) fn end_theft(&mut self, set: SetId) {
        if let Some(held) = self.services.sets.get_mut(&set) {
            held.session.take_if(|open| open.stolen);
        }
    }

    /// A session ends: this one, or whichever there is.
    pub(super) fn end_session(&mut self, set: SetId, which: Option<&str>) {
        let Some(held) = self.services.sets.get_mut(&set) else { return };
        held.session.take_if(|open| which.is_none_or(|id| open.id == id));
        held.news.notify_one();
    }

    /// The session ends, and what was to be told is forgotten.
    pub(super) fn evict_session(&mut self, set: SetId) {
        self.end_session(set, None);
        if let Some(held) = self.services.sets.get_mut(&set) {
            held.stored.clear();
            held.pending.clear();
        }
    }

    /// The count is stuck, or comes right again.
    pub(super) fn stick(&mut self, set: SetId, stuck: Option<u32>) {
        let Some(held) = self.services.sets.get_mut(&set) else { return };
        held.recounted |= held.stuck != stuck;
        held.stuck = stuck;
        held.news.notify_one();
        let name = held.name.clone();
        self.count_open(&name);
    }
}
