//! What must hold between keys, and what is legal but unwise.
//!
//! **Knows** every rule that needs more than one value, or that only warns.
//! **Does not know** how values are written: those that could not be read are absent here, and break no rule.

mod advice;
mod api;
mod counts;
mod fleet;
mod github;
mod host;
mod net;
mod scaling;
mod scope;
mod telemetry;

use super::build::Draft;
use super::diagnostic::Sink;

/// Labels of one runner, as GitHub takes them.
const MAX_LABELS: usize = 100;

/// Says every rule that the draft breaks, and every warning.
pub(crate) fn check(draft: &Draft<'_>, sink: &mut Sink) {
    for credentials in &draft.credentials {
        github::check(credentials, sink);
    }
    host::check(draft, sink);
    net::check(draft, sink);
    api::check(draft, sink);
    telemetry::check(&draft.telemetry, sink);
    for pool in &draft.pools {
        scope::check(pool, sink);
        counts::check(pool, draft, sink);
        scaling::check(pool, sink);
        advice::check(pool, sink);
    }
    fleet::check(draft, sink);
}
