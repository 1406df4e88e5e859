//! Questions to the database: pages of entries.

use sqlx::Any;
use sqlx::AnyPool;
use sqlx::Row as _;
use sqlx::any::AnyArguments;
use sqlx::any::AnyRow;
use sqlx::query::Query;

use super::insert::int;
use crate::model::Time;
use crate::model::history::AuditEntry;
use crate::model::history::AuditRecord;
use crate::model::history::Cursor;
use crate::model::history::DecisionRecord;
use crate::model::history::HistoryQuery;
use crate::model::history::JobRecord;
use crate::model::history::JobResult;
use crate::model::history::Page;
use crate::model::history::RunnerRecord;

/// The most entries of one page.
const LONGEST: u32 = 1000;
/// What a page has where nobody says.
const USUAL: u32 = 50;

const JOBS: &str = "id, ended, job_key, repo, run, workflow, name, labels, pool, runner, image, queued, started, \
                    result, peak_memory, cpu_ms";
const RUNNERS: &str = "id, ended, runner, pool, repo, image, created, started, exit_code, oom_killed, ran_job, job, \
                       verdict, last_lines";
const DECISIONS: &str = "id, at, pool, before, target, have, why, held";
const AUDIT: &str = "id, at, who, kind, subject, text, outcome, hash";

/// A value in a condition.
pub(super) enum Value {
    Text(String),
    Number(i64),
}

/// A table that is read page by page, the latest first.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// The column of the moment.
    at: &'static str,
    has_pool: bool,
    has_repo: bool,
    has_result: bool,
}

impl Table {
    /// The question, and its values in order.
    fn ask(&self, instance: &str, query: &HistoryQuery, limit: u32) -> (String, Vec<Value>) {
        let at = self.at;
        let mut sql = format!("SELECT {} FROM {} WHERE instance = $1", self.columns, self.name);
        let mut values = vec![Value::Text(instance.to_owned())];
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        };
        for (has, column, value) in [
            (self.has_pool, "pool =", query.pool.clone()),
            (self.has_repo, "repo =", query.repo.clone()),
            (self.has_result, "result =", query.result.map(|result| result.word().to_owned())),
        ] {
            if let Some(value) = value.filter(|_| has) {
                and(column, Value::Text(value));
            }
        }
        if let Some(since) = query.since {
            and(&format!("{at} >="), Value::Number(int(since.0)));
        }
        if let Some(until) = query.until {
            and(&format!("{at} <"), Value::Number(int(until.0)));
        }
        if let Some(Cursor { at: moment, id }) = query.after {
            values.extend([Value::Number(int(moment.0)), Value::Number(int(id))]);
            let n = values.len();
            sql.push_str(&format!(" AND ({at}, id) < (${}, ${n})", n - 1));
        }
        sql.push_str(&format!(" ORDER BY {at} DESC, id DESC LIMIT {}", limit + 1));
        (sql, values)
    }

    async fn page<T>(
        &self,
        pool: &AnyPool,
        instance: &str,
        query: &HistoryQuery,
        read: fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Page<T>, sqlx::Error> {
        let limit = if query.limit == 0 { USUAL } else { query.limit.min(LONGEST) };
        let (sql, values) = self.ask(instance, query, limit);
        let mut rows = bound(sqlx::query(sqlx::AssertSqlSafe(sql)), values).fetch_all(pool).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = match rows.last().filter(|_| more) {
            Some(row) => Some(Cursor { id: number(row, 0)?, at: Time(number(row, 1)?) }),
            None => None,
        };
        Ok(Page { items: rows.iter().map(read).collect::<Result<_, _>>()?, next })
    }
}

pub(super) fn bound(
    query: Query<'static, Any, AnyArguments>,
    values: Vec<Value>,
) -> Query<'static, Any, AnyArguments> {
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Number(number) => query.bind(number),
    })
}

pub(super) fn number(row: &AnyRow, at: usize) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or(0))
}

fn maybe(row: &AnyRow, at: usize) -> Result<Option<u64>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>, _>(at)?.and_then(|number| u64::try_from(number).ok()))
}

pub(super) fn small(row: &AnyRow, at: usize) -> Result<u32, sqlx::Error> {
    Ok(u32::try_from(number(row, at)?).unwrap_or(u32::MAX))
}

fn texts(row: &AnyRow, at: usize) -> Result<Vec<String>, sqlx::Error> {
    Ok(serde_json::from_str(&row.try_get::<String, _>(at)?).unwrap_or_default())
}

/// Jobs that ended.
pub(super) async fn jobs(
    pool: &AnyPool,
    instance: &str,
    query: &HistoryQuery,
) -> Result<Page<JobRecord>, sqlx::Error> {
    let table =
        Table { name: "jobs", columns: JOBS, at: "ended", has_pool: true, has_repo: true, has_result: true };
    table.page(pool, instance, query, job).await
}

fn job(row: &AnyRow) -> Result<JobRecord, sqlx::Error> {
    Ok(JobRecord {
        ended: Time(number(row, 1)?),
        key: row.try_get(2)?,
        repo: row.try_get(3)?,
        run: maybe(row, 4)?,
        workflow: row.try_get(5)?,
        name: row.try_get(6)?,
        labels: texts(row, 7)?,
        pool: row.try_get(8)?,
        runner: row.try_get(9)?,
        image: row.try_get(10)?,
        queued: maybe(row, 11)?.map(Time),
        started: maybe(row, 12)?.map(Time),
        result: row.try_get::<String, _>(13)?.parse().unwrap_or(JobResult::Unknown),
        peak_memory: maybe(row, 14)?,
        cpu_ms: maybe(row, 15)?,
    })
}

/// A runner that is gone, by its name.
pub(super) async fn runner_named(
    pool: &AnyPool,
    instance: &str,
    name: String,
) -> Result<Option<RunnerRecord>, sqlx::Error> {
    let sql = format!("SELECT {RUNNERS} FROM runners WHERE instance = $1 AND runner = $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(instance.to_owned()).bind(name);
    query.fetch_optional(pool).await?.as_ref().map(runner).transpose()
}

/// Runners that are gone.
pub(super) async fn runners(
    pool: &AnyPool,
    instance: &str,
    query: &HistoryQuery,
) -> Result<Page<RunnerRecord>, sqlx::Error> {
    let table = Table {
        name: "runners",
        columns: RUNNERS,
        at: "ended",
        has_pool: true,
        has_repo: true,
        has_result: false,
    };
    table.page(pool, instance, query, runner).await
}

fn runner(row: &AnyRow) -> Result<RunnerRecord, sqlx::Error> {
    Ok(RunnerRecord {
        ended: Time(number(row, 1)?),
        runner: row.try_get(2)?,
        pool: row.try_get(3)?,
        repo: row.try_get(4)?,
        image: row.try_get(5)?,
        created: Time(number(row, 6)?),
        started: maybe(row, 7)?.map(Time),
        exit_code: row.try_get(8)?,
        oom_killed: number(row, 9)? != 0,
        ran_job: number(row, 10)? != 0,
        job: row.try_get(11)?,
        verdict: row.try_get(12)?,
        last_lines: texts(row, 13)?,
    })
}

/// Changes of targets.
pub(super) async fn decisions(
    pool: &AnyPool,
    instance: &str,
    query: &HistoryQuery,
) -> Result<Page<DecisionRecord>, sqlx::Error> {
    let table = Table {
        name: "decisions",
        columns: DECISIONS,
        at: "at",
        has_pool: true,
        has_repo: false,
        has_result: false,
    };
    table.page(pool, instance, query, decision).await
}

fn decision(row: &AnyRow) -> Result<DecisionRecord, sqlx::Error> {
    Ok(DecisionRecord {
        at: Time(number(row, 1)?),
        pool: row.try_get(2)?,
        before: maybe(row, 3)?.and_then(|before| u32::try_from(before).ok()),
        target: small(row, 4)?,
        have: small(row, 5)?,
        why: row.try_get(6)?,
        held: texts(row, 7)?,
    })
}

/// The audit trail.
pub(super) async fn audit(
    pool: &AnyPool,
    instance: &str,
    query: &HistoryQuery,
) -> Result<Page<AuditRecord>, sqlx::Error> {
    let table = Table {
        name: "audit",
        columns: AUDIT,
        at: "at",
        has_pool: false,
        has_repo: false,
        has_result: false,
    };
    table.page(pool, instance, query, entry).await
}

fn entry(row: &AnyRow) -> Result<AuditRecord, sqlx::Error> {
    Ok(AuditRecord {
        seq: number(row, 0)?,
        entry: AuditEntry {
            at: Time(number(row, 1)?),
            who: row.try_get(2)?,
            kind: row.try_get(3)?,
            subject: row.try_get(4)?,
            text: row.try_get(5)?,
            outcome: row.try_get(6)?,
        },
        hash: row.try_get(7)?,
    })
}

/// The part of the trail that follows an entry, in its order.
pub(super) async fn trail(
    pool: &AnyPool,
    instance: &str,
    behind: u64,
    limit: u32,
) -> Result<Vec<AuditRecord>, sqlx::Error> {
    let sql = format!("SELECT {AUDIT} FROM audit WHERE instance = $1 AND id > $2 ORDER BY id LIMIT {limit}");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(instance.to_owned()).bind(int(behind));
    query.fetch_all(pool).await?.iter().map(entry).collect()
}
