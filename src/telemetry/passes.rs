//! Spans of passes and of the actions that they began.

use super::ids;
use super::ids::Place;
use super::span::Attributes;
use super::span::Event;
use super::span::MOST;
use super::span::Span;
use crate::control::Deed;
use crate::control::Snapshot;
use crate::model::Held;
use crate::model::JobState;
use crate::model::Phase;
use crate::model::Time;

/// What a pass found, planned and held back.
pub(super) fn pass(place: Place, snapshot: &Snapshot) -> Span {
    let began = Time(snapshot.as_of.0.saturating_sub(snapshot.took_ms));
    let mut span = Span::new(place, None, "pass", (began, snapshot.as_of));
    let waiting = snapshot.jobs.iter().filter_map(|told| told.job.as_ref());
    let waiting = waiting.filter(|job| job.state == JobState::Queued).count();
    let busy = snapshot.runners.iter().filter(|runner| runner.phase == Phase::Busy).count();
    let held = || held(snapshot);
    span.attributes
        .number("ghrunner.pass", snapshot.passes)
        .number("ghrunner.pools", snapshot.pools.len())
        .number("ghrunner.runners", snapshot.runners.len())
        .number("ghrunner.runners.busy", busy)
        .number("ghrunner.jobs.waiting", waiting)
        .number("ghrunner.actions", snapshot.plan.actions.len())
        .number("ghrunner.held_back", held().count());
    let planned = snapshot.plan.actions.iter().map(|action| {
        let mut attributes = Attributes::default();
        attributes.text("ghrunner.action", action.to_string());
        Event { name: "planned", at: snapshot.as_of, attributes }
    });
    let held_back = held().map(|(pool, held)| {
        let mut attributes = Attributes::default();
        attributes.text("ghrunner.pool", pool).text("ghrunner.what", &held.what);
        attributes.text("ghrunner.reason", held.reason.to_string());
        Event { name: "held back", at: snapshot.as_of, attributes }
    });
    // Each kind has half of the room, so that neither crowds out the other.
    span.events = planned.take(MOST / 2).chain(held_back.take(MOST / 2)).collect();
    if let Some(error) = &snapshot.engine_error {
        span.attributes.text("error.type", "engine");
        span.fail(error);
    }
    span
}

/// All that the pass held back, with its pool where it is one pool's.
fn held(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Held)> {
    let report = &snapshot.plan.report;
    let of_pools =
        report.pools.iter().flat_map(|pool| pool.held.iter().map(|held| (pool.pool.as_str(), held)));
    of_pools.chain(report.held.iter().map(|held| ("", held)))
}

/// An action that ended, below the pass that began it.
pub(super) fn action(pass: Place, deed: &Deed) -> Span {
    // Nothing is begun twice in a pass.
    let place = Place { trace: pass.trace, span: ids::part(pass, &deed.text) };
    let mut span = Span::new(place, Some(pass.span), deed.action, (deed.began, deed.at));
    span.attributes
        .number("ghrunner.pass", deed.pass)
        .text("ghrunner.action", &deed.text)
        .text("ghrunner.pool", &deed.pool)
        .text("cicd.worker.name", &deed.runner);
    if let Err(why) = &deed.outcome {
        span.attributes.text("error.type", "action");
        span.fail(why);
    }
    span
}
