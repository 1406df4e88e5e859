//! The manual's reference of every key, written from the schema so that it cannot lie.

use std::fmt::Write;

use super::schema::API;
use super::schema::APP;
use super::schema::CREDENTIALS;
use super::schema::Default;
use super::schema::ENGINE;
use super::schema::HISTORY;
use super::schema::HOST;
use super::schema::HTTP;
use super::schema::Key;
use super::schema::POOL;
use super::schema::PRIORITY_RULE;
use super::schema::RESERVE;
use super::schema::SCHEDULE;
use super::schema::SECRET;
use super::schema::Section;
use super::schema::TELEMETRY;
use super::schema::TLS;
use super::schema::WEBHOOK;

/// What stands before the keys.
const HEAD: &str = include_str!("reference_head.md");

/// One table of the file: its heading, what it is for, its keys.
struct Chapter {
    title: &'static str,
    text: &'static str,
    section: &'static Section,
}

static CHAPTERS: [Chapter; 16] = [
    Chapter {
        title: "`[github]`",
        text: "Where GitHub is and who ghrunner is there. A token or an App is needed, one of the two.",
        section: &CREDENTIALS,
    },
    Chapter { title: "App", text: "`app = { … }` in `[github]` and `[credentials.NAME]`.", section: &APP },
    Chapter {
        title: "Secrets",
        text: "Secrets do not stand in the file, only where they are. `token`, `private_key`, `secret`, `old_secret`, the `url` of `[history]` and each of the `headers` of `[telemetry]` are a \
               table with exactly one of these keys, `read` and `operate` lists of such tables.",
        section: &SECRET,
    },
    Chapter {
        title: "`[credentials.NAME]`",
        text: "Further credentials, for another organization or another GitHub, with the same keys as `[github]`. A pool \
               uses them by `credentials = \"NAME\"`. One that fails leaves the other credentials' pools alone.",
        section: &Section { groups: &[] },
    },
    Chapter { title: "`[engine]`", text: "The container engine.", section: &ENGINE },
    Chapter {
        title: "`[host]`",
        text: "What all pools together may take, and what is kept.",
        section: &HOST,
    },
    Chapter {
        title: "Reserve",
        text: "`reserve = { … }` in `[host]`: what runners must leave alone.",
        section: &RESERVE,
    },
    Chapter {
        title: "`[http]`",
        text: "What listens on the network. Without `listen` nothing does. It speaks plain HTTP: see [Webhooks](webhooks.md) \
               for a reverse proxy.",
        section: &HTTP,
    },
    Chapter {
        title: "`[webhook]`",
        text: "Deliveries of GitHub's webhooks, for pools with `demand = \"webhook\"`. How to set the hook up at GitHub stands in \
               [Webhooks](webhooks.md).",
        section: &WEBHOOK,
    },
    Chapter {
        title: "`[api]`",
        text: "The API over TCP. On the control socket it is always served, to root and the socket's group; see \
               [API](api.md) for roles and examples.",
        section: &API,
    },
    Chapter { title: "TLS", text: "`tls = { … }` in `[api]`.", section: &TLS },
    Chapter {
        title: "`[history]`",
        text: "What is kept of what was: jobs, runners, decisions and an audit trail, in SQLite or PostgreSQL. See \
               [History](history.md).",
        section: &HISTORY,
    },
    Chapter {
        title: "`[telemetry]`",
        text: "Traces of passes and jobs, sent to a collector of OpenTelemetry. Nothing is unless `endpoint` is given. See \
               [Telemetry](telemetry.md).",
        section: &TELEMETRY,
    },
    Chapter {
        title: "`[pools.NAME]`, `[defaults]`",
        text: "A pool is runners of one kind, each a container for one job. NAME has lower-case letters, digits and single \
               dashes, 28 at most; it is part of every container's name. `[defaults]` takes the same keys but `org`, \
               `repo` and `repos`, and holds for every pool that does not say otherwise; `group` and `rollback` in it hold \
               for organization pools only. An empty text (`user = \"\"`), `\"none\"` or `0` takes a default back, where \
               the key allows it.",
        section: &POOL,
    },
    Chapter {
        title: "Schedule",
        text: "`[[pools.NAME.schedule]]`: hours in which the pool has other numbers. Outside all of them it has its own.",
        section: &SCHEDULE,
    },
    Chapter {
        title: "Priority rules",
        text: "`[[pools.NAME.priority_rule]]`: jobs that come before or after the pool's others.",
        section: &PRIORITY_RULE,
    },
];

/// `docs/configuration.md`, whole.
pub fn reference() -> String {
    let mut out = HEAD.to_owned();
    for chapter in &CHAPTERS {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n## {}\n\n{}\n", chapter.title, wrapped(chapter.text).join("\n"));
        for group in chapter.section.groups {
            if !group.title.is_empty() {
                let _ = write!(out, "\n### {}\n", group.title);
            }
            out.push('\n');
            group.keys.iter().for_each(|key| describe(key, &mut out));
        }
    }
    out
}

fn describe(key: &Key, out: &mut String) {
    let default = match key.default {
        Default::Value(value) => format!("default: `{value}`"),
        Default::Words(words) if words.ends_with("needed") => words.to_owned(),
        Default::Words(words) => format!("default: {words}"),
    };
    // Two blanks at a line's end are Markdown's line break.
    let _ = writeln!(out, "- **`{}`** ({}; {default})  ", key.name, key.kind.type_name());
    for line in wrapped(key.doc) {
        let _ = writeln!(out, "  {line}");
    }
}

/// Lines of the manual's width, broken between words, but not within `code`.
fn wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 116;
    let mut lines: Vec<String> = Vec::new();
    let mut in_code = false;
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if in_code || line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
        in_code ^= word.matches('`').count() % 2 == 1;
    }
    lines
}
