//! The keys of `[history]`.

use std::time::Duration;

use super::Group;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use crate::model::Size;

const DAY: u64 = 24 * 60 * 60;
const TIME: Kind =
    Kind::Duration { min: Duration::from_secs(DAY), max: Duration::from_secs(3650 * DAY), none: false };

/// `[history]`.
pub(crate) static HISTORY: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            key(
                "enabled",
                Kind::Bool,
                "true",
                "Whether jobs, runners, decisions and the audit trail are kept. Changing anything here needs a restart.",
            ),
            open(
                "url",
                Kind::Secret,
                "`history.sqlite` in the state directory",
                "Where the address of a PostgreSQL database is, such as `postgres://USER:PASSWORD@HOST/NAME`. It is a \
                 [secret](#secrets), since it holds a password. Several installations may share a database.",
            ),
            key(
                "retention",
                TIME,
                "\"90d\"",
                "How long jobs, runners and decisions are kept one by one. A quarter is what people look back on. What they \
                 come to by the day is kept for four times as long.",
            ),
            key(
                "audit_retention",
                TIME,
                "\"400d\"",
                "How long the audit trail is kept. The default is a year and the time that an audit of it takes.",
            ),
            key(
                "max_size",
                Kind::Size { min: Size(1 << 20), none: false },
                "\"4GiB\"",
                "How large the SQLite file may become: one that is full is not written to until something has had its time, \
                 and the fleet goes on. The default holds some four million jobs.",
            ),
        ],
    }],
};
