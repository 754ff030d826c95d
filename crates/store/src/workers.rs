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

use crate::waits::Resume;
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

/// Ends a life in good order; what it still holds goes back to the queue. The row stays for a while, so that
/// a claim that was on its way is noticed.
pub async fn retire(connection: &mut PgConnection, worker: Incarnation) -> Result<u64, StoreError> {
    let freed = crate::jobs::release_all(connection, worker).await?;
    sqlx::query("update workers set lost_at = now() where id = $1")
        .bind(worker.0)
        .execute(connection)
        .await?;
    Ok(freed)
}

impl Store {
    /// Declares incarnations lost whose lease has passed, and frees the jobs of everybody who is lost or
    /// gone: a claim may have been on its way while its worker was declared lost. The jobs know from then on
    /// that they may have been done in part ([`Resume::Interrupted`](crate::waits::Resume)). Answers how many.
    pub async fn rescue_jobs(&self) -> Result<u64, StoreError> {
        let (lost, freed): (Vec<i64>, i64) = sqlx::query_as(
            "with lost as (
                 update workers
                 set lost_at = now()
                 where id in (
                     select id from workers
                     where lost_at is null and leased_until < now()
                     order by id
                     for update skip locked
                 )
                 returning id
             ), freed as (
                 update jobs j
                 set worker = null, ready_at = now(), resume = coalesce(j.resume, $1)
                 where j.worker is not null
                     and (j.worker in (select id from lost)
                         or j.worker in (select id from workers where lost_at is not null))
                 returning 1
             )
             select array(select id from lost), (select count(*) from freed)",
        )
        .bind(Resume::Interrupted.to_text())
        .fetch_one(&self.pool)
        .await?;
        if !lost.is_empty() {
            tracing::warn!(workers = ?lost, "declared workers lost");
        }
        if freed > 0 {
            tracing::warn!(jobs = freed, "freed the jobs of lost workers");
            self.wake.hint();
        }
        Ok(freed.unsigned_abs())
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
