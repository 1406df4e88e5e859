//! The keys of `[telemetry]`.

use std::time::Duration;

use super::Group;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use super::syntax;

/// `[telemetry]`.
pub(crate) static TELEMETRY: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "endpoint",
                Kind::Text { syntax: &syntax::COLLECTOR_URL, empty: false },
                "none, nothing is exported",
                "Where a collector takes OTLP over HTTP, such as `\"http://127.0.0.1:4318\"`. Traces are sent to \
                 `/v1/traces` below it. Everything here takes effect with a reload.",
            ),
            open(
                "headers",
                Kind::SecretsByName(&syntax::HEADER),
                "none",
                "What is sent with each request, by the header's name; each value is a [secret](#secrets), such as \
                 `headers = { authorization = { credential = \"otlp-authorization\" } }`. They are read anew by each \
                 reload.",
            ),
            open(
                "ca_file",
                Kind::Text { syntax: &syntax::FILE, empty: false },
                "the system's certificates alone",
                "Certificates (PEM) to trust beside the system's, for a collector with a private authority.",
            ),
            key(
                "service_name",
                Kind::Text { syntax: &syntax::SERVICE_NAME, empty: false },
                "\"ghrunner\"",
                "The `service.name` of all that is exported. The installation is told apart by `service.instance.id`.",
            ),
            key(
                "sample",
                Kind::Factor { min: 0.0, max: 1.0 },
                "1.0",
                "Which part of the traces is exported. A trace is exported whole or not at all. The default is all: a busy \
                 host has some traces a second.",
            ),
            key(
                "timeout",
                Kind::Duration { min: Duration::from_secs(1), max: Duration::from_secs(60), none: false },
                "\"10s\"",
                "How long the collector may take to answer. The default is OpenTelemetry's. The fleet never waits for it.",
            ),
        ],
    }],
};
