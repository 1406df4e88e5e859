//! The keys of all tables but a pool's.

use std::time::Duration;

use super::API;
use super::Group;
use super::HISTORY;
use super::HTTP;
use super::Kind;
use super::POOL;
use super::SCOPE_KEYS;
use super::Section;
use super::TELEMETRY;
use super::WEBHOOK;
use super::key;
use super::open;
use super::syntax;
use crate::model::Size;

const DAY: u64 = 24 * 60 * 60;

/// The file's top.
pub(crate) static ROOT: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open("github", Kind::Table(&CREDENTIALS), "", "Where GitHub is and who we are there."),
            open(
                "credentials",
                Kind::Named(&syntax::CREDENTIALS_NAME, &CREDENTIALS),
                "",
                "Further ones, by name.",
            ),
            open("engine", Kind::Table(&ENGINE), "", "The container engine."),
            open("host", Kind::Table(&HOST), "", "What all pools together may take."),
            open(
                "http",
                Kind::Table(&HTTP),
                "",
                "What listens on the network; nothing does unless it is said here.",
            ),
            open(
                "webhook",
                Kind::Table(&WEBHOOK),
                "",
                "Deliveries of GitHub's webhooks, for pools with `demand = \"webhook\"`.",
            ),
            open("history", Kind::Table(&HISTORY), "", "What is kept of what was."),
            open(
                "telemetry",
                Kind::Table(&TELEMETRY),
                "",
                "Traces for OpenTelemetry; off unless it is said here.",
            ),
            open(
                "api",
                Kind::Table(&API),
                "",
                "The API over TCP, beside the control socket; it is off unless it is said here.",
            ),
            open(
                "defaults",
                Kind::TableWithout(&POOL, &SCOPE_KEYS),
                "",
                "Any key of a pool but its scope; a pool overrides it.",
            ),
            open("pools", Kind::Named(&syntax::POOL_NAME, &POOL), "", "The pools, by name."),
        ],
    }],
};

/// `[github]` and `[credentials.NAME]`.
pub(crate) static CREDENTIALS: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            key(
                "url",
                Kind::Text { syntax: &syntax::GITHUB_URL, empty: false },
                "\"https://github.com\"",
                "GitHub's address: `https://github.com`, `https://SUB.ghe.com`, or your Enterprise Server. \
                 The default is where most are.",
            ),
            open(
                "api_url",
                Kind::Text { syntax: &syntax::API_URL, empty: false },
                "follows from `url`",
                "The REST API's root, where it is not the one that GitHub's address implies \
                 (`https://api.github.com`, `https://api.SUB.ghe.com`, `https://HOST/api/v3`).",
            ),
            open(
                "token",
                Kind::Secret,
                "`token` or `app` is needed",
                "A personal access token. It needs to administer self-hosted runners: for organizations \
                 `admin:org` (classic) or *Self-hosted runners: write* (fine-grained), for repositories `repo` \
                 or *Administration: write*.",
            ),
            open(
                "app",
                Kind::Table(&APP),
                "`token` or `app` is needed",
                "A GitHub App in place of a token, see [app](#app). It has higher API limits and belongs to no person.",
            ),
            open(
                "ca_file",
                Kind::Text { syntax: &syntax::FILE, empty: false },
                "the system's certificates alone",
                "Certificates (PEM) to trust beside the system's, for an Enterprise Server with a private authority.",
            ),
            open(
                "proxy",
                Kind::Text { syntax: &syntax::PROXY, empty: false },
                "none",
                "Proxy for the service's own requests to GitHub. What runners use is a pool's `proxy`.",
            ),
            key(
                "poll_interval",
                Kind::Duration {
                    min: Duration::from_secs(5),
                    max: Duration::from_secs(60 * 60),
                    none: false,
                },
                "\"15s\"",
                "How often pools with `demand = \"poll\"` read the queue of a repository that was active within the hour: \
                 half as often again while jobs wait or run, and down to a quarter as often after hours of quiet. Many \
                 repositories, or a budget that runs short, make it longer: polling never takes more than a fifth of the \
                 requests that are left. Unchanged answers cost nothing of them.",
            ),
        ],
    }],
};

/// `app = { … }`.
pub(crate) static APP: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open("id", Kind::AppId, "needed", "The App's id or client id, as its settings page shows it."),
            open(
                "installation_id",
                Kind::Count { what: "an installation's number such as 1234567", min: 1, max: i64::MAX },
                "found by the pool's owner",
                "The number at the end of the installation's address.",
            ),
            open("private_key", Kind::Secret, "needed", "The App's private key, PEM."),
        ],
    }],
};

/// A secret's three ways.
pub(crate) static SECRET: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "credential",
                Kind::Text { syntax: &syntax::SYSTEMD_CREDENTIAL, empty: false },
                "none",
                "A systemd credential's name. The best way: no other process sees it. The package's unit hands on \
                 `/etc/ghrunner/credentials/NAME` for the names `github-token`, `github-app-key`, `webhook-secret`, \
                 `webhook-secret-old`, `registry-auth`, `api-read` and `api-operate`; another one needs `LoadCredential=NAME:/path` in a drop-in of \
                 the unit. A changed one needs a restart of the service.",
            ),
            open(
                "file",
                Kind::Text { syntax: &syntax::FILE, empty: false },
                "none",
                "A file that the service can read.",
            ),
            open(
                "env",
                Kind::Text { syntax: &syntax::VARIABLE, empty: false },
                "none",
                "An environment variable of the service. The weakest way: it shows in `/proc`.",
            ),
        ],
    }],
};

/// `[engine]`.
pub(crate) static ENGINE: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            key(
                "endpoint",
                Kind::Text { syntax: &syntax::ENDPOINT, empty: false },
                "\"unix:///run/docker.sock\"",
                "The engine's socket. The default is where Docker's own packages put it.",
            ),
            open(
                "registry_auth",
                Kind::Table(&REGISTRY_AUTH),
                "none, images are pulled without login",
                "A docker `config.json` with the logins of private registries: `{ credential = \"NAME\" }` or \
                 `{ file = \"/PATH\" }`.",
            ),
            key(
                "concurrency",
                Kind::Count { what: "a number of runners", min: 1, max: 64 },
                "8",
                "How many runners are made or taken away at the same time. Engines do their best at 4 to 10; \
                 beyond that they only queue.",
            ),
        ],
    }],
};

/// `registry_auth = { … }`.
pub(crate) static REGISTRY_AUTH: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "credential",
                Kind::Text { syntax: &syntax::SYSTEMD_CREDENTIAL, empty: false },
                "none",
                "A systemd credential's name.",
            ),
            open("file", Kind::Text { syntax: &syntax::FILE, empty: false }, "none", "A file."),
        ],
    }],
};

/// `[host]`.
pub(crate) static HOST: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "name",
                Kind::Text { syntax: &syntax::INSTANCE, empty: false },
                "from the machine's id",
                "A short name that tells this installation's runners from another's, 2 to 8 lower-case letters and \
                 digits. It is part of every runner's name at GitHub. Changing it needs a restart, and leaves the old \
                 name's runners behind.",
            ),
            key(
                "max_runners",
                Kind::Count { what: "a number of runners", min: 1, max: 100_000 },
                "20",
                "Runners of all pools together, those on their way out included. 20 is what a usual server carries; \
                 raise it with `reserve` in mind.",
            ),
            open(
                "reserve",
                Kind::Table(&RESERVE),
                "`disk = \"5GiB\"`",
                "What runners must leave alone, see [reserve](#reserve).",
            ),
            key(
                "keep_logs",
                Kind::Duration { min: Duration::ZERO, max: Duration::from_secs(3650 * DAY), none: false },
                "\"14d\"",
                "How long saved runner logs are kept. Two weeks outlast a holiday.",
            ),
            key(
                "keep_images",
                Kind::Duration { min: Duration::ZERO, max: Duration::from_secs(3650 * DAY), none: false },
                "\"7d\"",
                "How long an image that ghrunner pulled and that no pool names any more is kept, so that going back is cheap.",
            ),
        ],
    }],
};

/// `reserve = { … }`.
pub(crate) static RESERVE: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "cpus",
                Kind::Cores,
                "none, processors are not budgeted",
                "Processors that the runners' limits together leave alone. Given, no runner starts that would break it.",
            ),
            open(
                "memory",
                Kind::Size { min: Size(0), none: false },
                "none, memory is not budgeted",
                "Memory that the runners' limits together leave alone. Given, no runner starts that would break it.",
            ),
            key(
                "disk",
                Kind::Size { min: Size(0), none: false },
                "\"5GiB\"",
                "Space that must be free where the engine keeps containers, or nothing is started. 5GiB is about one \
                 checkout with its build: a full disk breaks every job at once.",
            ),
        ],
    }],
};
