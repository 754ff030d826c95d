//! The schema's versions, embedded in the binary.
//!
//! One process migrates at a time. `create index concurrently` waits for everybody who holds a snapshot, also for
//! one who waits for a lock in a statement; so whoever is second asks for the lock again and again instead, and
//! holds nothing between two tries.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, Row as _};

use crate::{PgConnection, PgPool, Store, StoreError};

mod index_partitions;
#[cfg(test)]
mod rules;

use index_partitions::index_partitions;

/// As the driver's own runner keeps them, and ran them until a pooler was thought of: it would prepare its statements
/// under names that are others' there.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| sqlx::migrate!("../../migrations"));

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
        // Two connections of their own: the lock is a transaction's, because a pooler keeps nothing else together,
        // and it ends with its connection, however this ends.
        let mut locking = self.direct.connect().await?;
        lock(&mut locking, patience).await?;
        let mut connection = self.direct.connect().await?;
        run(&mut connection).await?;
        connection.close().await?;
        locking.close().await?;
        self.ensure_partitions().await
    }
}

/// The transaction has no snapshot, so nobody waits for it; nobody ends it because it does nothing.
const LOCK: &str = "begin;
    select pg_try_advisory_xact_lock(hashtext('trunkline migrations'));
    select set_config(name, '0', true)
    from pg_settings
    where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')";

/// Until the connection is closed.
async fn lock(connection: &mut PgConnection, patience: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let is_ours: bool = sqlx::raw_sql(LOCK).fetch_one(&mut *connection).await?.try_get(0)?;
        if is_ours {
            return Ok(());
        }
        sqlx::raw_sql("rollback").execute(&mut *connection).await?;
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

async fn run(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "set local client_min_messages = warning;
         create table if not exists _sqlx_migrations (
             version bigint primary key,
             description text not null,
             installed_on timestamptz not null default now(),
             success boolean not null,
             checksum bytea not null,
             execution_time bigint not null
         )",
    )
    .execute(&mut *connection)
    .await?;
    let applied = applied(connection).await?;
    mend_indexes(connection).await?;
    index_partitions(connection).await?;
    for migration in MIGRATOR.iter().filter(|migration| !applied.contains(&migration.version)) {
        apply(connection, migration).await?;
        // Before the last file is through, which lets servers begin that ask by it.
        if migration.sql.as_str().contains(" on only ") {
            index_partitions(connection).await?;
        }
    }
    Ok(())
}

/// Their versions; all are ours.
async fn applied(connection: &mut PgConnection) -> Result<HashSet<i64>, StoreError> {
    let ours: HashMap<i64, &Migration> =
        MIGRATOR.iter().map(|migration| (migration.version, migration)).collect();
    let newest = ours.keys().max().copied().unwrap_or_default();
    let applied: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("select version, success, checksum from _sqlx_migrations order by version")
            .fetch_all(connection)
            .await?;
    for (version, success, checksum) in &applied {
        match ours.get(version) {
            None if *version > newest => return Err(StoreError::NewerSchema(*version)),
            Some(migration) if migration.checksum.as_ref() == checksum.as_slice() => {}
            _ => return Err(StoreError::OtherSchema(*version)),
        }
        if !success {
            return Err(StoreError::Damaged(format!("migration {version} was applied in part")));
        }
    }
    Ok(applied.into_iter().map(|(version, ..)| version).collect())
}

/// In one transaction, but for those that say they cannot be: these are repeatable.
async fn apply(connection: &mut PgConnection, migration: &'static Migration) -> Result<(), StoreError> {
    let begun = Instant::now();
    if migration.no_tx {
        sqlx::raw_sql(migration.sql.as_str()).execute(&mut *connection).await?;
        return note(connection, migration, begun).await;
    }
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(migration.sql.as_str()).execute(&mut *transaction).await?;
    note(&mut transaction, migration, begun).await?;
    Ok(transaction.commit().await?)
}

async fn note(
    connection: &mut PgConnection,
    migration: &Migration,
    begun: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values ($1, $2, true, $3, $4)",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .bind(i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
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

    use super::{MIGRATOR, concurrent_indexes, rules};

    /// Else an interrupted build would not be noticed.
    #[test]
    fn what_is_no_transaction_is_one_index_with_a_name_of_its_own() {
        let apart: Vec<_> = MIGRATOR.iter().filter(|migration| migration.no_tx).collect();
        for migration in &apart {
            let statements = rules::statements(migration.sql.as_str());
            assert_eq!(statements.len(), 1, "{}: {statements:?}", migration.version);
        }
        let names: HashSet<_> = concurrent_indexes().map(|(name, _)| name).collect();
        assert_eq!(names.len(), apart.len(), "{names:?}");
        assert!(names.contains("messages_call"));
    }
}
