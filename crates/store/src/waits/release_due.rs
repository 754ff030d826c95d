//! Due waits become jobs, in batches.
//!
//! While all that is due fits into a batch, it is taken as it is. When more is due, accounts take turns: a look walks
//! from account to account, each one that has something due gets its share of the batch, and what is left of it goes to
//! whatever has been due for longest. So a million timers of one account hold nobody else's back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::InstanceId;

use super::{Ending, Resume, read_id, resume};
use crate::jobs::LowWaterMark;
use crate::limits::step_aside;
use crate::{PgConnection, Store, StoreError};

/// Ready jobs beyond which due waits only trickle: a million timers due at once must not bury new starts,
/// and a queue that is always full must not stop the timers.
const BACKLOG: i64 = 2_000;
const TRICKLE: i64 = 100;
/// Waits released in one transaction.
const BATCH: i64 = 1_000;
/// Accounts that one look goes over, whether they have something due or not.
const LOOK: i64 = 256;

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

/// Where the next look goes on.
#[derive(Debug, Default)]
pub struct DueMark {
    /// Behind this account.
    account: Option<String>,
    /// Due waits begin here, and ready jobs.
    due: LowWaterMark,
    ready: LowWaterMark,
}

impl Store {
    /// Makes due waits runnable, a batch of them. Safe to run twice, and by several processes.
    pub async fn release_due(&self, mark: &mut DueMark) -> Result<Released, StoreError> {
        let begin = mark.due.begin();
        let (next, oldest): (Option<i64>, DateTime<Utc>) = sqlx::query_as(
            "select (extract(epoch from next.due_at - now()) * 1000000)::bigint, least(next.due_at, now())
             from (select) as one
             left join lateral (
                 select due_at from waits where due_at >= $1 order by due_at limit 1
             ) next on true",
        )
        .bind(begin.time)
        .fetch_one(&self.pool)
        .await?;
        mark.due.looked(begin, Some(oldest));
        let next_due_in = next.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
        if next_due_in != Some(Duration::ZERO) {
            return Ok(Released::Nothing { next_due_in });
        }
        let count = self.release_batch(mark, oldest).await?;
        if count > 0 {
            self.wake.hint();
        }
        Ok(if count < usize::try_from(BATCH).unwrap_or(count) {
            Released::Later
        } else {
            Released::Some(count)
        })
    }

    /// Nothing is known to have been due before `begin`.
    async fn release_batch(&self, mark: &mut DueMark, begin: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut transaction = self.begin().await?;
        let begin_ready = mark.ready.begin();
        let (most, is_more, oldest): (i64, bool, DateTime<Utc>) = sqlx::query_as(
            "select most, exists (
                 select from waits where due_at >= $4 and due_at <= now() order by due_at offset most limit 1
             ), oldest
             from (
                 select case when count(*) >= $2 then $3 else $1 end as most, coalesce(min(ready_at), now()) as oldest
                 from (
                     select ready_at
                     from jobs
                     where worker is null and not queued and not held and ready_at >= $5
                     order by ready_at
                     limit $2
                 ) as ready
             ) as room",
        )
        .bind(BATCH)
        .bind(BACKLOG)
        .bind(TRICKLE)
        .bind(begin)
        .bind(begin_ready.time)
        .fetch_one(&mut *transaction)
        .await?;
        mark.ready.looked(begin_ready, Some(oldest));
        let accounts =
            if is_more { find_due_accounts(&mut transaction, mark, most, begin).await? } else { Vec::new() };
        let share = most / i64::try_from(accounts.len().max(1)).unwrap_or(i64::MAX);
        let instances: Vec<Vec<u8>> = sqlx::query_scalar(
            "with turns as materialized (
                 select due.instance_id
                 from unnest($2::text[]) as a (account_id)
                 cross join lateral (
                     select instance_id
                     from waits
                     where account_id = a.account_id and due_at >= $4 and due_at <= now()
                     order by due_at
                     limit $3
                 ) due
             ), oldest as materialized (
                 select instance_id
                 from waits
                 where due_at >= $4 and due_at <= now()
                 order by due_at
                 limit $1
             ), due as materialized (
                 select instance_id
                 from (
                     select instance_id, 1 as turn from turns
                     union all
                     select instance_id, 2 as turn from oldest
                 ) as either
                 group by instance_id
                 order by min(turn)
                 limit $1
             )
             select id
             from instances
             where id in (select instance_id from due)
             order by id
             for update skip locked",
        )
        .bind(most)
        .bind(&accounts)
        .bind(share.max(1))
        .bind(begin)
        .fetch_all(&mut *transaction)
        .await?;
        if instances.is_empty() {
            return Ok(0);
        }
        // By instance: where much is due, its index would lead through all of it.
        let waits: Vec<(Vec<u8>, i32, i32, String)> = sqlx::query_as(
            "select instance_id, path, n, kind
             from waits
             where instance_id = any($1) and coalesce(due_at, 'infinity') <= now()",
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
        let resumed = resume(&mut transaction, &endings).await?;
        // Those who waited in a queue are among the ones who try again.
        let again: Vec<InstanceId> =
            endings.iter().filter(|ending| ending.resume.is_none()).map(|ending| ending.instance).collect();
        step_aside(&mut transaction, &again).await?;
        transaction.commit().await?;
        Ok(resumed.len())
    }
}

/// Those that have something due, at most so many; the next look goes on behind the last of them.
async fn find_due_accounts(
    connection: &mut PgConnection,
    mark: &mut DueMark,
    most: i64,
    begin: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let after = mark.account.take().unwrap_or_default();
    let walked: Vec<(String, bool)> = sqlx::query_as(
        "with recursive walk as (
             select $1::text as account_id
             union all
             select next.account_id
             from walk w
             cross join lateral (
                 select account_id
                 from waits
                 where due_at is not null and account_id > w.account_id
                 order by account_id
                 limit 1
             ) next
         )
         select w.account_id, exists (
             select from waits where account_id = w.account_id and due_at >= $3 and due_at <= now()
         )
         from (select account_id from walk offset 1 limit $2) w",
    )
    .bind(after)
    .bind(LOOK)
    .bind(begin)
    .fetch_all(connection)
    .await?;
    let is_end = i64::try_from(walked.len()).is_ok_and(|count| count < LOOK);
    let last = walked.last().map(|(account, _)| account.clone());
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut due: Vec<String> =
        walked.into_iter().filter(|(_, is_due)| *is_due).map(|(account, _)| account).collect();
    if due.len() > most {
        due.truncate(most);
        mark.account = due.last().cloned();
    } else if !is_end {
        mark.account = last;
    }
    Ok(due)
}
