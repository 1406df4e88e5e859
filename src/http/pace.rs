//! How many bad requests one address may make: a bucket of tokens for each, from which good requests take nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

use tokio::time::Instant;

/// Seconds' worth of requests that may come at once.
const BURST_SECS: f64 = 10.0;
/// Addresses that are told apart: some 300 KB. Beyond them all further ones share one bucket.
const ADDRESSES: usize = 4096;
/// Full buckets are forgotten this often at most, since it means to look at all of them.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Pace {
    buckets: HashMap<IpAddr, Bucket>,
    shared: Option<Bucket>,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: u32, now: Instant) -> Self {
        Self { tokens: f64::from(rate) * BURST_SECS, at: now }
    }

    fn fill(&mut self, rate: u32, now: Instant) {
        let rate = f64::from(rate);
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        *self = Self { tokens: (self.tokens + gained).min(rate * BURST_SECS), at: now };
    }

    fn take(&mut self, rate: u32, now: Instant) -> bool {
        self.fill(rate, now);
        let some = self.tokens >= 1.0;
        if some {
            self.tokens -= 1.0;
        }
        some
    }
}

impl Pace {
    /// Takes a token; false if there is none.
    pub(super) fn admit(&mut self, address: IpAddr, rate: u32, now: Instant) -> bool {
        let key = network(address);
        if !self.buckets.contains_key(&key) && !self.has_place(rate, now) {
            return self.shared.get_or_insert_with(|| Bucket::full(rate, now)).take(rate, now);
        }
        self.buckets.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Puts the token of a good request back.
    pub(super) fn give_back(&mut self, address: IpAddr, rate: u32) {
        if let Some(bucket) = self.buckets.get_mut(&network(address)).or(self.shared.as_mut()) {
            bucket.tokens = (bucket.tokens + 1.0).min(f64::from(rate) * BURST_SECS);
        }
    }

    /// Whether one more address can be told apart. A full bucket is as good as none.
    fn has_place(&mut self, rate: u32, now: Instant) -> bool {
        let rested = self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY);
        if self.buckets.len() >= ADDRESSES && rested {
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| {
                bucket.fill(rate, now);
                bucket.tokens < f64::from(rate) * BURST_SECS
            });
        }
        self.buckets.len() < ADDRESSES
    }
}

/// What an address is counted as: whoever has one of version 6 has the 2^64 of its network.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 10;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_burst_and_then_its_rate() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let passed = |pace: &mut Pace, from, at| (0..1000).filter(|_| pace.admit(from, RATE, at)).count();
        assert_eq!(passed(&mut pace, address(1), now), 100);
        assert_eq!(passed(&mut pace, address(1), now + Duration::from_secs(3)), 30);
        assert_eq!(passed(&mut pace, address(1), now + Duration::from_secs(600)), 100);
        assert_eq!(passed(&mut pace, address(2), now), 100, "each has its own");
    }

    #[tokio::test(start_paused = true)]
    async fn good_requests_are_not_counted() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..10_000 {
            assert!(pace.admit(address(1), RATE, now));
            pace.give_back(address(1), RATE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_version_6_is_one_address() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let many = (0..1000_u16).map(|n| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, n, 0, 0, n)));
        assert_eq!(many.filter(|from| pace.admit(*from, RATE, now)).count(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_of_addresses_has_an_end() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let passed = (0..100_000).filter(|n| pace.admit(address(*n), RATE, now)).count();
        assert_eq!(passed, ADDRESSES + 100, "those beyond share one bucket");
        assert_eq!(pace.buckets.len(), ADDRESSES);
        let later = now + Duration::from_secs(60);
        assert!(pace.admit(address(200_000), RATE, later));
        assert_eq!(pace.buckets.len(), 1, "full ones are forgotten");
    }
}
