//! Wrong credentials over TCP: how many one address may try before it is refused unread.
//!
//! A credential that is long enough cannot be guessed at any pace. This keeps a short one from being tried by the million,
//! and noise from costing anything. It must lock out nobody who has a good one, so far as that can be told beforehand: see
//! [`Guesses::looks`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;
use super::pace::network;

/// Wrong credentials a second of one address, after ten at once.
const RATE: u32 = 1;
/// For how long an address is trusted that showed a good one.
const TRUSTED: Duration = Duration::from_secs(60 * 60);
/// Addresses that are trusted at the same time: more than have connections.
const MOST: usize = 4096;

/// What an address that has tried too often is told to wait, in seconds: by then it may try once more.
pub(super) const AGAIN: u64 = 1;

/// Who tried what.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    wrong: Pace,
    good: HashMap<IpAddr, Instant>,
}

/// What may be done with a credential that was not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Look at it; it counts if it is wrong.
    Counted,
    /// Look at it, and refuse it as one of too many if it is wrong: the address has tried too often, but somebody there has a
    /// good one.
    Trusted,
    /// Refuse it unread.
    Unread,
}

impl Guesses {
    /// What may be done with the next credential of an address.
    ///
    /// Trusted are this machine, where a reverse proxy may stand with everybody behind it, and an address whose last good
    /// credential is not long ago: a neighbour behind the same router locks nobody out.
    pub(super) fn looks(&self, address: IpAddr, now: Instant) -> Look {
        let mut known = self.known();
        if known.wrong.admit(address, RATE, now) {
            return Look::Counted;
        }
        let shown = known.good.get(&network(address));
        match address.is_loopback() || shown.is_some_and(|shown| is_fresh(*shown, now)) {
            true => Look::Trusted,
            false => Look::Unread,
        }
    }

    /// It was good: it does not count, and the address is trusted.
    pub(super) fn good(&self, address: IpAddr, look: Look, now: Instant) {
        let mut known = self.known();
        if look == Look::Counted {
            known.wrong.give_back(address, RATE);
        }
        let key = network(address);
        if known.good.len() >= MOST && !known.good.contains_key(&key) {
            known.good.retain(|_, shown| is_fresh(*shown, now));
            // All of them are good ones: whoever it is goes by the pace, like a newcomer.
            if known.good.len() >= MOST {
                return;
            }
        }
        known.good.insert(key, now);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(shown: Instant, now: Instant) -> bool {
    now.saturating_duration_since(shown) < TRUSTED
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn who_tries_too_often_is_refused_unread_until_a_token_is_there() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let looked = |now| (0..1000).filter(|_| guesses.looks(ELSEWHERE, now) == Look::Counted).count();
        assert_eq!(looked(now), 10);
        assert_eq!(guesses.looks(ELSEWHERE, now), Look::Unread);
        assert_eq!(looked(now + Duration::from_secs(AGAIN)), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn good_ones_are_never_counted() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..10_000 {
            let look = guesses.looks(ELSEWHERE, now);
            assert_eq!(look, Look::Counted);
            guesses.good(ELSEWHERE, look, now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_neighbour_locks_nobody_out_who_has_a_good_one() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let look = guesses.looks(ELSEWHERE, now);
        guesses.good(ELSEWHERE, look, now);
        let last = |address| (0..1000).map(|_| guesses.looks(address, now)).last();
        assert_eq!(last(ELSEWHERE), Some(Look::Trusted));
        assert_eq!(last(HERE), Some(Look::Trusted), "there may be a proxy");
        guesses.good(ELSEWHERE, Look::Trusted, now);
        assert_eq!(guesses.looks(ELSEWHERE, now), Look::Trusted, "a good one gives nothing to guess with");
        let later = now + TRUSTED;
        assert_eq!(
            (0..1000).map(|_| guesses.looks(ELSEWHERE, later)).last(),
            Some(Look::Unread),
            "trust ends"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_of_those_who_are_trusted_has_an_end() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let shows = |n: u32, now| guesses.good(IpAddr::V4(n.into()), Look::Trusted, now);
        (0..100_000).for_each(|n| shows(n, now));
        assert_eq!(guesses.known().good.len(), MOST);
        shows(200_000, now + TRUSTED);
        assert_eq!(guesses.known().good.len(), 1, "those of long ago make room");
    }
}
