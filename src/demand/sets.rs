//! Demand by runner scale sets: for each pool and scope one set, one session with it, and one task that reads its messages.
//!
//! **Knows** what each error means for set and session, in which order a message is handled, what is kept across restarts.
//! **Does not know** how the service is spoken to, nor how many runners a count makes.

mod board;
mod doubt;
mod end;
mod handle;
mod heard;
mod step;
mod store;
mod target;
mod task;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use board::Board;
use store::Store;
use target::Key;
use target::Target;
use task::Task;

use crate::github::Clock;
use crate::github::ScaleSets;
use crate::model::Job;
use crate::model::PoolName;
use crate::model::Scope;
use crate::model::SetView;
use crate::model::Wanted;

/// What scale sets tell. How many jobs there are is in each set's statistics; which, as far as messages told, in `jobs`.
/// Where a set's `disagreement` says that the count is too low, the larger of the two is the better guess.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Sets {
    /// The sets, by pool and scope.
    pub sets: Vec<SetView>,
    /// Jobs that wait for a set's runners or run on them, by pool, scope and id.
    pub jobs: Vec<(PoolName, Scope, Job)>,
}

/// What every task of this part uses.
struct Desk<G> {
    github: Arc<G>,
    clock: Clock,
    /// The name under which sessions are opened.
    owner: String,
    store: Store,
    board: Board,
    cancel: CancellationToken,
}

/// The part of demand that listens to scale sets.
pub struct SetDemand<G> {
    desk: Arc<Desk<G>>,
    wanted: watch::Receiver<Arc<Wanted>>,
}

impl<G: ScaleSets> SetDemand<G> {
    /// A part that opens its sessions as `owner`, keeps what has to last in `state_dir`, and tells what it hears by `out`.
    pub fn new(
        github: Arc<G>,
        clock: Clock,
        (owner, state_dir): (String, Option<&Path>),
        wanted: watch::Receiver<Arc<Wanted>>,
        cancel: CancellationToken,
        out: watch::Sender<Arc<Sets>>,
    ) -> Self {
        let (store, board) = (Store::open(state_dir), Board::new(out));
        Self { desk: Arc::new(Desk { github, clock, owner, store, board, cancel }), wanted }
    }

    /// Listens until it is cancelled; then ends the message in hand, closes its sessions, and returns. Sets stay.
    pub async fn run(mut self) {
        let mut tasks = Tasks {
            desk: self.desk.clone(),
            all: JoinSet::new(),
            orders: BTreeMap::new(),
            keys: HashMap::new(),
        };
        // Before the first word of what is wanted, nothing is known to be unwanted.
        let mut told = !self.wanted.borrow().pools.is_empty();
        // How often each set that is not wanted was looked at, and when it is looked at next.
        let mut looks: BTreeMap<Key, (u32, Instant)> = BTreeMap::new();
        let mut deaf = false;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let targets = target::targets(&wanted);
            tasks.order(&targets, &wanted);
            let mut next_look = None;
            if told {
                let unwanted = |key: &Key| !targets.contains_key(key) && !target::may_be_wanted(&wanted, key);
                let left: Vec<Key> = self.desk.store.keys().into_iter().filter(unwanted).collect();
                // One that was wanted again in between begins anew.
                looks.retain(|key, _| left.contains(key));
                for key in left {
                    if tasks.orders.contains_key(&key) {
                        continue;
                    }
                    let now = Instant::now();
                    let (attempt, due) = looks.entry(key.clone()).or_insert((0, now));
                    if *due <= now {
                        tasks.clear_out(key, *attempt);
                        *due = now + end::again_in(*attempt);
                        *attempt += 1;
                    }
                    next_look = Some(next_look.map_or(*due, |first: Instant| first.min(*due)));
                }
            }
            tokio::select! {
                () = self.desk.cancel.cancelled() => break,
                changed = self.wanted.changed(), if !deaf => match changed {
                    Ok(()) => told = true,
                    Err(_) => deaf = true,
                },
                () = tasks.ended(), if !tasks.all.is_empty() => {}
                () = until(next_look) => {}
            }
        }
        while tasks.all.join_next().await.is_some() {}
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// One task for each pool and scope.
struct Tasks<G> {
    desk: Arc<Desk<G>>,
    all: JoinSet<()>,
    orders: BTreeMap<Key, watch::Sender<Option<Target>>>,
    keys: HashMap<tokio::task::Id, Key>,
}

impl<G: ScaleSets> Tasks<G> {
    /// Tells every task what is wanted of it now, and starts those that are missing.
    fn order(&mut self, targets: &BTreeMap<Key, Target>, wanted: &Wanted) {
        for (key, orders) in &self.orders {
            let target = targets.get(key);
            if target.is_none() && target::may_be_wanted(wanted, key) {
                continue;
            }
            orders.send_if_modified(|known| {
                let other = known.as_ref() != target;
                if other {
                    *known = target.cloned();
                }
                other
            });
        }
        for (key, target) in targets {
            if !self.orders.contains_key(key) {
                let (orders, receiver) = watch::channel(Some(target.clone()));
                let task = Task::new(self.desk.clone(), key.clone(), target.clone());
                let id = self.all.spawn(task.run(receiver)).id();
                self.keys.insert(id, key.clone());
                self.orders.insert(key.clone(), orders);
            }
        }
    }

    /// Ends what is left of a set that nobody wants any more.
    fn clear_out(&mut self, key: Key, attempt: u32) {
        let Some(kept) = self.desk.store.get(&key) else { return };
        let (desk, of) = (self.desk.clone(), key.clone());
        let id = self.all.spawn(async move { end::clear_out(&desk, &of, kept, attempt).await }).id();
        self.keys.insert(id, key.clone());
        self.orders.insert(key, watch::Sender::new(None));
    }

    /// Waits for a task that ends; where its set is wanted, the next orders start another.
    async fn ended(&mut self) {
        let id = match self.all.join_next_with_id().await {
            None => return,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!("The task of a scale set broke: {error}");
                error.id()
            }
        };
        if let Some(key) = self.keys.remove(&id) {
            self.orders.remove(&key);
        }
    }
}
