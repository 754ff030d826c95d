//! Parked paths and how they go on.
//!
//! How a wait ended travels with its job ([`Resume`]). However it ends, its row moves from `waits` to `jobs` in
//! one statement ([`resume`]), under the lock of the instance, so that exactly one of a reply and its
//! deadline wins. In a suspended instance the job is made all the same, but held: what arrived is kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trunkline_workflow::InstanceId;

use crate::{PgConnection, Store, StoreError};

/// What ended a wait; travels with the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// The time is over: the end of a `Wait`, the deadline of a reply.
    Due,
    /// What came: a message, keys, a receipt.
    Event(Box<RawValue>),
    /// The bodies of an `If` ended.
    BodiesEnded,
    /// Nothing: the worker that held the job was lost, and may have begun it.
    Interrupted,
}

impl Resume {
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("no map with keys that are not text")
    }

    pub fn parse(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("resume: {error}")))
    }
}

/// One wait to end.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) instance: InstanceId,
    pub(crate) path: i32,
    /// The job that was found waiting: the path may have gone on since.
    pub(crate) n: i32,
    /// `None`: a retry, which goes on with what it had.
    pub(crate) resume: Option<String>,
}

/// Ready jobs beyond which due waits only trickle: a million timers due at once must not bury new starts,
/// and a queue that is always full must not stop the timers.
const BACKLOG: i64 = 2_000;
const TRICKLE: i64 = 100;
/// Waits released in one transaction.
const BATCH: i64 = 1_000;

/// What a round of releasing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Nothing is due; the next wait is due after this long, if there is one.
    Nothing { next_due_in: Option<Duration> },
    /// A full batch went on; there are more.
    Some(usize),
    /// Some went on; the rest is held up by a full queue or by somebody at work on its instances.
    Later,
}

impl Store {
    /// Makes due waits runnable, a batch of them. Safe to run twice, and by several processes.
    pub async fn release_due(&self) -> Result<Released, StoreError> {
        let next: Option<i64> = sqlx::query_scalar(
            "select greatest(0, extract(epoch from due_at - now()) * 1000000)::bigint
             from waits
             where due_at is not null
             order by due_at
             limit 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        let next_due_in = next.map(|micros| Duration::from_micros(micros.unsigned_abs()));
        if next_due_in != Some(Duration::ZERO) {
            return Ok(Released::Nothing { next_due_in });
        }
        let count = self.release_batch().await?;
        if count > 0 {
            self.wake.hint();
        }
        Ok(if count < usize::try_from(BATCH).unwrap_or(count) {
            Released::Later
        } else {
            Released::Some(count)
        })
    }

    async fn release_batch(&self) -> Result<usize, StoreError> {
        let mut transaction = self.begin().await?;
        let instances: Vec<Vec<u8>> = sqlx::query_scalar(
            "with due as materialized (
                 select instance_id
                 from waits
                 where due_at <= now()
                 order by due_at
                 limit case
                     when (select count(*) from (
                         select from jobs where worker is null and not queued and not held limit $2
                     ) as ready) >= $2 then $3 else $1
                 end
             )
             select id
             from instances
             where id in (select instance_id from due)
             order by id
             for update skip locked",
        )
        .bind(BATCH)
        .bind(BACKLOG)
        .bind(TRICKLE)
        .fetch_all(&mut *transaction)
        .await?;
        if instances.is_empty() {
            return Ok(0);
        }
        let waits: Vec<(Vec<u8>, i32, i32, String)> = sqlx::query_as(
            "select instance_id, path, n, kind
             from waits
             where instance_id = any($1) and due_at <= now()",
        )
        .bind(&instances)
        .fetch_all(&mut *transaction)
        .await?;
        let due = Resume::Due.to_text();
        let endings: Vec<Ending> = waits
            .into_iter()
            .map(|(id, path, n, kind)| {
                let instance = read_id(&id)?;
                Ok(Ending { instance, path, n, resume: (kind != "retry").then(|| due.clone()) })
            })
            .collect::<Result<_, StoreError>>()?;
        let count = resume(&mut transaction, &endings).await?.len();
        transaction.commit().await?;
        Ok(count)
    }
}

/// Moves waits to jobs; the caller holds the locks of their instances. Answers those that were still
/// parked.
pub(crate) async fn resume(
    connection: &mut PgConnection,
    endings: &[Ending],
) -> Result<Vec<InstanceId>, StoreError> {
    if endings.is_empty() {
        return Ok(Vec::new());
    }
    let resumed: Vec<(Vec<u8>,)> = sqlx::query_as(
        "with ending as (
             select *
             from unnest($1::bytea[], $2::int[], $3::int[], $4::text[]) as t (instance_id, path, n, resume)
         ), ended as (
             delete from waits w
             using ending e
             where w.instance_id = e.instance_id and w.path = e.path and w.n = e.n
             returning w.*, e.resume as new_resume
         ), placed as (
             select e.*,
                 row_number() over siblings > 1
                     or exists (select from jobs j where j.instance_id = e.instance_id) as queued,
                 count(*) over (partition by e.instance_id) = 1
                     and not exists (select from jobs j where j.instance_id = e.instance_id)
                     and not exists (
                         select from waits w where w.instance_id = e.instance_id and w.path <> e.path
                     ) as alone
             from ended e
             window siblings as (partition by e.instance_id order by e.n)
         )
         insert into jobs (instance_id, path, account_id, n, step, scope, issued, attempt, alone, queued,
             held, resume, started_at)
         select p.instance_id, p.path, p.account_id, p.n, p.step, p.scope, greatest(p.issued, i.issued),
             case when p.kind = 'retry' then p.attempt else 0 end, p.alone, p.queued,
             i.status = 'Suspended',
             case when p.kind = 'retry' then p.resume else p.new_resume end, p.started_at
         from placed p
         join instances i on i.id = p.instance_id
         returning instance_id",
    )
    .bind(endings.iter().map(|ending| &ending.instance.as_bytes()[..]).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.path).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.n).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.resume.clone()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    resumed.iter().map(|(id,)| read_id(id)).collect()
}

pub(crate) fn read_id(bytes: &[u8]) -> Result<InstanceId, StoreError> {
    InstanceId::from_bytes(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A parked path, as a decision or an explanation needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct WaitRow {
    pub(crate) instance_id: Vec<u8>,
    pub(crate) path: i32,
    pub(crate) n: i32,
    pub(crate) step: i32,
    pub(crate) scope: Option<i32>,
    pub(crate) issued: i32,
    pub(crate) attempt: i32,
    pub(crate) kind: String,
    pub(crate) started_at: DateTime<Utc>,
}
