//! The keys by which a pool follows what waits.

use super::Group;
use super::Key;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use super::pool::MOST_RUNNERS;
use super::pool::RUNNERS;
use super::syntax;

const PRIORITIES: Kind = Kind::Choice(&["critical", "high", "normal", "low"]);

/// For pools whose demand is not fixed.
pub(super) static SCALING: &[Key] = &[
    key(
        "scale_up_threshold",
        Kind::Count { what: "a number of jobs", min: 1, max: 10_000 },
        "1",
        "Jobs that wait before the first runner beyond `min` starts. Fewer wait for company for five minutes at most.",
    ),
    key(
        "scale_up_factor",
        Kind::Factor { min: 0.1, max: 10.0 },
        "1.0",
        "Runners for each job that waits. More than 1 makes spare ones for the jobs that follow; less starts a part at a \
         time, one at least.",
    ),
    key(
        "scale_down_threshold",
        Kind::Count { what: RUNNERS, min: 1, max: MOST_RUNNERS },
        "1",
        "Surplus idle runners before any of them goes, once past `idle_timeout`. More than 1 keeps a few for the next run.",
    ),
    open(
        "max_per_repository",
        Kind::Count { what: "a number of jobs", min: 1, max: MOST_RUNNERS },
        "none",
        "Jobs of one repository for which the pool has runners at a time, so that one does not take them all. GitHub may \
         still give an idle runner to any job that fits it.",
    ),
    open(
        "max_per_workflow",
        Kind::Count { what: "a number of jobs", min: 1, max: MOST_RUNNERS },
        "none",
        "The same for the jobs of one workflow of a repository.",
    ),
    key(
        "on_lost_job",
        Kind::Choice(&["report", "cancel"]),
        "\"report\"",
        "What is done about a job whose runner died: `\"report\"` says so in journal and `ghrunner plan`; `\"cancel\"` also \
         cancels its run, so that nobody waits until GitHub notices. It needs the permission *Actions: write*.",
    ),
    open(
        "schedule",
        Kind::Tables(&SCHEDULE),
        "none",
        "Hours with other numbers, each a table [`[[pools.NAME.schedule]]`](#schedule). The first that is in force holds.",
    ),
    open(
        "priority_rule",
        Kind::Tables(&PRIORITY_RULE),
        "none",
        "Jobs with another priority than the pool's, each a table [`[[pools.NAME.priority_rule]]`](#priority-rules). The \
         first that fits holds. A job gains one priority for every ten minutes that it waits, so that every job's turn comes.",
    ),
];

/// `[[pools.NAME.schedule]]`.
pub(crate) static SCHEDULE: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            key(
                "days",
                Kind::Texts(&syntax::DAYS),
                "[\"mon-sun\"]",
                "On which days the hours begin: `\"mon\"`, or several as `\"mon-fri\"`.",
            ),
            open(
                "hours",
                Kind::Text { syntax: &syntax::HOURS, empty: false },
                "needed",
                "From when until when, such as `\"08:00-18:00\"`; `\"22:00-06:00\"` goes on past midnight.",
            ),
            key(
                "time_zone",
                Kind::Text { syntax: &syntax::ZONE, empty: false },
                "\"UTC\"",
                "Where the hours are read off a clock, such as `\"Europe/Berlin\"`. Summer time is minded.",
            ),
            open(
                "min",
                Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
                "the pool's",
                "In place of the pool's `min`.",
            ),
            open(
                "min_idle",
                Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
                "the pool's",
                "In place of the pool's `min_idle`.",
            ),
            open(
                "max",
                Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
                "the pool's",
                "In place of the pool's `max`, and not above it. Runners in a job go on.",
            ),
        ],
    }],
};

/// `[[pools.NAME.priority_rule]]`.
pub(crate) static PRIORITY_RULE: Section = Section {
    groups: &[Group {
        title: "",
        keys: &[
            open(
                "workflow",
                Kind::Text { syntax: &syntax::ANY, empty: false },
                "any",
                "The workflow's name. Here and below `*` stands for any text, and all that is given must fit.",
            ),
            open(
                "branch",
                Kind::Text { syntax: &syntax::ANY, empty: false },
                "any",
                "The branch that the run is for: `\"release/*\"`.",
            ),
            open(
                "event",
                Kind::Text { syntax: &syntax::ANY, empty: false },
                "any",
                "What started the run: `\"push\"`, `\"pull_request\"`, `\"schedule\"`.",
            ),
            open(
                "label",
                Kind::Text { syntax: &syntax::ANY, empty: false },
                "any",
                "One of the job's labels.",
            ),
            open("priority", PRIORITIES, "needed", "The priority of these jobs."),
        ],
    }],
};
