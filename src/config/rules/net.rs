//! Rules for `[http]` and `[webhook]`, and for the pools that need them.

use std::net::SocketAddr;

use super::super::build::Draft;
use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::Sink;
use super::super::fields::Fields;
use super::github::secret_in_environment;
use crate::model::Demand;

pub(super) fn check(draft: &Draft<'_>, sink: &mut Sink) {
    no_transport_security(&draft.http, sink);
    if let Some(webhook) = &draft.webhook {
        for key in ["secret", "old_secret"] {
            secret_in_environment(webhook.written(key), sink);
        }
        no_secret(webhook, sink);
        nothing_listens(draft, webhook, sink);
        proxy_hides_addresses(draft, webhook, sink);
    }
    for pool in &draft.pools {
        if pool.made.as_ref().is_some_and(|pool| pool.demand == Demand::Webhook) {
            served(draft, &pool.fields, sink);
        }
    }
}

/// Signatures keep deliveries from being made up, not from being read.
fn no_transport_security(http: &Fields<'_>, sink: &mut Sink) {
    let Some(listen) = http.text("listen") else { return };
    if listen.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback()) {
        sink.push(
            Diagnostic::warning(format!(
                "{listen} is open to the network without TLS: deliveries can be read on the way"
            ))
            .at(http.place("listen"))
            .help("listen on 127.0.0.1, behind a reverse proxy that speaks TLS; docs/webhooks.md shows one"),
        );
    }
}

fn no_secret(webhook: &Fields<'_>, sink: &mut Sink) {
    if webhook.written("secret").is_none() {
        sink.push(
            Diagnostic::error(
                "the webhook's secret is missing: nobody could tell GitHub's deliveries from others",
            )
            .at(webhook.at)
            .help("add secret = { credential = \"webhook-secret\" }, and give GitHub the same secret"),
        );
    }
}

fn nothing_listens(draft: &Draft<'_>, webhook: &Fields<'_>, sink: &mut Sink) {
    if draft.http.written("listen").is_none() {
        sink.push(
            Diagnostic::warning("deliveries cannot arrive: nothing listens")
                .at(webhook.at)
                .help("add [http] with listen = \"127.0.0.1:8080\", behind a reverse proxy that speaks TLS"),
        );
    }
}

/// Behind a proxy every delivery comes from the proxy.
fn proxy_hides_addresses(draft: &Draft<'_>, webhook: &Fields<'_>, sink: &mut Sink) {
    let behind = draft.http.text("listen").and_then(|listen| listen.parse::<SocketAddr>().ok());
    let behind = behind.is_some_and(|address| address.ip().is_loopback());
    let nobody_trusted = draft.http.texts("trusted_proxies").is_some_and(|proxies| proxies.is_empty());
    if webhook.text("addresses") == Some("github") && behind && nobody_trusted {
        sink.push(
            Diagnostic::error(
                "addresses = \"github\" refuses every delivery: they all come from the proxy on this host",
            )
            .at(webhook.place("addresses"))
            .help("add trusted_proxies = [\"127.0.0.1\"] to [http], so that X-Forwarded-For counts"),
        );
    }
}

/// A pool that waits for deliveries which can never come would never get a runner.
fn served(draft: &Draft<'_>, pool: &Fields<'_>, sink: &mut Sink) {
    if draft.webhook.is_none() {
        sink.push(
            Diagnostic::error("demand = \"webhook\" needs a [webhook] table with the hook's secret")
                .at(pool.place("demand"))
                .help("add [webhook] with secret = { credential = \"webhook-secret\" }, and [http] with listen = \"127.0.0.1:8080\""),
        );
    } else if draft.http.written("listen").is_none() {
        sink.push(
            Diagnostic::error("demand = \"webhook\" needs a place where deliveries arrive")
                .at(pool.place("demand"))
                .help("add [http] with listen = \"127.0.0.1:8080\", behind a reverse proxy that speaks TLS"),
        );
    }
}
