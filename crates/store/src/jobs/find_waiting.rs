//! Which accounts have ready jobs: a walk over the index of ready jobs that jumps from account to account.
//!
//! ```text
//!   after ──► next account that is ready ──► next ──► (one that is passed by) ──► next ──► … at most `limit`
//! ```
//!
//! A jump costs one descent of the index, however many jobs are ready, but it reads past the entries of jobs that are
//! done and that an old snapshot keeps. Where these are many the account is passed by: it is looked at from its
//! low-water mark on, and the walk jumps over all of its entries.

use chrono::{DateTime, Utc};
use trunkline_workflow::AccountId;

use crate::{PgConnection, StoreError};

/// An account that the walk jumps over.
#[derive(Debug, Clone)]
pub struct Passed<'a> {
    pub account: &'a AccountId,
    /// From where its jobs are looked at; `None`: they are nobody's business here.
    pub begin: Option<DateTime<Utc>>,
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Those that have ready jobs, in the database's order.
    pub accounts: Vec<AccountId>,
    /// Where the next walk goes on; `None`: this one came to the end.
    pub next_after: Option<AccountId>,
    /// When it was, by the database's clock, if it saw anybody at all.
    pub now: Option<DateTime<Utc>>,
}

/// Walks from behind `after`, over at most `limit` accounts.
pub async fn find_waiting(
    connection: &mut PgConnection,
    after: Option<&AccountId>,
    passed: &[Passed<'_>],
    limit: usize,
) -> Result<Waiting, StoreError> {
    let rows: Vec<(String, bool, DateTime<Utc>)> = sqlx::query_as(
        "with recursive passed as materialized (
             select account_id, begins
             from unnest($2::text[], $3::timestamptz[]) as p (account_id, begins)
         ), walk as (
             select $1::text as account_id
             union all
             select coalesce(found.account_id, ahead.account_id)
             from walk w
             cross join lateral (
                 select min(p.account_id) as account_id
                 from passed p
                 where p.account_id > w.account_id
             ) ahead
             cross join lateral (
                 select case
                     when ahead.account_id is null then (
                         select account_id
                         from jobs
                         where coalesce(worker, 0) = 0 and not queued and not held
                             and account_id > w.account_id
                         order by account_id
                         limit 1
                     )
                     else (
                         select account_id
                         from jobs
                         where coalesce(worker, 0) = 0 and not queued and not held
                             and account_id > w.account_id and account_id < ahead.account_id
                         order by account_id
                         limit 1
                     )
                 end as account_id
                 offset 0
             ) found
             where coalesce(found.account_id, ahead.account_id) is not null
         )
         select w.account_id,
             case
                 when p.account_id is null then true
                 else exists (
                     select
                     from jobs
                     where account_id = w.account_id and coalesce(worker, 0) = 0 and not queued and not held
                         and ready_at >= p.begins
                 )
             end,
             now()
         from (select account_id from walk offset 1 limit $4) w
         left join passed p on p.account_id = w.account_id
         order by w.account_id",
    )
    .bind(after.map_or("", AccountId::as_str))
    .bind(passed.iter().map(|passed| passed.account.as_str()).collect::<Vec<_>>())
    .bind(passed.iter().map(|passed| passed.begin).collect::<Vec<_>>())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(Waiting {
        next_after: rows.last().filter(|_| rows.len() >= limit).map(|(account, ..)| AccountId::new(account)),
        now: rows.first().map(|(.., now)| *now),
        accounts: rows
            .into_iter()
            .filter(|(_, is_ready, _)| *is_ready)
            .map(|(account, ..)| AccountId::new(account))
            .collect(),
    })
}

/// Which of these have ready jobs.
pub async fn find_waiting_among(
    connection: &mut PgConnection,
    accounts: &[Passed<'_>],
) -> Result<Waiting, StoreError> {
    let (found, now): (Vec<String>, DateTime<Utc>) = sqlx::query_as(
        "select array(
             select a.account_id
             from unnest($1::text[], $2::timestamptz[]) as a (account_id, begins)
             where exists (
                 select
                 from jobs
                 where account_id = a.account_id and coalesce(worker, 0) = 0 and not queued and not held
                     and ready_at >= a.begins
                 offset 0
             )
         ), now()",
    )
    .bind(accounts.iter().map(|asked| asked.account.as_str()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|asked| asked.begin).collect::<Vec<_>>())
    .fetch_one(connection)
    .await?;
    Ok(Waiting {
        accounts: found.into_iter().map(AccountId::new).collect(),
        next_after: None,
        now: Some(now),
    })
}

/// Whether nobody shares the installation.
pub async fn is_only_account(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("select count(*) < 2 from (select from accounts limit 2) as two")
        .fetch_one(connection)
        .await?)
}
