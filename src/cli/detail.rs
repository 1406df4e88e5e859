//! One pool or one runner, with all that is known of it.

use super::Printer;
use super::printer::Tone;
use super::text::ago;
use super::text::brief;
use super::text::or_dash;
use super::text::phases;
use super::view::pool_scope;
use crate::http::dto;
use crate::model::Time;

/// `key   value` lines, the keys in one column.
fn lines(pairs: &[(&str, String)], printer: &Printer) -> String {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let line = |(key, value): &(&str, String)| {
        let gap = " ".repeat(width - key.len() + 2);
        let value = value.replace('\n', &format!("\n{}", " ".repeat(width + 2)));
        format!("{}{gap}{value}", printer.paint(Tone::Dim, key))
    };
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

/// One pool.
pub(super) fn pool(p: &dto::Pool, printer: &Printer) -> String {
    let held: Vec<String> = p.held.iter().map(|h| format!("{}: {}", h.what, h.text)).collect();
    let state = match (p.drained, p.declared) {
        (true, _) => "drained by the operator; `ghrunner pools resume` ends that",
        (_, false) => "no longer in the file; its runners go",
        _ => "served",
    };
    lines(
        &[
            ("pool", p.name.clone()),
            ("state", state.to_owned()),
            ("scope", pool_scope(p)),
            ("labels", list(&p.labels)),
            ("demand", or_dash(p.demand.as_deref()).to_owned()),
            ("priority", or_dash(p.priority.as_deref()).to_owned()),
            ("registration", or_dash(p.registration.as_deref()).to_owned()),
            ("credentials", or_dash(p.credentials.as_deref()).to_owned()),
            ("image", or_dash(p.image.as_deref()).to_owned()),
            ("docker", or_dash(p.docker.as_deref()).to_owned()),
            ("size", format!("min {}, max {}, min_idle {}", p.min, p.max, p.min_idle)),
            ("target", format!("{} ({})", p.target, p.why)),
            ("boost", boost(p)),
            ("runners", phases(&p.phases)),
            ("held back", if held.is_empty() { "-".to_owned() } else { held.join("\n") }),
        ],
        printer,
    )
}

/// What the operator wants beyond the file.
fn boost(p: &dto::Pool) -> String {
    let boosted = p.boost.as_ref();
    boosted.map_or_else(
        || "-".to_owned(),
        |b| format!("{} more than the file says, until {}", b.count, b.until.0),
    )
}

/// One runner.
pub(super) fn runner(r: &dto::Runner, now: Time, printer: &Printer) -> String {
    let phase = match r.since {
        Some(since) => format!("{} (for {})", r.phase, brief(now.since(since.0))),
        None => r.phase.to_string(),
    };
    let container = r.container.as_ref().map_or_else(
        || "none".to_owned(),
        |c| {
            let code = c.exit_code.map_or_else(String::new, |code| format!(" with {code}"));
            format!("{} ({}{code}), made {}\nid {}", c.name, c.state, ago(now, c.created), c.id)
        },
    );
    let github = r.github.as_ref().map_or_else(
        || "not registered".to_owned(),
        |g| {
            let online = if g.online { "online" } else { "offline" };
            let busy = if g.busy { ", busy by its word" } else { "" };
            format!("{} ({online}{busy})\nlabels {}", g.id, list(&g.labels))
        },
    );
    let mut pairs = vec![
        ("runner", r.name.clone()),
        ("pool", format!("{} (slot {})", r.pool, r.slot)),
        ("phase", phase),
        ("scope", r.scope.clone()),
        ("credentials", r.credentials.clone()),
        ("container", container),
        ("github", github),
    ];
    if r.drained {
        pairs.push(("drained", "goes as soon as it is surely idle".to_owned()));
    }
    if let Some(c) = &r.container {
        pairs.push(("image", c.image_id.clone()));
        pairs.push(("spec", c.spec_hash.clone()));
    }
    lines(&pairs, printer)
}
