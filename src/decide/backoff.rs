//! How long to wait after failures in a row.

use std::time::Duration;

/// After the first failure: long enough for a registry or network hiccup to pass, short enough not to be felt.
const FIRST: Duration = Duration::from_secs(5);
/// The longest: a pool that was mended is tried again within ten minutes without anyone's help.
const LONGEST: Duration = Duration::from_secs(600);

/// The wait after `failures` in a row: doubling from 5 seconds to 10 minutes, shortened by up to a quarter as
/// `jitter` (0 to 1) says, so that pools that failed together do not start together.
pub fn backoff(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    wait.mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_longest_and_is_only_ever_shortened() {
        let waits: Vec<u64> = (1..=9).map(|n| backoff(n, 0.0).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(backoff(u32::MAX, 1.0), Duration::from_secs(450));
        assert_eq!(backoff(0, 0.0), FIRST);
    }
}
