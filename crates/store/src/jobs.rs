//! Jobs, as a worker gets them: claimed in batches, each with what is needed to execute it.

mod claim;
mod find_waiting;
mod low_water_mark;
mod of_steps;
mod still_leased;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use trunkline_telemetry::traces::TraceContext;
use trunkline_workflow::path::{Path, Place};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, JobId, Version};

use crate::attempts::AttemptOutcome;
use crate::waits::Resume;
use crate::workers::Incarnation;
use crate::{PgConnection, Store, StoreError};

pub use claim::{Share, claim, claim_shares};
pub use find_waiting::{Passed, Waiting, find_waiting, find_waiting_among, is_only_account};
pub use low_water_mark::{Begin, LowWaterMark};
pub use of_steps::{
    Unsorted, claim_shares_of_steps, find_unsorted, find_waiting_of_steps, find_waiting_of_steps_among, sort,
};
pub use still_leased::STILL_LEASED;
pub(crate) use still_leased::{Leases, leases};

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct LeasedJob {
    pub instance: InstanceId,
    pub account: AccountId,
    pub definition: DefinitionId,
    pub version: Version,
    pub path: Path,
    pub issued: i32,
    /// Nothing else of the instance is open, so nobody else decides about it.
    pub alone: bool,
    /// What ended the wait this job was parked for, as [`crate::waits::Resume`] writes it.
    pub resume: Option<String>,
    /// The instance's context as JSON text, if it has no more than 8 KiB. `None`, too, in the successor of a job
    /// that this worker just completed, whose context it knows, and in what is only looked at again.
    pub data: Option<String>,
    pub instance_started_at: DateTime<Utc>,
    /// How long it was ready before it was claimed.
    pub waited: Duration,
    /// The trace that the instance was started under.
    pub trace: Option<Arc<TraceContext>>,
}

impl LeasedJob {
    pub fn id(&self) -> JobId {
        JobId::new(self.instance, self.path.n)
    }
}

impl FromRow<'_, PgRow> for LeasedJob {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let instance: &[u8] = row.try_get("instance_id")?;
        let (ready_at, now): (DateTime<Utc>, DateTime<Utc>) = (row.try_get("ready_at")?, row.try_get("now")?);
        Ok(Self {
            instance: InstanceId::from_bytes(instance).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
            account: AccountId::new(row.try_get::<String, _>("account_id")?),
            definition: row.try_get("definition_id")?,
            version: row.try_get("version")?,
            path: Path {
                path: row.try_get("path")?,
                n: row.try_get("n")?,
                step: usize::try_from(row.try_get::<i32, _>("step")?).unwrap_or(usize::MAX),
                scope: row.try_get("scope")?,
                place: Place::Active,
                attempt: row.try_get("attempt")?,
                started_at: row.try_get("started_at")?,
            },
            issued: row.try_get("issued")?,
            alone: row.try_get("alone")?,
            resume: row.try_get("resume")?,
            data: row.try_get("data")?,
            instance_started_at: row.try_get("instance_started_at")?,
            waited: (now - ready_at).to_std().unwrap_or_default(),
            trace: row.try_get::<Option<&str>, _>("trace")?.and_then(TraceContext::parse).map(Arc::new),
        })
    }
}

/// Gives back what this worker holds without knowing of it: everything but the instances in its hands.
pub async fn release_others(
    connection: &mut PgConnection,
    worker: Incarnation,
    in_hand: &[InstanceId],
) -> Result<u64, StoreError> {
    let released = sqlx::query(
        "update jobs
         set worker = null, ready_at = now()
         where worker = $1 and instance_id <> all($2)",
    )
    .bind(worker.0)
    .bind(in_hand.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(released.rows_affected())
}

/// Gives back everything this worker holds, at its end: what had not ended by then may have been done in part.
pub async fn release_all(connection: &mut PgConnection, worker: Incarnation) -> Result<u64, StoreError> {
    let released = sqlx::query(
        "with held as (
             select instance_id, path, ready_at
             from jobs
             where worker = $1
         ), freed as (
             update jobs j
             set worker = null, attempt = greatest(j.attempt - 1, 0), ready_at = now(),
                 resume = coalesce(j.resume, $2)
             from held h
             where j.instance_id = any (array[h.instance_id]) and j.path = h.path and j.worker = $1
             returning j.instance_id, j.n, j.attempt, j.step, h.ready_at, j.started_at
         )
         insert into attempts (instance_id, n, attempt, step, worker, outcome, started_at)
         select f.instance_id, f.n, f.attempt + 1, f.step, (select name from workers where id = $1), $3,
             greatest(f.ready_at, f.started_at)
         from freed f",
    )
    .bind(worker.0)
    .bind(Resume::Interrupted.to_text())
    .bind(AttemptOutcome::Interrupted.as_str())
    .execute(connection)
    .await?;
    Ok(released.rows_affected())
}

impl Store {
    /// The context of an instance as JSON text, where it is too large to come with a claim.
    pub async fn context_of(&self, instance: InstanceId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("select data from instances where id = $1")
            .bind(instance.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?)
    }
}

/// What this worker holds of some instances: how it learns what became of a completion whose commit it
/// did not see.
pub async fn reload(
    connection: &mut PgConnection,
    worker: Incarnation,
    instances: &[InstanceId],
) -> Result<Vec<LeasedJob>, StoreError> {
    let jobs = sqlx::query_as(
        "select j.instance_id, j.account_id, i.definition_id, i.version, j.path, j.n, j.step, j.scope,
             j.attempt, j.started_at, j.issued, j.alone, j.resume, null as data, i.trace, j.ready_at,
             i.started_at as instance_started_at, now() as now
         from jobs j
         join instances i on i.id = j.instance_id
         where j.instance_id = any($2) and j.worker = $1",
    )
    .bind(worker.0)
    .bind(instances.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(jobs)
}
