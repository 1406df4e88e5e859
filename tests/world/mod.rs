//! A world to run the real control loop in: an engine and a GitHub that are states with a life of their own, not
//! scripts. Time is tokio's paused clock; everything that happens by itself waits in one queue.

mod alone;
mod clock;
mod daemon;
mod demand;
mod dice;
mod draw;
mod engine;
mod events;
mod github;
mod hooks;
mod jobs;
mod journal;
mod ledger;

mod queue;
mod rules;
mod runner;
mod schedule;
mod services;
mod sets;
mod sources;
mod state;
mod troubles;
mod weather;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ghrunner::control::Clock;
use tokio::sync::Notify;
use tokio::sync::oneshot;

pub(crate) use alone::retire_one_that_registers;
pub(crate) use schedule::Kind;
pub(crate) use schedule::Outcome;
pub(crate) use schedule::run;
pub(crate) use state::Plant;
use state::State;
use weather::Fate;

/// A runtime whose clock jumps to whatever is due next.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing from outside")
}

/// Engine and GitHub in one. Cheap to clone: all clones are one world.
#[derive(Clone)]
pub(crate) struct World {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    sooner: Notify,
    broken: Notify,
}

impl World {
    fn new(state: State) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                sooner: Notify::new(),
                broken: Notify::new(),
            }),
        }
    }

    /// The wall clock of this world.
    fn clock(&self) -> Clock {
        self.with(|state| state.clock())
    }

    /// Has all that is due happen, then looks at or changes the world.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state.lock().unwrap();
        state.advance();
        let before = state.next_due();
        let result = act(&mut state);
        if state.next_due().is_some_and(|next| before.is_none_or(|before| next < before)) {
            self.shared.sooner.notify_one();
        }
        if state.is_broken() {
            self.shared.broken.notify_one();
        }
        result
    }

    /// Has things happen when they are due, for ever.
    async fn turn(self) {
        loop {
            let next = self.with(|state| state.next_due());
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = wait => {}
                () = self.shared.sooner.notified() => {}
            }
        }
    }

    /// Lets time pass, or ends at once when a promise is broken.
    async fn live(&self, span: Duration) {
        tokio::select! {
            biased;
            () = tokio::time::sleep(span) => {}
            () = self.shared.broken.notified() => {}
        }
    }

    /// One call to engine or GitHub. Once sent it takes effect whether or not its caller still lives; the answer may
    /// be lost on the way back.
    async fn call<T: Send + 'static, E: Send + 'static>(
        &self,
        fate: Fate<E>,
        effect: impl FnOnce(&mut State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        if let Some(error) = fate.refused {
            tokio::time::sleep(fate.there).await;
            return Err(error);
        }
        let result = if fate.there.is_zero() {
            self.with(effect)
        } else {
            let (answer, answered) = oneshot::channel();
            self.with(|state| {
                state.after(fate.there, move |state| drop(answer.send(effect(state))));
            });
            answered.await.expect("the queue outlives every caller")
        };
        if !fate.back.is_zero() {
            tokio::time::sleep(fate.back).await;
        }
        fate.lost.map_or(result, Err)
    }
}
