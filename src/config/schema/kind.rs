//! What a value may be.

use std::time::Duration;

use super::Section;
use crate::model::Size;

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds.
    Count {
        /// What it counts, in words.
        what: &'static str,
        min: i64,
        max: i64,
    },
    /// A number of processors.
    Cores,
    /// A number that others are multiplied by.
    Factor { min: f64, max: f64 },
    /// A size in text form; `none` says whether `"none"` lifts a limit.
    Size { min: Size, none: bool },
    /// A duration in text form; `none` says whether `"none"` lifts a limit.
    Duration { min: Duration, max: Duration, none: bool },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A text of some form; an empty one takes back a default where `empty` allows it.
    Text { syntax: &'static Syntax, empty: bool },
    /// A list of such texts.
    Texts(&'static Syntax),
    /// A table of variables.
    Env,
    /// `"all"`, a number, or a list of ids.
    Gpus,
    /// A number or a text.
    AppId,
    /// Where a secret is: exactly one of three keys.
    Secret,
    /// A list of such places.
    Secrets,
    /// A table of such places, each with a name of this form.
    SecretsByName(&'static Syntax),
    /// A table of these keys.
    Table(&'static Section),
    /// The same, less some keys that make no sense there.
    TableWithout(&'static Section, &'static [&'static str]),
    /// A list of tables of these keys.
    Tables(&'static Section),
    /// A table of tables, each with a name of this form.
    Named(&'static Syntax, &'static Section),
}

/// The form of a text.
#[derive(Debug)]
pub(crate) struct Syntax {
    /// In words, with an example: completes "expected …".
    pub(crate) what: &'static str,
    /// Says what is wrong with a text, if anything.
    pub(crate) check: fn(&str) -> Result<(), String>,
}

impl Kind {
    /// In words: completes "expected …".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Count { what, .. } => (*what).to_owned(),
            Self::Cores => "a number of processors such as 2 or 0.5".to_owned(),
            Self::Factor { .. } => "a number such as 1.5".to_owned(),
            Self::Size { none: false, .. } => "a size such as \"4GiB\"".to_owned(),
            Self::Size { none: true, .. } => "a size such as \"4GiB\", or \"none\"".to_owned(),
            Self::Duration { none: false, .. } => "a duration such as \"5m\" or \"1h 30m\"".to_owned(),
            Self::Duration { none: true, .. } => "a duration such as \"5m\", or \"none\"".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::Text { syntax, .. } => syntax.what.to_owned(),
            Self::Texts(syntax) => format!("a list in [ ], each {}", syntax.what),
            Self::Env => "a table of texts such as { LANG = \"C.UTF-8\" }".to_owned(),
            Self::Gpus => "\"all\", a number, or a list of ids such as [\"0\", \"1\"]".to_owned(),
            Self::AppId => "an App's id or client id, such as 12345 or \"Iv23abc\"".to_owned(),
            Self::Secret => {
                "{ credential = \"NAME\" }, { file = \"/PATH\" } or { env = \"NAME\" }".to_owned()
            }
            Self::Secrets => "a list of secrets such as [{ credential = \"NAME\" }]".to_owned(),
            Self::SecretsByName(syntax) => format!("a table of secrets, each with {}", syntax.what),
            Self::Table(section) | Self::TableWithout(section, _) => {
                let names: Vec<_> = section.keys().map(|key| key.name).take(4).collect();
                format!("a table with keys such as {}", names.join(", "))
            }
            Self::Tables(_) => "a list of tables".to_owned(),
            Self::Named(syntax, _) => format!("tables, each with {}", syntax.what),
        }
    }

    /// The type's name in the manual.
    pub(crate) fn type_name(&self) -> String {
        match self {
            Self::Bool => "boolean".to_owned(),
            Self::Count { min, max: i64::MAX, .. } => format!("integer, at least {min}"),
            Self::Count { min, max, .. } => format!("integer, {min} to {max}"),
            Self::Cores => "number".to_owned(),
            Self::Factor { min, max } => format!("number, {min} to {max}"),
            Self::Size { none: false, .. } => "size".to_owned(),
            Self::Size { none: true, .. } => "size or `\"none\"`".to_owned(),
            Self::Duration { none: false, .. } => "duration".to_owned(),
            Self::Duration { none: true, .. } => "duration or `\"none\"`".to_owned(),
            Self::Choice(words) => words.iter().map(|w| format!("`\"{w}\"`")).collect::<Vec<_>>().join(" | "),
            Self::Text { .. } => "text".to_owned(),
            Self::Texts(_) => "list of texts".to_owned(),
            Self::Env => "table of texts".to_owned(),
            Self::Gpus => "`\"all\"`, integer or list of texts".to_owned(),
            Self::AppId => "text or integer".to_owned(),
            Self::Secret => "[secret](#secrets)".to_owned(),
            Self::Secrets => "list of [secrets](#secrets)".to_owned(),
            Self::SecretsByName(_) => "table of [secrets](#secrets)".to_owned(),
            Self::Tables(_) => "list of tables".to_owned(),
            Self::Table(_) | Self::TableWithout(..) | Self::Named(..) => "table".to_owned(),
        }
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|w| format!("{w:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
