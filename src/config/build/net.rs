//! `[http]` and `[webhook]`.

use super::super::HttpSettings;
use super::super::Listen;
use super::super::WebhookSettings;
use super::super::fields::Fields;
use super::super::schema::syntax::PASSED;
use super::secret;

/// What listens, if anything does.
pub(super) fn http(fields: &Fields<'_>) -> Option<HttpSettings> {
    Some(HttpSettings {
        listen: match fields.text("listen")? {
            PASSED => Listen::Passed,
            address => Listen::Address(address.parse().ok()?),
        },
        trusted_proxies: fields.strings("trusted_proxies"),
        connections: fields.count("connections")?,
    })
}

/// What is done with deliveries; none where no secret is named, which the rules do not let pass.
pub(super) fn webhook(fields: &Fields<'_>) -> Option<WebhookSettings> {
    Some(WebhookSettings {
        secret: fields.table("secret").and_then(secret)?,
        old_secret: fields.table("old_secret").and_then(secret),
        path: fields.text("path")?.to_owned(),
        url: fields.text("url").map(str::to_owned),
        only_github: fields.text("addresses")? == "github",
        max_body: fields.size("max_body")?,
        rate: fields.count("rate")?,
    })
}
