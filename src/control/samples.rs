//! What runners in a job take of the machine, sampled beside the passes: when each is asked for, and what came of it.
//!
//! Nothing that is decided depends on it: it goes with the record of the job's end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::ContainerId;
use crate::model::Phase;
use crate::model::RunnerName;
use crate::model::Time;
use crate::model::Usage;

/// Between two samples of a runner. Builds grow over minutes, and a call costs the engine a few milliseconds.
const EVERY: Duration = Duration::from_secs(20);
/// So many times as long as a sample took nothing more is asked of that runner: a slow engine is asked less often.
const SHARE: u32 = 50;
/// Runners that are asked for at the same time.
const AT_ONCE: usize = 2;

/// A runner that could be sampled: its name, what it does, its container and its inner engine's.
pub(super) type Candidate<'a> = (&'a RunnerName, Phase, Vec<&'a ContainerId>);

/// One runner's samples.
#[derive(Debug, Default)]
struct Sampled {
    most: Option<Usage>,
    /// Nothing is asked before.
    next: Time,
    asking: bool,
}

/// All runners that are or were in a job.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<RunnerName, Sampled>);

impl Samples {
    /// Which runners to ask for now, with their containers: those in a job, who waited longest first. They count as asked.
    pub(super) fn due(&mut self, there: &[Candidate<'_>], now: Time) -> Vec<(RunnerName, Vec<ContainerId>)> {
        let names: BTreeSet<&RunnerName> = there.iter().map(|(name, ..)| *name).collect();
        self.0.retain(|name, _| names.contains(name));
        let asking = self.0.values().filter(|sampled| sampled.asking).count();
        let busy =
            there.iter().filter(|(_, phase, containers)| *phase == Phase::Busy && !containers.is_empty());
        let mut due: Vec<(Time, &Candidate<'_>)> = busy
            .filter_map(|candidate| match self.0.get(candidate.0) {
                Some(known) if known.asking || known.next > now => None,
                known => Some((known.map_or(Time::default(), |known| known.next), candidate)),
            })
            .collect();
        due.sort_by(|a, b| (a.0, a.1.0).cmp(&(b.0, b.1.0)));
        due.truncate(AT_ONCE.saturating_sub(asking));
        let asked = due.into_iter().map(|(_, (name, _, containers))| {
            self.0.entry((*name).clone()).or_default().asking = true;
            ((*name).clone(), containers.iter().map(|id| (*id).clone()).collect())
        });
        asked.collect()
    }

    /// Takes in what came of asking; none where the engine did not tell.
    pub(super) fn take_in(&mut self, runner: &RunnerName, found: Option<Usage>, took: Duration, now: Time) {
        let Some(sampled) = self.0.get_mut(runner) else { return };
        sampled.asking = false;
        sampled.next = now + EVERY.max(took * SHARE);
        if let Some(found) = found {
            let most = sampled.most.get_or_insert(found);
            most.memory = most.memory.max(found.memory);
            most.cpu_ms = most.cpu_ms.max(found.cpu_ms);
        }
    }

    /// What is known of a runner that is gone.
    pub(super) fn hand_over(&mut self, runner: &RunnerName) -> Option<Usage> {
        self.0.remove(runner)?.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u32) -> Vec<(RunnerName, ContainerId)> {
        let one = |n: u32| (RunnerName::new(format!("r{n}")), ContainerId::new(format!("c{n}")));
        (0..count).map(one).collect()
    }

    fn there(names: &[(RunnerName, ContainerId)], phase: Phase) -> Vec<Candidate<'_>> {
        names.iter().map(|(name, id)| (name, phase, vec![id])).collect()
    }

    fn asked(samples: &mut Samples, there: &[Candidate<'_>], secs: u64) -> Vec<String> {
        samples.due(there, Time::from_secs(secs)).into_iter().map(|(name, _)| name.to_string()).collect()
    }

    const QUICK: Duration = Duration::from_millis(5);

    #[test]
    fn a_runner_is_asked_for_as_soon_as_it_is_busy_and_then_every_now_and_then() {
        let (names, mut samples) = (names(1), Samples::default());
        assert!(asked(&mut samples, &there(&names, Phase::Idle), 1).is_empty());
        let busy = there(&names, Phase::Busy);
        assert_eq!(asked(&mut samples, &busy, 2), ["r0"]);
        assert!(asked(&mut samples, &busy, 100).is_empty(), "not while it is being asked for");
        samples.take_in(&names[0].0, None, QUICK, Time::from_secs(100));
        assert!(asked(&mut samples, &busy, 119).is_empty());
        assert_eq!(asked(&mut samples, &busy, 120), ["r0"]);
    }

    #[test]
    fn a_slow_engine_is_asked_less_often_and_never_for_many_at_once() {
        let (names, mut samples) = (names(5), Samples::default());
        let busy = there(&names, Phase::Busy);
        assert_eq!(asked(&mut samples, &busy, 1), ["r0", "r1"]);
        assert!(asked(&mut samples, &busy, 2).is_empty());
        samples.take_in(&names[0].0, None, Duration::from_secs(4), Time::from_secs(5));
        assert_eq!(asked(&mut samples, &busy, 6), ["r2"]);
        samples.take_in(&names[1].0, None, QUICK, Time::from_secs(7));
        samples.take_in(&names[2].0, None, QUICK, Time::from_secs(7));
        assert_eq!(asked(&mut samples, &busy, 8), ["r3", "r4"]);
        for name in &names[3..] {
            samples.take_in(&name.0, None, QUICK, Time::from_secs(9));
        }
        assert_eq!(asked(&mut samples, &busy, 60), ["r1", "r2"], "the slow one waits for 200 s");
    }

    #[test]
    fn the_most_of_all_samples_goes_with_the_end_and_nothing_stays() {
        let (names, mut samples) = (names(1), Samples::default());
        let busy = there(&names, Phase::Busy);
        for (secs, memory, cpu_ms) in [(1, 50, 10), (30, 90, 20), (60, 40, 30)] {
            asked(&mut samples, &busy, secs);
            samples.take_in(&names[0].0, Some(Usage { memory, cpu_ms }), QUICK, Time::from_secs(secs));
        }
        assert_eq!(samples.hand_over(&names[0].0), Some(Usage { memory: 90, cpu_ms: 30 }));
        assert_eq!(samples.hand_over(&names[0].0), None);
        asked(&mut samples, &busy, 90);
        asked(&mut samples, &[], 91);
        assert!(samples.0.is_empty());
    }
}
