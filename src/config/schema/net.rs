//! The keys of `[http]` and `[webhook]`.

use super::Group;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use super::syntax;
use crate::model::Size;

/// `[http]`.
pub(crate) static HTTP: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "listen",
                Kind::Text { syntax: &syntax::LISTEN, empty: false },
                "nothing listens",
                "Where deliveries arrive, such as `\"127.0.0.1:8080\"` behind a reverse proxy that speaks TLS, or \
                 `\"systemd\"` for a socket that systemd holds and passes on (a socket that it passes is used in \
                 either case). Changing it needs a restart.",
            ),
            key(
                "trusted_proxies",
                Kind::Texts(&syntax::CIDR),
                "[]",
                "Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed. The default believes \
                 nobody: whoever may connect could write what he likes there.",
            ),
            key(
                "connections",
                Kind::Count { what: "a number of connections", min: 8, max: 10_000 },
                "256",
                "Connections at the same time. Further ones wait, and one address alone gets a quarter, unless it is a \
                 trusted proxy's. GitHub needs a handful.",
            ),
        ],
    }],
};

/// `[webhook]`.
pub(crate) static WEBHOOK: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "secret",
                Kind::Secret,
                "needed",
                "The secret that signs deliveries, the same as at GitHub. It is read anew by each reload.",
            ),
            open(
                "old_secret",
                Kind::Secret,
                "none",
                "A second secret that is good as well, while the first one is being changed at GitHub.",
            ),
            key(
                "path",
                Kind::Text { syntax: &syntax::PATH, empty: false },
                "\"/webhook\"",
                "The path of the hook's address, as it arrives here.",
            ),
            open(
                "url",
                Kind::Text { syntax: &syntax::HOOK_URL, empty: false },
                "none, lost deliveries are not asked for",
                "The hook's public address, exactly as GitHub shows it (*Payload URL*). With it, deliveries that \
                 failed while ghrunner was away are found at GitHub and asked for again.",
            ),
            key(
                "addresses",
                Kind::Choice(&["any", "github"]),
                "\"any\"",
                "Who may deliver: `\"any\"` address with a good signature, or only the networks that GitHub names for \
                 its hooks (`GET /meta`), which is a second lock and no first one. Behind a proxy it needs \
                 `http.trusted_proxies`.",
            ),
            key(
                "max_body",
                Kind::Size { min: Size(64 * 1024), none: false },
                "\"5MiB\"",
                "The largest delivery that is read. GitHub's own limit is 25 MB, but what is needed here has some \
                 hundred kilobytes at most.",
            ),
            key(
                "rate",
                Kind::Count { what: "a number of requests", min: 1, max: 100_000 },
                "10",
                "Requests a second of one address that may turn out bad, after ten times as many at once; then it is \
                 refused unread. Good ones are not counted.",
            ),
        ],
    }],
};
