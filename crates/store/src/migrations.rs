//! The schema's versions, embedded in the binary.
//!
//! One process migrates at a time. `create index concurrently` waits for everybody who holds a snapshot, also for
//! one who waits for a lock in a statement; so whoever is second asks for the lock again and again instead, and
//! holds nothing between two tries.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::{Store, StoreError};

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../../migrations");
    migrator.set_locking(false);
    migrator
});

/// The index of a large table may take that long, and nobody waits for longer without being told.
const PATIENCE: Duration = Duration::from_mins(10);
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

impl Store {
    /// Brings the schema up to this binary's version and makes the history's next partitions; safe to run
    /// by several processes at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_within(PATIENCE).await
    }

    /// The same; `BeingMigrated` when another process is not done with it after that time.
    pub async fn migrate_within(&self, patience: Duration) -> Result<(), StoreError> {
        // Out of the pool: the lock ends with the connection, however this ends.
        let mut connection = self.pool.acquire().await?.detach();
        let migrated = run_alone(&mut connection, patience).await;
        let closed = connection.close().await;
        migrated?;
        closed?;
        self.ensure_partitions().await
    }
}

async fn run_alone(connection: &mut PgConnection, patience: Duration) -> Result<(), StoreError> {
    lock(connection, patience).await?;
    mend_indexes(connection).await?;
    MIGRATOR.run(connection).await.map_err(explain)
}

/// Until the connection is closed.
async fn lock(connection: &mut PgConnection, patience: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let is_ours: bool =
            sqlx::query_scalar("select pg_try_advisory_lock(hashtext('trunkline migrations'))")
                .fetch_one(&mut *connection)
                .await?;
        if is_ours {
            return Ok(());
        }
        if begun.elapsed() >= patience {
            return Err(StoreError::BeingMigrated);
        }
        if !is_told {
            tracing::info!("waiting for another process that migrates the database");
            is_told = true;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Makes the indexes anew that were not finished, because their build was interrupted. PostgreSQL leaves them
/// there, to be kept up to date and never used, and `if not exists` takes them for what is wanted.
async fn mend_indexes(connection: &mut PgConnection) -> Result<(), StoreError> {
    for (name, create) in concurrent_indexes() {
        let is_unfinished: bool = sqlx::query_scalar(
            "select exists (
                 select from pg_index
                 where indexrelid = to_regclass($1) and not indisvalid
             )",
        )
        .bind(name)
        .fetch_one(&mut *connection)
        .await?;
        if is_unfinished {
            tracing::info!(index = name, "an index is made anew, as it was not finished");
            let drop = format!("drop index concurrently {name}");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await?;
            sqlx::raw_sql(create).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// By their names, with the statements that make them.
fn concurrent_indexes() -> impl Iterator<Item = (&'static str, &'static str)> {
    MIGRATOR.iter().filter_map(|migration| {
        let sql = migration.sql.as_str();
        let (_, rest) = sql.split_once("index concurrently if not exists ")?;
        Some((rest.split_whitespace().next()?, sql))
    })
}

fn explain(error: MigrateError) -> StoreError {
    let newest = MIGRATOR.iter().map(|migration| migration.version).max();
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => StoreError::from(error),
        MigrateError::VersionMissing(version) if Some(version) > newest => StoreError::NewerSchema(version),
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            StoreError::OtherSchema(version)
        }
        other => StoreError::Damaged(other.to_string()),
    }
}

/// Of every migration of this binary.
pub(crate) fn versions() -> impl Iterator<Item = i64> {
    MIGRATOR.iter().map(|migration| migration.version)
}

/// `NotMigrated` unless every migration of this binary is applied.
pub(crate) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await?;
    let all = MIGRATOR.iter().all(|migration| applied.contains(&migration.version));
    if all { Ok(()) } else { Err(StoreError::NotMigrated) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{MIGRATOR, concurrent_indexes};

    /// Else an interrupted build would not be noticed.
    #[test]
    fn what_is_no_transaction_is_one_index_with_a_name_of_its_own() {
        let apart: Vec<_> = MIGRATOR.iter().filter(|migration| migration.no_tx).collect();
        assert!(apart.iter().all(|migration| migration.sql.as_str().matches(';').count() == 1));
        let names: HashSet<_> = concurrent_indexes().map(|(name, _)| name).collect();
        assert_eq!(names.len(), apart.len(), "{names:?}");
        assert!(names.contains("messages_call"));
    }
}
