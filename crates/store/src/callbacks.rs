//! Calls to addresses of customers: what was to be told is told, or given up after a day (Workflows API 9.6).
//!
//! A call is written in the transaction of what it is about, and made later by any worker. Those about one
//! subject are made one after the other; nobody else waits for one whose receiver is down. An account has no more
//! than [`AT_ONCE`] under way, so that a receiver that never answers holds up its own account alone.
//!
//! A call is under way while its answer is not there and it is not due: from the claim until what came of it is
//! written down, or until its lease is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::workers::micros;
use crate::{PgConnection, Store, StoreError};

/// Calls of an account that are under way at the same time, over all workers.
pub const AT_ONCE: i64 = 8;

/// A call to be made.
#[derive(Debug, Clone)]
pub struct NewCallback {
    pub account: AccountId,
    /// What it is about; calls about one subject keep their order.
    pub subject: String,
    /// What happened to the subject: each thing is told once.
    pub event: String,
    /// The application in whose name it is signed.
    pub signer: Option<Uuid>,
    /// `None`: nobody is to be told, which is kept for those who ask why.
    pub url: Option<String>,
    pub body: String,
}

/// A call that this worker makes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    pub id: i64,
    pub account: AccountId,
    pub signer: Option<Uuid>,
    pub url: String,
    pub body: String,
    /// From 1; of two workers that believe to make the call, the later one has the higher number.
    pub attempt: i32,
    pub first_attempt_at: DateTime<Utc>,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Delivered,
    Again(Duration),
    GivenUp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    account_id: String,
    signer: Option<Uuid>,
    url: String,
    body: String,
    attempts: i32,
    first_attempt_at: DateTime<Utc>,
}

/// Writes a call down, in a transaction that no other call about the subject is written beside; when it is committed
/// there is something to be hinted at. `false`: this event of the subject was told before.
pub(crate) async fn enqueue(
    connection: &mut PgConnection,
    callback: &NewCallback,
) -> Result<bool, StoreError> {
    // Locked, so that it does not end without waking this one.
    let before: Option<i64> = sqlx::query_scalar(
        "select id
         from callbacks
         where account_id = $1 and subject = $2 and state in ('pending', 'queued')
         order by id desc
         limit 1
         for update",
    )
    .bind(callback.account.as_str())
    .bind(&callback.subject)
    .fetch_optional(&mut *connection)
    .await?;
    let state = match (&callback.url, before) {
        (None, _) => "skipped",
        (Some(_), Some(_)) => "queued",
        (Some(_), None) => "pending",
    };
    let written = sqlx::query(
        "insert into callbacks (account_id, subject, event, signer, url, body, state, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, case when $7 = 'pending' then now() end)
         on conflict do nothing",
    )
    .bind(callback.account.as_str())
    .bind(&callback.subject)
    .bind(&callback.event)
    .bind(callback.signer)
    .bind(&callback.url)
    .bind(&callback.body)
    .bind(state)
    .execute(connection)
    .await?;
    Ok(written.rows_affected() == 1)
}

impl Store {
    pub async fn enqueue_callback(&self, callback: &NewCallback) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let is_new = enqueue(&mut transaction, callback).await?;
        transaction.commit().await?;
        if is_new && callback.url.is_some() {
            self.callback_wake.hint();
        }
        Ok(is_new)
    }

    /// Up to `limit` calls that are due: one of each account, those with the fewest under way first, then the next
    /// of each; of an account the oldest first, and no more than [`AT_ONCE`] with those under way. Who does not say
    /// within `lease` what came of one is believed to be gone, and another may make it.
    pub async fn claim_callbacks(&self, limit: usize, lease: Duration) -> Result<Vec<Callback>, StoreError> {
        let mut transaction = self.begin().await?;
        // One at a time: the second counts what the first took.
        sqlx::query(
            "select pg_advisory_xact_lock(hashtext('trunkline callbacks')), set_config('jit', 'off', true),
                 set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)",
        )
        .execute(&mut *transaction)
        .await?;
        // From one account to the next by the index `callbacks_of_account`: however many calls an account has, so many
        // as it may make are looked at; 8 is `AT_ONCE`. No other index has the order that is asked for, and the planner
        // is kept from sorting by itself: for `account_id = …` it would now and then read all calls of an account, or
        // of all of them.
        let rows: Vec<Row> = sqlx::query_as(
            "with recursive accounts as (
                 (
                     select account_id
                     from callbacks
                     where due_at is not null
                     order by account_id
                     limit 1
                 )
                 union all
                 select (
                     select c.account_id
                     from callbacks c
                     where c.due_at is not null and c.account_id > a.account_id
                     order by c.account_id
                     limit 1
                 )
                 from accounts a
                 where a.account_id is not null
             ), next as (
                 select due.id
                 from accounts a
                 cross join lateral (
                     select count(*) as calls
                     from (
                         select
                         from callbacks c
                         where (c.account_id, c.due_at) > (a.account_id, now())
                             and (c.account_id, c.due_at) <= (a.account_id, 'infinity')
                             and c.due_at is not null and c.answer is null
                         order by c.account_id, c.due_at
                         limit 8
                     ) as under_way
                 ) as begun
                 cross join lateral (
                     select id, due_at, begun.calls + row_number() over (order by due_at) as place
                     from (
                         select c.id, c.due_at
                         from callbacks c
                         where (c.account_id, c.due_at) >= (a.account_id, '-infinity')
                             and (c.account_id, c.due_at) <= (a.account_id, now()) and c.due_at is not null
                         order by c.account_id, c.due_at
                         limit 8
                     ) as oldest
                 ) as due
                 where due.place <= 8
                 order by due.place, due.due_at
                 limit $1
             ), picked as materialized (
                 select id
                 from callbacks
                 where id = any(array(select id from next)) and due_at <= now()
                 for update skip locked
             )
             update callbacks c
             set due_at = now() + $2 * interval '1 microsecond', attempts = c.attempts + 1, answer = null,
                 first_attempt_at = coalesce(c.first_attempt_at, now())
             from picked p
             where c.id = p.id
             returning c.id, c.account_id, c.signer, c.url, c.body, c.attempts, c.first_attempt_at",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(micros(lease))
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(rows
            .into_iter()
            .map(|row| Callback {
                id: row.id,
                account: AccountId::new(row.account_id),
                signer: row.signer,
                url: row.url,
                body: row.body,
                attempt: row.attempts,
                first_attempt_at: row.first_attempt_at,
            })
            .collect())
    }

    /// Writes down what came of an attempt, with the answer in words. `false`: another worker makes the call by now,
    /// and its word counts.
    pub async fn settle_callback(
        &self,
        callback: &Callback,
        delivery: Delivery,
        answer: &str,
    ) -> Result<bool, StoreError> {
        let (state, pause) = match delivery {
            Delivery::Delivered => ("delivered", None),
            Delivery::Again(pause) => ("pending", Some(micros(pause))),
            Delivery::GivenUp => ("given_up", None),
        };
        let mut transaction = self.begin().await?;
        let subject: Option<String> = sqlx::query_scalar(
            "update callbacks
             set state = $3, due_at = now() + $4 * interval '1 microsecond', answer = $5
             where id = $1 and attempts = $2 and due_at is not null
             returning subject",
        )
        .bind(callback.id)
        .bind(callback.attempt)
        .bind(state)
        .bind(pause)
        .bind(answer)
        .fetch_optional(&mut *transaction)
        .await?;
        let mut next_is_due = false;
        if let (Some(subject), None) = (&subject, pause) {
            // A statement of its own: it sees the call that was put behind this one while the first waited.
            let next = sqlx::query(
                "update callbacks
                 set state = 'pending', due_at = now()
                 where id = (
                     select min(id)
                     from callbacks
                     where account_id = $1 and subject = $2 and state = 'queued'
                 )",
            )
            .bind(callback.account.as_str())
            .bind(subject)
            .execute(&mut *transaction)
            .await?;
            next_is_due = next.rows_affected() > 0;
        }
        transaction.commit().await?;
        if next_is_due {
            self.callback_wake.hint();
        }
        Ok(subject.is_some())
    }

    /// How long until the next call is due; `None`: there is none.
    pub async fn next_callback_in(&self) -> Result<Option<Duration>, StoreError> {
        let micros: Option<i64> = sqlx::query_scalar(
            "select (extract(epoch from min(due_at) - clock_timestamp()) * 1000000)::bigint
             from callbacks
             where due_at is not null",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(micros.map(|micros| Duration::from_micros(micros.max(0).unsigned_abs())))
    }
}
