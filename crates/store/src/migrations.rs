//! The schema's versions, embedded in the binary.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

impl Store {
    /// Brings the schema up to this binary's version and makes the history's next partitions; safe to run
    /// by several processes at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        MIGRATOR.run(&self.pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => StoreError::from(error),
            other => StoreError::Damaged(other.to_string()),
        })?;
        self.ensure_partitions().await
    }
}

/// `NotMigrated` unless every migration of this binary is applied.
pub(crate) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await?;
    let all = MIGRATOR.iter().all(|migration| applied.contains(&migration.version));
    if all { Ok(()) } else { Err(StoreError::NotMigrated) }
}
