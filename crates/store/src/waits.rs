//! Parked paths and how they go on.
//!
//! How a wait ended travels with its job ([`Resume`]). However it ends, its row moves from `waits` to `jobs` in
//! one statement ([`resume`]), under the lock of the instance, so that exactly one of a reply and its
//! deadline wins. In a suspended instance the job is made all the same, but held: what arrived is kept.

mod release_due;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trunkline_workflow::InstanceId;

use crate::{PgConnection, StoreError};

pub use release_due::{DueMark, Released};

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
             where w.instance_id = e.instance_id and w.path::smallint = e.path::smallint and w.n = e.n
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
