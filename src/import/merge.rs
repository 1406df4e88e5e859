//! From several set-ups to one file.

use super::credentials::Accounts;
use super::credentials::Credential;
use super::credentials::free;
use super::credentials::merge;
use super::draft::Draft;
use super::draft::Table;
use super::draft::is_same;
use super::place::NoteKind;
use super::place::Notes;
use super::place::Place;
use super::secrets::Secrets;
use super::text;
use super::unit::Auth;
use super::unit::Line;
use super::unit::Shape;
use super::unit::Unit;
use super::unit::Value;
use super::unit::line;

/// What `host.max_runners` is by itself.
const HOST_CARRIES: u64 = 20;

/// The order in which a pool's keys are told.
const ORDER: [&str; 42] = [
    "org",
    "repo",
    "repos",
    "enterprise",
    "group",
    "credentials",
    "labels",
    "default_labels",
    "demand",
    "scale_set",
    "active_within",
    "min",
    "max",
    "min_idle",
    "idle_timeout",
    "scale_up_threshold",
    "registration",
    "image",
    "pull",
    "command",
    "user",
    "env",
    "work_folder",
    "cpus",
    "memory",
    "pids",
    "shm_size",
    "gpus",
    "runtime",
    "cgroup_parent",
    "volumes",
    "docker",
    "dind_image",
    "privileged",
    "cap_add",
    "network",
    "extra_hosts",
    "dns",
    "proxy",
    "no_proxy",
    "",
    "",
];

/// The file that these set-ups come to, and the secrets that it names.
pub(super) fn draft(units: &[Unit], secrets: &Secrets, notes: &mut Notes) -> (Draft, Vec<Credential>) {
    let mut accounts = Accounts::of(units, secrets, notes);
    let pools = pools(units, &accounts, secrets, notes);
    let mut tables = Vec::new();
    let webhook = webhook(units, &mut accounts, notes);
    for account in &mut accounts.tables {
        let header = account.name.as_ref().map_or("github".to_owned(), |name| format!("credentials.{name}"));
        let lines = std::mem::take(&mut account.lines);
        let at = lines.first().map_or_else(|| units[0].at.clone(), |line| line.at.clone());
        tables.push(Table { header, above: Vec::new(), lines, at, off: None });
    }
    tables.extend(shared("engine", units, |unit| &unit.engine, notes));
    tables.extend(host(&pools));
    tables.extend(shared("http", units, |unit| &unit.http, notes));
    tables.extend(webhook);
    limits(&pools, notes);
    tables.extend(pools);
    (Draft { head: Vec::new(), tables }, accounts.credentials)
}

/// A table that is there once, whatever the number of set-ups.
fn shared(
    header: &str,
    units: &[Unit],
    lines: impl Fn(&Unit) -> &Vec<Line>,
    notes: &mut Notes,
) -> Option<Table> {
    let mut all = Vec::new();
    units.iter().for_each(|unit| merge(lines(unit), &mut all, notes));
    let at = all.first()?.at.clone();
    Some(Table { header: header.to_owned(), above: Vec::new(), lines: all, at, off: None })
}

fn webhook(units: &[Unit], accounts: &mut Accounts, notes: &mut Notes) -> Option<Table> {
    let mut secrets = units.iter().filter_map(|unit| unit.webhook_secret.as_ref());
    let first = secrets.next()?;
    for other in secrets.filter(|other| other.source != first.source) {
        notes.push(
            NoteKind::NotCarried,
            &other.at,
            &other.subject,
            "there is one [webhook]; give all hooks its secret, or this one as old_secret",
        );
    }
    let mut lines = vec![accounts.webhook(first)];
    units.iter().for_each(|unit| merge(&unit.webhook, &mut lines, notes));
    Some(Table { header: "webhook".to_owned(), above: Vec::new(), lines, at: first.at.clone(), off: None })
}

/// A bound for all pools together, where the usual one would be in the way.
fn host(pools: &[Table]) -> Option<Table> {
    let max =
        |table: &Table| table.lines.iter().find(|line| line.key == "max").map(|line| line.value.clone());
    let sum = pools.iter().fold(0_u64, |sum, table| match max(table) {
        Some(Value::Count(max)) => sum.saturating_add(max),
        _ => sum.saturating_add(1),
    });
    let at = pools.first().filter(|_| sum > HOST_CARRIES)?.at.clone();
    let comment = "all pools' max together; lower it to what this machine carries";
    let lines = vec![line("max_runners", Value::Count(sum), &at, "", comment)];
    Some(Table { header: "host".to_owned(), above: Vec::new(), lines, at, off: None })
}

fn pools(units: &[Unit], accounts: &Accounts, secrets: &Secrets, notes: &mut Notes) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for unit in units {
        let lines = pool_lines(unit, accounts, notes);
        let twin = tables.iter_mut().find(|table| unit.shape.is_runner() && is_twin(&table.lines, &lines));
        if let Some(twin) = twin {
            add_up(twin, &lines, &unit.at);
            continue;
        }
        let wish = if secrets.stand_in(&unit.name) { "runners".to_owned() } else { text::slug(&unit.name) };
        let taken = |name: &str| tables.iter().any(|table| table.header == format!("pools.{name}"));
        let name = free(&wish, taken);
        let off = unit.target.is_none().then(|| {
            let text = "Nothing says whom it serves: add org = \"…\" or repo = \"…/…\", and take the # away.";
            notes.todo(
                &unit.at,
                &format!("pool {name}"),
                format!("it stands in the file as a comment: {text}"),
            );
            text.to_owned()
        });
        remarks(unit, &name, notes);
        let above = [vec![format!("From {}: {}.", unit.at.brief(), unit.shape.what())], unit.remarks.clone()]
            .concat();
        tables.push(Table { header: format!("pools.{name}"), above, lines, at: unit.at.clone(), off });
    }
    tables
}

fn pool_lines(unit: &Unit, accounts: &Accounts, notes: &mut Notes) -> Vec<Line> {
    let mut lines: Vec<Line> = unit.target.iter().cloned().collect();
    if let Some(name) = accounts.tables.get(accounts.index(unit)).and_then(|account| account.name.as_ref()) {
        lines.push(line("credentials", Value::text(name), &unit.at, "", ""));
    }
    merge(&unit.pool, &mut lines, notes);
    lines.sort_by_key(|line| ORDER.iter().position(|key| *key == line.key).unwrap_or(ORDER.len()));
    lines
}

/// Whoever had no bound so far has one now.
fn limits(pools: &[Table], notes: &mut Notes) {
    let said = |table: &Table, key: &str| table.lines.iter().any(|line| line.key == key);
    let free: Vec<&Table> =
        pools.iter().filter(|table| !said(table, "cpus") || !said(table, "memory")).collect();
    let names: Vec<&str> = free.iter().filter_map(|table| table.header.strip_prefix("pools.")).collect();
    if let Some(first) = free.first() {
        let text = "a runner has 2 processors and 4GiB unless its pool says cpus and memory; so far nothing bounded it";
        let subject = format!("{} {}", if names.len() == 1 { "pool" } else { "pools" }, names.join(", "));
        notes.changed(&Place { line: 0, ..first.at.clone() }, &subject, text);
    }
}

/// What differs from the old set-up without any key that says so.
fn remarks(unit: &Unit, name: &str, notes: &mut Notes) {
    if unit.shape == Shape::Static {
        let text = "each job gets a container of its own, which is gone after it: what jobs left on the old runner, the next one does not find";
        notes.changed(&Place { line: 0, ..unit.at.clone() }, &format!("pool {name}"), text);
    }
    if let (Auth::Nobody, Some(target)) = (&unit.auth, &unit.target) {
        notes.todo(
            &unit.at,
            &format!("pool {name}"),
            format!("its token must be allowed to administer runners of {}", target.value),
        );
    }
}

/// Whether two pools are the same but for how many runners they have.
fn is_twin(one: &[Line], other: &[Line]) -> bool {
    let rest = |lines: &[Line]| {
        lines.iter().filter(|line| !["min", "max"].contains(&line.key)).cloned().collect::<Vec<_>>()
    };
    is_same(&rest(one), &rest(other))
}

fn add_up(twin: &mut Table, lines: &[Line], at: &Place) {
    for line in &mut twin.lines {
        let more = lines.iter().find(|other| other.key == line.key && ["min", "max"].contains(&line.key));
        if let (Value::Count(count), Some(Value::Count(more))) = (&line.value, more.map(|line| &line.value)) {
            line.value = Value::Count(count.saturating_add(*more));
        }
    }
    if let Some(above) = twin.above.first_mut() {
        *above = format!("{above} The same as of {}.", at.brief());
    }
}
