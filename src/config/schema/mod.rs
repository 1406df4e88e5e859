//! Which keys the file has: one table, from which the reader, the suggestions, the defaults and the manual all follow.
//!
//! **Knows** each key's kind, its default with the reason for it, and what a single value must look like.
//! **Does not know** how keys bear on one another: that is for the rules.

mod api;
mod history;
mod kind;
mod net;
mod pool;
mod scaling;
pub(crate) mod syntax;
mod telemetry;
mod top;

pub(crate) use api::API;
pub(crate) use api::TLS;
pub(crate) use history::HISTORY;
pub(crate) use kind::Kind;
pub(crate) use kind::Syntax;
pub(crate) use kind::one_of;
pub(crate) use net::HTTP;
pub(crate) use net::WEBHOOK;
pub(crate) use pool::POOL;
pub(crate) use pool::SCOPE_KEYS;
pub(crate) use scaling::PRIORITY_RULE;
pub(crate) use scaling::SCHEDULE;
pub(crate) use syntax::VARIABLE;
pub(crate) use telemetry::TELEMETRY;
pub(crate) use top::APP;
pub(crate) use top::CREDENTIALS;
pub(crate) use top::ENGINE;
pub(crate) use top::HOST;
pub(crate) use top::RESERVE;
pub(crate) use top::ROOT;
pub(crate) use top::SECRET;

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// What it means, and why its default is what it is; shown in the manual.
    pub(crate) doc: &'static str,
}

/// What holds where a key is not given.
#[derive(Debug)]
pub(crate) enum Default {
    /// This value, as TOML. It is read like any other, as the lowest layer.
    Value(&'static str),
    /// Nothing, or something that follows from other keys; in words for the manual.
    Words(&'static str),
}

/// The keys of one table, under headings for the manual.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) groups: &'static [Group],
}

/// Keys that belong together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) keys: &'static [Key],
}

impl Section {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.keys)
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// A key whose default is a value.
const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: Default::Value(default), doc }
}

/// A key whose default is nothing, or follows from other keys.
const fn open(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: Default::Words(default), doc }
}

/// Every section and its name, for a key that stands in the wrong one.
pub(crate) const SECTIONS: [(&str, &Section); 11] = [
    ("[github]", &CREDENTIALS),
    ("[engine]", &ENGINE),
    ("[host]", &HOST),
    ("[http]", &HTTP),
    ("[webhook]", &WEBHOOK),
    ("[api]", &API),
    ("[history]", &HISTORY),
    ("[telemetry]", &TELEMETRY),
    ("[pools.NAME]", &POOL),
    ("[[pools.NAME.schedule]]", &SCHEDULE),
    ("[[pools.NAME.priority_rule]]", &PRIORITY_RULE),
];
