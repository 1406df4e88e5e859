//! Holds the raw file against the schema: are all keys known, is every single value what it should be?
//!
//! **Knows** the schema.
//! **Does not know** how keys bear on one another, nor which of them must be there.

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::diagnostic::Sink;
use super::nearest::nearest;
use super::schema::Kind;
use super::schema::SECRET;
use super::schema::SECTIONS;
use super::schema::Section;
use super::schema::Syntax;
use super::schema::VARIABLE;
use super::schema::one_of;
use super::source::Origin;
use super::tree::Entry;
use super::tree::Node;
use super::tree::Table;
use super::tree::Value;
use crate::model::Size;

/// Says everything that is wrong with a table's own keys and values; `path` is the table's name in the file.
pub(crate) fn check(table: &Table, section: &Section, except: &[&str], path: &str, sink: &mut Sink) {
    for (name, entry) in table {
        match section.key(name) {
            Some(key) if !except.contains(&key.name) => check_value(name, entry, &key.kind, path, sink),
            Some(_) => sink.push(
                Diagnostic::error(format!("{name} cannot stand in [{path}]"))
                    .at(entry.key)
                    .help("say in each pool whom it serves"),
            ),
            None => sink.push(unknown(name, entry.key, section, except, path)),
        }
    }
}

/// A key that is not known, with the one that was likely meant.
fn unknown(name: &str, at: Origin, section: &Section, except: &[&str], path: &str) -> Diagnostic {
    let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
    let error = Diagnostic::error(format!("unknown key {name:?}{place}")).at(at);
    let names = || section.keys().map(|key| key.name).filter(|name| !except.contains(name));
    if let Some(near) = nearest(name, names()) {
        return error.help(format!("did you mean {near:?}?"));
    }
    if let Some((home, _)) = SECTIONS.iter().find(|(_, other)| other.key(name).is_some()) {
        return error.help(format!("{name:?} belongs in {home}"));
    }
    error.help(format!("known keys here: {}", names().collect::<Vec<_>>().join(", ")))
}

fn check_value(name: &str, entry: &Entry, kind: &Kind, path: &str, sink: &mut Sink) {
    let inner = || if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (kind, &entry.node.value) {
        (Kind::Table(section), Value::Table(table)) => check(table, section, &[], &inner(), sink),
        (Kind::TableWithout(section, except), Value::Table(table)) => {
            check(table, section, except, &inner(), sink);
        }
        (Kind::Tables(section), Value::Array(items)) => check_tables(name, items, section, &inner(), sink),
        (Kind::Named(syntax, section), Value::Table(table)) => {
            for (name, entry) in table {
                check_named(name, entry, syntax, section, &inner(), sink);
            }
        }
        (Kind::Secret, Value::Table(table)) => check_secret(name, entry, table, &inner(), sink),
        (Kind::Secrets, Value::Array(items)) => check_secrets(name, entry, items, &inner(), sink),
        (Kind::SecretsByName(syntax), Value::Table(table)) => {
            for (name, secret) in table {
                check_named_secret(name, entry, secret, (syntax, &inner()), sink);
            }
        }
        (Kind::Env, Value::Table(table)) => check_env(table, sink),
        (Kind::Texts(syntax), Value::Array(items)) => check_list(name, items, syntax, sink),
        (Kind::Gpus, Value::Array(items)) => check_list(name, items, &GPU, sink),
        (kind, value) => {
            if let Err(why) = single(kind, value) {
                let error = Diagnostic::error(format!("{name}: {why}")).at(entry.at());
                sink.push(match kind {
                    Kind::Tables(_) => error.help(format!("write each below a line [[{}]]", inner())),
                    Kind::Secret | Kind::Secrets | Kind::SecretsByName(_) => {
                        error.help("say where the secret is; it does not belong in this file")
                    }
                    _ => error,
                });
            }
        }
    }
}

/// Says what is wrong with a value that stands alone.
fn single(kind: &Kind, value: &Value) -> Result<(), String> {
    match (kind, value) {
        (Kind::Bool, Value::Bool(_)) | (Kind::AppId, Value::Integer(Some(1..))) => Ok(()),
        (Kind::AppId, Value::Text(text)) if !text.trim().is_empty() => Ok(()),
        (Kind::Count { what, min, max }, Value::Integer(number)) => match number {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ if *max == i64::MAX => Err(format!("expected {what}, at least {min}")),
            _ => Err(format!("expected {what} from {min} to {max}")),
        },
        (Kind::Gpus, Value::Integer(Some(number))) if (1..=1024).contains(number) => Ok(()),
        (Kind::Gpus, Value::Text(text)) if text == "all" => Ok(()),
        (Kind::Cores, Value::Integer(Some(number))) if (0..=8192).contains(number) => Ok(()),
        (Kind::Cores, Value::Float(number)) => cores(*number),
        (Kind::Factor { min, max }, Value::Float(number)) => factor(*number, *min, *max),
        (Kind::Factor { min, max }, Value::Integer(Some(number @ 0..=1000))) => {
            factor(*number as f64, *min, *max)
        }
        (Kind::Size { min, none }, Value::Text(text)) => size(text, *min, *none),
        (Kind::Duration { min, max, none }, Value::Text(text)) => duration(text, *min, *max, *none),
        (Kind::Choice(words), Value::Text(text)) => choice(text, words),
        (Kind::Text { empty: true, .. }, Value::Text(text)) if text.is_empty() => Ok(()),
        (Kind::Text { syntax, .. }, Value::Text(text)) => (syntax.check)(text),
        (kind, value) => Err(format!("expected {}, found {}", kind.expected(), value.type_name())),
    }
}

/// A hundredth of a processor is the least that an engine takes.
fn cores(number: f64) -> Result<(), String> {
    if number == 0.0 || (0.01..=8192.0).contains(&number) {
        Ok(())
    } else {
        Err("expected a number of processors, 0.01 at least, or 0 for no limit".to_owned())
    }
}

fn factor(number: f64, min: f64, max: f64) -> Result<(), String> {
    if (min..=max).contains(&number) { Ok(()) } else { Err(format!("expected a number from {min} to {max}")) }
}

fn size(text: &str, min: Size, none: bool) -> Result<(), String> {
    match text.parse::<Size>() {
        _ if none && text == "none" => Ok(()),
        Ok(size) if size < min => Err(format!("{text:?} is less than the least that makes sense, {min}")),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn duration(text: &str, min: Duration, max: Duration, none: bool) -> Result<(), String> {
    match humantime::parse_duration(text) {
        _ if none && text == "none" => Ok(()),
        Ok(it) if it < min => Err(format!(
            "{text:?} is too short; the least is {:?}",
            humantime::format_duration(min).to_string()
        )),
        Ok(it) if it > max => {
            let most = match max.as_secs() / (24 * 60 * 60) {
                0 => format!("{:?}", humantime::format_duration(max).to_string()),
                days => format!("{days} days"),
            };
            Err(format!("{text:?} is too long; the most is {most}"))
        }
        Ok(_) => Ok(()),
        Err(_) => {
            Err(format!("{text:?} is no duration; write a number with ms, s, m, h or d, such as \"5m\""))
        }
    }
}

fn choice(text: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&text) {
        return Ok(());
    }
    let hint =
        nearest(text, words.iter().copied()).map(|w| format!("; did you mean {w:?}?")).unwrap_or_default();
    Err(format!("{text:?} is not known, expected {}{hint}", one_of(words)))
}

static GPU: Syntax = Syntax {
    what: "a graphics processor's index or UUID such as \"0\"",
    check: |text| {
        let fine =
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-:./".contains(&b));
        if fine { Ok(()) } else { Err(format!("{text:?} is no graphics processor's index or UUID")) }
    },
};

fn check_list(name: &str, items: &[Node], syntax: &Syntax, sink: &mut Sink) {
    for item in items {
        let why = match &item.value {
            Value::Text(text) => (syntax.check)(text).err(),
            other => Some(format!("expected {}, found {}", syntax.what, other.type_name())),
        };
        if let Some(why) = why {
            sink.push(Diagnostic::error(format!("{name}: {why}")).at(item.at));
        }
    }
}

fn check_tables(name: &str, items: &[Node], section: &Section, path: &str, sink: &mut Sink) {
    for item in items {
        match &item.value {
            Value::Table(table) => check(table, section, &[], path, sink),
            other => {
                let error = format!("{name}: expected a table, found {}", other.type_name());
                sink.push(
                    Diagnostic::error(error).at(item.at).help(format!("write each below a line [[{path}]]")),
                );
            }
        }
    }
}

fn check_env(table: &Table, sink: &mut Sink) {
    for (name, entry) in table {
        if let Err(why) = (VARIABLE.check)(name) {
            sink.push(Diagnostic::error(format!("env: {why}")).at(entry.key));
        }
        let why = match &entry.node.value {
            Value::Text(text) if text.contains('\0') => "a variable may not hold a NUL".to_owned(),
            Value::Text(_) => continue,
            other => format!("expected a text in quotes, found {}", other.type_name()),
        };
        sink.push(Diagnostic::error(format!("env: {name}: {why}")).at(entry.at()));
    }
}

fn check_secret(name: &str, entry: &Entry, table: &Table, path: &str, sink: &mut Sink) {
    check(table, &SECRET, &[], path, sink);
    let mut given = table.iter().filter(|(key, _)| SECRET.key(key).is_some());
    match (given.next(), given.next()) {
        (None, _) if table.is_empty() => sink.push(
            Diagnostic::error(format!("{name}: expected {}", Kind::Secret.expected())).at(entry.node.at),
        ),
        (Some((_, first)), Some((_, second))) => sink.push(
            Diagnostic::error(format!("{name} can be in one place only: credential, file or env"))
                .at_with(second.key, "one too many")
                .at_with(first.key, "first here"),
        ),
        _ => {}
    }
}

/// A secret with a name of its own, below the key `all`. A plain text is likely the secret itself, so that its line is not
/// shown.
fn check_named_secret(
    name: &str,
    all: &Entry,
    secret: &Entry,
    (syntax, path): (&Syntax, &str),
    sink: &mut Sink,
) {
    match &secret.node.value {
        Value::Table(table) => {
            if let Err(why) = (syntax.check)(name) {
                sink.push(Diagnostic::error(why).at(secret.key));
            }
            check_secret(name, secret, table, &format!("{path}.{name}"), sink);
        }
        other => {
            let error = format!("{name}: expected {}, found {}", Kind::Secret.expected(), other.type_name());
            sink.push(
                Diagnostic::error(error)
                    .at(all.key)
                    .help("say where the secret is; it does not belong in this file"),
            );
        }
    }
}

/// Each is a table as that of a single secret. A plain text is likely the secret itself, so that its line is not shown.
fn check_secrets(name: &str, entry: &Entry, items: &[Node], path: &str, sink: &mut Sink) {
    for item in items {
        match &item.value {
            Value::Table(table) => {
                check(table, &SECRET, &[], path, sink);
                if table.keys().filter(|key| SECRET.key(key).is_some()).count() != 1 {
                    let expected = Kind::Secret.expected();
                    sink.push(
                        Diagnostic::error(format!("{name}: each is exactly one of {expected}")).at(item.at),
                    );
                }
            }
            other => {
                let error =
                    format!("{name}: expected {}, found {}", Kind::Secret.expected(), other.type_name());
                sink.push(
                    Diagnostic::error(error)
                        .at(entry.key)
                        .help("say where the secret is; it does not belong in this file"),
                );
            }
        }
    }
}

fn check_named(name: &str, entry: &Entry, syntax: &Syntax, section: &Section, path: &str, sink: &mut Sink) {
    if let Err(why) = (syntax.check)(name) {
        sink.push(Diagnostic::error(why).at(entry.key));
    }
    match &entry.node.value {
        Value::Table(table) => check(table, section, &[], &format!("{path}.{name}"), sink),
        other => {
            let error = format!("{name}: expected a table [{path}.{name}], found {}", other.type_name());
            let error = Diagnostic::error(error).at(entry.node.at);
            sink.push(match SECTIONS.iter().find(|(_, other)| other.key(name).is_some()) {
                Some(_) => error.help(format!("keys of one pool stand below a line [{path}.NAME]")),
                None => error,
            });
        }
    }
}
