//! Records as rows.

use sqlx::Any;
use sqlx::Transaction;

use super::chain;
use super::rollup::Key;
use super::rollup::Sums;
use super::rollup::word;
use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::DecisionRecord;
use crate::model::history::JobRecord;
use crate::model::history::RunnerRecord;
use crate::model::history::UsageRecord;

/// A count as databases have them, with a sign.
pub(super) fn int(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}

/// Says whether the job was not known yet.
pub(super) async fn insert_job(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    job: &JobRecord,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO jobs (instance, id, job_key, repo, run, workflow, name, labels, pool, runner, image, queued, \
         started, ended, result, peak_memory, cpu_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (instance, job_key) DO NOTHING",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(job.key.clone())
    .bind(job.repo.clone())
    .bind(job.run.map(int))
    .bind(job.workflow.clone())
    .bind(job.name.clone())
    .bind(list(&job.labels))
    .bind(job.pool.clone())
    .bind(job.runner.clone())
    .bind(job.image.clone())
    .bind(job.queued.map(|at| int(at.0)))
    .bind(job.started.map(|at| int(at.0)))
    .bind(int(job.ended.0))
    .bind(job.result.word().to_owned())
    .bind(job.peak_memory.map(int))
    .bind(job.cpu_ms.map(int))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says whether the runner was not known yet.
pub(super) async fn insert_runner(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    runner: &RunnerRecord,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO runners (instance, id, runner, pool, repo, image, created, started, ended, exit_code, oom_killed, \
         ran_job, job, verdict, last_lines) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (instance, runner) DO NOTHING",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(runner.runner.clone())
    .bind(runner.pool.clone())
    .bind(runner.repo.clone())
    .bind(runner.image.clone())
    .bind(int(runner.created.0))
    .bind(runner.started.map(|at| int(at.0)))
    .bind(int(runner.ended.0))
    .bind(runner.exit_code)
    .bind(i64::from(runner.oom_killed))
    .bind(i64::from(runner.ran_job))
    .bind(runner.job.clone())
    .bind(runner.verdict.clone())
    .bind(list(&runner.last_lines))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn insert_decision(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    id: i64,
    decision: &DecisionRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO decisions (instance, id, at, pool, before, target, have, why, held) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(instance.to_owned())
    .bind(id)
    .bind(int(decision.at.0))
    .bind(decision.pool.clone())
    .bind(decision.before.map(i64::from))
    .bind(i64::from(decision.target))
    .bind(i64::from(decision.have))
    .bind(decision.why.clone())
    .bind(list(&decision.held))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn insert_audit(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    head: &AuditHead,
    entry: &AuditEntry,
) -> Result<AuditHead, sqlx::Error> {
    let seq = head.seq + 1;
    let hash = chain::link(&head.hash, instance, seq, entry);
    sqlx::query(
        "INSERT INTO audit (instance, id, at, who, kind, subject, text, outcome, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(instance.to_owned())
    .bind(int(seq))
    .bind(int(entry.at.0))
    .bind(entry.who.clone())
    .bind(entry.kind.clone())
    .bind(entry.subject.clone())
    .bind(entry.text.clone())
    .bind(entry.outcome.clone())
    .bind(hash.clone())
    .execute(&mut **tx)
    .await?;
    Ok(AuditHead { seq, hash })
}

pub(super) async fn add_usage(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    usage: &UsageRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO pool_usage (instance, hour, pool, seen_ms, busy_ms, idle_ms, other_ms, max_runners, max_busy, \
         max_waiting) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (instance, hour, pool) DO UPDATE SET \
         seen_ms = pool_usage.seen_ms + excluded.seen_ms, busy_ms = pool_usage.busy_ms + excluded.busy_ms, \
         idle_ms = pool_usage.idle_ms + excluded.idle_ms, other_ms = pool_usage.other_ms + excluded.other_ms, \
         max_runners = CASE WHEN excluded.max_runners > pool_usage.max_runners THEN excluded.max_runners \
           ELSE pool_usage.max_runners END, \
         max_busy = CASE WHEN excluded.max_busy > pool_usage.max_busy THEN excluded.max_busy \
           ELSE pool_usage.max_busy END, \
         max_waiting = CASE WHEN excluded.max_waiting > pool_usage.max_waiting THEN excluded.max_waiting \
           ELSE pool_usage.max_waiting END",
    )
    .bind(instance.to_owned())
    .bind(int(usage.hour.0))
    .bind(usage.pool.clone())
    .bind(int(usage.seen_ms))
    .bind(int(usage.busy_ms))
    .bind(int(usage.idle_ms))
    .bind(int(usage.other_ms))
    .bind(i64::from(usage.max_runners))
    .bind(i64::from(usage.max_busy))
    .bind(i64::from(usage.max_waiting))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The columns of a row of sums, in the order in which they are read and written.
pub(super) const SUMS: &str = "jobs, succeeded, failed, cancelled, lost, never_ran, wait_ms, run_ms, runners, barren, \
                               idle_ms, waits, runs, memory, processors";

pub(super) async fn add_sums(
    tx: &mut Transaction<'_, Any>,
    instance: &str,
    (span, of, start, pool, repo): &Key,
    sums: &Sums,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "SELECT {SUMS} FROM rollups WHERE instance = $1 AND span = $2 AND start = $3 AND pool = $4 AND repo = $5"
    );
    let before = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(instance.to_owned())
        .bind(word(*span, *of).to_owned())
        .bind(int(*start))
        .bind(pool.clone())
        .bind(repo.clone())
        .fetch_optional(&mut **tx)
        .await?;
    let mut all = before.map(|row| super::sums::sums(&row, 0)).transpose()?.unwrap_or_default();
    all.add(sums);
    let sql = format!(
        "INSERT INTO rollups (instance, span, start, pool, repo, {SUMS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
         ON CONFLICT (instance, span, start, pool, repo) DO UPDATE SET {}",
        SUMS.split(", ").map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ")
    );
    let counts = [
        all.jobs,
        all.succeeded,
        all.failed,
        all.cancelled,
        all.lost,
        all.never_ran,
        all.wait_ms,
        all.run_ms,
        all.runners,
        all.barren,
        all.idle_ms,
    ];
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(instance.to_owned())
        .bind(word(*span, *of).to_owned())
        .bind(int(*start))
        .bind(pool.clone())
        .bind(repo.clone());
    let query = counts.into_iter().fold(query, |query, count| query.bind(int(count)));
    let query = all.classes().into_iter().fold(query, |query, classes| query.bind(classes.text()));
    query.execute(&mut **tx).await?;
    Ok(())
}
