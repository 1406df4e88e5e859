//! From the merged tree to a [`Config`]: every value read, every default filled in.
//!
//! **Knows** which key becomes which field.
//! **Does not know** whether the values go together: that is for the rules, and a draft that breaks one is thrown away.

mod api;
mod github;
mod history;
mod host;
mod net;
mod pool;
mod scaling;
mod spec;
mod telemetry;

use std::collections::BTreeMap;

use super::Config;
use super::Credentials;
use super::fields::API_DEFAULTS;
use super::fields::CREDENTIALS_DEFAULTS;
use super::fields::EMPTY;
use super::fields::ENGINE_DEFAULTS;
use super::fields::Fields;
use super::fields::HISTORY_DEFAULTS;
use super::fields::HOST_DEFAULTS;
use super::fields::HTTP_DEFAULTS;
use super::fields::POOL_DEFAULTS;
use super::fields::TELEMETRY_DEFAULTS;
use super::fields::WEBHOOK_DEFAULTS;
use super::source::Origin;
use super::tree::Table;
use crate::model::CredentialName;
use crate::model::Pool;
use crate::model::PoolName;

pub(crate) use github::secret;
pub(crate) use scaling::rules;
pub(crate) use scaling::schedules;

/// The configuration as far as it could be read, with the places that the rules point at.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) credentials: Vec<CredentialsDraft<'a>>,
    pub(crate) engine: Fields<'a>,
    pub(crate) host: Fields<'a>,
    pub(crate) http: Fields<'a>,
    pub(crate) api: Fields<'a>,
    /// None where the file has no such table.
    pub(crate) webhook: Option<Fields<'a>>,
    pub(crate) history: Fields<'a>,
    pub(crate) telemetry: Fields<'a>,
    pub(crate) pools: Vec<PoolDraft<'a>>,
}

/// One set of credentials.
#[derive(Debug)]
pub(crate) struct CredentialsDraft<'a> {
    pub(crate) name: CredentialName,
    /// Whether it is a `[credentials.NAME]`, not `[github]`.
    pub(crate) is_named: bool,
    pub(crate) fields: Fields<'a>,
    /// None where it cannot be made.
    pub(crate) made: Option<Credentials>,
}

/// One pool.
#[derive(Debug)]
pub(crate) struct PoolDraft<'a> {
    pub(crate) name: &'a str,
    pub(crate) fields: Fields<'a>,
    /// None where it cannot be made.
    pub(crate) made: Option<Pool>,
}

/// Reads all there is to read.
pub(crate) fn draft(root: &Table) -> Draft<'_> {
    let defaults = table(root, "defaults").map(|(_, table)| table);
    let part = |name: &str, built_in: &'static Table| {
        let (at, own) = table(root, name).unwrap_or((nowhere(), &EMPTY));
        Fields::new(at, own, None, built_in)
    };
    Draft {
        credentials: credentials(root),
        engine: part("engine", &ENGINE_DEFAULTS),
        host: part("host", &HOST_DEFAULTS),
        http: part("http", &HTTP_DEFAULTS),
        api: part("api", &API_DEFAULTS),
        webhook: table(root, "webhook").map(|(at, own)| Fields::new(at, own, None, &WEBHOOK_DEFAULTS)),
        history: part("history", &HISTORY_DEFAULTS),
        telemetry: part("telemetry", &TELEMETRY_DEFAULTS),
        pools: tables(root, "pools")
            .map(|(name, at, own)| {
                let fields = Fields::new(at, own, defaults, &POOL_DEFAULTS);
                PoolDraft { name, fields, made: pool::pool(name, &fields) }
            })
            .collect(),
    }
}

impl Draft<'_> {
    /// The configuration, if nothing that it needs is missing.
    pub(crate) fn config(&self) -> Option<Config> {
        let credentials = self.credentials.iter().map(|c| Some((c.name.clone(), c.made.clone()?)));
        let pools = self.pools.iter().map(|p| p.made.clone().map(|made| (made.name.clone(), made)));
        Some(Config {
            credentials: credentials.collect::<Option<BTreeMap<CredentialName, Credentials>>>()?,
            engine: host::engine(&self.engine)?,
            host: host::host(&self.host)?,
            http: net::http(&self.http),
            api: api::api(&self.api),
            read_group: self.api.text("read_group").map(str::to_owned),
            webhook: self.webhook.as_ref().and_then(net::webhook),
            history: history::history(&self.history)?,
            telemetry: telemetry::telemetry(&self.telemetry),
            pools: pools.collect::<Option<BTreeMap<PoolName, Pool>>>()?,
        })
    }
}

fn credentials(root: &Table) -> Vec<CredentialsDraft<'_>> {
    let one = |name: CredentialName, is_named, at, own| {
        let fields = Fields::new(at, own, None, &CREDENTIALS_DEFAULTS);
        let made = github::credentials(&name, &fields);
        CredentialsDraft { name, is_named, fields, made }
    };
    let github = table(root, "github").map(|(at, own)| one(CredentialName::default_name(), false, at, own));
    let others =
        tables(root, "credentials").map(|(name, at, own)| one(CredentialName::new(name), true, at, own));
    github.into_iter().chain(others).collect()
}

/// A table of the file's top, and where it is named.
fn table<'a>(root: &'a Table, name: &str) -> Option<(Origin, &'a Table)> {
    let entry = root.get(name)?;
    Some((entry.at(), entry.table()?))
}

/// The tables in a table of the file's top.
fn tables<'a>(root: &'a Table, name: &str) -> impl Iterator<Item = (&'a str, Origin, &'a Table)> {
    let entries = table(root, name).map(|(_, table)| table).into_iter().flatten();
    entries.filter_map(|(name, entry)| Some((name.as_str(), entry.at(), entry.table()?)))
}

/// A place that is in no file.
fn nowhere() -> Origin {
    Origin { file: Origin::BUILT_IN, start: 0, end: 0 }
}
