//! The tables, in words that both databases understand, and how they came to be.

use sqlx::AnyPool;
use sqlx::migrate::Migration;
use sqlx::migrate::MigrationType;
use sqlx::migrate::Migrator;

/// One step after another; a step that was ever released is never changed.
const STEPS: [(i64, &str, &str); 2] = [
    (1, "the first tables", include_str!("schema/0001.sql")),
    (2, "what jobs take", include_str!("schema/0002.sql")),
];

/// Brings the tables to what this version needs.
pub(super) async fn migrate(pool: &AnyPool) -> Result<(), sqlx::Error> {
    let steps = STEPS.map(|(version, name, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Ok(Migrator::with_migrations(steps.into()).run(pool).await?)
}
