//! Jobs, as a worker gets them: claimed in batches, each with what is needed to execute it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use trunkline_telemetry::traces::TraceContext;
use trunkline_workflow::path::{Path, Place};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, JobId, Version};

use crate::waits::Resume;
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

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
    /// The instance's context as JSON text; `None` in the successor of a job that this worker just
    /// completed, whose context it knows.
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
            data: Some(row.try_get("data")?),
            instance_started_at: row.try_get("instance_started_at")?,
            waited: (now - ready_at).to_std().unwrap_or_default(),
            trace: row.try_get::<Option<&str>, _>("trace")?.and_then(TraceContext::parse).map(Arc::new),
        })
    }
}

/// Where to begin looking: everything ready before it has been claimed already.
///
/// A claim that always began at the oldest ready job would read past the index entries of all jobs done
/// since the oldest open snapshot. The mark stays behind the newest claim by longer than a start's
/// transaction takes; now and then a claim begins at the beginning, for jobs whose claim was undone.
#[derive(Debug, Default)]
pub struct LowWaterMark {
    ready_at: DateTime<Utc>,
    began_at_the_beginning: Option<Instant>,
}

const BETWEEN_FULL: Duration = Duration::from_secs(5);
const MARK_LAG: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

impl LowWaterMark {
    /// Where the next claim begins, and whether that is the beginning.
    fn begin(&mut self) -> (DateTime<Utc>, bool) {
        if self.began_at_the_beginning.is_none_or(|at| at.elapsed() > BETWEEN_FULL) {
            self.began_at_the_beginning = Some(Instant::now());
            return (DateTime::UNIX_EPOCH, true);
        }
        (self.ready_at, false)
    }

    /// A claim from the beginning may set the mark back: it found jobs that were written late, or by a
    /// database whose clock was set back.
    fn advance(&mut self, newest: DateTime<Utc>, from_beginning: bool) {
        let mark = newest - MARK_LAG;
        self.ready_at = if from_beginning { mark } else { self.ready_at.max(mark) };
    }
}

/// Claims up to `limit` ready jobs for this worker, oldest first; none if it is lost or draining.
pub async fn claim(
    connection: &mut PgConnection,
    worker: Incarnation,
    limit: usize,
    mark: &mut LowWaterMark,
) -> Result<Vec<LeasedJob>, StoreError> {
    let (begin, from_beginning) = mark.begin();
    let rows = sqlx::query(
        "with picked as materialized (
             select instance_id, path
             from jobs
             where worker is null and not queued and not held and ready_at >= $3
                 and exists (select from workers where id = $1 and lost_at is null and not draining)
             order by ready_at
             limit $2
             for update skip locked
         ), claimed as (
             update jobs j
             set worker = $1, attempt = j.attempt + 1, started_at = coalesce(j.started_at, now())
             from picked p
             where j.instance_id = any (array[p.instance_id]) and j.path = p.path
             returning j.*
         )
         select c.instance_id, c.account_id, i.definition_id, i.version, c.path, c.n, c.step, c.scope,
             c.attempt, c.started_at, c.issued, c.alone, c.resume, i.data, i.trace, c.ready_at,
             i.started_at as instance_started_at, now() as now
         from claimed c
         join instances i on i.id = any (array[c.instance_id])",
    )
    .bind(worker.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(begin)
    .fetch_all(connection)
    .await?;
    let ready_at = rows.iter().map(|row| row.try_get("ready_at")).collect::<Result<Vec<_>, _>>()?;
    if let Some(newest) = ready_at.into_iter().max() {
        mark.advance(newest, from_beginning);
    }
    Ok(rows.iter().map(LeasedJob::from_row).collect::<Result<_, _>>()?)
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
        "update jobs
         set worker = null, attempt = greatest(attempt - 1, 0), ready_at = now(),
             resume = coalesce(resume, $2)
         where worker = $1",
    )
    .bind(worker.0)
    .bind(Resume::Interrupted.to_text())
    .execute(connection)
    .await?;
    Ok(released.rows_affected())
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
             j.attempt, j.started_at, j.issued, j.alone, j.resume, i.data, i.trace, j.ready_at,
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

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn the_mark_follows_claims_and_goes_back_when_the_beginning_has_older_jobs() {
        let at = |seconds| Utc.timestamp_opt(seconds, 0).unwrap();
        let mut mark = LowWaterMark::default();
        assert_eq!(mark.begin(), (at(0), true), "the first claim begins at the beginning");
        mark.advance(at(1_000), true);
        assert_eq!(mark.begin(), (at(995), false));
        mark.advance(at(900), false);
        assert_eq!(mark.begin(), (at(995), false), "a late job does not hold the mark back");
        mark.advance(at(900), true);
        assert_eq!(mark.begin(), (at(895), false), "jobs below it were found");
    }
}
