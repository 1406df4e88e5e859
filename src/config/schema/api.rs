//! The keys of `[api]`.

use super::Group;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use super::syntax;

/// `[api]`.
pub(crate) static API: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "listen",
                Kind::Text { syntax: &syntax::LISTEN, empty: false },
                "the control socket alone",
                "Where the API is served over TCP, such as `\"127.0.0.1:9184\"`, beside the control socket, or \
                 `\"systemd\"` for a socket that systemd holds and passes on under the name `api` (a socket that it passes is \
                 used in either case). It needs `read` or `operate`. Changing it needs a restart.",
            ),
            open(
                "read_group",
                Kind::Text { syntax: &syntax::HOST_GROUP, empty: false },
                "none",
                "A group of this host whose members may look at the control socket and not steer, beside the socket's own \
                 group, whose members may do both. All users may then connect, and whoever is of neither group is refused. \
                 It goes by what the account lists. Changing it needs a restart.",
            ),
            open(
                "tls",
                Kind::Table(&TLS),
                "none, plain HTTP",
                "Certificate and key, see [TLS](#tls). Without them the API belongs on 127.0.0.1, behind a reverse proxy \
                 that speaks TLS, if it leaves this host at all: credentials can be read on the way.",
            ),
            open(
                "read",
                Kind::Secrets,
                "none",
                "Bearer credentials that may look: a list of [secrets](#secrets). They are read anew by each reload. \
                 Looking includes what runners print.",
            ),
            open(
                "operate",
                Kind::Secrets,
                "none",
                "Bearer credentials that may look and steer: drain, boost, stop, reload, change the mode.",
            ),
            key(
                "cors_origins",
                Kind::Texts(&syntax::ORIGIN),
                "[]",
                "Origins of pages in browsers that may use the API, such as `\"https://ops.example\"`. The default lets no \
                 foreign page in; the daemon's own needs nothing here.",
            ),
            key(
                "connections",
                Kind::Count { what: "a number of connections", min: 8, max: 10_000 },
                "1024",
                "Connections at the same time; further ones wait. One address alone gets a quarter, which is enough for \
                 two hundred browsers behind one proxy that follow events. Changing it needs a restart.",
            ),
        ],
    }],
};

/// `tls = { … }`.
pub(crate) static TLS: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "cert",
                Kind::Text { syntax: &syntax::FILE, empty: false },
                "needed",
                "The certificate with those that lead to its authority (PEM). A changed file is taken within seconds, \
                 without a restart; one that is no good leaves the last good one in use.",
            ),
            open(
                "key",
                Kind::Text { syntax: &syntax::FILE, empty: false },
                "needed",
                "Its private key (PEM), a file that only the service can read.",
            ),
        ],
    }],
};
