//! Rules for `[api]`.

use std::net::SocketAddr;

use super::super::build::Draft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;

pub(super) fn check(draft: &Draft<'_>, sink: &mut Sink) {
    let api = &draft.api;
    no_transport_security(api, sink);
    tls_is_complete(api, sink);
    let credentials: Vec<_> = ["read", "operate"].iter().flat_map(|key| api.tables_of(key)).collect();
    for (at, table) in &credentials {
        if table.contains_key("env") {
            sink.push(
                Diagnostic::warning(
                    "a secret in an environment variable shows in /proc and to every child process",
                )
                .at(*at)
                .help(
                    "use { credential = \"NAME\" } with LoadCredential=NAME:/path in a drop-in of the unit",
                ),
            );
        }
    }
    let listens = api.written("listen").is_some();
    if listens && credentials.is_empty() {
        sink.push(
            Diagnostic::error("the API has no credentials: nobody could use it")
                .at(api.place("listen"))
                .help("add read = [{ credential = \"api-read\" }] or operate = [{ credential = \"api-operate\" }]"),
        );
    }
    if !listens && !credentials.is_empty() {
        sink.push(
            Diagnostic::warning("credentials of the API are of no use: it does not listen")
                .at(api.at)
                .help("add listen = \"127.0.0.1:9184\""),
        );
    }
}

/// Whoever reads a credential on the way has it.
fn no_transport_security(api: &Fields<'_>, sink: &mut Sink) {
    let Some(listen) = api.text("listen") else { return };
    let open = listen.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
    if open && api.written("tls").is_none() {
        sink.push(
            Diagnostic::warning(format!(
                "{listen} is open to the network without TLS: credentials can be read on the way"
            ))
            .at(api.place("listen"))
            .help("add tls = { cert = \"/PATH\", key = \"/PATH\" }, or listen on 127.0.0.1 behind a proxy that speaks TLS"),
        );
    }
}

fn tls_is_complete(api: &Fields<'_>, sink: &mut Sink) {
    let Some(table) = api.table("tls") else { return };
    for key in ["cert", "key"] {
        if !table.contains_key(key) {
            sink.push(
                Diagnostic::error(format!("tls needs {key}"))
                    .at(api.place("tls"))
                    .help("write tls = { cert = \"/PATH\", key = \"/PATH\" }"),
            );
        }
    }
}
