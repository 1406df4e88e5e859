//! The fleet as text: pure functions from the API's answers to what the terminal shows.

use super::Printer;
use super::printer::Tone;
use super::table::Column;
use super::table::Grid;
use super::table::Text;
use super::table::always;
use super::table::from;
use super::text::age;
use super::text::ago;
use super::text::count;
use super::text::or_dash;
use super::text::phases;
use crate::http::dto;
use crate::http::dto::Phase;
use crate::model::Mode;
use crate::model::Size;
use crate::model::Time;

/// How many of a refused file's errors stand above the fleet, which is what one edit makes.
const REPORT_ERRORS: usize = 3;

/// How much of each: what is wrong, where, and the line itself.
const ERROR_LINES: usize = 3;

/// Everything that `status` shows.
pub(super) fn status(s: &dto::Status, now: Time, printer: &Printer) -> String {
    let mut parts = vec![header(s, now, printer), String::new()];
    if s.pools.is_empty() && !s.ready {
        parts.push(s.status.clone());
    } else if s.pools.is_empty() {
        parts.push(format!("No pools: {} declares none.", s.config.path));
    } else {
        parts.push(pools(&s.pools, printer));
    }
    if !s.runners.is_empty() {
        parts.push(String::new());
        parts.push(runners(&s.runners, now, printer));
    }
    parts.join("\n")
}

/// The lines above the tables.
fn header(s: &dto::Status, now: Time, printer: &Printer) -> String {
    let mode = match s.mode {
        Mode::Organization => "organization mode".to_owned(),
        Mode::Repository => printer.paint(Tone::Warn, "repository mode"),
    };
    let title = printer.paint(Tone::Strong, format!("ghrunner {}", s.version));
    let mut lines = vec![
        format!("{title}  instance {}, {mode}, up {}", s.instance, age(now, s.started)),
        format!("pass    {} ended {}, took {}ms", s.passes, ago(now, s.as_of), s.took_ms),
    ];
    config(&s.config, now, printer, &mut lines);
    lines.push(format!("engine  {}", engine(s, printer)));
    lines.extend(s.history.as_ref().and_then(|health| history(health, now, printer)));
    lines.extend(s.credentials.iter().map(|c| format!("github  {}", credential(c, now, printer))));
    lines.extend(s.held.iter().map(|h| {
        let line = format!("{}: {}", h.what, h.text);
        format!("held    {}", printer.paint(Tone::Warn, line))
    }));
    lines.extend(s.advice.iter().map(|line| format!("advice  {}", printer.paint(Tone::Warn, line))));
    lines.join("\n")
}

fn config(config: &dto::ConfigFile, now: Time, printer: &Printer, lines: &mut Vec<String>) {
    lines.push(format!("config  {}, read {}", config.path, ago(now, config.loaded)));
    if let Some(error) = &config.error {
        let since = config.error_since.map_or_else(String::new, |t| format!(" {}", ago(now, t)));
        let text = format!("the file was refused{since}; the last good one is in force:");
        lines.push(format!("        {}", printer.paint(Tone::Bad, text)));
        lines.extend(refusal(error).into_iter().map(|line| format!("          {line}")));
        lines.push(format!("          `ghrunner check {}` shows all of it", config.path));
    }
    let waits = |key: &String| format!("{key} changed in the file and needs a restart");
    lines.extend(
        config.needs_restart.iter().map(|k| format!("        {}", printer.paint(Tone::Warn, waits(k)))),
    );
    lines.extend(config.warnings.iter().map(|w| format!("        {}", printer.paint(Tone::Warn, w))));
}

/// What stands of a refused file's report above the fleet: what is wrong, and where, of the first errors.
fn refusal(report: &str) -> Vec<String> {
    let errors: Vec<&str> = report.trim_end().split("\n\n").filter(|e| !e.trim().is_empty()).collect();
    // After the errors the report counts them.
    let (count, errors) = match errors.as_slice() {
        [errors @ .., count] if !errors.is_empty() => (Some(*count), errors),
        all => (None, all),
    };
    let tells = |line: &&str| !line.trim().is_empty() && line.trim() != "|";
    let mut lines: Vec<String> = errors
        .iter()
        .take(REPORT_ERRORS)
        .flat_map(|error| error.lines().filter(tells).take(ERROR_LINES))
        .map(str::to_owned)
        .collect();
    if errors.len() > REPORT_ERRORS
        && let Some(count) = count
    {
        lines.push(format!("… {count}"));
    }
    lines
}

/// Nothing where all is well.
fn history(health: &dto::HistoryHealth, now: Time, printer: &Printer) -> Option<String> {
    let lost = match health.lost {
        0 => String::new(),
        lost => format!("{lost} records were lost since the start"),
    };
    let text = match (&health.trouble, health.since) {
        (Some(why), Some(since)) => {
            let lost = if lost.is_empty() { lost } else { format!("; {lost}") };
            format!("not written since {}: {why}{lost}", ago(now, since))
        }
        _ if lost.is_empty() => return None,
        _ => lost,
    };
    Some(format!("history {}", printer.paint(Tone::Warn, text)))
}

fn engine(s: &dto::Status, printer: &Printer) -> String {
    if let Some(error) = &s.engine_error {
        return printer.paint(Tone::Bad, error);
    }
    let Some(e) = &s.engine else { return printer.paint(Tone::Warn, "not asked yet") };
    let mut text = format!("{} {} (API {})", e.product, e.version, e.api_version);
    if let Some(cpus) = e.cpus {
        text.push_str(&format!(", {cpus} CPUs"));
    }
    if let Some(memory) = e.memory_bytes {
        text.push_str(&format!(", {} memory", Size(memory)));
    }
    if let Some(free) = e.disk_free_bytes {
        text.push_str(&format!(", {} disk free", Size(free)));
    }
    text
}

fn credential(c: &dto::Credential, now: Time, printer: &Printer) -> String {
    let name = format!("{} at {}", c.name, c.url);
    if let Some(why) = &c.refused {
        return printer.paint(Tone::Bad, format!("{name}: refused: {why}"));
    }
    if let Some(limited) = &c.limited {
        let text = format!("{name}: limited, goes on {}: {}", ago(now, limited.until), limited.reason);
        return printer.paint(Tone::Warn, text);
    }
    match &c.quota {
        Some(q) => format!(
            "{name}: {} of {} requests left, renewed {}; {} sent, {} not modified",
            q.remaining,
            q.limit,
            ago(now, q.reset),
            c.requests,
            c.not_modified
        ),
        None => format!("{name}: not asked yet"),
    }
}

const POOL_COLUMNS: [Column; 6] = [
    always("POOL"),
    from(90, "SCOPE"),
    from(110, "DEMAND"),
    always("TARGET"),
    always("RUNNERS"),
    from(56, "WHY, AND WHAT IS HELD BACK"),
];

/// The table of pools.
pub(super) fn pools(pools: &[dto::Pool], printer: &Printer) -> String {
    let mut grid = Grid::new(printer, &POOL_COLUMNS);
    for pool in pools {
        let (target, tone) = match (pool.drained, pool.declared) {
            (true, _) => ("drained".to_owned(), Some(Tone::Warn)),
            (_, false) => ("removed".to_owned(), Some(Tone::Warn)),
            _ => (format!("{} of {}", pool.target, pool.max), None),
        };
        grid.row([
            pool.name.clone().into(),
            pool_scope(pool).into(),
            or_dash(pool.demand.as_deref()).into(),
            Text(target, tone),
            Text(phases(&pool.phases), worst(pool)),
            Text(why(pool), (!pool.held.is_empty()).then_some(Tone::Warn)),
        ]);
    }
    grid.render()
}

/// `acme (group ci)`, or the patterns.
pub(super) fn pool_scope(pool: &dto::Pool) -> String {
    let scope = if pool.scope.is_empty() { "-".to_owned() } else { pool.scope.join(", ") };
    pool.group.as_ref().map_or_else(|| scope.clone(), |group| format!("{scope} (group {group})"))
}

fn worst(pool: &dto::Pool) -> Option<Tone> {
    let bad = [Phase::Failed, Phase::Lost, Phase::Stray].iter().any(|p| pool.phases.contains_key(p));
    bad.then_some(Tone::Bad)
}

fn why(pool: &dto::Pool) -> String {
    let held = pool.held.iter().map(|h| format!("{}: {}", h.what, h.text));
    let why = (!pool.why.is_empty()).then(|| pool.why.clone());
    why.into_iter().chain(held).collect::<Vec<_>>().join("\n")
}

const RUNNER_COLUMNS: [Column; 6] = [
    always("RUNNER"),
    always("PHASE"),
    always("SINCE"),
    from(70, "AGE"),
    from(90, "SCOPE"),
    from(110, "NAME AT GITHUB"),
];

/// The table of runners.
pub(super) fn runners(runners: &[dto::Runner], now: Time, printer: &Printer) -> String {
    let mut grid = Grid::new(printer, &RUNNER_COLUMNS);
    for runner in runners {
        let container = runner.container.as_ref();
        grid.row([
            container.map_or_else(|| runner.name.clone(), |c| c.name.clone()).into(),
            phase(runner),
            runner.since.map_or_else(|| "-".to_owned(), |t| age(now, t)).into(),
            container.map_or_else(|| "-".to_owned(), |c| age(now, c.created)).into(),
            runner.scope.clone().into(),
            runner.name.clone().into(),
        ]);
    }
    grid.render()
}

const STAKE_COLUMNS: [Column; 4] = [always("RUNNER"), always("PHASE"), always("SINCE"), always("JOB")];

/// The runners that a stop of all would end, with the jobs of those that are busy, and a line that counts them.
pub(super) fn at_stake(
    runners: &[dto::Runner],
    jobs: &[dto::Explanation],
    now: Time,
    printer: &Printer,
) -> String {
    let mut grid = Grid::new(printer, &STAKE_COLUMNS);
    for runner in runners {
        let container = runner.container.as_ref();
        let of = |e: &&dto::Explanation| {
            e.job.as_ref().is_some_and(|job| job.runner.as_ref() == Some(&runner.name))
        };
        let job = jobs.iter().find(of).and_then(|e| e.job.as_ref());
        let job = match (job, runner.phase) {
            (Some(job), _) => format!("{} of {} (run {})", job.name, job.repo, job.run),
            (None, Phase::Busy) => "one that GitHub has not told of".to_owned(),
            (None, _) => "-".to_owned(),
        };
        grid.row([
            container.map_or_else(|| runner.name.clone(), |c| c.name.clone()).into(),
            phase(runner),
            runner.since.map_or_else(|| "-".to_owned(), |t| age(now, t)).into(),
            Text(job, (runner.phase == Phase::Busy).then_some(Tone::Bad)),
        ]);
    }
    let busy = runners.iter().filter(|r| r.phase == Phase::Busy).count();
    let last = match busy {
        0 => printer.paint(Tone::Good, "No runner is in a job."),
        _ => printer.paint(Tone::Bad, format!("{} would fail.", count(busy, "job"))),
    };
    format!("{}\n{last}", grid.render())
}

fn phase(runner: &dto::Runner) -> Text {
    let tone = match runner.phase {
        Phase::Busy => Some(Tone::Good),
        Phase::Failed | Phase::Lost | Phase::Stray => Some(Tone::Bad),
        Phase::Draining | Phase::Exited => Some(Tone::Warn),
        Phase::Creating | Phase::Starting | Phase::Idle => None,
    };
    let drained = runner.drained && runner.phase != Phase::Draining;
    Text(if drained { format!("{} (to go)", runner.phase) } else { runner.phase.to_string() }, tone)
}

const ENDED_COLUMNS: [Column; 5] =
    [always("ENDED"), always("RUNNER"), from(80, "LIVED"), from(100, "JOB"), always("WHY")];

/// The table of runners that are gone.
pub(super) fn ended(ended: &[dto::Ended], now: Time, printer: &Printer) -> String {
    let mut grid = Grid::new(printer, &ENDED_COLUMNS);
    for e in ended {
        let job = match (e.ran_job, &e.job) {
            (true, Some(job)) => job.clone(),
            (true, None) => "yes".to_owned(),
            (false, _) => "none".to_owned(),
        };
        grid.row([
            ago(now, e.ended).into(),
            e.runner.clone().into(),
            age(e.ended.0, e.created).into(),
            job.into(),
            Text(e.verdict.clone(), (e.oom_killed || !e.ran_job).then_some(Tone::Warn)),
        ]);
    }
    grid.render()
}

/// A plan: one line for each action, then the pools and what is held back.
pub(super) fn plan(plan: &dto::Plan, printer: &Printer) -> String {
    let mut lines = Vec::new();
    let held_back = !plan.held.is_empty() || plan.pools.iter().any(|p| !p.held.is_empty());
    match (plan.actions.is_empty(), held_back) {
        (true, true) => lines.push(printer.paint(Tone::Warn, "Nothing can be done now.")),
        (true, false) => lines.push(printer.paint(Tone::Good, "Nothing to do.")),
        (false, _) => {}
    }
    lines.extend(plan.actions.iter().map(|action| {
        let tone = match action.action.as_str() {
            "create" | "pull" => Tone::Good,
            "retire" | "deregister" => Tone::Warn,
            _ => Tone::Dim,
        };
        let (verb, rest) = action.text.split_once(' ').unwrap_or((&action.text, ""));
        format!("{} {rest}", printer.paint(tone, verb))
    }));
    for pool in &plan.pools {
        lines.push(String::new());
        let name = printer.paint(Tone::Strong, &pool.pool);
        lines.push(format!("{name}: target {}, has {} ({})", pool.target, phases(&pool.phases), pool.why));
        lines.extend(pool.held.iter().map(|h| held(h, printer)));
    }
    if !plan.held.is_empty() {
        lines.push(String::new());
        lines.extend(plan.held.iter().map(|h| held(h, printer)));
    }
    lines.extend(plan.advice.iter().map(|line| format!("  {} {line}", printer.paint(Tone::Warn, "advice"))));
    lines.join("\n")
}

fn held(held: &dto::Held, printer: &Printer) -> String {
    format!("  {} {}: {}", printer.paint(Tone::Warn, "held back"), held.what, held.text)
}
