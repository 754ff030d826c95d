//! Worker processes: their lives, leases and the rescue of what the dead held.
//!
//! One *incarnation* is one life of one worker. It holds a lease that it renews; the jobs it claims carry
//! its id. When the lease has passed (database time) the incarnation is declared lost and its jobs are
//! freed, in one transaction; from then on nothing it says is believed, and its id is never used again.
//!
//! ```text
//! register ──► alive ──renew──► alive ──► retire
//!                │ lease passes, somebody runs rescue_jobs
//!                ▼
//!              lost: renew answers false; completions find no row that is still theirs
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use crate::{Store, StoreError};

/// The fence: grows with every life of every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub i64);

/// A row of the list of workers.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Worker {
    pub id: i64,
    pub name: String,
    pub slots: i32,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub leased_until: DateTime<Utc>,
    pub lost_at: Option<DateTime<Utc>>,
}

/// Begins a life.
pub async fn register(
    connection: &mut PgConnection,
    name: &str,
    slots: usize,
    version: &str,
    lease: Duration,
) -> Result<Incarnation, StoreError> {
    let id = sqlx::query_scalar(
        "insert into workers (name, slots, version, leased_until)
         values ($1, $2, $3, now() + $4 * interval '1 microsecond')
         returning id",
    )
    .bind(name)
    .bind(i32::try_from(slots).unwrap_or(i32::MAX))
    .bind(version)
    .bind(micros(lease))
    .fetch_one(connection)
    .await?;
    Ok(Incarnation(id))
}

/// Lengthens the lease. `false`: this incarnation was declared lost. A lease that passed without anybody
/// noticing may still be renewed: nothing of it was given away.
pub async fn renew(
    connection: &mut PgConnection,
    worker: Incarnation,
    lease: Duration,
) -> Result<bool, StoreError> {
    let renewed = sqlx::query(
        "update workers
         set leased_until = now() + $2 * interval '1 microsecond'
         where id = $1 and lost_at is null",
    )
    .bind(worker.0)
    .bind(micros(lease))
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Ends a life in good order; what it still holds goes back to the queue.
pub async fn retire(connection: &mut PgConnection, worker: Incarnation) -> Result<u64, StoreError> {
    let freed = crate::jobs::release_all(connection, worker).await?;
    sqlx::query("delete from workers where id = $1").bind(worker.0).execute(connection).await?;
    Ok(freed)
}

impl Store {
    /// Declares incarnations lost whose lease has passed, and frees their jobs. Answers how many jobs.
    pub async fn rescue_jobs(&self) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let lost: Vec<i64> = sqlx::query_scalar(
            "update workers
             set lost_at = now()
             where id in (
                 select id from workers
                 where lost_at is null and leased_until < now()
                 order by id
                 for update skip locked
             )
             returning id",
        )
        .fetch_all(&mut *transaction)
        .await?;
        if lost.is_empty() {
            return Ok(0);
        }
        let freed = sqlx::query(
            "update jobs
             set worker = null, ready_at = now()
             where worker = any($1)",
        )
        .bind(&lost)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        transaction.commit().await?;
        tracing::warn!(workers = ?lost, jobs = freed, "declared workers lost and freed their jobs");
        if freed > 0 {
            self.wake.hint();
        }
        Ok(freed)
    }

    pub async fn list_workers(&self) -> Result<Vec<Worker>, StoreError> {
        let workers = sqlx::query_as(
            "select id, name, slots, version, started_at, leased_until, lost_at
             from workers
             order by id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(workers)
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
