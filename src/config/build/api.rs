//! `[api]`.

use super::super::ApiSettings;
use super::super::Listen;
use super::super::SecretSource;
use super::super::TlsFiles;
use super::super::fields::EMPTY;
use super::super::fields::Fields;
use super::super::schema::syntax::PASSED;
use super::secret;

/// What is served over TCP, if anything is.
pub(super) fn api(fields: &Fields<'_>) -> Option<ApiSettings> {
    Some(ApiSettings {
        listen: match fields.text("listen")? {
            PASSED => Listen::Passed,
            address => Listen::Address(address.parse().ok()?),
        },
        tls: fields.table("tls").and_then(|own| {
            let files = Fields::new(fields.place("tls"), own, None, &EMPTY);
            Some(TlsFiles { cert: files.text("cert")?.into(), key: files.text("key")?.into() })
        }),
        read: secrets(fields, "read"),
        operate: secrets(fields, "operate"),
        cors_origins: fields.strings("cors_origins"),
        connections: fields.count("connections")?,
    })
}

fn secrets(fields: &Fields<'_>, key: &str) -> Vec<SecretSource> {
    fields.tables_of(key).into_iter().filter_map(|(_, table)| secret(table)).collect()
}
