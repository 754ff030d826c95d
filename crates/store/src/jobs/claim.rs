//! Claims: of whatever has been ready for longest, and by account, when there is more to do than is taken.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{FromRow, Postgres, Row};
use trunkline_workflow::AccountId;

use super::low_water_mark::Begin;
use super::{LeasedJob, LowWaterMark};
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

/// What one account may get of a claim.
#[derive(Debug)]
pub struct Share<'a> {
    pub account: &'a AccountId,
    pub limit: usize,
    /// The account's own.
    pub mark: &'a mut LowWaterMark,
}

/// Leases the places in the table that `$picked` selects, for worker `$1`: they are locked, so nothing moves.
macro_rules! lease {
    ($picked:literal) => {
        concat!(
            "with picked as materialized (",
            $picked,
            "), claimed as (
                 update jobs j
                 set worker = $1, attempt = j.attempt + 1, started_at = coalesce(j.started_at, now())
                 where j.ctid = any (array(select place from picked))
                 returning j.*
             )
             select c.instance_id, c.account_id, i.definition_id, i.version, c.path, c.n, c.step, c.scope,
                 c.attempt, c.started_at, c.issued, c.alone, c.resume,
                 case when octet_length(i.data) <= 8192 then i.data end as data, i.trace, c.ready_at,
                 i.started_at as instance_started_at, now() as now
             from claimed c
             join instances i on i.id = any (array[c.instance_id])"
        )
    };
}
pub(super) use lease;

const OF_ANYBODY: &str = lease!(
    "select ctid as place
     from jobs
     where worker is null and not queued and not held and ready_at >= $3
         and exists (select from workers where id = $1 and lost_at is null and not draining)
     order by ready_at
     limit $2
     for update skip locked"
);

/// In the words of the index `jobs_of_account`.
const OF_ACCOUNTS: &str = lease!(
    "select j.place
     from unnest($2::text[], $3::bigint[], $4::timestamptz[]) as share (account_id, most, begins)
     cross join lateral (
         select ctid as place
         from jobs
         where account_id = share.account_id and coalesce(worker, 0) = 0 and not queued and not held
             and ready_at >= share.begins
         order by ready_at
         limit share.most
         for update skip locked
     ) j
     where exists (select from workers where id = $1 and lost_at is null and not draining)"
);

/// Claims up to `limit` ready jobs for this worker, oldest first; none if it is lost or draining.
pub async fn claim(
    connection: &mut PgConnection,
    worker: Incarnation,
    limit: usize,
    mark: &mut LowWaterMark,
) -> Result<Vec<LeasedJob>, StoreError> {
    let begin = mark.begin();
    let rows = sqlx::query(OF_ANYBODY)
        .bind(worker.0)
        .bind(as_bigint(limit))
        .bind(begin.time)
        .fetch_all(connection)
        .await?;
    let ready_at = rows.iter().map(ready_at).collect::<Result<Vec<_>, _>>()?;
    mark.looked(begin, ready_at.into_iter().max());
    Ok(rows.iter().map(LeasedJob::from_row).collect::<Result<_, _>>()?)
}

/// Claims of each account up to its limit, oldest first; none if the worker is lost or draining. An account is named
/// once.
pub async fn claim_shares(
    connection: &mut PgConnection,
    worker: Incarnation,
    shares: &mut [Share<'_>],
) -> Result<Vec<LeasedJob>, StoreError> {
    let (begins, statement) = bind_shares(OF_ACCOUNTS, worker, shares);
    let rows = statement.fetch_all(connection).await?;
    read_shares(&rows, shares, begins, |_, _| true)
}

/// From where each account's jobs are asked for, and the statement with what it needs first.
pub(super) fn bind_shares(
    statement: &'static str,
    worker: Incarnation,
    shares: &mut [Share<'_>],
) -> (Vec<Begin>, Query<'static, Postgres, PgArguments>) {
    let begins: Vec<Begin> = shares.iter_mut().map(|share| share.mark.begin()).collect();
    let statement = sqlx::query(statement)
        .bind(worker.0)
        .bind(shares.iter().map(|share| share.account.as_str().to_owned()).collect::<Vec<_>>())
        .bind(shares.iter().map(|share| as_bigint(share.limit)).collect::<Vec<_>>())
        .bind(begins.iter().map(|begin| begin.time).collect::<Vec<_>>());
    (begins, statement)
}

/// What was claimed. `is_told`: whether so many jobs, asked for so many, say how far the account's mark may go.
pub(super) fn read_shares(
    rows: &[PgRow],
    shares: &mut [Share<'_>],
    begins: Vec<Begin>,
    is_told: impl Fn(usize, usize) -> bool,
) -> Result<Vec<LeasedJob>, StoreError> {
    let mut claimed: HashMap<&str, (DateTime<Utc>, DateTime<Utc>, usize)> = HashMap::new();
    for row in rows {
        let ready_at = ready_at(row)?;
        let (oldest, newest, count) =
            claimed.entry(row.try_get("account_id")?).or_insert((ready_at, ready_at, 0));
        (*oldest, *newest) = (ready_at.min(*oldest), ready_at.max(*newest));
        *count += 1;
    }
    for (share, begin) in shares.iter_mut().zip(begins) {
        match claimed.get(share.account.as_str()) {
            Some((oldest, _, count)) if !is_told(*count, share.limit) => {
                share.mark.found_much(begin, *oldest);
            }
            claimed => share.mark.looked(begin, claimed.map(|(_, newest, _)| *newest)),
        }
    }
    Ok(rows.iter().map(LeasedJob::from_row).collect::<Result<_, _>>()?)
}

fn ready_at(row: &PgRow) -> Result<DateTime<Utc>, sqlx::Error> {
    row.try_get("ready_at")
}

fn as_bigint(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
