//! Rules for `[github]` and `[credentials.NAME]`.

use super::super::build::CredentialsDraft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::super::schema::syntax::is_loopback;
use super::super::tree::Entry;
use crate::model::CredentialName;

pub(super) fn check(draft: &CredentialsDraft<'_>, sink: &mut Sink) {
    let fields = &draft.fields;
    reserved_name(draft, sink);
    who(fields, sink);
    if let Some(app) = fields.written("app") {
        app_is_complete(app, sink);
    }
    plain_http(fields, sink);
    secret_in_environment(fields.written("token"), sink);
    let app = fields.table("app");
    secret_in_environment(app.and_then(|app| app.get("private_key")), sink);
    password_in_proxy(fields, sink);
}

/// `[credentials.default]` would be a second `[github]`.
fn reserved_name(draft: &CredentialsDraft<'_>, sink: &mut Sink) {
    let at = draft.fields.at;
    if draft.name == CredentialName::default_name() && draft.is_named {
        sink.push(
            Diagnostic::error("the name \"default\" means [github]")
                .at(at)
                .help("move these keys to [github], or choose another name"),
        );
    }
}

fn who(fields: &Fields<'_>, sink: &mut Sink) {
    match (fields.written("token"), fields.written("app")) {
        (Some(token), Some(app)) => sink.push(
            Diagnostic::error("give a token or an app, not both")
                .at_with(app.key, "one too many")
                .at_with(token.key, "the other")
                .help("remove one; an app has the higher API limits"),
        ),
        (None, None) => sink.push(
            Diagnostic::error("neither a token nor an app is given: GitHub would not know who we are")
                .at(fields.at)
                .help("add token = { credential = \"github-token\" }, or app = { id = …, private_key = … }"),
        ),
        _ => {}
    }
}

fn app_is_complete(app: &Entry, sink: &mut Sink) {
    let Some(table) = app.table() else { return };
    for (key, example) in
        [("id", "id = 12345"), ("private_key", "private_key = { credential = \"github-app-key\" }")]
    {
        if !table.contains_key(key) {
            sink.push(
                Diagnostic::error(format!("the app's {key} is missing"))
                    .at(app.key)
                    .help(format!("add {example}")),
            );
        }
    }
}

fn plain_http(fields: &Fields<'_>, sink: &mut Sink) {
    for key in ["url", "api_url"] {
        if fields.text(key).is_some_and(|url| url.starts_with("http://") && !is_loopback(url)) {
            sink.push(
                Diagnostic::warning(format!("{key}: the token would travel unencrypted"))
                    .at(fields.place(key))
                    .help("use https://; a private certificate authority goes to ca_file"),
            );
        }
    }
}

pub(super) fn secret_in_environment(secret: Option<&Entry>, sink: &mut Sink) {
    if let Some(env) = secret.and_then(Entry::table).and_then(|table| table.get("env")) {
        sink.push(
            Diagnostic::warning(
                "a secret in an environment variable shows in /proc and to every child process",
            )
            .at(env.at())
            .help("use { credential = \"NAME\" } with LoadCredential=NAME:/path in a drop-in of the unit"),
        );
    }
}

/// Also for a pool's proxy, which every job sees.
pub(super) fn password_in_proxy(fields: &Fields<'_>, sink: &mut Sink) {
    let authority = fields.text("proxy").and_then(|url| url.split("://").nth(1)?.split('/').next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        sink.push(
            Diagnostic::warning("proxy: a password in this file is seen by all who may read it")
                .at(fields.place("proxy"))
                .help("let the proxy admit this host by its address"),
        );
    }
}
