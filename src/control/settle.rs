//! What an outcome teaches: entries in the book, and nothing else.

use std::time::Duration;

use crate::decide::backoff;
use crate::engine::EngineError;
use crate::execute::Done;
use crate::execute::Failure;
use crate::execute::Outcome;
use crate::model::Action;
use crate::model::Backoff;
use crate::model::Book;
use crate::model::ContainerState;
use crate::model::CreateRunner;
use crate::model::ErrorClass;
use crate::model::InFlight;
use crate::model::InFlightKind;
use crate::model::PoolName;
use crate::model::RetireReason;
use crate::model::Scope;
use crate::model::Time;

/// How long a credential that is refused is left alone; somebody has to mend it first.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a scope is left alone at least after GitHub did not answer, and at most twice that.
const GITHUB_AWAY: Duration = Duration::from_secs(15);
/// How long a removal that failed is left alone.
const REMOVAL_FAILED: Duration = Duration::from_secs(15);
/// How long a slot is left alone whose name another container has. One of ours shows in the next listing.
const NAME_TAKEN: Duration = Duration::from_secs(15);
/// How long a registration that GitHub calls busy is left alone when its container is gone: GitHub takes minutes to
/// notice.
const LOST_BUSY: Duration = Duration::from_secs(60);
/// How long something is left alone that the engine did not give away because it is in use: by somebody else, then.
const IN_USE: Duration = Duration::from_secs(300);
/// How long a run that was cancelled is left alone.
const RUN_CANCELLED: Duration = Duration::from_secs(300);

/// What an action holds on to while it is under way.
pub(super) fn in_flight(action: &Action, since: Time) -> InFlight {
    let kind = match action {
        Action::Pull { image } => InFlightKind::Pull { image: image.clone() },
        Action::Create(new) => InFlightKind::Create {
            pool: new.pool.clone(),
            slot: new.slot,
            runner: new.name.clone(),
            scope: new.scope.clone(),
        },
        Action::Retire { container, .. } | Action::Reap { container, .. } => InFlightKind::Remove {
            pool: container.pool.clone(),
            slot: container.slot,
            runner: container.runner_name.clone(),
            container: Some(container.id.clone()),
        },
        Action::Deregister(reg) => InFlightKind::Remove {
            pool: reg.pool.clone(),
            slot: reg.slot,
            runner: reg.name.clone(),
            container: None,
        },
        Action::RemoveCompanion { container } => InFlightKind::Collect { key: container.name.clone() },
        Action::Collect(leftover) => InFlightKind::Collect { key: leftover.key() },
        Action::CancelRun { repo, run, .. } => InFlightKind::Cancel { key: Action::run_key(repo, *run) },
    };
    InFlight { kind, since }
}

/// When an action that ends now was begun.
pub(super) fn began(book: &Book, action: &Action, now: Time) -> Time {
    let entry = in_flight(action, now).kind;
    let begun = book.in_flight.iter().find(|work| work.kind == entry);
    begun.map_or(now, |work| work.since)
}

/// Enters an outcome in the book. `jitter` is a number from 0 to 1; `same_credential` lists the scopes that share
/// the credential of the action.
pub(super) fn settle(
    book: &mut Book,
    action: &Action,
    outcome: &Outcome,
    now: Time,
    jitter: f64,
    same_credential: &[Scope],
) {
    let entry = in_flight(action, now).kind;
    book.in_flight.retain(|work| work.kind != entry);
    match action {
        Action::Create(new) => created(book, new, outcome, now, jitter, same_credential),
        Action::Retire { container, reason, .. } => {
            let key = container.runner_name.as_str();
            removed(book, key, outcome, now, REMOVAL_FAILED);
            match outcome {
                Err(Failure::Busy(_)) => {
                    book.seen_busy.insert(container.runner_name.clone(), now);
                }
                Ok(Done::Gone(gone))
                    if matches!(reason, RetireReason::NeverOnline | RetireReason::Unregistered) =>
                {
                    barren(book, &container.pool, gone.verdict.clone(), now, jitter);
                }
                _ => {}
            }
        }
        Action::Reap { container, .. } => {
            removed(book, container.runner_name.as_str(), outcome, now, REMOVAL_FAILED);
            // One that never started was counted when its start failed.
            let ended = matches!(container.state, ContainerState::Exited(_));
            if let Ok(Done::Gone(gone)) = outcome {
                let wanted_gone =
                    book.condemned.remove(&gone.runner) | book.drained_runners.remove(&gone.runner);
                if gone.ran_job {
                    book.backoff.remove(&container.pool);
                } else if ended && !wanted_gone {
                    barren(book, &container.pool, gone.verdict.clone(), now, jitter);
                }
            }
        }
        Action::Deregister(reg) => removed(book, reg.name.as_str(), outcome, now, LOST_BUSY),
        Action::RemoveCompanion { container } => removed(book, &container.name, outcome, now, REMOVAL_FAILED),
        Action::Collect(leftover) => {
            let in_use = matches!(outcome, Err(Failure::Engine(EngineError::Refused { status: 409, .. })));
            let leave = if in_use { IN_USE } else { REMOVAL_FAILED };
            removed(book, &leftover.key(), outcome, now, leave);
        }
        // Done or not, asking again at once would change nothing: GitHub takes its time to end a run.
        Action::CancelRun { repo, run, .. } => {
            book.leave_until.insert(Action::run_key(repo, *run), now + RUN_CANCELLED);
        }
        Action::Pull { .. } => {}
    }
}

fn removed(book: &mut Book, key: &str, outcome: &Outcome, now: Time, leave: Duration) {
    match outcome {
        Ok(_) => {
            book.leave_until.remove(key);
        }
        Err(_) => {
            book.leave_until.insert(key.to_owned(), now + leave);
        }
    }
}

fn created(book: &mut Book, new: &CreateRunner, outcome: &Outcome, now: Time, jitter: f64, same: &[Scope]) {
    let Err(failure) = outcome else {
        book.github_until.remove(&new.scope);
        return;
    };
    match (failure, failure.class()) {
        (Failure::GitHub(error), ErrorClass::Auth) => {
            book.github_until.insert(new.scope.clone(), (now + REFUSED, error.to_string()));
        }
        (Failure::GitHub(error), ErrorClass::Limited(until)) => {
            for scope in same.iter().chain([&new.scope]) {
                book.github_until.insert(scope.clone(), (until, error.to_string()));
            }
        }
        // GitHub is away: the pool is not to blame, and its wait must not outlast the outage by minutes.
        (Failure::GitHub(error), ErrorClass::Retry) => {
            let until = now + GITHUB_AWAY.mul_f64(1.0 + jitter);
            book.github_until.insert(new.scope.clone(), (until, error.to_string()));
        }
        // If the name is not ours, looking again does not tell, and each attempt costs a registration.
        (Failure::Engine(EngineError::NameTaken { .. }), _) => {
            book.leave_until.insert(Book::slot_key(&new.pool, new.slot), now + NAME_TAKEN);
        }
        // The engine is away: looking again tells.
        (Failure::Engine(error), ErrorClass::Retry) if !error.is_start_failure() => {}
        // A registration was made for it, and went unused.
        (Failure::Engine(_), _) => barren(book, &new.pool, failure.to_string(), now, jitter),
        _ => back_off(book, &new.pool, failure.to_string(), now, jitter),
    }
}

/// A start that ended without a job: it counts for the storm breaker, and the next one waits.
fn barren(book: &mut Book, pool: &PoolName, why: String, now: Time, jitter: f64) {
    let times = book.barren.entry(pool.clone()).or_default();
    times.retain(|at| now.since(*at) <= Duration::from_secs(3600));
    times.push(now);
    back_off(book, pool, why, now, jitter);
}

fn back_off(book: &mut Book, pool: &PoolName, reason: String, now: Time, jitter: f64) {
    // Starts that were under way together fail together: that is one failure, not several.
    let failures = match book.backoff.get(pool) {
        Some(last) if last.until > now => last.failures,
        Some(last) => last.failures.saturating_add(1),
        None => 1,
    };
    let until = match book.backoff.get(pool) {
        Some(last) if last.until > now => last.until,
        _ => now + backoff(failures, jitter),
    };
    book.backoff.insert(pool.clone(), Backoff { failures, until, reason });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Leftover;

    #[test]
    fn failures_of_one_batch_count_as_one() {
        let mut book = Book::default();
        let pool = PoolName::parse("build").unwrap();
        for _ in 0..8 {
            barren(&mut book, &pool, "it ends at once".into(), Time::from_secs(100), 0.0);
        }
        assert_eq!((book.backoff[&pool].failures, book.barren[&pool].len()), (1, 8));
        barren(&mut book, &pool, "again".into(), Time::from_secs(106), 0.0);
        assert_eq!(book.backoff[&pool].failures, 2);
        assert_eq!(book.backoff[&pool].until, Time::from_secs(116));
    }

    #[test]
    fn what_is_in_use_is_left_alone_for_longer_than_what_failed_to_go() {
        let pool = PoolName::parse("build").unwrap();
        let network = Leftover::Network { name: "ghrunner-build".into(), pool };
        let left = |status| {
            let mut book = Book::default();
            let refused = EngineError::Refused { call: "remove a network", status, message: String::new() };
            let outcome = Err(Failure::Engine(refused));
            settle(&mut book, &Action::Collect(network.clone()), &outcome, Time(0), 0.0, &[]);
            book.leave_until[&network.key()]
        };
        assert_eq!((left(409), left(500)), (Time::from_secs(300), Time::from_secs(15)));
    }
}
