//! Demand by asking: the queues of repositories, read one after the other at a pace that GitHub's limits allow.
//!
//! For pools with `demand = "poll"` this is how jobs are heard of; for those with `demand = "webhook"` it finds, at a slow
//! pace, what a lost delivery would have told.

mod book;
mod pace;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::book::Answer;
use self::book::Ask;
use self::book::Book;
use crate::github::GitHub;
use crate::github::Queue;
use crate::model::AccountView;
use crate::model::CredentialName;
use crate::model::Job;
use crate::model::Repo;
use crate::model::Time;
use crate::model::Wanted;

/// What polling knows.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Polled {
    /// Repositories whose queue is read.
    pub repos: BTreeMap<Repo, RepoRead>,
    /// Accounts of whose repositories all are served.
    pub accounts: BTreeMap<String, AccountView>,
}

/// What was read of a repository's queue. After a read that failed this is what the last good one said, and the error.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RepoRead {
    /// When the last complete look was asked for.
    pub as_of: Option<Time>,
    /// Why the latest look failed, or is late.
    pub error: Option<String>,
    /// The jobs that wait, run or are held.
    pub jobs: Vec<Job>,
}

/// Tells the time.
type Clock = Arc<dyn Fn() -> Time + Send + Sync>;
/// How often the repositories of a credential are read, if they were active lately.
type Paces = Arc<dyn Fn(&CredentialName) -> Duration + Send + Sync>;

/// The poller.
pub struct Poll<G> {
    github: Arc<G>,
    clock: Clock,
    wanted: watch::Receiver<Arc<Wanted>>,
    cancel: CancellationToken,
    polled: watch::Sender<Arc<Polled>>,
    paces: Paces,
}

impl<G: GitHub + Queue> Poll<G> {
    /// A poller that reads what `wanted` names, until it is cancelled.
    pub fn new(
        github: Arc<G>,
        clock: Clock,
        wanted: watch::Receiver<Arc<Wanted>>,
        cancel: CancellationToken,
        polled: watch::Sender<Arc<Polled>>,
    ) -> Self {
        Self { github, clock, wanted, cancel, polled, paces: Arc::new(|_| pace::USUAL) }
    }

    /// The same with a pace for each credential (`poll_interval`), asked for whenever it is needed.
    #[must_use]
    pub fn paced(self, paces: Paces) -> Self {
        Self { paces, ..self }
    }

    /// Polls until it is cancelled, or nobody can want anything any more.
    pub async fn run(mut self) {
        let mut book = Book::new(self.paces.clone());
        let mut asked = JoinSet::new();
        self.wanted.mark_changed();
        book.tick((self.clock)(), self.github.states());
        loop {
            if self.wanted.has_changed().unwrap_or(false) {
                let wanted = self.wanted.borrow_and_update().clone();
                book.aim(wanted);
            }
            for ask in book.begin() {
                asked.spawn(answer(self.github.clone(), ask));
            }
            if let Some(view) = book.view() {
                self.polled.send_replace(Arc::new(view));
            }
            let first = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                changed = self.wanted.changed() => match changed {
                    Ok(()) => {
                        self.wanted.mark_changed();
                        None
                    }
                    Err(_) => return,
                },
                Some(answer) = asked.join_next() => Some(answer),
                () = tokio::time::sleep(book.idle()) => None,
            };
            book.tick((self.clock)(), self.github.states());
            let more = std::iter::from_fn(|| asked.try_join_next());
            for answer in first.into_iter().chain(more) {
                match answer {
                    Ok(answer) => book.settle(answer),
                    Err(why) if why.is_panic() => std::panic::resume_unwind(why.into_panic()),
                    Err(_) => {}
                }
            }
        }
    }
}

/// Asks GitHub.
async fn answer<G: Queue>(github: Arc<G>, ask: Ask) -> Answer {
    match ask {
        Ask::Queue(name, repo) => {
            let look = github.open_jobs(&name, &repo).await;
            Answer::Queue(name, repo, look)
        }
        Ask::Account(name, owner) => {
            let repos = github.repositories(&name, &owner).await;
            Answer::Account(name, owner, repos)
        }
    }
}
