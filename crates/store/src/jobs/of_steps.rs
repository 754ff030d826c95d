//! For workers that take only some types of steps: what is ready is sorted by type, then claimed by type.
//!
//! ```text
//!   a job becomes ready ──► of no type ──sort──► of a type ──claim──► leased
//!                               └─ by workers that take all: as ever ──▲
//! ```
//!
//! Only the definition tells a step's type, and definitions are sealed. So whoever makes a job ready writes none, which
//! costs nothing where nobody asks; a worker that does ask sorts what it finds, with the definitions that it knows, and
//! writes the types down for all. The type stays with the job while it waits, is taken, is given back; with the
//! path's next step it goes.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Version};

use super::claim::{bind_shares, read_shares};
use super::{LeasedJob, LowWaterMark, Passed, Share, Waiting};
use crate::waits::read_id;
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

/// A ready job whose type nobody has told yet.
#[derive(Debug, Clone)]
pub struct Unsorted {
    pub instance: InstanceId,
    pub account: AccountId,
    pub definition: DefinitionId,
    pub version: Version,
    /// Position in the version's flattened steps.
    pub step: usize,
    path: i32,
    n: i32,
    ready_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Unsorted {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let instance = read_id(row.try_get("instance_id")?);
        Ok(Self {
            instance: instance.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            account: AccountId::new(row.try_get::<String, _>("account_id")?),
            definition: row.try_get("definition_id")?,
            version: row.try_get("version")?,
            step: usize::try_from(row.try_get::<i32, _>("step")?).unwrap_or(usize::MAX),
            path: row.try_get("path")?,
            n: row.try_get("n")?,
            ready_at: row.try_get("ready_at")?,
        })
    }
}

const UNSORTED: &str =
    "select j.instance_id, j.account_id, i.definition_id, i.version, j.step, j.path, j.n, j.ready_at
     from (
         select instance_id, account_id, step, path, n, ready_at
         from jobs
         where worker is null and not queued and not held and ready_at >= $1 and step_type is null
         order by ready_at
         limit $2
     ) j
     join instances i on i.id = any (array[j.instance_id])";

/// Up to `limit` of them, those that have been ready for longest.
pub async fn find_unsorted(
    connection: &mut PgConnection,
    limit: usize,
    mark: &mut LowWaterMark,
) -> Result<Vec<Unsorted>, StoreError> {
    let begin = mark.begin();
    let found: Vec<Unsorted> = sqlx::query_as(UNSORTED)
        .bind(begin.time)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    mark.looked(begin, found.iter().map(|job| job.ready_at).max());
    Ok(found)
}

/// Writes the types down, of those that are still there and in nobody's hands: it waits for nobody.
pub async fn sort(connection: &mut PgConnection, types: &[(Unsorted, &str)]) -> Result<(), StoreError> {
    sqlx::query(
        "with sorted as materialized (
             select j.ctid as place, t.step_type
             from unnest($1::bytea[], $2::int[], $3::int[], $4::text[]) as t (instance_id, path, n, step_type)
             join jobs j on j.instance_id = any (array[t.instance_id]) and j.path = t.path
             where j.n = t.n and coalesce(j.worker, 0) = 0 and j.step_type is null
             for update of j skip locked
         )
         update jobs j
         set step_type = s.step_type
         from sorted s
         where j.ctid = s.place",
    )
    .bind(types.iter().map(|(job, _)| &job.instance.as_bytes()[..]).collect::<Vec<_>>())
    .bind(types.iter().map(|(job, _)| job.path).collect::<Vec<_>>())
    .bind(types.iter().map(|(job, _)| job.n).collect::<Vec<_>>())
    .bind(types.iter().map(|(_, step_type)| *step_type).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// In the words of the index `jobs_of_step`. The types are asked one after the other.
const OF_STEPS: &str = super::claim::lease!(
    "select j.place
     from unnest($2::text[], $3::bigint[], $4::timestamptz[]) as share (account_id, most, begins)
     cross join lateral (
         select o.place
         from unnest($5::text[]) as t (step_type)
         cross join lateral (
             select ctid as place
             from jobs
             where step_type = t.step_type and account_id = share.account_id and coalesce(worker, -1) < 0
                 and not queued and not held and ready_at >= share.begins
             order by ready_at
             limit share.most
             for update skip locked
         ) o
         limit share.most
     ) j
     where exists (select from workers where id = $1 and lost_at is null and not draining)"
);

/// As [`claim_shares`](super::claim_shares), of these types. Those named first are taken first: who calls turns the list.
pub async fn claim_shares_of_steps(
    connection: &mut PgConnection,
    worker: Incarnation,
    types: &[&str],
    shares: &mut [Share<'_>],
) -> Result<Vec<LeasedJob>, StoreError> {
    let (begins, statement) = bind_shares(OF_STEPS, worker, shares);
    let rows = statement.bind(types).fetch_all(connection).await?;
    // What is newest of one type says nothing of the others, unless all of them came to their end.
    read_shares(&rows, shares, begins, |claimed, limit| types.len() < 3 || claimed < limit)
}

/// As [`find_waiting`](super::find_waiting), of these types. Only those that are nobody's business here are jumped
/// over.
pub async fn find_waiting_of_steps(
    connection: &mut PgConnection,
    types: &[&str],
    after: Option<&AccountId>,
    passed: &[Passed<'_>],
    limit: usize,
) -> Result<Waiting, StoreError> {
    let rows: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "with recursive walk as (
             select $1::text as account_id
             union all
             select next.account_id
             from walk w
             cross join lateral (
                 select min(o.account_id) as account_id
                 from unnest($2::text[]) as t (step_type)
                 cross join lateral (
                     select account_id
                     from jobs
                     where step_type = t.step_type and coalesce(worker, -1) < 0 and not queued and not held
                         and account_id > w.account_id
                     order by account_id
                     limit 1
                 ) o
             ) next
             where next.account_id is not null
         )
         select account_id, now()
         from (select account_id from walk offset 1 limit $3) w
         order by account_id",
    )
    .bind(after.map_or("", AccountId::as_str))
    .bind(types)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let is_ours =
        |name: &str| !passed.iter().any(|passed| passed.begin.is_none() && passed.account.as_str() == name);
    Ok(Waiting {
        next_after: rows.last().filter(|_| rows.len() >= limit).map(|(account, _)| AccountId::new(account)),
        now: rows.first().map(|(_, now)| *now),
        accounts: rows
            .iter()
            .filter(|(account, _)| is_ours(account))
            .map(|(account, _)| AccountId::new(account))
            .collect(),
    })
}

/// Which of these accounts have ready jobs of these types.
pub async fn find_waiting_of_steps_among(
    connection: &mut PgConnection,
    types: &[&str],
    accounts: &[Passed<'_>],
) -> Result<Waiting, StoreError> {
    let found: Vec<String> = sqlx::query_scalar(
        "select a.account_id
         from unnest($1::text[]) as a (account_id)
         where exists (
             select
             from unnest($2::text[]) as t (step_type)
             cross join lateral (
                 select
                 from jobs
                 where step_type = t.step_type and account_id = a.account_id and coalesce(worker, -1) < 0
                     and not queued and not held
                 limit 1
             ) o
         )",
    )
    .bind(accounts.iter().map(|asked| asked.account.as_str()).collect::<Vec<_>>())
    .bind(types)
    .fetch_all(connection)
    .await?;
    Ok(Waiting { accounts: found.into_iter().map(AccountId::new).collect(), next_after: None, now: None })
}
