//! What one older set-up comes to: a pool, and what stands beside it.

use std::fmt;

use super::place::Place;
use crate::model::Secret;

/// A value, to be written as TOML.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Count(u64),
    /// A number as it is written.
    Number(String),
    Bool(bool),
    Table(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// `{ credential = "NAME" }`.
    pub(super) fn credential(name: &str) -> Self {
        Self::Table(vec![("credential".to_owned(), Self::text(name))])
    }

    /// Every text in it.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().map(String::as_str).collect(),
            Self::Table(entries) => entries
                .iter()
                .flat_map(|(key, value)| std::iter::once(key.as_str()).chain(value.texts()))
                .collect(),
            Self::Count(_) | Self::Number(_) | Self::Bool(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quoted(text, f),
            Self::List(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { ", " })?;
                    quoted(item, f)?;
                }
                f.write_str("]")
            }
            Self::Count(count) => count.fmt(f),
            Self::Number(number) => f.write_str(number),
            Self::Bool(yes) => yes.fmt(f),
            Self::Table(entries) => {
                f.write_str("{ ")?;
                for (n, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { ", " })?;
                    match key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
                        && !key.is_empty()
                    {
                        true => f.write_str(key)?,
                        false => quoted(key, f)?,
                    }
                    write!(f, " = {value}")?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// A basic string on one line, so that each key has a line of its own.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c) => {
                write!(f, "\\U{:08X}", u32::from(c))?;
            }
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// One line of the new file, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) key: &'static str,
    pub(super) value: Value,
    /// The old key, and what there is to say about the new one.
    pub(super) comment: String,
    pub(super) at: Place,
    /// The old key.
    pub(super) subject: String,
}

/// Whom the runners serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Org(String),
    Repo(String),
    /// All repositories of an account.
    All(String),
    Enterprise(String),
}

/// A secret, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// It stands in one of the files.
    Here(Secret),
    /// It is kept somewhere else, and has to be fetched from there, with this command or in these words.
    Elsewhere(String),
    /// A file that the service can read.
    File(String),
}

/// A secret and the key behind which it stood.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    pub(super) source: Source,
    pub(super) at: Place,
    pub(super) subject: String,
}

/// Who the old set-up was at GitHub.
#[derive(Debug, Clone)]
pub(super) enum Auth {
    Token(Keyed),
    App {
        id: String,
        installation: Option<u64>,
        key: Keyed,
    },
    /// It had none that outlasts an hour.
    Nobody,
}

/// Of what kind the set-up is, as far as it decides what its keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One runner, registered by hand.
    Static,
    /// A runner in a container that registers itself.
    Runner,
    Orchestrator,
    Webhook,
    Autoscaler,
    Arc,
}

impl Shape {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Static => "a static runner",
            Self::Runner => "a runner that registers itself",
            Self::Orchestrator => "the orchestrator 2.0",
            Self::Webhook => "the webhook orchestrator",
            Self::Autoscaler => "the Python autoscaler",
            Self::Arc => "a runner scale set of ARC",
        }
    }

    /// Whether the set-up is a number of runners, and not what makes them.
    pub(super) fn is_runner(self) -> bool {
        matches!(self, Self::Static | Self::Runner)
    }
}

/// What one older set-up comes to.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// What its pool might be called.
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) at: Place,
    /// GitHub's address, where it is not the usual one.
    pub(super) url: Option<String>,
    pub(super) target: Option<Line>,
    pub(super) auth: Auth,
    /// Lines of `[github]` or `[credentials.NAME]`.
    pub(super) github: Vec<Line>,
    pub(super) engine: Vec<Line>,
    pub(super) http: Vec<Line>,
    pub(super) webhook: Vec<Line>,
    pub(super) webhook_secret: Option<Keyed>,
    /// Lines of the pool, but for whom it serves.
    pub(super) pool: Vec<Line>,
    /// Comments above the pool.
    pub(super) remarks: Vec<String>,
    /// Where jobs worked in the old container.
    pub(super) work_folder: Option<String>,
}

impl Unit {
    pub(super) fn new(name: &str, shape: Shape, at: &Place) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            at: at.clone(),
            url: None,
            target: None,
            auth: Auth::Nobody,
            github: Vec::new(),
            engine: Vec::new(),
            http: Vec::new(),
            webhook: Vec::new(),
            webhook_secret: None,
            pool: Vec::new(),
            remarks: Vec::new(),
            work_folder: None,
        }
    }

    /// Adds a line to the pool.
    pub(super) fn line(&mut self, key: &'static str, value: Value, at: &Place, subject: &str, comment: &str) {
        self.pool.push(line(key, value, at, subject, comment));
    }

    /// Says whom it serves.
    pub(super) fn serve(&mut self, target: &Target, at: &Place, subject: &str) {
        let (key, value) = match target {
            Target::Org(org) => ("org", Value::text(org)),
            Target::Repo(repo) => ("repo", Value::text(repo)),
            Target::All(owner) => ("repos", Value::List(vec![format!("{owner}/*")])),
            Target::Enterprise(slug) => ("enterprise", Value::text(slug)),
        };
        self.target = Some(line(key, value, at, subject, ""));
    }

    pub(super) fn is_for(&self, key: &str) -> bool {
        self.target.as_ref().is_some_and(|line| line.key == key)
    }
}

/// A line with its origin; the comment is what there is to say beyond the old key.
pub(super) fn line(key: &'static str, value: Value, at: &Place, subject: &str, comment: &str) -> Line {
    let comment = match (subject, comment) {
        ("", comment) => comment.to_owned(),
        (subject, "") => subject.to_owned(),
        (subject, comment) => format!("{subject}: {comment}"),
    };
    Line { key, value, comment, at: at.clone(), subject: subject.to_owned() }
}
