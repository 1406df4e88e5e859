//! `history_query`: what was.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::past;
use crate::http::dto;
use crate::mcp::cut::Part;
use crate::mcp::door::Looker;
use crate::mcp::door::asking;
use crate::mcp::tool::Looks;
use crate::mcp::tool::Told;
use crate::mcp::tool::Tool;

/// What of the past is wanted.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Jobs that ended, with their results and how long they waited and ran.
    Jobs,
    /// Runners that are gone, with the reason of each.
    Runners,
    /// Changes of how many runners a pool should have.
    Decisions,
    /// Who did what: calls of people and programs, and the daemon's own actions.
    Audit,
    /// What the jobs come to: counts, waits, failures, by pool and by repository.
    Stats,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Its runner said so.
    Succeeded,
    /// Its runner said so.
    Failed,
    /// Its runner said so.
    Cancelled,
    /// Its runner ended before it did.
    Lost,
    /// It went before any runner had it.
    NeverRan,
    /// Nothing told.
    Unknown,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::NeverRan => "never_ran",
            Self::Unknown => "unknown",
        }
    }
}

/// The question. All that is given must fit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// What of the past is wanted.
    what: Kind,
    /// Only this pool's.
    pool: Option<String>,
    /// Only this repository's, `owner/name`.
    repository: Option<String>,
    /// Only jobs that ended so.
    result: Option<Outcome>,
    /// From when on: a time back such as `24h` or `7d`, or a moment such as `2026-01-31T12:00:00Z`. Of stats: a week back
    /// unless said otherwise.
    since: Option<String>,
    /// Until when, written the same way. Not for stats.
    until: Option<String>,
    /// How many at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
}

/// What was found: the one field that was asked for, the latest first.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Found {
    /// Jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<past::Job>>,
    /// Runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    runners: Option<Vec<past::Runner>>,
    /// Decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<Vec<past::Decision>>,
    /// The audit trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Vec<past::Entry>>,
    /// Statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<past::Stats>,
    /// What to give as `after` for what was before these; null if there is no more.
    next: Option<String>,
}

/// The past.
pub(super) struct QueryHistory;

impl Tool for QueryHistory {
    const NAME: &'static str = "history_query";
    const TITLE: &'static str = "What was";
    const DESCRIPTION: &'static str = "Jobs that ended, runners that are gone and why, changes of what pools should have, who did \
        what (audit), or statistics over all of it. Use it for questions such as why a job failed with its runner, how long jobs of \
        a repository wait, or who drained a pool.";
    type Ask = Ask;
    type Answer = Found;
}

impl Looks for QueryHistory {
    async fn look(api: Looker<'_>, ask: Ask) -> Told<Found> {
        let size = Part { limit: ask.limit, after: None }.size()?;
        let what = ask.what;
        let found = |next| Found { next, ..Found::default() };
        Ok(match what {
            Kind::Jobs => {
                let page: dto::Page<dto::PastJob> = api.get(ask.target("history", size)).await?;
                Found { jobs: Some(all(page.items)), ..found(page.next) }
            }
            Kind::Runners => {
                let page: dto::Page<dto::PastRunner> = api.get(ask.target("history/runners", size)).await?;
                Found { runners: Some(all(page.items)), ..found(page.next) }
            }
            Kind::Decisions => {
                let page: dto::Page<dto::Decision> = api.get(ask.target("history/decisions", size)).await?;
                Found { decisions: Some(all(page.items)), ..found(page.next) }
            }
            Kind::Audit => {
                let page: dto::Page<dto::AuditEntry> = api.get(ask.target("audit", size)).await?;
                Found { audit: Some(all(page.items)), ..found(page.next) }
            }
            Kind::Stats => {
                let stats: dto::Stats = api.get(ask.target("stats", size)).await?;
                Found { stats: Some(past::Stats::of(stats, size)), ..found(None) }
            }
        })
    }
}

fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

impl Ask {
    /// The same question to the API.
    fn target(self, path: &str, size: usize) -> String {
        asking(
            &format!("/api/v1/{path}"),
            &[
                ("pool", self.pool),
                ("repo", self.repository),
                ("result", self.result.map(|result| result.word().to_owned())),
                ("since", self.since),
                ("until", self.until),
                ("after", self.after),
                ("limit", Some(size.to_string())),
            ],
        )
    }
}
