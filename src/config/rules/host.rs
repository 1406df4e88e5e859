//! Rules for `[engine]` and `[host]`.

use super::super::build::Draft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;

pub(super) fn check(draft: &Draft<'_>, sink: &mut Sink) {
    registry_auth(draft, sink);
}

fn registry_auth(draft: &Draft<'_>, sink: &mut Sink) {
    let Some(entry) = draft.engine.written("registry_auth") else { return };
    let Some(table) = entry.table() else { return };
    match (table.get("credential"), table.get("file")) {
        (Some(credential), Some(file)) => sink.push(
            Diagnostic::error("registry_auth can be in one place only: credential or file")
                .at_with(file.key, "one too many")
                .at_with(credential.key, "the other"),
        ),
        (None, None) => sink.push(
            Diagnostic::error("registry_auth: neither a credential nor a file is given")
                .at(entry.key)
                .help("write registry_auth = { credential = \"registry-auth\" }, or remove it"),
        ),
        _ => {}
    }
}
