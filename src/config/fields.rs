//! The merged view of one table: what it says itself, else what `[defaults]` say, else the built-in default.
//!
//! A value that is not what it should be reads as absent: the shape check has told of it already.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::schema::API;
use super::schema::CREDENTIALS;
use super::schema::Default;
use super::schema::ENGINE;
use super::schema::HISTORY;
use super::schema::HOST;
use super::schema::HTTP;
use super::schema::POOL;
use super::schema::RESERVE;
use super::schema::SCHEDULE;
use super::schema::Section;
use super::schema::TELEMETRY;
use super::schema::WEBHOOK;
use super::source::Origin;
use super::tree::Entry;
use super::tree::Table;
use super::tree::Value;
use super::tree::parse;
use crate::model::Size;

/// What `[pools.NAME]` falls back on.
pub(crate) static POOL_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&POOL));
/// What `[github]` and `[credentials.NAME]` fall back on.
pub(crate) static CREDENTIALS_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&CREDENTIALS));
/// What `[engine]` falls back on.
pub(crate) static ENGINE_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&ENGINE));
/// What `[host]` falls back on.
pub(crate) static HOST_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&HOST));
/// What `[http]` falls back on.
pub(crate) static HTTP_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&HTTP));
/// What `[api]` falls back on.
pub(crate) static API_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&API));
/// What `[webhook]` falls back on.
pub(crate) static WEBHOOK_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&WEBHOOK));
/// What `[history]` falls back on.
pub(crate) static HISTORY_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&HISTORY));
/// What `[telemetry]` falls back on.
pub(crate) static TELEMETRY_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&TELEMETRY));
/// What `host.reserve` falls back on.
pub(crate) static RESERVE_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&RESERVE));
/// What `[[pools.NAME.schedule]]` falls back on.
pub(crate) static SCHEDULE_DEFAULTS: LazyLock<Table> = LazyLock::new(|| built_in(&SCHEDULE));
/// For a table that the file does not have.
pub(crate) static EMPTY: Table = Table::new();

/// The built-in defaults of a section, as if they had been written in a file below all others.
fn built_in(section: &Section) -> Table {
    let text: String = section
        .keys()
        .filter_map(|key| match key.default {
            Default::Value(value) => Some(format!("{} = {value}\n", key.name)),
            Default::Words(_) => None,
        })
        .collect();
    parse(&text, Origin::BUILT_IN).0
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: Origin,
}

/// A table's keys over those of the layers below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// Where the table itself stands.
    pub(crate) at: Origin,
    own: &'a Table,
    shared: Option<&'a Table>,
    built_in: &'a Table,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(at: Origin, own: &'a Table, shared: Option<&'a Table>, built_in: &'a Table) -> Self {
        Self { at, own, shared, built_in }
    }

    /// The key as the topmost layer that has it gives it.
    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.written(key).or_else(|| self.built_in.get(key))
    }

    /// The key as a person wrote it.
    pub(crate) fn written(&self, key: &str) -> Option<&'a Entry> {
        self.own.get(key).or_else(|| self.shared.and_then(|shared| shared.get(key)))
    }

    /// The key as the table itself has it.
    pub(crate) fn own(&self, key: &str) -> Option<&'a Entry> {
        self.own.get(key)
    }

    /// Where to point for this key: where it was written, else at the table itself.
    pub(crate) fn place(&self, key: &str) -> Origin {
        self.written(key).map_or(self.at, Entry::at)
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.entry(key).map(|entry| &entry.node.value)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that may be taken back by an empty one.
    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::Integer(number) => *number,
            _ => None,
        }
    }

    pub(crate) fn count(&self, key: &str) -> Option<u32> {
        self.integer(key).and_then(|number| u32::try_from(number).ok())
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => number.and_then(|n| u32::try_from(n).ok()).map(f64::from),
            _ => None,
        }
    }

    /// None also for `"none"`.
    pub(crate) fn size(&self, key: &str) -> Option<Size> {
        self.text(key)?.parse().ok()
    }

    /// None also for `"none"`.
    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        humantime::parse_duration(self.text(key)?).ok()
    }

    /// The texts of a list, each with its place.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<At<&'a str>>> {
        match self.value(key)? {
            Value::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| match &item.value {
                        Value::Text(text) => Some(At { value: text.as_str(), at: item.at }),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    /// The texts of a list.
    pub(crate) fn strings(&self, key: &str) -> Vec<String> {
        self.texts(key).unwrap_or_default().into_iter().map(|item| item.value.to_owned()).collect()
    }

    pub(crate) fn table(&self, key: &str) -> Option<&'a Table> {
        self.entry(key)?.table()
    }

    /// The tables of a list as they are, each with its place.
    pub(crate) fn tables_of(&self, key: &str) -> Vec<(Origin, &'a Table)> {
        let Some(Value::Array(items)) = self.value(key) else { return Vec::new() };
        let tables = items.iter().filter_map(|item| match &item.value {
            Value::Table(own) => Some((item.at, own)),
            _ => None,
        });
        tables.collect()
    }

    /// The tables of a list, over the defaults that they fall back on.
    pub(crate) fn tables(&self, key: &str, built_in: &'a Table) -> Vec<Fields<'a>> {
        let Some(Value::Array(items)) = self.value(key) else { return Vec::new() };
        let tables = items.iter().filter_map(|item| match &item.value {
            Value::Table(own) => Some(Fields::new(item.at, own, None, built_in)),
            _ => None,
        });
        tables.collect()
    }

    /// A table of texts, those of all layers together.
    pub(crate) fn variables(&self, key: &str) -> BTreeMap<String, At<&'a str>> {
        let layers = [self.shared, Some(self.own)];
        let tables = layers.into_iter().flatten().filter_map(|layer| layer.get(key)?.table());
        tables
            .flatten()
            .filter_map(|(name, entry)| match &entry.node.value {
                Value::Text(text) => Some((name.clone(), At { value: text.as_str(), at: entry.key })),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Sink;
    use super::super::schema::PRIORITY_RULE;
    use super::super::shape;
    use super::*;

    #[test]
    fn every_built_in_default_is_toml_and_fits_its_own_key() {
        for section in [
            &CREDENTIALS,
            &ENGINE,
            &HOST,
            &HTTP,
            &WEBHOOK,
            &API,
            &HISTORY,
            &TELEMETRY,
            &RESERVE,
            &POOL,
            &SCHEDULE,
            &PRIORITY_RULE,
        ] {
            let values = section.keys().filter(|key| matches!(key.default, Default::Value(_))).count();
            let table = built_in(section);
            assert_eq!(table.len(), values, "{:?}", table.keys());
            let mut sink = Sink::default();
            shape::check(&table, section, &[], "x", &mut sink);
            assert_eq!(sink.into_sorted(), Vec::new());
        }
    }
}
