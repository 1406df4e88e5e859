//! From the variables of a runner, an orchestrator or an autoscaler to a pool.

use super::container;
use super::env::Var;
use super::place::Notes;
use super::place::Place;
use super::reasons;
use super::secrets::is_secret;
use super::text;
use super::unit::Auth;
use super::unit::Keyed;
use super::unit::Shape;
use super::unit::Source;
use super::unit::Target;
use super::unit::Unit;
use super::unit::Value;
use super::unit::line;
use super::vars::Vars;
use super::vars::name;
use crate::model::Secret;

/// Where a set-up stands, and what is known of it beside its variables.
pub(super) struct Setting<'a> {
    pub(super) at: &'a Place,
    /// A name for its pool, where something gives one.
    pub(super) name: Option<&'a str>,
    /// How many of its runners stand.
    pub(super) count: u64,
}

/// What the variables come to.
pub(super) fn unit(mut vars: Vars, shape: Shape, setting: &Setting<'_>, notes: &mut Notes) -> Unit {
    let mut unit = Unit::new("runners", shape, setting.at);
    target(&mut vars, &mut unit, notes);
    unit.auth = auth(&mut vars, shape, notes);
    if let Some(name) = setting.name.or(unit.target.as_ref().and_then(|line| match &line.value {
        Value::Text(text) => text.rsplit('/').next(),
        Value::List(repos) => repos.first().and_then(|repo| repo.split('/').next()),
        _ => None,
    })) {
        unit.name = name.to_owned();
    }
    group(&mut vars, &mut unit, notes);
    labels(&mut vars, &mut unit, notes);
    match shape {
        Shape::Static | Shape::Runner | Shape::Arc => standing(&mut vars, setting, &mut unit, notes),
        Shape::Orchestrator => orchestrator(&mut vars, &mut unit, notes),
        Shape::Webhook => webhook(&mut vars, &mut unit, notes),
        Shape::Autoscaler => autoscaler(&mut vars, &mut unit, notes),
    }
    container::read(&mut vars, &mut unit, notes);
    rest(vars, &mut unit, notes);
    unit
}

/// Whom the runners serve. An organization goes before a repository, as the orchestrator had it.
fn target(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let scope = vars.value("RUNNER_SCOPE", notes).map(|var| var.value.to_lowercase());
    let enterprise = vars.value("ENTERPRISE_NAME", notes);
    let org = vars.first(&["GITHUB_ORGANIZATION", "GITHUB_ORG", "ORG_NAME", "ORGANIZATION"], notes);
    let repo = vars.first(&["GITHUB_REPOSITORY", "GITHUB_REPO", "REPOSITORY", "REPO"], notes);
    let owner = vars.first(&["GITHUB_OWNER", "OWNER"], notes);
    let url = vars.first(&["REPO_URL", "RUNNER_URL", "GITHUB_REPO_URL", "GITHUB_URL"], notes);
    let host = vars.value("GITHUB_HOST", notes);
    if let Some(host) = host.filter(|host| !host.value.eq_ignore_ascii_case("github.com")) {
        unit.url =
            Some(if host.value.contains("://") { host.value } else { format!("https://{}", host.value) });
    }
    let mut found: Vec<(Target, Var)> = Vec::new();
    found.extend(enterprise.map(|var| (Target::Enterprise(var.value.clone()), var)));
    // A name without its owner belongs to whoever is named beside it.
    let bare = repo.as_ref().is_some_and(|repo| !repo.value.contains('/'));
    match (repo, org.or(owner)) {
        (Some(repo), Some(owner)) if bare => {
            let whole = format!("{}/{}", owner.value, repo.value);
            found.push((Target::Repo(whole), repo));
        }
        (repo, owner) => {
            let all = unit.shape == Shape::Autoscaler;
            let of =
                |owner: &str| if all { Target::All(owner.to_owned()) } else { Target::Org(owner.to_owned()) };
            found.extend(owner.map(|var| (of(&var.value), var)));
            found.extend(repo.map(|var| (repository(&var.value, unit), var)));
        }
    }
    if let Some(var) = url {
        match text::address(&var.value) {
            Some((url, target)) => {
                unit.url = unit.url.take().or(url);
                found.push((target, var));
            }
            None => notes.left(&var.at, &var.key, "it is no address of an organization or a repository"),
        }
    }
    let fits = |target: &Target| match scope.as_deref() {
        Some("org" | "organization") => matches!(target, Target::Org(_)),
        Some("ent" | "enterprise") => matches!(target, Target::Enterprise(_)),
        Some("repo" | "repository") => matches!(target, Target::Repo(_)),
        _ => true,
    };
    let chosen = found.iter().position(|(target, _)| fits(target)).unwrap_or_default();
    for (n, (target, var)) in found.iter().enumerate() {
        if n == chosen {
            unit.serve(target, &var.at, &var.key);
        } else if found.get(chosen).is_some_and(|(first, _)| first != target) {
            notes.left(
                &var.at,
                &var.key,
                format!(
                    "{} says whom the pool serves; make a second pool for this one if it is served as well",
                    found[chosen].1.key
                ),
            );
        }
    }
}

/// `owner/name`, or an address with it.
fn repository(text: &str, unit: &mut Unit) -> Target {
    match text::address(text) {
        Some((url, target @ Target::Repo(_))) => {
            unit.url = unit.url.take().or(url);
            target
        }
        _ => Target::Repo(text.to_owned()),
    }
}

/// With what the set-up asked GitHub.
fn auth(vars: &mut Vars, shape: Shape, notes: &mut Notes) -> Auth {
    let token = [
        "GITHUB_TOKEN",
        "ACCESS_TOKEN",
        "GH_TOKEN",
        "GITHUB_PAT",
        "GH_PAT",
        "GITHUB_ACCESS_TOKEN",
        "ACCESS_TOKEN_FILE",
        "GITHUB_TOKEN_FILE",
    ];
    let token = token.iter().find_map(|name| secret(vars, name));
    let id = vars.first(&["APP_ID", "GITHUB_APP_ID"], notes);
    let installation = vars.first(&["GITHUB_APP_INSTALLATION_ID", "APP_INSTALLATION_ID"], notes);
    let key =
        ["APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY", "APP_PRIVATE_KEY_FILE", "GITHUB_APP_PRIVATE_KEY_PATH"];
    let key = key.iter().find_map(|name| secret(vars, name));
    let file = (shape == Shape::Autoscaler).then(|| vars.take("TOKEN_FILE")).flatten();
    match (token, id, key) {
        (_, Some(id), Some(key)) => {
            let number = installation.and_then(|var| var.value.trim().parse().ok());
            Auth::App { id: id.value.trim().to_owned(), installation: number, key }
        }
        (Some(token), ..) => Auth::Token(token),
        _ => match file {
            Some(var) if var.value.starts_with('/') && !var.value.ends_with(".json") => {
                Auth::Token(Keyed { source: Source::File(var.value), at: var.at, subject: var.key })
            }
            Some(var) => {
                notes.left(&var.at, &var.key, reasons::variable("TOKEN_FILE").unwrap_or_default());
                Auth::Nobody
            }
            None => Auth::Nobody,
        },
    }
}

fn secret(vars: &mut Vars, name: &str) -> Option<Keyed> {
    let var = vars.take(name)?;
    let is_place = name.ends_with("_FILE") || name.ends_with("_PATH");
    let source = match (&var.open, is_place) {
        (Some(open), _) => Source::Elsewhere(format!("it comes from {open}, which none of the files says")),
        (None, true) if var.value.starts_with("/run/secrets/") || !var.value.starts_with('/') => {
            Source::Elsewhere(format!("it stands in {} of the old container", var.value))
        }
        (None, true) => Source::File(var.value),
        (None, false) if var.value.trim().is_empty() => return None,
        (None, false) if is_placeholder(&var.value) => {
            Source::Elsewhere("what stands there is a placeholder".to_owned())
        }
        (None, false) if var.value.contains("-----BEGIN") => {
            Source::Here(Secret::new(var.value.replace("\\n", "\n")))
        }
        (None, false) => Source::Here(Secret::new(var.value.trim())),
    };
    Some(Keyed { source, at: var.at, subject: var.key })
}

/// `your_token_here`, `<token>`, `xxxx`: what examples have in place of a secret.
fn is_placeholder(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let key = lower.contains("-----begin");
    let words = ["your_", "your-", "_here", "-here", "changeme", "change_me", "replace", "xxxx", "...", "<"];
    !key && (lower.contains(char::is_whitespace) || words.iter().any(|word| lower.contains(word)))
}

fn group(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let Some(var) = vars.first(&["RUNNER_GROUP", "RUNNERGROUP", "ACTIONS_RUNNER_GROUP"], notes) else {
        return;
    };
    if var.value.eq_ignore_ascii_case("default") {
        return;
    }
    match unit.is_for("org") {
        true => unit.line("group", Value::text(&var.value), &var.at, &var.key, "it must be there already"),
        false => notes.left(&var.at, &var.key, "only organizations have runner groups that a pool can name"),
    }
}

fn labels(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let only_own = vars.value("NO_DEFAULT_LABELS", notes).filter(|var| text::is_yes(&var.value));
    let var = vars.first(&["RUNNER_LABELS", "LABELS", "GITHUB_LABELS"], notes);
    let Some(var) = var else {
        if unit.shape == Shape::Orchestrator {
            let labels = ["orchestrated", "optimized", "docker-dind"].map(str::to_owned).to_vec();
            let at = unit.at.clone();
            unit.line(
                "labels",
                Value::List(labels),
                &at,
                "",
                "RUNNER_LABELS is not given: the orchestrator's own",
            );
        }
        return;
    };
    let (own, given) = text::labels(var.value.split([',', ' ']));
    if only_own.is_some() {
        let all = [given, own].concat();
        unit.line("labels", Value::List(all), &var.at, &var.key, "");
        unit.line("default_labels", Value::Bool(false), &var.at, "NO_DEFAULT_LABELS", "");
    } else if !own.is_empty() {
        let comment = "self-hosted, linux and the architecture are added";
        unit.line("labels", Value::List(own), &var.at, &var.key, comment);
    }
}

/// As many as stood so far, whatever waits.
fn standing(vars: &mut Vars, setting: &Setting<'_>, unit: &mut Unit, notes: &mut Notes) {
    let at = setting.at;
    let comment = "as before; \"scale-set\" or \"poll\" make runners as jobs wait";
    unit.line("demand", Value::text("fixed"), at, "", comment);
    match vars.first(&["RUNNER_COUNT", "RUNNER_REPLICAS", "REPLICAS"], notes) {
        Some(var) => {
            number(&var, "min", "", unit, notes);
            number(&var, "max", "", unit, notes);
        }
        None => {
            unit.line("min", Value::Count(setting.count), at, "", "");
            unit.line("max", Value::Count(setting.count), at, "", "");
        }
    }
}

fn orchestrator(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    polled(vars, unit, notes);
    count(vars, "MIN_RUNNERS", "min", Some(2), unit, notes);
    count(vars, "MAX_RUNNERS", "max", Some(10), unit, notes);
    if let Some(var) = vars.value("SCALE_UP_THRESHOLD", notes) {
        let comment = "fewer jobs wait for company for five minutes at most; 1 starts at once";
        number(&var, "scale_up_threshold", comment, unit, notes);
    }
    idle_timeout(vars, unit, notes);
    unit.remarks.push("The orchestrator's runners were privileged and had the engine's socket. Here they have neither: add docker = \"dind\" if jobs call docker.".to_owned());
}

fn polled(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let at = unit.at.clone();
    unit.line(
        "demand",
        Value::text("poll"),
        &at,
        "",
        "as before; \"scale-set\" hears of jobs within a second, and needs no requests for it",
    );
    if let Some(var) = vars.value("POLL_INTERVAL", notes) {
        match text::seconds(&var.value) {
            Some(time) => unit.github.push(line("poll_interval", Value::text(time), &var.at, &var.key, "")),
            None => notes.left(&var.at, &var.key, "it is no number of seconds"),
        }
    }
}

fn idle_timeout(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let Some(var) = vars.value("IDLE_TIMEOUT", notes) else { return };
    match text::seconds(&var.value) {
        Some(time) => unit.line("idle_timeout", Value::text(time), &var.at, &var.key, ""),
        None => notes.left(&var.at, &var.key, "it is no number of seconds"),
    }
}

/// A number of runners; `default` is what the old program took where nothing is said.
fn count(
    vars: &mut Vars,
    name: &str,
    key: &'static str,
    default: Option<u64>,
    unit: &mut Unit,
    notes: &mut Notes,
) {
    match (vars.value(name, notes), default) {
        (Some(var), _) => number(&var, key, "", unit, notes),
        (None, Some(default)) => {
            let at = unit.at.clone();
            unit.line(key, Value::Count(default), &at, "", &format!("{name} is not given: the old default"));
        }
        (None, None) => {}
    }
}

fn number(var: &Var, key: &'static str, comment: &str, unit: &mut Unit, notes: &mut Notes) {
    match var.value.trim().parse() {
        Ok(number) => unit.line(key, Value::Count(number), &var.at, &var.key, comment),
        Err(_) => notes.left(&var.at, &var.key, "it is no whole number"),
    }
}

fn webhook(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    let at = unit.at.clone();
    unit.line(
        "demand",
        Value::text("webhook"),
        &at,
        "",
        "as before; \"scale-set\" needs no address that GitHub can reach",
    );
    count(vars, "MAX_CONCURRENT_JOBS", "max", Some(10), unit, notes);
    if vars.has("MIN_RUNNERS") {
        count(vars, "MIN_RUNNERS", "min", None, unit, notes);
    }
    idle_timeout(vars, unit, notes);
    let listen = vars.value("PORT", notes);
    let port = listen.as_ref().and_then(|var| var.value.trim().parse::<u16>().ok()).unwrap_or(8080);
    let (at, subject) = listen.as_ref().map_or((&at, ""), |var| (&var.at, var.key.as_str()));
    let address = Value::text(format!("127.0.0.1:{port}"));
    unit.http.push(line("listen", address, at, subject, "behind a reverse proxy that speaks TLS"));
    unit.webhook_secret = Some(secret(vars, "GITHUB_WEBHOOK_SECRET").unwrap_or_else(|| Keyed {
        source: Source::Elsewhere(
            "none of the files has it; make one up, and give it to the hook at GitHub".to_owned(),
        ),
        at: unit.at.clone(),
        subject: "GITHUB_WEBHOOK_SECRET".to_owned(),
    }));
    if let Some(var) = vars.value("WEBHOOK_BASE_URL", notes) {
        let url = format!("{}/webhook", var.value.trim().trim_end_matches('/'));
        unit.webhook.push(line(
            "url",
            Value::text(&url),
            &var.at,
            &var.key,
            "the hook at GitHub must have this address",
        ));
        let text = format!(
            "give the hook at GitHub the address {url}, content type application/json and the event \"Workflow jobs\"; while both fleets run, each has a hook of its own"
        );
        notes.todo(&var.at, &var.key, text);
    }
}

fn autoscaler(vars: &mut Vars, unit: &mut Unit, notes: &mut Notes) {
    polled(vars, unit, notes);
    count(vars, "MAX_RUNNERS", "max", Some(10), unit, notes);
    if let Some(var) = vars.value("SINCE_DAYS", notes) {
        match var.value.trim().parse::<u64>() {
            Ok(days) => {
                let value = Value::text(format!("{days}d"));
                unit.line(
                    "active_within",
                    value,
                    &var.at,
                    &var.key,
                    "repositories that were pushed to in this time",
                );
            }
            Err(_) => notes.left(&var.at, &var.key, "it is no number of days"),
        }
    }
    if let Some(var) = vars.value("FILTER_BY_ARCH", notes) {
        match text::is_yes(&var.value) {
            true => notes.changed(&var.at, &var.key, reasons::variable("FILTER_BY_ARCH").unwrap_or_default()),
            false => notes.left(
                &var.at,
                &var.key,
                "a job goes only to a runner that has all its labels, the architecture among them",
            ),
        }
    }
    if unit.is_for("repos") {
        unit.remarks.push("If this account is an organization, org = \"NAME\" in place of repos is better: one set of runners for all its repositories.".to_owned());
    }
}

/// Harmless variables that every job saw.
const SEEN_BY_JOBS: [&str; 5] = ["TZ", "LANG", "LANGUAGE", "LC_ALL", "DEBIAN_FRONTEND"];

/// What nobody took: each with the reason, or where it could go.
fn rest(vars: Vars, unit: &mut Unit, notes: &mut Notes) {
    let mut env = Vec::new();
    let mut first: Option<(Place, String)> = None;
    for var in vars.rest().into_iter().filter(Vars::says_something) {
        if unit.shape.is_runner() && SEEN_BY_JOBS.contains(&var.key.as_str()) && var.open.is_none() {
            first.get_or_insert_with(|| (var.at.clone(), var.key.clone()));
            env.push((var.key, Value::Text(var.value)));
            continue;
        }
        let reason = match reasons::variable(&name(&var.key)) {
            Some(reason) => reason,
            None if is_secret(&var.key) => {
                "it sounds like a secret: give it to the steps that need it, from GitHub"
            }
            None if unit.shape.is_runner() => {
                "it is not known; if jobs read it, say env = { NAME = \"VALUE\" } in the pool"
            }
            None => "it is not known",
        };
        notes.left(&var.at, &var.key, reason);
    }
    if let Some((at, subject)) = first {
        unit.line("env", Value::Table(env), &at, &subject, "jobs saw it");
    }
}
