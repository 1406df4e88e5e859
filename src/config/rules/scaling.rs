//! Hours, rules of priority, caps, and what they mean for the pool's demand.

use super::super::build::PoolDraft;
use super::super::build::rules;
use super::super::build::schedules;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::super::tree::Entry;
use crate::model::Demand;
use crate::model::Pool;
use crate::model::PoolScope;
use crate::model::RegistrationKind;
use crate::model::RepoPattern;

/// Keys that a pool whose demand is fixed does not look at.
const FOR_DEMAND: [&str; 6] = [
    "scale_up_threshold",
    "scale_up_factor",
    "max_per_repository",
    "max_per_workflow",
    "priority_rule",
    "on_lost_job",
];

/// Caps, which GitHub does not ask for where it assigns the jobs.
const CAPS: [&str; 2] = ["max_per_repository", "max_per_workflow"];

pub(super) fn check(draft: &PoolDraft<'_>, sink: &mut Sink) {
    let fields = &draft.fields;
    for hours in schedules(fields) {
        needs(&hours, "hours", "say from when until when, such as hours = \"08:00-18:00\"", sink);
        if ["min", "min_idle", "max"].iter().all(|key| hours.own(key).is_none()) {
            sink.push(
                Diagnostic::error("these hours change nothing")
                    .at(hours.at)
                    .help("give min, min_idle or max"),
            );
        }
    }
    for rule in rules(fields) {
        needs(&rule, "priority", "say which, such as priority = \"high\"", sink);
        if ["workflow", "branch", "event", "label"].iter().all(|key| rule.own(key).is_none()) {
            sink.push(
                Diagnostic::error("this rule speaks of every job")
                    .at(rule.at)
                    .help("give workflow, branch, event or label, or set the pool's own priority"),
            );
        }
    }
    if let Some(pool) = &draft.made {
        counts(pool, fields, sink);
        idle_keys(pool, fields, sink);
        scale_set(pool, fields, sink);
        patterns_stand_nowhere(pool, fields, sink);
    }
}

fn needs(fields: &Fields<'_>, key: &str, help: &str, sink: &mut Sink) {
    if fields.own(key).is_none() {
        sink.push(Diagnostic::error(format!("{key} is missing")).at(fields.at).help(help));
    }
}

fn counts(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    for (hours, at) in pool.scaling.schedule.iter().zip(schedules(fields)) {
        let max = hours.max.unwrap_or(pool.max);
        let (min, idle) = (hours.min.unwrap_or(pool.min), hours.min_idle.unwrap_or(pool.min_idle));
        if max > pool.max {
            sink.push(
                Diagnostic::error(format!("max ({max}) is more than the pool's own ({})", pool.max))
                    .at(at.place("max"))
                    .maybe_at(fields.written("max").map(Entry::at), "the pool's")
                    .help("the pool's max is never exceeded: raise it, and lower it for the other hours"),
            );
        } else if min.saturating_add(idle) > max {
            sink.push(
                Diagnostic::error(format!(
                    "in these hours min ({min}) and min_idle ({idle}) together are more than max ({max})"
                ))
                .at(at.at)
                .help("lower min or min_idle in these hours, or raise max"),
            );
        }
    }
}

fn idle_keys(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    let (keys, why): (&[&str], &str) = match pool.demand {
        Demand::Fixed => (&FOR_DEMAND, "demand = \"fixed\" does not look at jobs"),
        Demand::ScaleSet => (&CAPS, "GitHub assigns a scale set's jobs, and knows no cap but max"),
        Demand::Poll | Demand::Webhook => return,
    };
    // In [defaults] it is for the other pools.
    for key in keys {
        if let Some(entry) = fields.own(key) {
            sink.push(
                Diagnostic::warning(format!("{key} has no effect here: {why}"))
                    .at(entry.key)
                    .help("remove it, or choose demand = \"poll\" or \"webhook\""),
            );
        }
    }
}

/// A scale set's runners are registered in it, which only the service itself can do.
fn scale_set(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    if pool.demand == Demand::ScaleSet {
        if pool.registration == RegistrationKind::Token {
            sink.push(
                Diagnostic::error("runners of a scale set cannot register by token")
                    .maybe_at(fields.written("registration").map(Entry::at), "")
                    .maybe_at(fields.written("demand").map(Entry::at), "this pool has a scale set")
                    .help("use registration = \"jit\", or demand = \"poll\" or \"webhook\""),
            );
        }
    } else if let Some(entry) = fields.own("scale_set") {
        sink.push(
            Diagnostic::warning("scale_set has no effect here: the pool's demand is another")
                .at(entry.key)
                .help("remove it, or choose demand = \"scale-set\""),
        );
    }
}

fn patterns_stand_nowhere(pool: &Pool, fields: &Fields<'_>, sink: &mut Sink) {
    let PoolScope::Repositories(patterns) = &pool.scope else { return };
    let all = patterns.iter().all(|pattern| matches!(pattern, RepoPattern::AllOf(_)));
    if let (true, Some(min)) = (all && pool.min > 0, fields.own("min")) {
        sink.push(
            Diagnostic::warning("min stands in repositories that are named, and this pool names none")
                .at(min.at())
                .help("name the repositories where runners should always stand"),
        );
    }
}
