//! Who the set-ups were at GitHub, each of them once: `[github]`, and `[credentials.NAME]` for further ones.

use super::place::NoteKind;
use super::place::Notes;
use super::place::Place;
use super::secrets::Secrets;
use super::text;
use super::unit::Auth;
use super::unit::Keyed;
use super::unit::Line;
use super::unit::Source;
use super::unit::Unit;
use super::unit::Value;
use super::unit::line;
use crate::model::Secret;

/// A secret that the new file names, and that has to be put where the service finds it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The file's name, and systemd's name for it.
    pub name: String,
    /// What it is, in words.
    pub what: &'static str,
    /// The secret, where one of the files has it.
    pub secret: Option<Secret>,
    /// Where it stood.
    pub at: Place,
    /// The key behind which it stood.
    pub subject: String,
    /// Where it is to be had, where none of the files has it.
    pub hint: Option<String>,
}

/// One table of who we are.
#[derive(Debug)]
pub(super) struct Account {
    /// None for `[github]`.
    pub(super) name: Option<String>,
    pub(super) lines: Vec<Line>,
    url: Option<String>,
    auth: Auth,
}

/// All tables, and all secrets that they name.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) tables: Vec<Account>,
    pub(super) credentials: Vec<Credential>,
}

const TOKEN: &str = "a token that may administer self-hosted runners";
const KEY: &str = "the GitHub App's private key";
const WEBHOOK: &str = "the webhook's secret, the same as at GitHub";

impl Accounts {
    /// The tables that these set-ups need; those with a token or an App come first, so that one of them is `[github]`.
    pub(super) fn of(units: &[Unit], secrets: &Secrets, notes: &mut Notes) -> Self {
        let mut accounts = Self::default();
        let known = |unit: &&Unit| !matches!(unit.auth, Auth::Nobody);
        for unit in units.iter().filter(known).chain(units.iter().filter(|unit| !known(unit))) {
            accounts.add(unit, secrets);
        }
        for unit in units {
            let at = accounts.index(unit);
            if let Some(account) = accounts.tables.get_mut(at) {
                merge(&unit.github, &mut account.lines, notes);
            }
        }
        accounts
    }

    /// Which table a set-up's pool uses.
    pub(super) fn index(&self, unit: &Unit) -> usize {
        let same = |account: &&Account| account.url == unit.url && is_same(&account.auth, &unit.auth);
        let fits = self.tables.iter().position(|account| same(&account));
        // Whoever had none that lasts takes that of its neighbour.
        let neighbour = || self.tables.iter().position(|account| account.url == unit.url);
        fits.or_else(|| neighbour().filter(|_| matches!(unit.auth, Auth::Nobody)))
            .unwrap_or(self.tables.len())
    }

    fn add(&mut self, unit: &Unit, secrets: &Secrets) {
        if self.index(unit) < self.tables.len() {
            return;
        }
        let name = (!self.tables.is_empty()).then(|| {
            let taken =
                |name: &str| name == "default" || self.tables.iter().any(|t| t.name.as_deref() == Some(name));
            let wish = if secrets.stand_in(&unit.name) { "other".to_owned() } else { text::slug(&unit.name) };
            free(&wish, taken)
        });
        let mut lines = Vec::new();
        if let Some(url) = &unit.url {
            lines.push(line("url", Value::text(url), &unit.at, "", ""));
        }
        let prefix = name.as_ref().map_or("github".to_owned(), |name| format!("github-{name}"));
        lines.push(match &unit.auth {
            Auth::Token(keyed) => self.secret("token", &format!("{prefix}-token"), TOKEN, keyed),
            Auth::App { id, installation, key } => {
                let private = self.secret("app", &format!("{prefix}-app-key"), KEY, key);
                let id = match id.parse() {
                    Ok(number) => Value::Count(number),
                    Err(_) => Value::text(id),
                };
                let mut app = vec![("id".to_owned(), id)];
                app.extend(installation.map(|number| ("installation_id".to_owned(), Value::Count(number))));
                app.push(("private_key".to_owned(), private.value));
                Line { value: Value::Table(app), ..private }
            }
            Auth::Nobody => {
                let hint = "none of the files has one that lasts: make one at GitHub, as docs/getting-started.md says";
                let source = Source::Elsewhere(hint.to_owned());
                let keyed = Keyed { source, at: unit.at.clone(), subject: String::new() };
                self.secret("token", &format!("{prefix}-token"), TOKEN, &keyed)
            }
        });
        self.tables.push(Account { name, lines, url: unit.url.clone(), auth: unit.auth.clone() });
    }

    /// The line that says where a secret is; a secret to be put there is remembered.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        name: &str,
        what: &'static str,
        keyed: &Keyed,
    ) -> Line {
        let (secret, hint) = match &keyed.source {
            Source::File(path) => {
                let file = Value::Table(vec![("file".to_owned(), Value::text(path))]);
                return line(
                    key,
                    file,
                    &keyed.at,
                    &keyed.subject,
                    "the service must be able to read it, and nobody else",
                );
            }
            Source::Here(secret) => (Some(secret.clone()), None),
            Source::Elsewhere(hint) => (None, Some(hint.clone())),
        };
        self.credentials.push(Credential {
            name: name.to_owned(),
            what,
            secret,
            at: keyed.at.clone(),
            subject: keyed.subject.clone(),
            hint,
        });
        line(key, Value::credential(name), &keyed.at, &keyed.subject, "")
    }

    /// The webhook's secret.
    pub(super) fn webhook(&mut self, keyed: &Keyed) -> Line {
        self.secret("secret", "webhook-secret", WEBHOOK, keyed)
    }
}

/// The name, or the first free one with a number behind it.
pub(super) fn free(wish: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{wish}-{number}"));
    std::iter::once(wish.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn is_same(one: &Auth, other: &Auth) -> bool {
    match (one, other) {
        (Auth::Token(one), Auth::Token(other)) => one.source == other.source,
        (Auth::App { id, key, .. }, Auth::App { id: other_id, key: other_key, .. }) => {
            id == other_id && key.source == other_key.source
        }
        (Auth::Nobody, Auth::Nobody) => true,
        _ => false,
    }
}

/// Adds lines whose keys are not there yet; of two that differ the first holds.
pub(super) fn merge(from: &[Line], into: &mut Vec<Line>, notes: &mut Notes) {
    for line in from {
        match into.iter().find(|there| there.key == line.key) {
            None => into.push(line.clone()),
            Some(there) if there.value != line.value => {
                let text = format!(
                    "{} is there once, and {} in {} holds",
                    line.key,
                    there.subject,
                    there.at.brief()
                );
                notes.push(NoteKind::NotCarried, &line.at, &line.subject, text);
            }
            Some(_) => {}
        }
    }
}
