//! The raw file: TOML as a tree in which every key and value remembers where it was written.
//!
//! **Knows** TOML and how a drop-in lies over what came before it.
//! **Does not know** which keys there are.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::recover;
use super::source::Origin;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Origin,
    pub(crate) value: Value,
}

/// A value as TOML has them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// None where it does not fit.
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

/// A key's place and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Origin,
    pub(crate) node: Node,
}

/// Keys and their values.
pub(crate) type Table = BTreeMap<String, Entry>;

/// Tables that are one value in several words: a drop-in's replaces the earlier one as a whole, since half of the
/// one and half of the other would mean neither.
const WHOLE: [&str; 6] = ["token", "app", "private_key", "registry_auth", "secret", "old_secret"];

impl Value {
    /// Its type, as TOML's own specification calls it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Bool(_) => "boolean",
            Self::Datetime => "date",
            Self::Array(_) => "array",
            Self::Table(_) => "table",
        }
    }
}

impl Entry {
    /// Where to point: at the value, or at a table's name.
    pub(crate) fn at(&self) -> Origin {
        if matches!(self.node.value, Value::Table(_)) { self.key } else { self.node.at }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.node.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// Reads a text as far as it can be read, and says what is no TOML in it.
pub(crate) fn parse(text: &str, file: usize) -> (Table, Vec<Diagnostic>) {
    recover::parse(text, file, |table| convert_table(table, file))
}

fn origin(span: Range<usize>, file: usize) -> Origin {
    Origin { file, start: span.start, end: span.end }
}

fn convert_table(table: DeTable<'_>, file: usize) -> Table {
    table
        .into_iter()
        .map(|(key, value)| {
            let entry = Entry { key: origin(key.span(), file), node: convert(value, file) };
            (key.into_inner().into_owned(), entry)
        })
        .collect()
}

fn convert(value: Spanned<DeValue<'_>>, file: usize) -> Node {
    let at = origin(value.span(), file);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(items.into_iter().map(|item| convert(item, file)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, file)),
    };
    Node { at, value }
}

/// Lays a later file over an earlier one: tables merge, everything else is replaced.
pub(crate) fn merge(under: &mut Table, over: Table) {
    for (name, entry) in over {
        let whole = WHOLE.contains(&name.as_str());
        match (under.get_mut(&name), entry) {
            (
                Some(Entry { node: Node { value: Value::Table(below), .. }, .. }),
                Entry { node: Node { value: Value::Table(above), .. }, .. },
            ) if !whole => merge(below, above),
            (_, entry) => {
                under.insert(name, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_file_replaces_values_and_adds_to_tables() {
        let (mut under, _) = parse("a = 1\nb = [1, 2]\n[t]\nx = 1\ntoken = { file = \"f\" }\n", 0);
        let (over, _) = parse("b = [3]\n[t]\ny = 2\ntoken = { env = \"E\" }\n", 1);
        merge(&mut under, over);
        let t = under["t"].table().unwrap();
        assert_eq!(t.keys().collect::<Vec<_>>(), ["token", "x", "y"]);
        assert_eq!(t["token"].table().unwrap().keys().collect::<Vec<_>>(), ["env"]);
        assert_eq!((t["x"].key.file, t["y"].key.file, under["b"].node.at.file), (0, 1, 1));
    }

    #[test]
    fn every_syntax_error_is_found() {
        let (_, errors) = parse("a = \nb = 1\nb = 2\nc == 3\n", 0);
        assert!(errors.len() >= 3, "{errors:#?}");
    }
}
