//! The snapshot of a pass, and its one line for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ConfigState;
use super::PoolState;
use super::RunnerState;
use crate::decide::Policy;
use crate::decide::phase;
use crate::model::Phase;
use crate::model::Plan;
use crate::model::Time;
use crate::model::World;
use crate::model::history::HistoryHealth;

/// Pools with their reports.
pub(super) fn pools(policy: &Policy, world: &World, plan: &Plan) -> Vec<PoolState> {
    plan.report
        .pools
        .iter()
        .map(|report| PoolState {
            pool: policy.config.pools.get(&report.pool).cloned(),
            drained: world.book.drained_pools.contains(&report.pool),
            boost: world.book.boosts.get(&report.pool).copied(),
            report: report.clone(),
        })
        .collect()
}

/// Runners with their phases.
pub(super) fn runners(policy: &Policy, world: &World, now: Time) -> Vec<RunnerState> {
    world
        .runners
        .iter()
        .map(|runner| RunnerState {
            phase: phase(policy, world, runner, now),
            since: world
                .book
                .busy_since
                .get(&runner.name)
                .or_else(|| world.book.idle_since.get(&runner.name))
                .copied(),
            drained: world.book.drained_runners.contains(&runner.name),
            runner: runner.clone(),
        })
        .collect()
}

/// Whether all is as declared, or nothing can be done about it for now: what is lacking is held back, and says why.
pub(super) fn is_settled(plan: &Plan, under_way: bool) -> bool {
    let comes_up = |phase: &Phase| matches!(phase, Phase::Creating | Phase::Starting);
    let coming = plan.report.pools.iter().flat_map(|pool| &pool.phases).any(|(phase, _)| comes_up(phase));
    plan.actions.is_empty() && !under_way && !coming
}

/// One line before the first complete look: what is waited for.
pub(super) fn waiting(world: &World) -> String {
    if let Some(error) = &world.engine.error {
        return format!("waiting for the container engine: {error}");
    }
    let unseen = world.registrations.iter().filter(|(_, view)| view.as_of.is_none() && view.error.is_none());
    let scopes: Vec<String> = unseen.map(|(scope, _)| scope.to_string()).collect();
    match scopes.as_slice() {
        [] => "looking for the first time".to_owned(),
        [one] => format!("waiting for GitHub's list of the runners of {one}"),
        [one, rest @ ..] => {
            format!("waiting for GitHub's lists of the runners of {one} and {} more", rest.len())
        }
    }
}

/// One line: how many runners do what, and the first thing that is wrong.
pub(super) fn line(config: &ConfigState, world: &World, plan: &Plan) -> String {
    if let Some(error) = &world.engine.error {
        return format!("the engine does not answer: {error}");
    }
    let mut phases: BTreeMap<Phase, u32> = BTreeMap::new();
    for (phase, count) in plan.report.pools.iter().flat_map(|pool| &pool.phases) {
        *phases.entry(*phase).or_default() += count;
    }
    let total: u32 = phases.values().sum();
    let pools = plan.report.pools.len();
    let mut line = format!("{pools} pool{}, {total} runner{}", plural(pools), plural(total as usize));
    let words: Vec<String> =
        phases.iter().filter(|(_, n)| **n > 0).map(|(phase, n)| format!("{n} {}", word(*phase))).collect();
    if !words.is_empty() {
        let _ = write!(line, ": {}", words.join(", "));
    }
    if let Some(error) = &config.error {
        let first = error.lines().next().unwrap_or_default();
        let _ = write!(line, "; {} is refused, the last good one is in force: {first}", config.path);
    }
    let waits = plan.report.pools.iter().find_map(|p| p.held.first().map(|held| (p, held)));
    if let Some((pool, held)) = waits {
        let _ = write!(line, "; {}: {held}", pool.pool);
    } else if let Some(held) = plan.report.held.first() {
        let _ = write!(line, "; {held}");
    }
    line
}

/// What the line adds while no history is written.
pub(super) fn unkept(history: Option<&HistoryHealth>) -> String {
    let trouble = history.and_then(|history| history.trouble.as_ref());
    trouble.map(|why| format!("; history is not written: {why}")).unwrap_or_default()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A phase as people read it.
fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Creating => "being made",
        Phase::Starting => "starting",
        Phase::Idle => "idle",
        Phase::Busy => "busy",
        Phase::Draining => "draining",
        Phase::Exited => "ended",
        Phase::Failed => "failed to start",
        Phase::Lost => "lost",
        Phase::Stray => "unknown to GitHub",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Action;
    use crate::model::PoolName;
    use crate::model::PoolReport;

    fn plan(phases: &[Phase], actions: Vec<Action>) -> Plan {
        let report = PoolReport {
            pool: PoolName::parse("build").unwrap(),
            target: 2,
            places: Vec::new(),
            why: String::new(),
            phases: phases.iter().map(|phase| (*phase, 1)).collect(),
            held: Vec::new(),
        };
        let mut plan = Plan { actions, ..Plan::default() };
        plan.report.pools.push(report);
        plan
    }

    #[test]
    fn a_fleet_is_settled_when_nothing_comes_up_and_nothing_is_to_be_done() {
        assert!(is_settled(&plan(&[Phase::Idle, Phase::Busy, Phase::Draining], vec![]), false));
        assert!(is_settled(&plan(&[], vec![]), false), "what is held back is not waited for");
        assert!(!is_settled(&plan(&[Phase::Idle], vec![]), true));
        assert!(!is_settled(&plan(&[Phase::Idle, Phase::Starting], vec![]), false));
        assert!(!is_settled(&plan(&[Phase::Creating], vec![]), false));
        let pull = Action::Pull { image: "x".to_owned() };
        assert!(!is_settled(&plan(&[Phase::Idle], vec![pull]), false));
    }
}
