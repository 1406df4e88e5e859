//! What has had its time goes, a little at a time; the audit trail at its beginning, and with a note of where it was cut.

use std::time::Duration;

use sqlx::Row as _;

use super::insert::int;
use super::store::ANCHOR;
use super::store::Store;
use super::store::set_fact;
use super::trouble;
use super::trouble::Trouble;
use crate::model::Time;
use crate::model::history::AuditHead;
use crate::model::history::HOURS_KEPT;

/// Rows that are removed at a time, so that nothing waits long for the lock.
const AT_A_TIME: i64 = 2000;
/// So much longer than they are asked for sums by the hour stay: the first hour of an answer is a whole one.
const SPARE: Duration = Duration::from_secs(24 * 3600);

/// For how long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs, runners and decisions.
    pub records: Duration,
    /// The audit trail.
    pub audit: Duration,
    /// Sums by the day.
    pub sums: Duration,
}

/// What was removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Removed {
    /// Rows.
    pub(super) rows: u64,
    /// The last entry of the audit trail that went.
    pub(super) audit: Option<AuditHead>,
    /// Whether something is left to remove.
    pub(super) more: bool,
}

/// Removes some of what is too old.
pub(super) async fn expire(store: &Store, retention: &Retention, now: Time) -> Result<Removed, Trouble> {
    let is_file = store.place.is_file();
    try_expire(store, retention, now).await.map_err(|error| trouble::of(&error, is_file))
}

async fn try_expire(store: &Store, retention: &Retention, now: Time) -> Result<Removed, sqlx::Error> {
    let before = |keep: Duration| int((now - keep).0);
    let mut removed = Removed::default();
    let records = before(retention.records);
    for (sql, bound) in [
        (
            "DELETE FROM jobs WHERE instance = $1 AND id IN \
             (SELECT id FROM jobs WHERE instance = $1 AND ended < $2 ORDER BY ended LIMIT $3)",
            records,
        ),
        (
            "DELETE FROM runners WHERE instance = $1 AND id IN \
             (SELECT id FROM runners WHERE instance = $1 AND ended < $2 ORDER BY ended LIMIT $3)",
            records,
        ),
        (
            "DELETE FROM decisions WHERE instance = $1 AND id IN \
             (SELECT id FROM decisions WHERE instance = $1 AND at < $2 ORDER BY at LIMIT $3)",
            records,
        ),
    ] {
        let query = sqlx::query(sql).bind(store.instance.clone()).bind(bound).bind(AT_A_TIME);
        let rows = query.execute(&store.writer).await?.rows_affected();
        removed.rows += rows;
        removed.more |= rows >= AT_A_TIME.unsigned_abs();
    }
    for (sql, bound) in [
        (
            "DELETE FROM rollups WHERE instance = $1 AND span LIKE 'hour%' AND start < $2",
            before(HOURS_KEPT + SPARE),
        ),
        (
            "DELETE FROM rollups WHERE instance = $1 AND span LIKE 'day%' AND start < $2",
            before(retention.sums),
        ),
        ("DELETE FROM pool_usage WHERE instance = $1 AND hour < $2", before(retention.sums)),
    ] {
        let query = sqlx::query(sql).bind(store.instance.clone()).bind(bound);
        removed.rows += query.execute(&store.writer).await?.rows_affected();
    }
    cut(store, before(retention.audit), &mut removed).await?;
    tidy(store, removed.rows).await?;
    Ok(removed)
}

/// Cuts the trail at its beginning, never its last entry.
async fn cut(store: &Store, before: i64, removed: &mut Removed) -> Result<(), sqlx::Error> {
    let mut tx = store.writer.begin().await?;
    // The first that is young enough ends it, whatever clocks did after.
    let found = sqlx::query("SELECT MIN(id) FROM audit WHERE instance = $1 AND (at >= $2 OR id = $3)")
        .bind(store.instance.clone())
        .bind(before)
        .bind(int(store.head.seq))
        .fetch_one(&mut *tx)
        .await?;
    let Some(first) = found.try_get::<Option<i64>, _>(0)? else { return Ok(()) };
    let last = sqlx::query(
        "SELECT id, hash FROM audit WHERE instance = $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3",
    );
    let last =
        last.bind(store.instance.clone()).bind(first).bind(AT_A_TIME - 1).fetch_optional(&mut *tx).await?;
    let last = match last {
        Some(row) => Some(row),
        None => {
            let end = "SELECT id, hash FROM audit WHERE instance = $1 AND id < $2 ORDER BY id DESC LIMIT 1";
            sqlx::query(end).bind(store.instance.clone()).bind(first).fetch_optional(&mut *tx).await?
        }
    };
    let Some(row) = last else { return Ok(()) };
    let seq: i64 = row.try_get(0)?;
    let anchor = AuditHead { seq: seq.unsigned_abs(), hash: row.try_get(1)? };
    let gone = sqlx::query("DELETE FROM audit WHERE instance = $1 AND id <= $2");
    let gone = gone.bind(store.instance.clone()).bind(seq).execute(&mut *tx).await?.rows_affected();
    set_fact(&mut tx, &store.instance, ANCHOR, &anchor).await?;
    tx.commit().await?;
    removed.rows += gone;
    removed.more |= seq + 1 < first;
    removed.audit = Some(anchor);
    Ok(())
}

/// Gives space back. PostgreSQL does so by itself.
async fn tidy(store: &Store, removed: u64) -> Result<(), sqlx::Error> {
    if !store.place.is_file() {
        return Ok(());
    }
    if removed > 0 {
        sqlx::raw_sql("PRAGMA incremental_vacuum(4000)").execute(&store.writer).await?;
    }
    sqlx::raw_sql("PRAGMA optimize").execute(&store.writer).await?;
    Ok(())
}
