//! Rules for `[telemetry]`.

use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::super::schema::syntax::is_loopback;
use super::github::secret_in_environment;

pub(super) fn check(telemetry: &Fields<'_>, sink: &mut Sink) {
    let headers = telemetry.table("headers");
    for entry in headers.into_iter().flatten().map(|(_, entry)| entry) {
        secret_in_environment(Some(entry), sink);
    }
    let Some(endpoint) = telemetry.text("endpoint") else {
        let others = ["headers", "ca_file", "service_name", "sample", "timeout"];
        if let Some(entry) = others.iter().find_map(|key| telemetry.written(key)) {
            sink.push(
                Diagnostic::warning("[telemetry] exports nothing: it has no endpoint")
                    .at(entry.key)
                    .help("add endpoint = \"http://127.0.0.1:4318\", or remove the table"),
            );
        }
        return;
    };
    if endpoint.split("://").nth(1).is_some_and(|rest| rest.split('/').next().unwrap_or(rest).contains('@')) {
        sink.push(
            Diagnostic::error(
                "endpoint: user and password do not belong in an address that everybody may read",
            )
            .at(telemetry.place("endpoint"))
            .help("add headers = { authorization = { credential = \"otlp-authorization\" } }"),
        );
    }
    let open = endpoint.starts_with("http://") && !is_loopback(endpoint);
    if open && headers.is_some_and(|headers| !headers.is_empty()) {
        sink.push(
            Diagnostic::warning("endpoint: the secrets in headers would travel unencrypted")
                .at(telemetry.place("endpoint"))
                .help("use https://, with ca_file for a private authority, or a collector on this host"),
        );
    }
}
