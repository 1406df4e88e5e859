//! Which deliveries came already: GitHub repeats `X-GitHub-Delivery` when it delivers once more.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::hash::RandomState;

/// Deliveries that are remembered, each as a number: 10,000 are some 300 KB, and an hour of a busy organization.
const REMEMBERED: usize = 10_000;

/// Deliveries that came lately.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    /// Seeded by chance, so that nobody can make two deliveries look like one.
    hasher: RandomState,
}

impl Seen {
    pub(super) fn knows(&self, guid: &str) -> bool {
        self.known.contains(&self.hasher.hash_one(guid))
    }

    pub(super) fn note(&mut self, guid: &str) {
        let number = self.hasher.hash_one(guid);
        if !self.known.insert(number) {
            return;
        }
        self.order.push_back(number);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known() {
        let mut seen = Seen::default();
        for n in 0..=REMEMBERED {
            assert!(!seen.knows(&n.to_string()));
            seen.note(&n.to_string());
            seen.note(&n.to_string());
        }
        assert!(!seen.knows("0") && seen.knows("1") && seen.knows(&REMEMBERED.to_string()));
        assert_eq!((seen.order.len(), seen.known.len()), (REMEMBERED, REMEMBERED));
    }
}
