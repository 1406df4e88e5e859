//! `[github]` and `[credentials.NAME]`.

use std::path::PathBuf;

use super::super::AuthSource;
use super::super::Credentials;
use super::super::SecretSource;
use super::super::fields::EMPTY;
use super::super::fields::Fields;
use super::super::tree::Table;
use super::super::tree::Value;
use crate::model::CredentialName;

/// One set of credentials, if it says who we are.
pub(super) fn credentials(name: &CredentialName, fields: &Fields<'_>) -> Option<Credentials> {
    Some(Credentials {
        name: name.clone(),
        url: fields.text("url")?.trim_end_matches('/').to_owned(),
        api_url: fields.text("api_url").map(|url| url.trim_end_matches('/').to_owned()),
        auth: auth(fields)?,
        ca_file: fields.text("ca_file").map(PathBuf::from),
        proxy: fields.optional_text("proxy"),
        poll_interval: fields.duration("poll_interval")?,
    })
}

fn auth(fields: &Fields<'_>) -> Option<AuthSource> {
    if let Some(token) = fields.table("token") {
        return secret(token).map(AuthSource::Token);
    }
    let own = fields.table("app")?;
    let app = Fields::new(fields.place("app"), own, None, &EMPTY);
    let id = match &own.get("id")?.node.value {
        Value::Text(text) => text.trim().to_owned(),
        Value::Integer(number) => (*number)?.to_string(),
        _ => return None,
    };
    let installation_id = app.integer("installation_id").and_then(|n| u64::try_from(n).ok());
    Some(AuthSource::App { id, installation_id, private_key: secret(app.table("private_key")?)? })
}

/// Where a secret is.
pub(crate) fn secret(table: &Table) -> Option<SecretSource> {
    let text = |key: &str| match &table.get(key)?.node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    text("credential")
        .map(SecretSource::Credential)
        .or_else(|| text("file").map(|path| SecretSource::File(PathBuf::from(path))))
        .or_else(|| text("env").map(SecretSource::Env))
}
