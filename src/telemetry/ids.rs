//! Numbers of traces and spans: digests of what they are about, so that whoever sees the same thing gives it the same number.
//!
//! A daemon that is restarted while a job runs goes on with the job's trace, and a span of an action knows that of its pass
//! without having seen it.

use sha2::Digest as _;
use sha2::Sha256;

use crate::model::Time;

/// A trace's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TraceId(pub(super) [u8; 16]);

/// A span's number, which is its own within a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpanId(pub(super) [u8; 8]);

/// A trace and one of its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

impl TraceId {
    /// Whether the trace is among the part that is exported. All its spans have the same answer, from whichever daemon.
    pub(super) fn is_sampled(self, part: f64) -> bool {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        // 53 bits are what a float holds exactly.
        let number = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11) as f64;
        number < part * (1_u64 << 53) as f64
    }
}

/// The trace and the root of a job's life.
pub(super) fn job(instance: &str, key: &str) -> Place {
    place(&[b"job", instance.as_bytes(), key.as_bytes()])
}

/// The trace and the root of a pass of the daemon that started then.
pub(super) fn pass(instance: &str, started: Time, number: u64) -> Place {
    place(&[b"pass", instance.as_bytes(), &started.0.to_be_bytes(), &number.to_be_bytes()])
}

/// A part of a span.
pub(super) fn part(of: Place, name: &str) -> SpanId {
    place(&[b"part", &of.trace.0, &of.span.0, name.as_bytes()]).span
}

fn place(parts: &[&[u8]]) -> Place {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&digest[..16]);
    span.copy_from_slice(&digest[16..24]);
    Place { trace: TraceId(trace), span: SpanId(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_number_and_another_thing_another() {
        assert_eq!(job("a", "job 1"), job("a", "job 1"));
        let all = [job("a", "job 1"), job("b", "job 1"), job("aj", "ob 1"), pass("a", Time(1), 1)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other.trace != one.trace && other.span != one.span));
        }
        let root = job("a", "job 1");
        assert_ne!(part(root, "run"), part(root, "taken"));
        assert_ne!(part(root, "run"), part(job("a", "job 2"), "run"));
    }

    #[test]
    fn so_large_a_part_is_sampled_as_was_asked() {
        let sampled = |part: f64| {
            let traces = (0..4000).map(|n| job("a", &n.to_string()).trace);
            traces.filter(|trace| trace.is_sampled(part)).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 4000));
        assert!((800..1200).contains(&sampled(0.25)), "{}", sampled(0.25));
    }
}
