//! How far a change of mode has come: a pure function from the daemon's status to a table.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Printer;
use super::printer::Tone;
use super::table::Column;
use super::table::Grid;
use super::table::Text;
use super::table::always;
use super::text::count;
use crate::http::dto;
use crate::http::dto::Phase;
use crate::model::Mode;

/// Where organization pools stand, place by place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Progress {
    /// The mode that the daemon is in.
    pub(super) mode: Mode,
    /// Whether the daemon has looked since the change, and knows every pool's places.
    pub(super) known: bool,
    /// The places of organization pools.
    pub(super) places: Vec<PlaceState>,
    /// Runners at places that are left, and that have no job: they go.
    pub(super) leaving: usize,
    /// Runners at places that are left, by container, which finish their jobs first.
    pub(super) finishing: Vec<String>,
    /// What the pools hold back, in words.
    pub(super) held: Vec<String>,
}

/// One place of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PlaceState {
    /// `orgs/acme` or `repos/acme/app`.
    pub(super) scope: String,
    /// The pool.
    pub(super) pool: String,
    /// How many runners it should have now.
    pub(super) target: u32,
    /// How many are online.
    pub(super) online: u32,
    /// How many of those are in a job.
    pub(super) busy: u32,
    /// Whether it has what it needs.
    pub(super) served: bool,
    /// In words: `has its runner`, `on demand`, ….
    pub(super) state: String,
}

impl Progress {
    /// How it stands. `seen` has the places that had a runner since the wait began: one that ends its job and is replaced
    /// takes nothing back.
    pub(super) fn of(status: &dto::Status, mode: Mode, seen: &mut BTreeSet<(String, String)>) -> Self {
        let pools: Vec<&dto::Pool> =
            status.pools.iter().filter(|p| p.declared && p.max > 0 && of_organization(p)).collect();
        let mut progress = Self {
            mode: status.mode,
            known: status.ready && status.mode == mode,
            places: Vec::new(),
            leaving: 0,
            finishing: Vec::new(),
            held: status.held.iter().map(|h| format!("{}: {}", h.what, h.text)).collect(),
        };
        for pool in pools {
            progress.known &= pool.drained || !pool.places.is_empty();
            progress.places.extend(pool.places.iter().map(|place| place_state(status, pool, place, seen)));
            // Those in a job are named apart.
            let held = pool.held.iter().filter(|h| h.why != "busy");
            progress.held.extend(held.map(|h| format!("{}: {}: {}", pool.name, h.what, h.text)));
            for runner in status.runners.iter().filter(|r| r.pool == pool.name) {
                match runner.phase {
                    _ if pool.places.iter().any(|place| place.scope == runner.scope) => {}
                    Phase::Busy => progress.finishing.push(name(runner)),
                    _ => progress.leaving += 1,
                }
            }
        }
        progress
    }

    /// Whether all has come that was to come, and all has gone that may.
    pub(super) fn done(&self) -> bool {
        self.known && self.leaving == 0 && self.places.iter().all(|place| place.served)
    }

    /// One line about what is left.
    pub(super) fn line(&self) -> String {
        if !self.known {
            return "waiting for the daemon to know where to register".to_owned();
        }
        let served = self.places.iter().filter(|place| place.served).count();
        let what = match self.mode {
            Mode::Organization => "organization pools",
            Mode::Repository => "repositories",
        };
        let mut parts = vec![format!("{served} of {} {what} have their runner", self.places.len())];
        if self.leaving > 0 {
            parts.push(format!("{} to go", count(self.leaving, "idle runner")));
        }
        match self.finishing.as_slice() {
            [] => {}
            names => parts.push(format!("{} first: {}", finishes(names.len()), names.join(", "))),
        }
        let first = self.held.first().filter(|_| served < self.places.len());
        parts.extend(first.map(|held| format!("held back: {held}")));
        parts.join("; ")
    }
}

fn finishes(n: usize) -> &'static str {
    if n == 1 { "one finishes its job" } else { "some finish their jobs" }
}

/// Whether the pool belongs to an organization: repositories have a slash, and enterprises, too.
fn of_organization(pool: &dto::Pool) -> bool {
    matches!(pool.scope.as_slice(), [one] if !one.contains('/'))
}

fn name(runner: &dto::Runner) -> String {
    runner.container.as_ref().map_or_else(|| runner.name.clone(), |c| c.name.clone())
}

fn place_state(
    status: &dto::Status,
    pool: &dto::Pool,
    place: &dto::Place,
    seen: &mut BTreeSet<(String, String)>,
) -> PlaceState {
    let here = status.runners.iter().filter(|r| r.pool == pool.name && r.scope == place.scope);
    let (mut online, mut busy) = (0, 0);
    for runner in here {
        match runner.phase {
            Phase::Idle => online += 1,
            Phase::Busy => (online, busy) = (online + 1, busy + 1),
            _ => {}
        }
    }
    let key = (pool.name.clone(), place.scope.clone());
    if online > 0 && online >= place.target {
        seen.insert(key.clone());
    }
    let always = pool.min.max(pool.min_idle) > 0;
    let (served, state) = match (online, place.target) {
        (0, 0) if always => (false, "none: max is shared among more places than it has runners"),
        (0, 0) => (true, "none now: one comes when a job waits"),
        _ if seen.contains(&key) => (true, "has its runner"),
        (0, _) => (false, "no runner yet"),
        _ => (false, "fewer than wanted yet"),
    };
    PlaceState {
        scope: place.scope.clone(),
        pool: pool.name.clone(),
        target: place.target,
        online,
        busy,
        served,
        state: state.to_owned(),
    }
}

const COLUMNS: [Column; 4] = [always("PLACE"), always("POOL"), always("ONLINE"), always("STATE")];

/// The report after a wait.
pub(super) fn render(progress: &Progress, printer: &Printer) -> String {
    let mut grid = Grid::new(printer, &COLUMNS);
    for place in &progress.places {
        let tone = if place.served { Tone::Good } else { Tone::Bad };
        grid.row([
            place.scope.clone().into(),
            place.pool.clone().into(),
            format!("{} of {}", place.online, place.target).into(),
            Text(place.state.clone(), Some(tone)),
        ]);
    }
    let mut lines = vec![grid.render()];
    let mode = match progress.mode {
        Mode::Organization => "organization mode",
        Mode::Repository => "repository mode",
    };
    lines.push(String::new());
    if progress.done() {
        lines.push(printer.paint(Tone::Good, format!("{mode}: every place has what it needs")));
    } else {
        lines.extend(progress.held.iter().map(|held| format!("held back  {held}")));
        lines.push(printer.paint(Tone::Bad, format!("{mode}: {}", progress.line())));
    }
    if !progress.finishing.is_empty() && progress.done() {
        lines.push(format!("{}: {}", jobs(progress.finishing.len()), progress.finishing.join(", ")));
    }
    lines.join("\n")
}

fn jobs(n: usize) -> String {
    match n {
        1 => "1 runner finishes its job, and then goes".to_owned(),
        n => format!("{n} runners finish their jobs, and then go"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(drained: bool, places: &[(&str, u32)]) -> serde_json::Value {
        let places: Vec<_> =
            places.iter().map(|(scope, n)| serde_json::json!({"scope": scope, "target": n})).collect();
        serde_json::json!({
            "name": "a", "declared": true, "scope": ["acme"], "group": null, "credentials": null, "labels": [],
            "demand": null, "registration": null, "priority": null, "min": 1, "max": 4, "min_idle": 0, "image": null,
            "docker": null, "drained": drained, "target": 2, "places": places, "why": "", "phases": {}, "held": [],
        })
    }

    fn runner(slot: u32, scope: &str, phase: &str) -> serde_json::Value {
        serde_json::json!({
            "name": format!("ghrunner-a-{slot}-k-x"), "pool": "a", "slot": slot, "scope": scope,
            "credentials": "default", "phase": phase, "since": null, "drained": false, "container": null, "github": null,
        })
    }

    fn status(pool: serde_json::Value, runners: &[serde_json::Value]) -> dto::Status {
        let then = "2026-01-01T00:00:00.000Z";
        serde_json::from_value(serde_json::json!({
            "version": "0", "instance": "k", "started": then, "ready": true, "mode": "repository", "passes": 1,
            "as_of": then, "took_ms": 1, "status": "", "engine": null, "engine_error": null, "credentials": [],
            "config": {"path": "p", "loaded": then, "error": null, "error_since": null, "warnings": [],
                "needs_restart": []},
            "pools": [pool], "runners": runners, "held": [], "advice": [],
        }))
        .unwrap()
    }

    const TWO: [(&str, u32); 2] = [("repos/acme/app", 1), ("repos/acme/web", 1)];

    fn progress(pool: serde_json::Value, runners: &[serde_json::Value]) -> Progress {
        Progress::of(&status(pool, runners), Mode::Repository, &mut BTreeSet::new())
    }

    #[test]
    fn it_is_done_when_every_place_has_its_runner_and_idle_ones_elsewhere_are_gone() {
        let (app, web) = (runner(1, "repos/acme/app", "idle"), runner(2, "repos/acme/web", "busy"));
        assert!(!progress(pool(false, &TWO), std::slice::from_ref(&app)).done());
        assert!(!progress(pool(false, &TWO), &[app.clone(), runner(2, "repos/acme/web", "starting")]).done());
        let left = runner(0, "orgs/acme", "idle");
        assert!(!progress(pool(false, &TWO), &[app.clone(), web.clone(), left]).done());
        assert!(progress(pool(false, &TWO), &[app, web]).done());
    }

    #[test]
    fn a_busy_runner_elsewhere_is_named_and_not_waited_for() {
        let (app, web) = (runner(1, "repos/acme/app", "idle"), runner(2, "repos/acme/web", "idle"));
        let progress = progress(pool(false, &TWO), &[app, web, runner(0, "orgs/acme", "busy")]);
        assert!(progress.done());
        assert_eq!(progress.finishing, ["ghrunner-a-0-k-x"]);
    }

    #[test]
    fn a_place_that_had_its_runner_and_replaces_it_is_served() {
        let mut seen = BTreeSet::new();
        let both = [runner(1, "repos/acme/app", "busy"), runner(2, "repos/acme/web", "starting")];
        assert!(!Progress::of(&status(pool(false, &TWO), &both), Mode::Repository, &mut seen).done());
        let later = [runner(1, "repos/acme/app", "starting"), runner(2, "repos/acme/web", "idle")];
        assert!(Progress::of(&status(pool(false, &TWO), &later), Mode::Repository, &mut seen).done());
    }

    #[test]
    fn a_place_without_a_share_of_max_is_not_served() {
        let uneven = [("repos/acme/app", 1), ("repos/acme/web", 0)];
        let progress = progress(pool(false, &uneven), &[runner(1, "repos/acme/app", "idle")]);
        assert!(!progress.done());
        assert!(progress.places[1].state.contains("max"), "{progress:?}");
    }

    #[test]
    fn nothing_is_concluded_before_the_places_or_the_mode_are_known() {
        assert!(!progress(pool(false, &[]), &[]).done());
        assert!(progress(pool(true, &[]), &[]).done(), "a drained pool has none");
        let mut seen = BTreeSet::new();
        let app = [runner(1, "repos/acme/app", "idle")];
        let status = status(pool(false, &TWO[..1]), &app);
        assert!(!Progress::of(&status, Mode::Organization, &mut seen).done());
    }
}
