//! What goes wrong, how often, and what that does to one call.

use std::time::Duration;

use super::dice::Dice;

/// Faults by their rate in a thousand; all zero when faults have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// The engine refuses or is not reached, and nothing happened.
    pub(super) engine_refuses: u32,
    /// The engine did it, and its answer is lost.
    pub(super) engine_loses: u32,
    /// Making a runner stops halfway.
    pub(super) engine_stops_halfway: u32,
    /// GitHub answers 5xx or not at all, and nothing happened.
    pub(super) github_refuses: u32,
    /// GitHub did it, and its answer is lost.
    pub(super) github_loses: u32,
    /// GitHub limits a credential.
    pub(super) limits: u32,
    /// GitHub refuses a credential (401, 403).
    pub(super) rejects: u32,
    /// A call takes long.
    pub(super) slow: u32,
    /// `busy` is false during a job.
    pub(super) flag_lies: u32,
    /// The delete of a busy runner is accepted.
    pub(super) delete_lies: u32,
    /// A listing omits a runner.
    pub(super) omits: u32,
    /// New runners show late in listings, and deleted ones leave late.
    pub(super) lags: u32,
    /// A runner's process ends at once.
    pub(super) exits_at_once: u32,
    /// It never comes online.
    pub(super) never_online: u32,
    /// It loses its connection for good while it lives.
    pub(super) hangs: u32,
    /// It loses its connection for a while.
    pub(super) disconnects: u32,
    /// It dies in its job.
    pub(super) crashes: u32,
    /// An image cannot be pulled.
    pub(super) pulls_fail: u32,
}

impl Weather {
    /// Every kind of fault with even chance not at all, else seldom or often.
    pub(super) fn drawn(dice: &mut Dice) -> Self {
        let mut rate = |rates: [u32; 3]| if dice.coin() { 0 } else { rates[dice.below(3) as usize] };
        Self {
            engine_refuses: rate([10, 50, 200]),
            engine_loses: rate([10, 50, 150]),
            engine_stops_halfway: rate([20, 100, 300]),
            github_refuses: rate([10, 50, 200]),
            github_loses: rate([10, 50, 150]),
            limits: rate([2, 10, 30]),
            rejects: rate([2, 10, 30]),
            slow: rate([20, 100, 300]),
            flag_lies: rate([100, 500, 1000]),
            delete_lies: rate([100, 500, 1000]),
            omits: rate([10, 50, 150]),
            lags: rate([50, 200, 600]),
            exits_at_once: rate([20, 100, 500]),
            never_online: rate([20, 50, 200]),
            hangs: rate([20, 50, 200]),
            disconnects: rate([50, 200, 500]),
            crashes: rate([50, 200, 400]),
            pulls_fail: rate([100, 300, 700]),
        }
    }
}

/// What becomes of one call.
#[derive(Debug)]
pub(super) struct Fate<E> {
    /// Until it takes effect, or is refused.
    pub(super) there: Duration,
    /// It is refused, and nothing happens.
    pub(super) refused: Option<E>,
    /// Until its answer is back.
    pub(super) back: Duration,
    /// It happens, and this is heard instead of the answer.
    pub(super) lost: Option<E>,
}

impl<E> Fate<E> {
    /// It takes effect at once and is answered at once, or, in slow weather, some time later.
    pub(super) fn plain(dice: &mut Dice, slow: u32) -> Self {
        let mut span = |rate: u32| {
            if !dice.permille(rate) {
                return Duration::ZERO;
            }
            let most = if dice.permille(200) { 20_000 } else { 800 };
            dice.millis(1, most)
        };
        Self { there: span(slow), refused: None, back: span(slow), lost: None }
    }
}
