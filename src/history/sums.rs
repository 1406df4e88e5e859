//! Questions to the database about sums by hour and day.

use sqlx::AnyPool;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::buckets::Buckets;
use super::insert::SUMS;
use super::insert::int;
use super::query::Value;
use super::query::bound;
use super::query::number;
use super::query::small;
use super::rollup::DAY;
use super::rollup::Of;
use super::rollup::Span;
use super::rollup::Sums;
use super::rollup::word;
use crate::model::Time;
use crate::model::history::SeriesQuery;
use crate::model::history::StatsQuery;
use crate::model::history::Use;

/// A row of sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SumsRow {
    pub(super) start: u64,
    pub(super) pool: String,
    pub(super) repo: String,
    pub(super) sums: Sums,
}

/// All hours in which a pool had so many runners in a job at the most. There are as many rows as there are such numbers,
/// however far one looks back.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct HoursRow {
    pub(super) pool: String,
    pub(super) max_busy: u32,
    pub(super) hours: u64,
    pub(super) seen_ms: u64,
    pub(super) busy_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) other_ms: u64,
    pub(super) max_runners: u32,
    pub(super) max_waiting: u32,
}

/// What statistics are made of.
#[derive(Debug)]
pub(super) struct StatsRows {
    /// What tells of pools.
    pub(super) by_pool: Vec<SumsRow>,
    /// What tells of repositories: the same jobs once more.
    pub(super) by_repo: Vec<SumsRow>,
    /// How runners were used; nothing for a single repository, of which that is not known.
    pub(super) usage: Vec<HoursRow>,
}

/// What statistics from a whole hour or day on are made of.
pub(super) async fn of_stats(
    pool: &AnyPool,
    instance: &str,
    span: Span,
    since: Time,
    query: &StatsQuery,
) -> Result<StatsRows, sqlx::Error> {
    let (whose, repo) = (query.pool.as_deref(), query.repo.as_deref());
    let of = if repo.is_some() { Of::Pair } else { Of::Pool };
    let range = Range { span, of, from: since.0, to: u64::MAX, pool: whose, repo };
    let by_pool = rollups(pool, instance, range).await?;
    if repo.is_some() {
        return Ok(StatsRows { by_repo: by_pool.clone(), by_pool, usage: Vec::new() });
    }
    // There are many repositories, and nobody asks for each of their hours: from the first midnight on their days serve.
    let of = if whose.is_some() { Of::Pair } else { Of::Repo };
    let midnight = since.0.div_ceil(DAY) * DAY;
    let mut by_repo = Vec::new();
    for (span, from, to) in [(Span::Hour, since.0, midnight), (Span::Day, midnight, u64::MAX)] {
        by_repo.extend(rollups(pool, instance, Range { span, of, from, to, pool: whose, repo }).await?);
    }
    let usage = usage(pool, instance, since, whose).await?;
    Ok(StatsRows { by_pool, by_repo, usage })
}

/// What a series is made of: rows of sums, and hours of use.
pub(super) async fn of_series(
    pool: &AnyPool,
    instance: &str,
    query: &SeriesQuery,
) -> Result<(Vec<SumsRow>, Vec<(u64, Use)>), sqlx::Error> {
    let (from, to) = (query.first().0, query.end().0);
    let (whose, repo) = (query.pool.as_deref(), query.repo.as_deref());
    let of = match (whose, repo) {
        (_, None) => Of::Pool,
        (None, Some(_)) => Of::Repo,
        (Some(_), Some(_)) => Of::Pair,
    };
    let span = if query.by_day() { Span::Day } else { Span::Hour };
    let rows = rollups(pool, instance, Range { span, of, from, to, pool: whose, repo }).await?;
    let hours = match repo {
        Some(_) => Vec::new(),
        None => hours(pool, instance, (from, to), whose).await?,
    };
    Ok((rows, hours))
}

/// Which sums are asked for.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    span: Span,
    of: Of,
    /// Rows that begin at this moment or later.
    from: u64,
    /// Rows that begin before this moment.
    to: u64,
    pool: Option<&'a str>,
    repo: Option<&'a str>,
}

/// What jobs and runners come to, by hour or day.
async fn rollups(pool: &AnyPool, instance: &str, range: Range<'_>) -> Result<Vec<SumsRow>, sqlx::Error> {
    let mut sql = format!(
        "SELECT start, pool, repo, {SUMS} FROM rollups \
         WHERE instance = $1 AND span = $2 AND start >= $3 AND start < $4"
    );
    let mut values = vec![
        Value::Text(instance.to_owned()),
        Value::Text(word(range.span, range.of).to_owned()),
        Value::Number(int(range.from)),
        Value::Number(int(range.to)),
    ];
    for (column, value) in [("pool", range.pool), ("repo", range.repo)] {
        if let Some(value) = value {
            values.push(Value::Text(value.to_owned()));
            sql.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    let rows = bound(sqlx::query(sqlx::AssertSqlSafe(sql)), values).fetch_all(pool).await?;
    let read = |row: &AnyRow| {
        Ok(SumsRow {
            start: number(row, 0)?,
            pool: row.try_get(1)?,
            repo: row.try_get(2)?,
            sums: sums(row, 3)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The columns of [`SUMS`], from this one on.
pub(super) fn sums(row: &AnyRow, from: usize) -> Result<Sums, sqlx::Error> {
    let count = |at: usize| number(row, from + at);
    Ok(Sums {
        jobs: count(0)?,
        succeeded: count(1)?,
        failed: count(2)?,
        cancelled: count(3)?,
        lost: count(4)?,
        never_ran: count(5)?,
        wait_ms: count(6)?,
        run_ms: count(7)?,
        runners: count(8)?,
        barren: count(9)?,
        idle_ms: count(10)?,
        waits: Buckets::parse(&row.try_get::<String, _>(from + 11)?),
        runs: Buckets::parse(&row.try_get::<String, _>(from + 12)?),
        memory: Buckets::parse(&row.try_get::<String, _>(from + 13)?),
        processors: Buckets::parse(&row.try_get::<String, _>(from + 14)?),
    })
}

/// A sum of big integers is something else in PostgreSQL.
fn sum(column: &str) -> String {
    format!("CAST(SUM({column}) AS BIGINT)")
}

/// How runners were used, by pool and by how many of them were in a job in an hour.
async fn usage(
    pool: &AnyPool,
    instance: &str,
    since: Time,
    of: Option<&str>,
) -> Result<Vec<HoursRow>, sqlx::Error> {
    let mut sql = format!(
        "SELECT pool, max_busy, COUNT(*), {}, {}, {}, {}, MAX(max_runners), MAX(max_waiting) \
         FROM pool_usage WHERE instance = $1 AND hour >= $2",
        sum("seen_ms"),
        sum("busy_ms"),
        sum("idle_ms"),
        sum("other_ms")
    );
    let mut values = vec![Value::Text(instance.to_owned()), Value::Number(int(since.0))];
    if let Some(of) = of {
        values.push(Value::Text(of.to_owned()));
        sql.push_str(" AND pool = $3");
    }
    sql.push_str(" GROUP BY pool, max_busy ORDER BY pool, max_busy");
    let rows = bound(sqlx::query(sqlx::AssertSqlSafe(sql)), values).fetch_all(pool).await?;
    let read = |row: &AnyRow| {
        Ok(HoursRow {
            pool: row.try_get(0)?,
            max_busy: small(row, 1)?,
            hours: number(row, 2)?,
            seen_ms: number(row, 3)?,
            busy_ms: number(row, 4)?,
            idle_ms: number(row, 5)?,
            other_ms: number(row, 6)?,
            max_runners: small(row, 7)?,
            max_waiting: small(row, 8)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How runners of all pools together, or of one, were used, hour by hour.
async fn hours(
    pool: &AnyPool,
    instance: &str,
    (from, to): (u64, u64),
    of: Option<&str>,
) -> Result<Vec<(u64, Use)>, sqlx::Error> {
    let mut sql = format!(
        "SELECT hour, MAX(seen_ms), {}, {}, {}, MAX(max_runners), MAX(max_busy), MAX(max_waiting) \
         FROM pool_usage WHERE instance = $1 AND hour >= $2 AND hour < $3",
        sum("busy_ms"),
        sum("idle_ms"),
        sum("other_ms")
    );
    let mut values = vec![Value::Text(instance.to_owned()), Value::Number(int(from)), Value::Number(int(to))];
    if let Some(of) = of {
        values.push(Value::Text(of.to_owned()));
        sql.push_str(" AND pool = $4");
    }
    sql.push_str(" GROUP BY hour ORDER BY hour");
    let rows = bound(sqlx::query(sqlx::AssertSqlSafe(sql)), values).fetch_all(pool).await?;
    let read = |row: &AnyRow| {
        let usage = Use {
            seen_ms: number(row, 1)?,
            busy_ms: number(row, 2)?,
            idle_ms: number(row, 3)?,
            other_ms: number(row, 4)?,
            max_runners: small(row, 5)?,
            max_busy: small(row, 6)?,
            max_waiting: small(row, 7)?,
        };
        Ok((number(row, 0)?, usage))
    };
    rows.iter().map(read).collect()
}
